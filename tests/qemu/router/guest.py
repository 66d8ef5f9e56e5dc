"""One guest: started, listened to on its serial console, judged by what it says.

It passes on nothing but its own result line, with the number of checks the case expects. QEMU's
exit code says nothing: it is 0 after a panic, too. A case may ask for the power to be cut: then the
guest is turned on again, with its disk as the cut left it and with what it gave to be kept before."""

import contextlib
import gzip
import os
import random
import re
import secrets
import selectors
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .cpio import Archive
from .disk import Disk
from .machines import Machine

BOOT_SECONDS = 300
"""A guest alone needs a few to 15; on a machine with much else to do, 50 have been seen."""

SCARCE = 64
"""Megabytes of memory below which an initramfs is compressed."""

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


@dataclass(frozen=True)
class Power:
    """How a guest is turned on. The keys of a case's head: see cases.py."""

    clock: str | None = None
    disk: int = 0
    boots: int = 1


@dataclass
class Outcome:
    """How a case went. `fault` is None if it passed."""

    fault: str | None
    checks: int
    boot_seconds: float
    case_seconds: float
    log: Path
    busy_seconds: float = 0.0
    """Of the host's processors: the rest was waiting."""

    @classmethod
    def never_started(cls, fault: str, log: Path) -> "Outcome":
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("no guest was started\n")
        return cls(fault, 0, 0.0, 0.0, log)

    def tail(self) -> str:
        """The end of the console, as text that harms no terminal."""
        lines = self.log.read_bytes().decode(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join("".join(c if c.isprintable() or c == "\t" else "·" for c in line.rstrip("\r")) for line in lines)


def command(machine: Machine, kernel: Path, initrd: Path, memory: int, cpus: int, words: str, more: list[str] = []) -> list[str]:
    """QEMU's command line; `words` go to the kernel's, `more` to its own."""
    # What protects a processor from itself takes an emulated one a tenth of its time; and a program that lies at another
    # address each time it starts is translated anew each time, half of the time that a short one takes.
    line = f"console={machine.console} quiet loglevel=4 panic=-1 mitigations=off norandmaps cryptomgr.notests {words}"
    if memory < SCARCE:
        # Its own choice, tmpfs, would take no more than half of the memory; and on MIPS a kernel that moves to a random
        # place may take the initramfs' own.
        line += " rootfstype=ramfs nokaslr"
    return [
        *machine.qemu, "-accel", "tcg", "-m", str(memory), "-smp", str(cpus), "-nographic", "-no-reboot", "-nic", "none",
        "-kernel", str(kernel), "-initrd", str(initrd), "-append", line, *more,
    ]


def run(machine: Machine, kernel: Path, initramfs: bytes, memory: int, cpus: int, seconds: int, expected: int, log: Path,
        follow: Callable[[str], None] | None = None, power: Power = Power()) -> Outcome:
    """Runs a guest to its end. `follow` is called with each line that its case prints."""
    log.parent.mkdir(parents=True, exist_ok=True)
    more = ["-rtc", f"base={power.clock}T00:00:00"] if power.clock else []
    seed = secrets.randbits(32)
    chance = random.Random(seed)
    tally = _Tally()
    with contextlib.ExitStack() as stack:
        copy = stack.enter_context(open(log, "wb"))
        disk = stack.enter_context(contextlib.closing(Disk(power.disk))) if power.disk else None
        if disk:
            more += disk.arguments()
        for boot in range(1, power.boots + 1):
            listener = _Listener(seconds, expected, copy, follow, tally, chance)
            kept = Archive()
            kept.file("case/kept", "".join(f"{line}\n" for line in tally.kept).encode())
            with _turned_on(machine, kernel, initramfs + kept.bytes(), memory, cpus, boot, more, listener):
                fault = listener.fault()
            if not listener.was_cut:
                break
            lost = disk.cut(chance) if disk else 0
            copy.write(f"\n---- the power was cut; {lost} pages were lost (boot {boot}, seed {seed})\n".encode())
        else:
            fault = f"the power was cut {power.boots} times, once more than the case's head allows"
    return Outcome(fault, tally.passed, tally.boot_seconds, tally.case_seconds, log, tally.busy_seconds)


@contextlib.contextmanager
def _turned_on(machine: Machine, kernel: Path, initramfs: bytes, memory: int, cpus: int, boot: int, more: list[str], listener):
    """A guest that runs, and is off afterwards."""
    with tempfile.NamedTemporaryFile(prefix="glacic-initramfs-", delete=False) as initrd:
        # While it is unpacked, the guest has it twice.
        initrd.write(gzip.compress(initramfs, 1) if memory < SCARCE else initramfs)
    words = f"glacic.nonce={listener.nonce.decode()} glacic.boot={boot}"
    try:
        with _on(command(machine, kernel, Path(initrd.name), memory, cpus, words, more), listener):
            yield
    finally:
        os.unlink(initrd.name)


def converse(command: Callable[[bytes], list[str]], typist, seconds: int, expected: int, log: Path,
             follow: Callable[[str], None] | None = None) -> Outcome:
    """Runs a guest that wants to be typed to (see openwrt.Login). `command` gets the word that its lines to the host begin with."""
    log.parent.mkdir(parents=True, exist_ok=True)
    tally = _Tally()
    with open(log, "wb") as copy:
        listener = _Listener(seconds, expected, copy, follow, tally, random.Random(), typist)
        with _on(command(listener.nonce), listener):
            fault = listener.fault()
    return Outcome(fault, tally.passed, tally.boot_seconds, tally.case_seconds, log, tally.busy_seconds)


@contextlib.contextmanager
def _on(line: list[str], listener):
    qemu = subprocess.Popen(
        line, stdin=subprocess.PIPE if listener.typist else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        # Ctrl-C is for this run, which then turns its guests off.
        start_new_session=True,
    )
    _running.add(qemu)
    if stopped():
        qemu.kill()
    listener.qemu = qemu
    try:
        yield
    finally:
        _running.discard(qemu)
        listener.tally.busy_seconds += _processor_seconds(qemu)
        qemu.kill()
        qemu.wait()
        qemu.stdout.close()
        if qemu.stdin:
            qemu.stdin.close()


def _processor_seconds(process: subprocess.Popen) -> float:
    """What a process that nobody has waited for has used."""
    if process.returncode is not None:
        return 0.0
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class _Tally:
    """What the boots of one case add up to."""

    passed: int = 0
    failed: int = 0
    boot_seconds: float = 0.0
    case_seconds: float = 0.0
    busy_seconds: float = 0.0
    kept: list[str] = field(default_factory=list)


class _Listener:
    """Follows a console from power-on to a verdict, or to the cut that the case asked for."""

    def __init__(self, seconds, expected, copy, follow, tally: _Tally, chance: random.Random, typist=None):
        self.typist = typist
        self.seconds, self.expected, self.copy, self.follow, self.tally, self.chance = seconds, expected, copy, follow, tally, chance
        self.nonce = secrets.token_hex(8).encode()
        self.qemu: subprocess.Popen
        self.start = time.monotonic()
        self.ready: float | None = None
        self.cut_at: float | None = None
        self.was_cut = False

    def fault(self) -> str | None:
        fault = self._listen()
        self.copy.flush()
        now = time.monotonic()
        ready = self.ready or now
        self.tally.boot_seconds += ready - self.start
        self.tally.case_seconds += now - ready
        return fault

    def _listen(self) -> str | None:
        """Reads until there is a verdict: None, or what went wrong."""
        selector = selectors.DefaultSelector()
        selector.register(self.qemu.stdout, selectors.EVENT_READ)
        pending = b""
        while True:
            end = self.start + BOOT_SECONDS if self.ready is None else self.ready + self.seconds
            left = end - time.monotonic()
            if self.cut_at is not None:
                left = self.cut_at - time.monotonic()
                if left <= 0 and not self.was_cut:
                    self.was_cut = True
                    self.qemu.kill()
            if left <= 0 and not self.was_cut:
                return f"no ready line in {BOOT_SECONDS} s" if self.ready is None else f"no result in {self.seconds} s"
            if not selector.select(None if self.was_cut else left):
                continue
            data = os.read(self.qemu.stdout.fileno(), 65536)
            if not data and self.was_cut:
                return None
            if not data:
                return f"the guest ended without a result (QEMU's exit code {self.qemu.wait()})"
            self.copy.write(data)
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                if (verdict := self._line(line.rstrip(b"\r"))) is not None:
                    return verdict or None
                if self.typist:
                    self._type(self.typist.answer(line))
            if self.typist:
                self._type(self.typist.answer(pending))

    def _type(self, keys: bytes) -> None:
        os.write(self.qemu.stdin.fileno(), keys)

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
        if word == "keep" and self.ready is not None:
            self.tally.kept.append(rest)
            return None
        if word == "cut" and self.ready is not None and self.cut_at is None:
            return self._cut(rest)
        if word == "result" and self.ready is not None and self.cut_at is None:
            return self._result(rest)
        return f"the guest says: {word} {rest}"

    def _result(self, text: str) -> str:
        numbers = re.fullmatch(r"passed=(\d+) failed=(\d+) exit=(\d+)", text)
        if numbers is None:
            return f"a result that cannot be read: {text}"
        passed, failed, code = map(int, numbers.groups())
        self.tally.passed += passed
        self.tally.failed += failed
        if self.tally.failed or code:
            return f"{self.tally.failed} checks failed, {self.tally.passed} of {self.expected} passed, exit code {code}"
        if self.tally.passed != self.expected:
            return f"{self.tally.passed} checks passed where {self.expected} were expected"
        return ""

    def _cut(self, text: str) -> str | None:
        """The guest goes on and does not know when its power fails. What it has checked until now counts."""
        numbers = re.fullmatch(r"milliseconds=(\d+) passed=(\d+) failed=(\d+)", text)
        if numbers is None:
            return f"a cut that cannot be read: {text}"
        milliseconds, passed, failed = map(int, numbers.groups())
        self.tally.passed += passed
        self.tally.failed += failed
        self.cut_at = time.monotonic() + self.chance.uniform(0, milliseconds / 1000)
        return None

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
