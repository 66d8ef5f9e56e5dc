"""Kernel and tools of a machine that Debian has no packages for: built from Debian's sources, once, and kept in the cache.

What was built is keyed by the versions of its sources and by how it is built (tests/qemu/bigendian)."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from . import cache
from .apt import Apt
from .debian import FRESH_SECONDS
from .fault import Fault
from .machines import SUITE, Machine

RECIPES = Path(__file__).resolve().parents[1] / "bigendian"
KERNEL = ("build-kernel", "kernel.config")
TOOLS = ("build-tools",)
SOURCES = ("busybox", "iproute2", "libmnl", "libnftnl", "nftables")
BUILDERS = {"mips-linux-gnu-gcc": "gcc-mips-linux-gnu", "make": "make", "flex": "flex", "bison": "bison", "bc": "bc", "dpkg-source": "dpkg-dev"}


class Sources:
    """The same to a guest as `debian.Packages`."""

    def __init__(self, machine: Machine, refresh: bool = False):
        self.machine = machine
        self.home = cache.root() / "source" / f"{SUITE}-{machine.name}"
        with cache.locked(self.home):
            self._apt: Apt | None = None
            self._kernel = self._built("kernel", KERNEL, self._kernel_files, self._build_kernel, refresh)
            self._tools = self._built("tools", TOOLS, self._tool_files, self._build_tools, refresh)

    def kernel(self) -> tuple[Path, Path]:
        return self._kernel / "vmlinux", self._kernel

    def tools(self) -> dict[str, Path]:
        """The programs that every guest has, by their paths in it. There is no `conntrack` among them."""
        return {"bin/busybox": self._tools / "busybox", "usr/sbin/nft": self._tools / "nft", "bin/ip": self._tools / "ip"}

    def find_library(self, _name: str) -> Path | None:
        return None

    def _built(self, what: str, recipe: tuple[str, ...], files: Callable[[], list[str]], build: Callable[[Path, Path], None], refresh: bool) -> Path:
        """The folder of what is built of these files by this recipe."""
        how = hashlib.sha256(b"".join((RECIPES / name).read_bytes() for name in recipe))
        lock = self.home / f"{what}-{how.hexdigest()[:16]}"
        if lock.exists():
            known = self.home / lock.read_text()
            if known.is_dir() and not refresh and time.time() - lock.stat().st_mtime < FRESH_SECONDS:
                return known
        try:
            how.update("\n".join(files()).encode())
            folder = self.home / f"{what}-{how.hexdigest()[:16]}.built"
            if not folder.is_dir():
                self._build(what, folder, build)
        except Fault:
            if lock.exists() and not refresh and (self.home / lock.read_text()).is_dir():
                return self.home / lock.read_text()
            raise
        lock.write_text(folder.name)
        return folder

    def _build(self, what: str, folder: Path, build: Callable[[Path, Path], None]) -> None:
        missing = [package for program, package in BUILDERS.items() if shutil.which(program) is None]
        if missing:
            raise Fault(f"to build {what} of {self.machine.name}, {', '.join(missing)} is missing (scripts/setup --nightly installs it)")
        print(f"building {what} of {self.machine.name}, once", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(dir=self.home) as work:
            out = Path(work) / "out"
            build(Path(work), out)
            out.rename(folder)

    def _archive(self) -> Apt:
        if self._apt is None:
            self._apt = Apt(self.home / "apt", "amd64", SUITE, kinds=("deb", "deb-src"))
            self._apt.update()
        return self._apt

    def _kernel_files(self) -> list[str]:
        return self._archive().files("apt-get", "download", self.machine.kernel)

    def _build_kernel(self, work: Path, out: Path) -> None:
        self._archive().run("apt-get", "-q", "download", self.machine.kernel, folder=work)
        subprocess.run(["dpkg-deb", "-x", next(work.glob("*.deb")), work / "package"], check=True)
        self._recipe("build-kernel", [next(work.glob("package/usr/src/*.tar.*")), out], work)

    def _tool_files(self) -> list[str]:
        if "GLACIC_SOURCES" in os.environ:
            return [os.environ["GLACIC_SOURCES"]]
        return self._archive().files("apt-get", "source", "--download-only", *SOURCES)

    def _build_tools(self, work: Path, out: Path) -> None:
        """$GLACIC_SOURCES names a folder of source trees for where the mirror does not have Debian's."""
        trees = work / "trees"
        if "GLACIC_SOURCES" in os.environ:
            for name in SOURCES:
                shutil.copytree(Path(os.environ["GLACIC_SOURCES"]) / name, trees / name, symlinks=True)
        else:
            trees.mkdir()
            self._archive().run("apt-get", "-q", "source", "--download-only", *SOURCES, folder=work)
            for name in SOURCES:
                description = next(work.glob(f"{name}_*.dsc"))
                subprocess.run(["dpkg-source", "-q", "--no-check", "-x", description, trees / name], check=True, stdout=sys.stderr)
        self._recipe("build-tools", [trees, out], work)

    def _recipe(self, name: str, arguments: list[Path], work: Path) -> None:
        log = self.home / f"{name}.log"
        with open(log, "wb") as output:
            done = subprocess.run([RECIPES / name, *arguments], cwd=work, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            end = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise Fault(f"{name} failed (all it said: {log})\n{end}")
