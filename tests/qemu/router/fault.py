"""What can go wrong before a guest has said anything: each fault is a sentence for the person at the keyboard."""


class Fault(Exception):
    """The harness cannot go on. The message names what is missing and what helps."""
