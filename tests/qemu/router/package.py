"""glacic's own package as opkg leaves it on a router: its files where they belong, and opkg's notes of it.

Packed here and now around the program that the guest is to run, so what a case installs is what a release would be."""

import gzip
import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .build import TREE
from .cpio import Archive
from .fault import Fault

NOTES = "usr/lib/opkg/info"


def add(archive: Archive, program: Path, architecture: str) -> None:
    """Puts it into a guest's file system. Nothing has been run yet: a case calls its postinst, as opkg would."""
    with tempfile.TemporaryDirectory(prefix="glacic-package-") as dist:
        command = ["scripts/package", "--program", program, "--arch", architecture, "--dist", dist]
        done = subprocess.run(command, cwd=TREE, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        packed = list(Path(dist).glob("glacic_*.ipk"))
        if done.returncode != 0 or len(packed) != 1:
            raise Fault(f"scripts/package made no package:\n{done.stdout}{done.stderr}")
        parts = {path: data for path, _, data in _files(packed[0].read_bytes())}
    installed = []
    for path, member, data in _files(parts["data.tar.gz"]):
        if member.issym():
            archive.link(path, member.linkname)
        else:
            archive.file(path, data, member.mode)
        installed.append(path)
    for path, member, data in _files(parts["control.tar.gz"]):
        archive.file(f"{NOTES}/glacic.{path}", data, member.mode)
    archive.file(f"{NOTES}/glacic.list", "".join(f"/{path}\n" for path in installed).encode())


def _files(data: bytes) -> Iterator[tuple[str, tarfile.TarInfo, bytes]]:
    """What is in a gzipped tar: path, entry and content of whatever is no folder."""
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as tar:
        for member in tar:
            if member.isfile() or member.issym():
                yield member.name.removeprefix("./"), member, tar.extractfile(member).read() if member.isfile() else b""
