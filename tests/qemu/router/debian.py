"""Kernels and tools from Debian's archive, for any architecture and without root.

apt does the work (signatures, mirrors, proxies) with a state of its own, so the host's packages
are neither read nor touched. What was resolved stays in a lock file: later runs need no network,
and old kernels stay usable after the mirror has dropped them."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import cache
from .fault import Fault
from .machines import SUITE, TOOLS, Machine

FRESH_SECONDS = 7 * 24 * 3600
MIRROR = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


class Packages:
    """A machine's packages, each unpacked into a folder of its own."""

    def __init__(self, machine: Machine, refresh: bool = False):
        self.machine = machine
        self._options: list[str] = []
        self.home = cache.root() / "debian" / f"{SUITE}-{machine.debian}"
        with cache.locked(self.home):
            self.folders = {name: self.home / "unpacked" / folder for name, folder in self._resolved(refresh).items()}

    def kernel(self) -> tuple[Path, Path]:
        """The kernel's image and its folder of modules."""
        folder = self._one("linux-image-6")
        return next((folder / "boot").glob("vmlinuz-*")), next((folder / "lib/modules").iterdir())

    def program(self, package: str) -> Path:
        return self.folders[package] / TOOLS[package]

    def library(self, name: str) -> Path | None:
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
            # Good for now; the next run looks again.
            os.utime(lock, (0, 0))
        return current

    def _fetch(self) -> tuple[dict[str, str], bool]:
        """Package → folder, and whether every list of the mirror was to be had."""
        for program in ("apt-get", "dpkg-deb"):
            if shutil.which(program) is None:
                raise Fault(f"{program} is missing: guests are made from Debian packages (install apt and dpkg)")
        if not KEYRING.exists():
            raise Fault(f"{KEYRING} is missing (install debian-archive-keyring)")
        print(f"looking for the packages of {self.machine.name} guests in Debian's archive", file=sys.stderr, flush=True)
        self._configure()
        whole = True
        try:
            self._apt("apt-get", "-q", "-oAcquire::Retries=3", "update")
        except Fault as fault:
            # One list of several may be missing while a mirror changes; what the others name is enough if it is complete.
            print(f"tests/qemu/run: going on with the lists that are there: {fault}", file=sys.stderr)
            whole = False
        dependencies = self._apt("apt-cache", "depends", "--important", self.machine.kernel)
        kernels = [line.split()[-1] for line in dependencies.splitlines() if "Depends: linux-image-" in line]
        if not kernels:
            raise Fault(f"{self.machine.kernel} names no kernel in {SUITE}")
        plan = self._apt("apt-get", "-s", "--no-install-recommends", "install", *TOOLS)
        names = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")] + kernels[:1]
        return self._unpack(names), whole

    def _unpack(self, names: list[str]) -> dict[str, str]:
        """Downloads and unpacks what the cache does not have yet; gives package → folder."""
        uris = self._apt("apt-get", "download", "--print-uris", *names)
        files = [line.split()[1] for line in uris.splitlines() if line.startswith("'")]
        by_name = {file.split("_")[0]: file.removesuffix(".deb") for file in files}
        target = self.home / "unpacked"
        target.mkdir(exist_ok=True)
        missing = [name for name, folder in by_name.items() if not (target / folder).is_dir()]
        with tempfile.TemporaryDirectory(dir=self.home) as work:
            if missing:
                print(f"downloading {', '.join(missing)}", file=sys.stderr, flush=True)
                self._apt("apt-get", "-q", "download", *missing, folder=work)
            for name in missing:
                package = next(Path(work).glob(f"{name}_*.deb"))
                unpacked = Path(work) / name
                subprocess.run(["dpkg-deb", "-x", package, unpacked], check=True)
                unpacked.rename(target / by_name[name])
        return by_name

    def _configure(self) -> None:
        apt = self.home / "apt"
        for folder in ("lists/partial", "cache/archives/partial"):
            (apt / folder).mkdir(parents=True, exist_ok=True)
        (apt / "status").touch()
        mirror = os.environ.get("GLACIC_DEBIAN_MIRROR", MIRROR)
        security = os.environ.get("GLACIC_DEBIAN_SECURITY_MIRROR", SECURITY)
        (apt / "sources.list").write_text(
            f"deb [signed-by={KEYRING}] {mirror} {SUITE} main\ndeb [signed-by={KEYRING}] {security} {SUITE}-security main\n"
        )
        settings = {
            "Dir::State": apt, "Dir::State::lists": apt / "lists", "Dir::State::status": apt / "status",
            "Dir::Cache": apt / "cache", "Dir::Etc::sourcelist": apt / "sources.list", "Dir::Etc::sourceparts": "-",
            "Dir::Etc::preferences": "-", "Dir::Etc::preferencesparts": "-",
            "APT::Architecture": self.machine.debian, "APT::Architectures": self.machine.debian,
            # Downloads go into the cache of whoever runs this, which the user _apt may not enter.
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
        }
        self._options = [f"-o{key}={value}" for key, value in settings.items()]

    def _apt(self, *command: str, folder: str | None = None) -> str:
        environment = {**os.environ, "LC_ALL": "C"}
        done = subprocess.run([*command, *self._options], env=environment, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise Fault(f"{' '.join(command[:4])} … failed:\n{done.stderr.strip()}")
        return done.stdout
