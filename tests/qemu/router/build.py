"""What the tree brings into a guest: glacic and its test programs.

glacic is built as it is shipped: static, small, with no library of the host (scripts/cross-build). The test programs that
drive it in a guest of the host's own architecture are those that cargo builds for the host, linked with the host's C
library, which comes along. While a case is written glacic can be had that way, too (`--host-programs`): it is quicker."""

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .fault import Fault
from .machines import Machine

TREE = Path(__file__).resolve().parents[3]

RUNTIME = ("ld-", "libc.so", "libm.so", "libdl.so", "librt.so", "libpthread.so", "libresolv.so", "libgcc_s.so")
"""Beginnings of the names of what belongs to one build of the C library, and must not be mixed."""


def target() -> Path:
    """Cargo's folder of what was built, in which results of runs are, too."""
    return Path(os.environ.get("CARGO_TARGET_DIR") or TREE / "target").resolve()


def is_native(machine: Machine) -> bool:
    return machine.target == platform.machine()


def find_library(name: str) -> Path | None:
    """A shared library of the host, as its loader finds it."""
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
    for line in listing.splitlines():
        words = line.split()
        # The first one listed is the one of the host's own word size.
        if words and words[0] == name and "=>" in words:
            return Path(words[-1])
    return None


class Host:
    """Programs that run here, built by cargo when they are asked for, and what they tell about themselves."""

    def __init__(self):
        self._stripped = target() / "qemu" / "programs"
        self._built: dict[str, Path] = {}
        self._filled: dict[str, Path | Fault] = {}

    def program(self, name: str) -> Path:
        """`glacic`, `unit` (the library's own tests) or a test program, stripped of what only a debugger reads."""
        if name not in self._built:
            self._built[name] = self._strip(name, self._cargo(name))
        return self._built[name]

    def tests(self, name: str, arguments: list[str]) -> int:
        """How many tests the program would run with these arguments."""
        command = [self.program(name), *arguments, "--list", "--format=terse"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Fault(f"{name} does not list its tests: {done.stderr.strip()}")
        return sum(line.endswith(": test") for line in done.stdout.splitlines())

    def rulesets(self, tests: str) -> Path:
        """The folder that unit tests of this name fill when $GLACIC_RULESETS names one."""
        if tests not in self._filled:
            try:
                self._filled[tests] = self._fill(tests)
            except Fault as fault:
                # Once is enough, however many machines have the case.
                self._filled[tests] = fault
        filled = self._filled[tests]
        if isinstance(filled, Fault):
            raise filled
        return filled

    def _fill(self, tests: str) -> Path:
        folder = target() / "qemu" / "rulesets" / tests.replace(":", "_")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        # They load into a network namespace of their own, for which a user needs to be root in one.
        as_root = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
        command = [*as_root, self.program("unit"), tests]
        done = subprocess.run(command, env={**os.environ, "GLACIC_RULESETS": str(folder)}, cwd=TREE, capture_output=True, text=True)
        if done.returncode != 0:
            raise Fault(f"unit tests {tests} failed:\n{done.stdout}{done.stderr}")
        return folder

    def _cargo(self, name: str) -> Path:
        chosen = {"glacic": ["build", "--bin", "glacic"], "unit": ["test", "--no-run", "--lib"]}
        what = chosen.get(name, ["test", "--no-run", "--test", name])
        command = ["cargo", *what, "--locked", "--message-format=json-render-diagnostics"]
        done = subprocess.run(command, cwd=TREE, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Fault(f"`cargo {' '.join(what)}` failed")
        for line in done.stdout.splitlines():
            message = json.loads(line)
            # Nothing but what was asked for has an executable, or glacic beside the test program that runs it.
            if message.get("executable") and (name == "unit" or message["target"]["name"] == name):
                return Path(message["executable"])
        raise Fault(f"`cargo {' '.join(what)}` built no program {name}")

    def _strip(self, name: str, program: Path) -> Path:
        if shutil.which("strip") is None:
            return program
        self._stripped.mkdir(parents=True, exist_ok=True)
        stripped = self._stripped / name
        if not stripped.exists() or stripped.stat().st_mtime < program.stat().st_mtime:
            # By rename, from a name of its own: another run may be reading the old one, or writing as well.
            with tempfile.TemporaryDirectory(dir=self._stripped) as folder:
                fresh = Path(folder) / name
                subprocess.run(["strip", "--strip-debug", "-o", fresh, program], check=True)
                fresh.rename(stripped)
        return stripped


class Build:
    """The programs of one machine."""

    def __init__(self, machine: Machine, host: Host, on_host: bool = False, folder: Path | None = None, all_static: bool = False):
        """`folder` has programs built beforehand: FOLDER/TARGET/glacic, or FOLDER/glacic."""
        if on_host and not is_native(machine):
            raise Fault(f"a host of {platform.machine()} builds no programs of its own for {machine.name}")
        self.machine, self.host = machine, host
        self.hosts_tests = is_native(machine) and not all_static
        self._on_host = on_host
        self._given = folder is not None
        base = folder or shipped()
        self._folder = base / machine.target if (base / machine.target).is_dir() else base

    def program(self, name: str) -> Path:
        """`glacic` or a test program by the name of its target."""
        program = self._folder / name
        if self._on_host or self.hosts_tests and name != "glacic" and not (self._given and program.exists()):
            return self.host.program(name)
        if not program.exists():
            raise Fault(f"there is no {program}")
        return program


def shipped() -> Path:
    return target() / "cross"


def cross_build(targets: list[str], tests: bool) -> None:
    """Builds what is shipped, for all targets at once, and the test programs if a case runs one."""
    command = ["scripts/cross-build", *(["--tests"] if tests else []), *targets]
    if subprocess.run(command, cwd=TREE, stdin=subprocess.DEVNULL, stdout=sys.stderr).returncode != 0:
        raise Fault(f"`{' '.join(command)}` failed")
