"""Writes an .ipk: a gzipped GNU tar of debian-binary, data.tar.gz and control.tar.gz, as OpenWrt's ipkg-build makes it.

The same files give the same bytes: sorted names, root as owner in numbers, one time for everything, nothing of the machine.
"""

import gzip
import io
import os
import stat
import tarfile


def squeeze(data):
    """As `gzip -n -9`: without name and time."""
    out = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(data)
    return out.getvalue()


def entry(name, mode, time, kind=tarfile.REGTYPE):
    info = tarfile.TarInfo(name)
    info.mode, info.mtime, info.type = mode, time, kind
    return info


def tar(members):
    """A tar of (entry, bytes)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as file:
        for info, data in members:
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return out.getvalue()


def tree(root, time):
    """Everything below `root`, folders before what is in them."""
    yield entry("./", stat.S_IMODE(os.stat(root).st_mode), time, tarfile.DIRTYPE), b""
    found = []
    for place, folders, files in os.walk(root):
        found += [os.path.join(place, name) for name in folders + files]
    for path in sorted(found, key=lambda path: os.fsencode(path).split(b"/")):
        name, status = "./" + os.path.relpath(path, root), os.lstat(path)
        mode = stat.S_IMODE(status.st_mode)
        if stat.S_ISLNK(status.st_mode):
            info = entry(name, 0o777, time, tarfile.SYMTYPE)
            info.linkname = os.readlink(path)
            yield info, b""
        elif stat.S_ISDIR(status.st_mode):
            yield entry(name + "/", mode, time, tarfile.DIRTYPE), b""
        elif stat.S_ISREG(status.st_mode):
            with open(path, "rb") as file:
                yield entry(name, mode, time), file.read()
        else:
            raise ValueError(f"{path} is neither a file nor a link nor a folder")


def control(fields, description, size):
    """The text that opkg reads. An empty field is left out; further lines of the description begin with a space."""
    lines = [f"{name}: {value}" for name, value in fields if value]
    lines.append(f"Installed-Size: {size}")
    lines.append("Description: " + "\n ".join(line.strip() for line in description.strip().splitlines()))
    return "\n".join(lines) + "\n"


def package(fields, description, root, metadata, time):
    """The bytes of an .ipk. `metadata` are further files of the control archive, by name: text and mode."""
    data = tar(tree(root, time))
    files = {"control": (control(fields, description, len(data)), 0o644), **metadata}
    members = [(entry("./", 0o755, time, tarfile.DIRTYPE), b"")]
    members += [(entry(f"./{name}", mode, time), text.encode()) for name, (text, mode) in sorted(files.items())]
    parts = [("./debian-binary", b"2.0\n"), ("./data.tar.gz", squeeze(data)), ("./control.tar.gz", squeeze(tar(members)))]
    return squeeze(tar((entry(name, 0o644, time), data) for name, data in parts))
