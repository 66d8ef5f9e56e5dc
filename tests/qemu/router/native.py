"""What the host brings into a guest of its own architecture: glacic and its test programs, built by cargo.

They are linked with the host's C library, so for such a guest that library comes from the host, too:
it runs Debian's older programs as well, and the other way round would not hold."""

import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

from .fault import Fault
from .machines import Machine

TREE = Path(__file__).resolve().parents[3]

RUNTIME = ("ld-", "libc.so", "libm.so", "libdl.so", "librt.so", "libpthread.so", "libresolv.so", "libgcc_s.so")
"""Beginnings of the names of what belongs to one build of the C library, and must not be mixed."""


def is_native(machine: Machine) -> bool:
    return machine.name == platform.machine()


def library(name: str) -> Path | None:
    """A shared library of the host, as its loader finds it."""
    listing = subprocess.run(["/sbin/ldconfig", "-p"], capture_output=True, text=True).stdout
    for line in listing.splitlines():
        words = line.split()
        # The first one listed is the one of the host's own word size.
        if words and words[0] == name and "=>" in words:
            return Path(words[-1])
    return None


class Build:
    """Programs of this tree, built when they are asked for."""

    def __init__(self, target: Path, bin_dir: Path | None = None):
        self.bin_dir = bin_dir
        """A folder of programs built beforehand: `glacic`, and test programs by the names of their targets."""
        self._stripped = target / "qemu" / "programs"
        self._built: dict[str, Path] = {}

    def program(self, name: str) -> Path:
        """`glacic`, `unit` (the library's own tests) or a test program, stripped of what only a debugger reads."""
        if name not in self._built:
            if self.bin_dir is None:
                self._built[name] = self._strip(name, self._cargo(name))
            else:
                self._built[name] = self.bin_dir / name
                if not self._built[name].exists():
                    raise Fault(f"{self.bin_dir} has no program {name}")
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
        folder = self._stripped.parent / "rulesets" / tests.replace(":", "_")
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
            # By rename: another run may be reading the old one.
            fresh = stripped.with_suffix(".new")
            subprocess.run(["strip", "--strip-debug", "-o", fresh, program], check=True)
            fresh.rename(stripped)
        return stripped
