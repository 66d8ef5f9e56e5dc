"""A real OpenWrt in the same harness: an image that $OPENWRT_IMAGE names, spoken to over its console.

It gets two things from here: a network to update packages from, and a second disk that is a bare tar archive with the
case, its programs and glacic's package. How it is installed and run from there is guest/on-openwrt. The image itself is
never written to."""

import dataclasses
import io
import os
import re
import shlex
import shutil
import subprocess
import tarfile
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from . import guest
from .build import TREE, Build, target
from .cases import Case
from .fault import Fault
from .machines import MACHINES, Machine

GUEST = Path(__file__).resolve().parents[1] / "guest"

FIRMWARE = {"aarch64": "/usr/share/qemu-efi-aarch64/QEMU_EFI.fd", "armv7": "/usr/share/AAVMF/AAVMF32_CODE.fd"}
"""What starts a whole disk of OpenWrt's armsr. A PC brings its own, a malta board starts none."""

KINDS = (("x86-64", "x86_64"), ("x86_64", "x86_64"), ("armsr-armv8", "aarch64"), ("armsr-armv7", "armv7"), ("malta-be", "mips"), ("malta-le", "mipsel"))
"""Words in the name of an image, and the machine it is for."""

PRESS_ENTER = re.compile(rb"press enter to activate", re.IGNORECASE)
PROMPT = re.compile(rb"[#$] (\x1b\[6n)?$")
"""busybox may ask where the cursor is."""

# The line is as short as it is because a shell breaks long ones. What is told to the host begins with a word in the archive.
START = r"""for disk in /dev/vd? /dev/sd?; do [ "$(dd if=$disk bs=1 skip=257 count=5 2>/dev/null)" = ustar ] && break; done; mkdir -p /tmp/glacic && tar -x -f $disk -C /tmp/glacic && sh /tmp/glacic/on-openwrt"""


@dataclass(frozen=True)
class Image:
    """An image and how a machine boots it."""

    machine: Machine
    disk: Path | None
    kernel: Path | None
    initrd: Path | None = None

    @classmethod
    def of_environment(cls) -> "Image":
        """$OPENWRT_IMAGE: a disk (`…-combined.img.gz`), a root file system with its kernel in $OPENWRT_KERNEL, or a kernel that has its
        file system inside (`…-initramfs…`). $OPENWRT_MACHINE says what it is for if its name does not."""
        named = os.environ.get("OPENWRT_IMAGE")
        if not named:
            raise Fault("OPENWRT_IMAGE names no image of OpenWrt (see CONTRIBUTING.md)")
        image = _unpacked(Path(named))
        machine = os.environ.get("OPENWRT_MACHINE") or next((machine for word, machine in KINDS if word in image.name), None)
        if machine not in MACHINES:
            raise Fault(f"{image.name} does not say what machine it is for: set OPENWRT_MACHINE to one of {', '.join(MACHINES)}")
        if "initramfs" in image.name:
            return cls(MACHINES[machine], None, image)
        kernel = os.environ.get("OPENWRT_KERNEL")
        return cls(MACHINES[machine], image, _unpacked(Path(kernel)) if kernel else None)

    def command(self, memory: int, cpus: int, case: Path) -> list[str]:
        """QEMU's command line. What the guest writes to its disk is forgotten when it ends."""
        virtio = self.machine.qemu[2] != "malta"
        interface = "virtio" if virtio else "ide"
        line = [
            *self.machine.qemu, "-accel", "tcg", "-m", str(memory), "-smp", str(cpus), "-nographic", "-no-reboot",
            # As OpenWrt expects it: the first interface is its LAN, the second one asks for an address.
            "-nic", "user,restrict=on,net=192.168.1.0/24" + (",model=virtio" if virtio else ""), "-nic", "user" + (",model=virtio" if virtio else ""),
        ]
        if self.disk:
            line += ["-drive", f"file={self.disk},format=raw,if={interface},snapshot=on"]
        line += ["-drive", f"file={case},format=raw,if={interface},readonly={'on' if virtio else 'off'}"]
        if self.kernel:
            root = f" root=/dev/{'vda' if virtio else 'sda'} rootwait" if self.disk else ""
            line += ["-kernel", str(self.kernel), "-append", f"console={self.machine.console}{root} panic=-1"]
            line += ["-initrd", str(self.initrd)] if self.initrd else []
        elif self.machine.name in FIRMWARE:
            firmware = FIRMWARE[self.machine.name]
            if not Path(firmware).exists():
                raise Fault(f"{firmware} is missing (install qemu-efi-aarch64 or qemu-efi-arm), or give the kernel in OPENWRT_KERNEL")
            line += ["-bios", firmware]
        elif not virtio:
            raise Fault("a malta board boots no disk: give its kernel in OPENWRT_KERNEL, or an image with an initramfs")
        return line


