"""One guest: started, listened to on its serial console, judged by what it says.

It passes on nothing but its own result line, with the number of checks the case expects. QEMU's
exit code says nothing: it is 0 after a panic, too."""

import os
import re
import secrets
import selectors
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .machines import Machine

BOOT_SECONDS = 120
"""A guest alone needs a few; on a loaded machine there were many more."""

TROUBLE = re.compile(rb"Kernel panic|\bOops\b|BUG: |WARNING: CPU|general protection fault|Unable to handle|rcu: INFO|Out of memory: Kill")
"""What a kernel says when the run is worth nothing any more."""

TAIL_LINES = 60

_running: set[subprocess.Popen] = set()
_stop = threading.Event()


def stop_all() -> None:
    """Turns off every guest of this run, and lets no other one start: none has a result then."""
    _stop.set()
    for qemu in list(_running):
        qemu.kill()


def stopped() -> bool:
    return _stop.is_set()


@dataclass
class Outcome:
    """How a case went. `fault` is None if it passed."""

    fault: str | None
    checks: int
    boot_seconds: float
    case_seconds: float
    log: Path

    @classmethod
    def never_started(cls, fault: str, log: Path) -> "Outcome":
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("no guest was started\n")
        return cls(fault, 0, 0.0, 0.0, log)

    def tail(self) -> str:
        """The end of the console, as text that harms no terminal."""
        lines = self.log.read_bytes().decode(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join("".join(c if c.isprintable() or c == "\t" else "·" for c in line.rstrip("\r")) for line in lines)


def command(machine: Machine, kernel: Path, initrd: Path, memory: int, cpus: int, words: str) -> list[str]:
    """QEMU's command line; `words` go to the kernel's."""
    line = f"console={machine.console} quiet loglevel=4 panic=-1 {words}"
    return [
        *machine.qemu, "-accel", "tcg", "-m", str(memory), "-smp", str(cpus), "-nographic", "-no-reboot", "-nic", "none",
        "-kernel", str(kernel), "-initrd", str(initrd), "-append", line,
    ]


def run(machine: Machine, kernel: Path, initramfs: bytes, memory: int, cpus: int, seconds: int, expected: int, log: Path,
        follow: Callable[[str], None] | None = None) -> Outcome:
    """Runs a guest to its end. `follow` is called with each line that its case prints."""
    nonce = secrets.token_hex(8)
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix="glacic-initramfs-", delete=False) as initrd:
        initrd.write(initramfs)
    qemu = subprocess.Popen(
        command(machine, kernel, Path(initrd.name), memory, cpus, f"glacic.nonce={nonce}"),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        # Ctrl-C is for this run, which then turns its guests off.
        start_new_session=True,
    )
    _running.add(qemu)
    if stopped():
        qemu.kill()
    try:
        with open(log, "wb") as copy:
            return _Listener(qemu, nonce, seconds, expected, copy, follow).outcome(log)
    finally:
        _running.discard(qemu)
        qemu.kill()
        qemu.wait()
        qemu.stdout.close()
        os.unlink(initrd.name)


class _Listener:
    """Follows a console from power-on to a verdict."""

    def __init__(self, qemu, nonce, seconds, expected, copy, follow):
        self.qemu, self.nonce, self.seconds, self.expected = qemu, nonce.encode(), seconds, expected
        self.copy, self.follow = copy, follow
        self.start = time.monotonic()
        self.ready: float | None = None
        self.checks = 0

    def outcome(self, log: Path) -> Outcome:
        fault = self._listen()
        self.copy.flush()
        now = time.monotonic()
        ready = self.ready or now
        return Outcome(fault, self.checks, ready - self.start, now - ready, log)

    def _listen(self) -> str | None:
        """Reads until there is a verdict: None, or what went wrong."""
        selector = selectors.DefaultSelector()
        selector.register(self.qemu.stdout, selectors.EVENT_READ)
        pending = b""
        while True:
            end = self.start + BOOT_SECONDS if self.ready is None else self.ready + self.seconds
            left = end - time.monotonic()
            if left <= 0:
                return f"no ready line in {BOOT_SECONDS} s" if self.ready is None else f"no result in {self.seconds} s"
            if not selector.select(left):
                continue
            data = os.read(self.qemu.stdout.fileno(), 65536)
            if not data:
                return f"the guest ended without a result (QEMU's exit code {self.qemu.wait()})"
            self.copy.write(data)
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                if (verdict := self._line(line.rstrip(b"\r"))) is not None:
                    return verdict or None

    def _line(self, line: bytes) -> str | None:
        """Judges a line: None to go on, "" if the case passed, else the fault."""
        if TROUBLE.search(line):
            # What follows, the kernel's account of it, is the part worth reading.
            self._drain()
            return f"the kernel is in trouble: {line.decode(errors='replace').strip()}"
        if not line.startswith(self.nonce):
            if self.follow and self.ready is not None:
                self.follow(line.decode(errors="replace"))
            return None
        word, _, rest = line[len(self.nonce):].decode(errors="replace").strip().partition(" ")
        if word == "ready":
            self.ready = time.monotonic()
            return None
        if word == "result" and self.ready is not None:
            return self._result(rest)
        return f"the guest says: {word} {rest}"

    def _result(self, text: str) -> str:
        numbers = re.fullmatch(r"passed=(\d+) failed=(\d+) exit=(\d+)", text)
        if numbers is None:
            return f"a result that cannot be read: {text}"
        self.checks, failed, code = map(int, numbers.groups())
        if failed or code:
            return f"{failed} checks failed, {self.checks} of {self.expected} passed, exit code {code}"
        if self.checks != self.expected:
            return f"{self.checks} checks passed where {self.expected} were expected"
        return ""

    def _drain(self) -> None:
        """Keeps what the console still says in the next two seconds."""
        end = time.monotonic() + 2
        selector = selectors.DefaultSelector()
        selector.register(self.qemu.stdout, selectors.EVENT_READ)
        while (left := end - time.monotonic()) > 0 and selector.select(left):
            data = os.read(self.qemu.stdout.fileno(), 65536)
            if not data:
                return
            self.copy.write(data)
