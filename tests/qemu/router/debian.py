"""Kernels and tools from Debian's archive, for any architecture and without root.

What was resolved stays in a lock file: later runs need no network,
and old kernels stay usable after the mirror has dropped them."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import cache
from .apt import Apt
from .fault import Fault
from .machines import SUITE, TOOLS, Machine

FRESH_SECONDS = 7 * 24 * 3600


class Packages:
    """A machine's packages, each unpacked into a folder of its own."""

    def __init__(self, machine: Machine, refresh: bool = False):
        self.machine = machine
        self.home = cache.root() / "debian" / f"{machine.kernel_suite}-{machine.debian}"
        with cache.locked(self.home):
            self.folders = {name: self.home / "unpacked" / folder for name, folder in self._resolved(refresh).items()}

    def kernel(self) -> tuple[Path, Path]:
        """The kernel's image and its folder of modules."""
        folder = self._one("linux-image-6")
        return next((folder / "boot").glob("vmlinuz-*")), next((folder / "lib/modules").iterdir())

    def tools(self) -> dict[str, Path]:
        """The programs that every guest has, by their paths in it."""
        return {path: self.folders[package] / path for package, path in TOOLS.items()}

    def find_library(self, name: str) -> Path | None:
        """A shared library or loader, by its file name."""
        for folder in self.folders.values():
            for place in ("lib", "usr/lib", "lib64"):
                for candidate in (folder / place).glob(f"**/{name}"):
                    if candidate.exists():
                        return candidate
        return None

    def _one(self, prefix: str) -> Path:
        return next(folder for name, folder in self.folders.items() if name.startswith(prefix))

    def _resolved(self, refresh: bool) -> dict[str, str]:
        lock = self.home / "lock.json"
        known = json.loads(lock.read_text()) if lock.exists() else {}
        complete = bool(known) and all((self.home / "unpacked" / folder).is_dir() for folder in known.values())
        if complete and not refresh and time.time() - lock.stat().st_mtime < FRESH_SECONDS:
            return known
        try:
            current, whole = self._fetch()
        except Fault:
            if complete and not refresh:
                return known
            raise
        lock.write_text(json.dumps(current, indent=1))
        if not whole:
            # Good for now, and a run in an hour looks again.
            again = time.time() - FRESH_SECONDS + 3600
            os.utime(lock, (again, again))
        return current

    def _fetch(self) -> tuple[dict[str, str], bool]:
        """Package → folder, and whether every list of the mirror was to be had."""
        machine = self.machine
        print(f"looking for the packages of {machine.name} guests in Debian's archive", file=sys.stderr, flush=True)
        also = () if machine.kernel_suite == SUITE else (machine.kernel_suite,)
        apt = Apt(self.home / "apt", machine.debian, SUITE, also)
        whole = apt.update()
        suite = f"-oAPT::Default-Release={machine.kernel_suite}"
        dependencies = apt.run("apt-cache", "depends", "--important", suite, machine.kernel)
        kernels = [line.split()[-1] for line in dependencies.splitlines() if "Depends: linux-image-" in line]
        if not kernels:
            raise Fault(f"{machine.kernel} names no kernel in {machine.kernel_suite}")
        plan = apt.run("apt-get", "-s", "--no-install-recommends", "install", *TOOLS)
        names = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")] + kernels[:1]
        return self._unpack(apt, names), whole

    def _unpack(self, apt: Apt, names: list[str]) -> dict[str, str]:
        """Downloads and unpacks what the cache does not have yet; gives package → folder."""
        files = apt.files("apt-get", "download", *names)
        by_name = {file.split("_")[0]: file.removesuffix(".deb") for file in files}
        target = self.home / "unpacked"
        target.mkdir(exist_ok=True)
        missing = [name for name, folder in by_name.items() if not (target / folder).is_dir()]
        with tempfile.TemporaryDirectory(dir=self.home) as work:
            if missing:
                print(f"downloading {', '.join(missing)}", file=sys.stderr, flush=True)
                apt.run("apt-get", "-q", "download", *missing, folder=work)
            for name in missing:
                package = next(Path(work).glob(f"{name}_*.deb"))
                unpacked = Path(work) / name
                subprocess.run(["dpkg-deb", "-x", package, unpacked], check=True)
                unpacked.rename(target / by_name[name])
        return by_name