class Login:
    """Answers the console: Enter where it is asked for, and at the first prompt the line that starts everything."""

    def __init__(self):
        self._entered = self._started = False

    def answer(self, line: bytes) -> bytes:
        """What to type after a line, or after one that has no end yet, as a prompt has none."""
        if not self._entered and PRESS_ENTER.search(line):
            self._entered = True
            return b"\n"
        if self._entered and not self._started and PROMPT.search(line):
            self._started = True
            return START.encode() + b"\n"
        return b""


class Router:
    """The image, ready to run cases (as fleet.Router is)."""

    def __init__(self, image: Image, programs: Build, packed: list[Path]):
        if shutil.which(image.machine.qemu[0]) is None:
            raise Fault(f"{image.machine.qemu[0]} is missing (scripts/setup installs it)")
        self.image, self.programs, self.packed = image, programs, packed
        self.machine = dataclasses.replace(image.machine, name="openwrt", lacks={})
        self.what = (image.disk or image.kernel).name

    def cannot(self, case: Case) -> str | None:
        if case.disk or case.boots > 1 or case.clock:
            return "an image has its own disk, and is turned on once"
        return None

    def run(self, case: Case, files: dict[str, Path], expected: int, seconds: int, log: Path, follow) -> guest.Outcome:
        with tempfile.NamedTemporaryFile(prefix="glacic-case-", suffix=".tar") as disk:
            def command(nonce: bytes) -> list[str]:
                disk.write(_archive(self._files(case, files, nonce)))
                disk.flush()
                return self.image.command(case.memory_of(self.machine), case.cpus, Path(disk.name))

            return guest.converse(command, Login(), seconds, expected, log, follow)

    def _files(self, case: Case, files: dict[str, Path], nonce: bytes) -> dict[str, Path | bytes]:
        content: dict[str, Path | bytes] = {name: GUEST / name for name in ("on-openwrt", "lib.sh", "openwrt.sh")}
        content |= {"nonce": nonce + b"\n", "case/run": case.script, "case/arguments": f"{shlex.join(case.cargo_test)}\n".encode()}
        content |= {f"files/{name}": file for name, file in files.items()}
        content |= {f"packages/{package.name}": package for package in self.packed}
        if "OPENWRT_PACKAGES" in os.environ:
            content["offline"] = b""
        # glacic itself comes in its package.
        return content | {f"bin/{name}": self.programs.program(name) for name in case.cargo_test[:1]}


def _archive(files: dict[str, Path | bytes]) -> bytes:
    """A tar archive, which is what the second disk is."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def packages(machine: Machine) -> list[Path]:
    """glacic's packages for this machine, both kinds; and what $OPENWRT_PACKAGES has, for a router without a network."""
    dist = target() / "qemu" / "openwrt" / machine.target
    shutil.rmtree(dist, ignore_errors=True)
    if not (TREE / "scripts/package").exists():
        raise Fault("scripts/package is missing")
    command = ["scripts/package", machine.target, "--dist", str(dist)]
    if subprocess.run(command, cwd=TREE, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL).returncode != 0:
        raise Fault(f"`{' '.join(command)}` failed")
    more = os.environ.get("OPENWRT_PACKAGES")
    folders = [dist, *([Path(more)] if more else [])]
    return [file for folder in folders for file in sorted(folder.glob("*")) if file.suffix in (".ipk", ".apk")]


def _unpacked(file: Path) -> Path:
    """The file itself, or what a .gz has inside, which is kept beside other results."""
    if not file.is_file():
        raise Fault(f"there is no {file}")
    if file.suffix != ".gz":
        return file.resolve()
    plain = target() / "qemu" / "openwrt" / file.stem
    plain.parent.mkdir(parents=True, exist_ok=True)
    # OpenWrt's images have more behind the compressed data; gzip says so and is right all the same.
    decompressor = zlib.decompressobj(31)
    with open(file, "rb") as packed, open(plain, "wb") as out:
        while data := packed.read(1 << 20):
            out.write(decompressor.decompress(data))
            if decompressor.eof:
                break
    return plain
