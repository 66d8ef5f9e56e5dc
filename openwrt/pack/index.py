"""Writes the index of a folder of .ipk files for opkg: Packages and Packages.gz. Signing it is usign's, with your key.

An entry is the package's own control text with the file's name, size and hash before its description.
"""

import gzip
import hashlib
import io
import sys
import tarfile
from pathlib import Path

import ipk


def control(data):
    """The control text of an .ipk."""
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as outer:
        inner = gzip.decompress(outer.extractfile("./control.tar.gz").read())
    with tarfile.open(fileobj=io.BytesIO(inner)) as archive:
        return archive.extractfile("./control").read().decode()


def entry(file):
    data = file.read_bytes()
    facts, description = control(data).split("Description: ", 1)
    sum256 = hashlib.sha256(data).hexdigest()
    return f"{facts}Filename: {file.name}\nSize: {len(data)}\nSHA256sum: {sum256}\nDescription: {description}\n"


def index(folder):
    return "".join(entry(file) for file in sorted(folder.glob("*.ipk"))).encode()


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__.strip())
        sys.exit(0 if "--help" in sys.argv else 64)
    place = Path(sys.argv[1])
    text = index(place)
    (place / "Packages").write_bytes(text)
    (place / "Packages.gz").write_bytes(ipk.squeeze(text))
