"""What a guest finds when it wakes up: busybox, Debian's tools with their libraries, modules, and the case.

The base is the same for all cases of a machine; a case adds an archive of its own behind it."""

import shlex
from pathlib import Path

from . import elf, kmod, native
from .cases import Case
from .cpio import Archive
from .debian import Packages
from .fault import Fault
from .machines import MODULES, TOOLS, Machine

GUEST = Path(__file__).resolve().parents[1] / "guest"


class Initramfs:
    """The first file system of a machine's guests."""

    def __init__(self, machine: Machine, packages: Packages, build: native.Build):
        self.machine, self.packages, self.build = machine, packages, build
        self._in_base: set[str] = set()
        self.base = self._base()

    def shell(self) -> bytes:
        """For a person at the console: with glacic if it can be had for this machine."""
        archive = Archive()
        if self._has_programs():
            self._add_programs(archive, ["glacic"])
        return self.base + archive.bytes()

    def case(self, case: Case, files: dict[str, Path]) -> bytes:
        archive = Archive()
        archive.program("case/run", case.script)
        for name, file in files.items():
            archive.file(f"files/{name}", file)
        tests = case.cargo_test[:1]
        archive.file("case/arguments", f"{shlex.join(case.cargo_test)}\n".encode())
        self._add_modules(archive, case)
        self._add_programs(archive, [*case.programs, *tests])
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
        for library in ("lib.sh", "openwrt.sh"):
            archive.file(library, GUEST / library)
        programs = {package: self.packages.program(package) for package in TOOLS}
        for package, program in programs.items():
            archive.program(TOOLS[package], program)
        archive.link("bin/sh", "busybox")
        self._add_libraries(archive, list(programs.values()))
        tree = self.packages.kernel()[1]
        names = []
        for name, data in kmod.in_order(tree, MODULES):
            archive.file(f"modules/{name}.ko", data)
            names.append(name)
        archive.file("modules/order", "".join(f"{name}\n" for name in names).encode())
        self._in_base = archive.paths()
        return archive.bytes()

    def _add_modules(self, archive: Archive, case: Case) -> None:
        """What the case needs beyond every guest's: its disk, and what it names."""
        tree = self.packages.kernel()[1]
        disk = ("virtio_pci", "virtio_blk", "ext4") if case.disk else ()
        named = tuple(name.removesuffix("?") for name in case.modules if not name.endswith("?") or kmod.has(tree, name.removesuffix("?")))
        order = ""
        for name, data in kmod.in_order(tree, disk + named):
            if f"modules/{name}.ko" not in self._in_base:
                archive.file(f"modules/{name}.ko", data)
                order += f"{name}\n"
        archive.file("modules/order.case", order.encode())

    def _has_programs(self) -> bool:
        return self.build.bin_dir is not None or native.is_native(self.machine)

    def _add_programs(self, archive: Archive, names: list[str]) -> None:
        if names and not self._has_programs():
            raise Fault(f"programs for {self.machine.name} must be built beforehand (--bin-dir)")
        programs = {name: self.build.program(name) for name in dict.fromkeys(names)}
        for name, program in programs.items():
            archive.program(f"bin/{name}", program)
        self._add_libraries(archive, list(programs.values()))

    def _add_libraries(self, archive: Archive, programs: list[Path]) -> None:
        for target, file in elf.closure(programs, self._library).items():
            if target not in self._in_base:
                archive.file(target, file, 0o755)

    def _library(self, name: str, program: Path) -> Path:
        places = [self.packages.library]
        if native.is_native(self.machine):
            places.insert(0 if name.startswith(native.RUNTIME) else 1, native.library)
        for place in places:
            if file := place(name):
                return file
        raise Fault(f"{program} needs {name}, which is to be had from no package of the guest and not from the host")
