"""Reads an .apk of version 3 and refuses whatever apk refuses, and more: a strict check that knows nothing of the writer.

Every offset must lie inside, every value be aligned, every array sorted where apk searches in it, every hash right, every
block belong to the file that is due, and not a byte be left over.
"""

import hashlib
import struct
import zlib

INFO = {1: "name", 2: "version", 3: "hashes", 4: "description", 5: "arch", 6: "license", 7: "origin", 8: "maintainer", 9: "url",
        12: "installed-size", 15: "depends", 16: "provides"}
SCRIPTS = {2: "pre-install", 3: "post-install", 4: "pre-deinstall", 5: "post-deinstall", 6: "pre-upgrade", 7: "post-upgrade"}


class Bad(Exception):
    pass


def must(condition, what):
    if not condition:
        raise Bad(what)


class Values:
    def __init__(self, data):
        must(len(data) >= 16 and data[:4] == bytes(4), "the database's head")
        self.data = data
        self.root = struct.unpack_from("<I", data, 4)[0]

    def at(self, offset, size, align):
        must(offset >= 8 and offset + size <= len(self.data) and offset % align == 0, f"offset {offset}")
        return self.data[offset : offset + size]

    def blob(self, value):
        if value == 0:
            return b""
        kind, offset = value >> 28, value & 0x0FFFFFFF
        must(kind in (8, 9, 10), f"{value:08x} is no blob")
        width = 1 << (kind - 8)
        size = int.from_bytes(self.at(offset, width, width), "little")
        must(size > (0, 0xFF, 0xFFFF)[kind - 8], f"blob at {offset} is longer than it needs to be")
        return self.at(offset + width, size, 1)

    def text(self, value):
        return self.blob(value).decode()

    def number(self, value):
        kind, offset = value >> 28, value & 0x0FFFFFFF
        must(kind in (1, 2, 3), f"{value:08x} is no number")
        if kind == 1:
            return offset
        return int.from_bytes(self.at(offset, 4 * (kind - 1), 4), "little")

    def fields(self, value, highest):
        """An object's or array's values by number."""
        if value == 0:
            return {}
        must(value >> 28 in (13, 14), f"{value:08x} is no object")
        offset = value & 0x0FFFFFFF
        count = int.from_bytes(self.at(offset, 4, 4), "little")
        must(2 <= count <= highest + 1, f"object at {offset} has {count} values")
        values = struct.unpack(f"<{count}I", self.at(offset, 4 * count, 4))
        must(values[-1] != 0, f"object at {offset} ends with nothing")
        return {number: each for number, each in enumerate(values) if number and each}


def blocks(body):
    place = 0
    while place < len(body):
        must(len(body) - place >= 4, "half a block")
        word = struct.unpack_from("<I", body, place)[0]
        kind, size = word >> 30, word & 0x3FFFFFFF
        end = place + size
        must(size >= 4 and end <= len(body), f"block at {place} of {size} bytes")
        padded = place + -(-size // 8) * 8
        must(padded <= len(body) and not any(body[end:padded]), f"block at {place} is not filled up with zeros")
        yield kind, body[place + 4 : end]
        place = padded


def dependencies(values, value):
    names = []
    for each in values.fields(value, 1000).values():
        fields = values.fields(each, 3)
        must(set(fields) == {1}, "a dependency with a version")
        names.append(values.text(fields[1]))
    must(names == sorted(set(names)), f"dependencies are not sorted: {names}")
    return names


def mode_of(values, value):
    fields = values.fields(value, 4)
    must(set(fields) == {1, 2, 3}, "rights of a file")
    must((values.text(fields[2]), values.text(fields[3])) == ("root", "root"), "a file belongs to somebody")
    mode = values.number(fields[1])
    must(mode & ~0o777 == 0, f"mode {mode:o}")
    return mode


def read_file(values, value):
    fields = values.fields(value, 6)
    name = values.text(fields[1])
    must(name and "/" not in name and name not in (".", ".."), f"file name {name!r}")
    file = {"mode": mode_of(values, fields[2]), "size": values.number(fields[3]), "time": values.number(fields[4]), "data": b""}
    if 6 in fields:
        target = values.blob(fields[6])
        must(target[:2] == b"\x00\xa0" and len(target) > 2 and 5 not in fields, f"{name}: target {target!r}")
        file["link"] = target[2:].decode()
    else:
        file["hash"] = values.blob(fields[5])
        must(len(file["hash"]) == 32, f"{name}: hash")
    return name, file


def read(data):
    """Gives the facts, the scripts and the files by path."""
    must(data[:4] == b"ADBd", "not compressed as apk does")
    inflate = zlib.decompressobj(-15)
    body = inflate.decompress(data[4:]) + inflate.flush()
    must(inflate.eof and not inflate.unused_data, "the compressed data does not end where the file does")
    must(body[:8] == b"ADB.pckg", "not a package")
    found = list(blocks(body[8:]))
    must(found and found[0][0] == 0 and all(kind == 2 for kind, _ in found[1:]), "blocks out of order")
    values = Values(found[0][1])
    top = values.fields(values.root, 5)
    must(set(top) <= {1, 2, 3}, f"the package has {sorted(top)}")

    info = values.fields(top[1], 21)
    must(set(info) <= set(INFO) and {1, 2, 3, 5, 12} <= set(info), f"facts {sorted(info)}")
    facts = {INFO[number]: values.text(value) for number, value in info.items() if number in range(1, 10) and number != 3}
    facts["depends"] = dependencies(values, info.get(15, 0))
    facts["provides"] = dependencies(values, info.get(16, 0))
    facts["installed-size"] = values.number(info[12])
    identity, hole = values.blob(info[3]), (info[3] & 0x0FFFFFFF) + 1
    blank = values.data[:hole] + bytes(20) + values.data[hole + 20 :]
    must(identity == hashlib.sha256(blank).digest()[:20], "the package's identity is not its hash")

    files, due, last = {}, [], None
    for number, value in values.fields(top[2], 100000).items():
        folder = values.fields(value, 3)
        place = values.text(folder.get(1, 0))
        must((last is None and place == "") or (last is not None and place > last), f"folders are not sorted at {place!r}")
        last = place
        must(place == "" or place.rpartition("/")[0] in ("", *files), f"{place} comes before the folder it is in")
        files[place] = {"mode": mode_of(values, folder[2]), "folder": True}
        names = []
        for index, each in values.fields(folder.get(3, 0), 100000).items():
            name, file = read_file(values, each)
            names.append(name.encode())
            files[f"{place}/{name}".lstrip("/")] = file
            if file["size"] and "link" not in file:
                due.append((number, index, file))
        must(names == sorted(set(names)), f"files of {place!r} are not sorted")
    must(len(due) == len(found) - 1, f"{len(found) - 1} contents for {len(due)} files")
    for (_, content), (number, index, file) in zip(found[1:], due):
        must(struct.unpack_from("<II", content) == (number, index), "contents out of order")
        file["data"] = content[8:]
    for path, file in files.items():
        if "hash" in file:
            must(len(file["data"]) == file["size"] and hashlib.sha256(file["data"]).digest() == file["hash"], f"{path}: contents")
    must(facts["installed-size"] == max(1, sum(len(file.get("data", b"")) for file in files.values())), "installed size")
    scripts = {SCRIPTS[number]: values.text(value) for number, value in values.fields(top.get(3, 0), 7).items()}
    must(all(text.startswith("#!/bin/sh\n") for text in scripts.values()), "a script without its first line")
    return facts, scripts, files
