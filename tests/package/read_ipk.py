"""Reads an .ipk and refuses whatever opkg might take differently: a strict check that knows nothing of the writer."""

import gzip
import io
import struct
import tarfile


class Bad(Exception):
    pass


def must(condition, what):
    if not condition:
        raise Bad(what)


def gunzip(data, what):
    must(data[:3] == b"\x1f\x8b\x08", f"{what} is not gzip")
    flags, time = data[3], struct.unpack("<I", data[4:8])[0]
    must(flags == 0 and time == 0, f"{what} carries a name or a time")
    return gzip.decompress(data)


def untar(data, what):
    must(len(data) % 512 == 0 and data.endswith(bytes(1024)), f"{what} does not end as a tar does")
    must(data[257:265] == b"ustar  \0", f"{what} is no GNU tar")
    members = []
    with tarfile.open(fileobj=io.BytesIO(data)) as file:
        for member in file:
            content = file.extractfile(member).read() if member.isreg() else b""
            must((member.uid, member.gid) == (0, 0), f"{what}: {member.name} belongs to somebody")
            must(member.uname == "" and member.gname == "", f"{what}: {member.name} has names of owners")
            must(not member.name.startswith("/") and ".." not in member.name.split("/"), f"{what}: {member.name} leads elsewhere")
            must(member.isreg() or member.isdir() or member.issym(), f"{what}: {member.name} is something special")
            members.append((member, content))
    return members


def control_fields(text):
    """Fields in order; a line that begins with a space goes on with the one before."""
    fields = {}
    last = None
    must(text.endswith("\n") and "\n\n" not in text, "control has an empty line")
    for line in text.splitlines():
        if line.startswith(" "):
            must(last is not None, "control begins with a space")
            fields[last] += "\n" + line[1:]
            continue
        name, colon, value = line.partition(": ")
        must(colon and name.replace("-", "").isalnum() and value.strip() == value and value, f"control: {line!r}")
        must(name not in fields, f"control names {name} twice")
        fields[name], last = value, name
    return fields


def read(data):
    """Gives control's fields, the other files of the control archive, and the members of the data."""
    outer = untar(gunzip(data, "the package"), "the package")
    names = [member.name for member, _ in outer]
    must(names == ["./debian-binary", "./data.tar.gz", "./control.tar.gz"], f"the package has {names}")
    parts = {member.name: content for member, content in outer}
    must(parts["./debian-binary"] == b"2.0\n", "debian-binary is not 2.0")
    times = {member.mtime for member, _ in outer}

    files = untar(gunzip(parts["./data.tar.gz"], "data.tar.gz"), "data.tar.gz")
    must(files[0][0].name in (".", "./"), "data.tar.gz does not begin with its root")
    names = [member.name.rstrip("/").encode().split(b"/") for member, _ in files]
    must(names == sorted(names), "data.tar.gz is not sorted")
    seen = set()
    for member, _ in files:
        name = member.name.rstrip("/")
        must(member.name.startswith(".") and name not in seen, f"data.tar.gz: {member.name}")
        seen.add(name)
        above = name.rpartition("/")[0]
        must(above in ("", *seen), f"data.tar.gz: {name} comes before its folder")

    controls = untar(gunzip(parts["./control.tar.gz"], "control.tar.gz"), "control.tar.gz")
    texts = {}
    for member, content in controls[1:]:
        name = member.name.removeprefix("./")
        must("/" not in name and member.isreg(), f"control.tar.gz: {member.name}")
        script = name not in ("control", "conffiles")
        must(member.mode == (0o755 if script else 0o644), f"control.tar.gz: {name} has mode {member.mode:o}")
        must(not script or content.startswith(b"#!/bin/sh\n"), f"{name} is no script")
        texts[name] = content.decode()
    fields = control_fields(texts.pop("control"))
    for name in ("Package", "Version", "Architecture", "Maintainer", "Section", "License", "Installed-Size", "Description"):
        must(name in fields, f"control lacks {name}")
    times |= {member.mtime for member, _ in files + controls}
    must(len(times) == 1, f"several times: {times}")
    return fields, texts, files
