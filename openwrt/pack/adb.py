"""The container of apk version 3 (ADB): values, objects and blocks, as apk-tools' apk-v3(5) and adb.h describe them.

A value is 32 bits: four of type, 28 of number or offset. Whatever does not fit lies before the object that points to it,
is aligned to its own size and written once. All numbers are little-endian, whatever the machine.
"""

import struct
import zlib

INT, INT_32, INT_64 = 0x10000000, 0x20000000, 0x30000000
BLOB_8, BLOB_16, BLOB_32 = 0x80000000, 0x90000000, 0xA0000000
OBJECT = 0xE0000000
NULL = 0

PACKAGE, INDEX = 0x676B6370, 0x78646E69
BLOCK_ADB, BLOCK_SIG, BLOCK_DATA = 0, 1, 2


class Database:
    """Collects values; `finish` gives the bytes with the root in their head."""

    def __init__(self):
        # Compatible version, version, reserved, root.
        self.bytes = bytearray(8)
        self.known = {}

    def _put(self, data, align, once=True):
        offset = self.known.get(data) if once else None
        if offset is not None and offset % align == 0:
            return offset
        self.bytes += bytes(-len(self.bytes) % align)
        offset = len(self.bytes)
        if once:
            self.known[data] = offset
        self.bytes += data
        return offset

    def number(self, value):
        if value >= 1 << 32:
            return INT_64 | self._put(struct.pack("<Q", value), 4)
        if value >= 1 << 28:
            return INT_32 | self._put(struct.pack("<I", value), 4)
        return INT | value

    def blob(self, data, once=True):
        data = data.encode() if isinstance(data, str) else bytes(data)
        if not data:
            return NULL
        if len(data) > 0xFFFF:
            return BLOB_32 | self._put(struct.pack("<I", len(data)) + data, 4, once)
        if len(data) > 0xFF:
            return BLOB_16 | self._put(struct.pack("<H", len(data)) + data, 2, once)
        return BLOB_8 | self._put(bytes([len(data)]) + data, 1, once)

    def object(self, fields):
        """Fields by number, from 1; also an array, whose items are numbered."""
        present = {number: value for number, value in fields.items() if value != NULL}
        if not present:
            return NULL
        last = max(present)
        values = [last + 1] + [present.get(number, NULL) for number in range(1, last + 1)]
        return OBJECT | self._put(struct.pack(f"<{len(values)}I", *values), 4)

    def array(self, values):
        return self.object(dict(enumerate(values, 1)))

    def finish(self, root):
        struct.pack_into("<I", self.bytes, 4, root)
        return self.bytes


def block(kind, *parts):
    """One block: type and length, the parts, zeros up to the next multiple of eight."""
    size = 4 + sum(len(part) for part in parts)
    if size > 0x3FFFFFFF:
        raise ValueError("a block of more than 1 GiB needs the extended header, which nothing of ours is worth")
    return struct.pack("<I", kind << 30 | size) + b"".join(parts) + bytes(-size % 8)


def container(schema, blocks):
    """The file: compressed as apk does by default."""
    body = b"ADB." + struct.pack("<I", schema) + b"".join(blocks)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"ADBd" + deflate.compress(body) + deflate.flush()
