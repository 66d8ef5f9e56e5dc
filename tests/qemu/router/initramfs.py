"""What a guest finds when it wakes up: busybox, Debian's tools with their libraries, modules, and the case.

The base is the same for all cases of a machine; a case adds an archive of its own behind it."""

import shlex
from pathlib import Path

from . import build, elf, kmod, package
from .cases import Case
from .cpio import Archive
from .debian import Packages
from .fault import Fault
from .machines import MODULES, Machine
from .source import Sources

GUEST = Path(__file__).resolve().parents[1] / "guest"


class Initramfs:
    """The first file system of a machine's guests."""

    def __init__(self, machine: Machine, packages: Packages | Sources, programs: build.Build):
        self.machine, self.packages, self.programs = machine, packages, programs
        self._in_base: set[str] = set()
        self.base = self._base()

    def shell(self) -> bytes:
        """For a person at the console."""
        archive = Archive()
        self._add_programs(archive, ["glacic"])
        return self.base + archive.bytes()

    def case(self, case: Case, files: dict[str, Path]) -> bytes:
        archive = Archive()
        archive.program("case/run", case.script)
        for name, file in files.items():
            archive.file(f"files/{name}", file)
        tests = case.cargo_test[:1]
        archive.file("case/arguments", f"{shlex.join(case.cargo_test)}\n".encode())
        # A disk needs what drives it.
        self._add_modules(archive, (("virtio_pci", "virtio_blk", "ext4") if case.disk else ()) + case.modules, "order.case")
        self._add_programs(archive, [*case.programs, *tests])
        if case.package:
            program = self.programs.program("glacic")
            package.add(archive, program, self.machine.debian)
            self._add_libraries(archive, [program])
        return self.base + archive.bytes()

    def _base(self) -> bytes:
        archive = Archive()
        for name in ("proc", "sys", "dev", "root", "run", "case", "files", "etc", "bin", "sbin", "usr/sbin", "lib"):
            archive.folder(name)
        archive.folder("tmp", 0o1777)
        archive.folder("var")
        archive.link("var/run", "/run")
        archive.node("dev/console", 5, 1)
        archive.node("dev/null", 1, 3, 0o666)
        archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
        archive.file("etc/group", b"root:x:0:\nnogroup:x:65534:\n")
        archive.program("init", GUEST / "init")
        for library in ("lib.sh", "openwrt.sh", "flash.sh", "procd.sh"):
            archive.file(library, GUEST / library)
        programs = self.packages.tools()
        for path, program in programs.items():
            archive.program(path, program)
        archive.link("bin/sh", "busybox")
        self._add_libraries(archive, list(programs.values()))
        self._add_modules(archive, MODULES, "order")
        self._in_base = archive.paths()
        return archive.bytes()

    def _add_modules(self, archive: Archive, wanted: tuple[str, ...], order: str) -> None:
        """A name with `?` is for kernels that have it."""
        tree = self.packages.kernel()[1]
        names = tuple(name.removesuffix("?") for name in wanted if not name.endswith("?") or kmod.has(tree, name.removesuffix("?")))
        loaded = []
        for name, data in kmod.in_order(tree, names, self.machine.merged):
            if f"modules/{name}.ko" not in self._in_base:
                archive.file(f"modules/{name}.ko", data)
                loaded.append(name)
        archive.file(f"modules/{order}", "".join(f"{name}\n" for name in loaded).encode())

    def _add_programs(self, archive: Archive, names: list[str]) -> None:
        programs = {name: self.programs.program(name) for name in dict.fromkeys(names)}
        for name, program in programs.items():
            archive.program(f"bin/{name}", program)
        self._add_libraries(archive, list(programs.values()))

    def _add_libraries(self, archive: Archive, programs: list[Path]) -> None:
        for target, file in elf.closure(programs, self._library).items():
            if target not in self._in_base:
                archive.file(target, file, 0o755)

    def _library(self, name: str, program: Path) -> Path:
        places = [self.packages.find_library]
        if self.programs.hosts_tests:
            # The host's C library runs Debian's older programs as well, and the other way round would not hold.
            places.insert(0 if name.startswith(build.RUNTIME) else 1, build.find_library)
        for place in places:
            if file := place(name):
                return file
        raise Fault(f"{program} needs {name}, which is to be had from no package of the guest and not from the host")
