"""An image laid out as OpenWrt's are, for tests of what boots those: a root file system on a disk, a console that wants Enter
to be pressed, a package manager, a power switch. What it cannot show is whether a real OpenWrt is like this."""

import io
import subprocess
import tarfile
from pathlib import Path

from router import kmod, openwrt
from router.cpio import Archive
from router.debian import Packages
from router.machines import MACHINES

OPKG = """#!/bin/sh
case "$1" in
update) exit 0 ;;
install)
	shift
	for package in "$@"; do
		case "$package" in *.ipk) tar -xzOf "$package" ./data.tar.gz | tar -xz -C / || exit 1 ;; esac
	done
	;;
esac
"""

INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /mnt
/bin/busybox mount -t proc proc /proc
while read -r name; do /bin/busybox insmod "/modules/$name.ko" || exit 1; done </modules/order
/bin/busybox mount -t devtmpfs dev /dev
until [ -b /dev/vda ]; do /bin/busybox usleep 100000; done
/bin/busybox mount -t ext4 /dev/vda /mnt
/bin/busybox mount -t devtmpfs dev /mnt/dev
exec /bin/busybox switch_root /mnt /sbin/init
"""

FILES = {
    "etc/inittab": "::sysinit:/etc/rcS\n::askfirst:/bin/sh\n",
    "etc/rcS": "#!/bin/sh\nmount -t proc proc /proc\nmount -t sysfs sysfs /sys\nmount -t tmpfs tmpfs /tmp\nmkdir -p /var/run\n",
    "etc/openwrt_release": "DISTRIB_ARCH='x86_64'\n",
    "bin/opkg": OPKG,
}


def make(folder: Path, packages: Packages) -> openwrt.Image:
    """Writes disk and initramfs into a folder."""
    kernel, modules = packages.kernel()
    busybox = packages.tools()["bin/busybox"]

    root = folder / "root"
    for name in ("bin", "sbin", "etc", "proc", "sys", "dev", "tmp", "root"):
        (root / name).mkdir(parents=True)
    (root / "bin/busybox").write_bytes(busybox.read_bytes())
    for name, text in FILES.items():
        (root / name).write_text(text)
    for path in (root / "bin/busybox", root / "bin/opkg", root / "etc/rcS"):
        path.chmod(0o755)
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in {*applets} - {"busybox", "opkg"}:
        (root / "bin" / applet).symlink_to("busybox")
    (root / "sbin/init").symlink_to("/bin/busybox")
    disk = folder / "openwrt-test-x86-64-rootfs.img"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", root, disk, "32M"], check=True, capture_output=True, env={"PATH": "/sbin:/usr/sbin:/bin:/usr/bin"})

    archive = Archive()
    archive.program("init", INIT.encode())
    archive.program("bin/busybox", busybox)
    archive.node("dev/console", 5, 1)
    names = []
    for name, data in kmod.in_order(modules, ("virtio_pci", "virtio_blk", "ext4")):
        archive.file(f"modules/{name}.ko", data)
        names.append(name)
    archive.file("modules/order", "".join(f"{name}\n" for name in names).encode())
    initrd = folder / "initrd"
    initrd.write_bytes(archive.bytes())
    return openwrt.Image(MACHINES["x86_64"], disk, kernel, initrd)


def package(folder: Path, arch: str) -> Path:
    """A package of glacic that is none: a program that says so."""
    program = b"#!/bin/sh\necho glacic of a test\n"
    data = _packed({"./usr/sbin/glacic": program})
    file = folder / f"glacic_0_{arch}.ipk"
    file.write_bytes(_packed({"./debian-binary": b"2.0\n", "./data.tar.gz": data}))
    return file


def _packed(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
