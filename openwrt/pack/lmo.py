"""Turns a translation (.po) into what LuCI reads (.lmo), as its po2lmo does.

The texts one after the other, each filled up to four bytes; then an index of (hash of the original, number of plural forms,
offset, length), sorted by hash; then the index's offset. All numbers are big-endian. What equals its original is left out.
"""

import re
import struct
import sys
from pathlib import Path

MASK = 0xFFFFFFFF


def signed(byte):
    return byte - 256 if byte > 127 else byte


def sfh(data):
    """Paul Hsieh's SuperFastHash, started with the length."""
    value = len(data)
    if not data:
        return 0
    whole = len(data) & ~3
    for low, high in struct.iter_unpack("<HH", data[:whole]):
        value = (value + low) & MASK
        value = ((value << 16) ^ (high << 11) ^ value) & MASK
        value = (value + (value >> 11)) & MASK
    rest = data[whole:]
    if len(rest) == 3:
        value = (value + int.from_bytes(rest[:2], "little")) & MASK
        value = (value ^ (value << 16)) & MASK
        value = (value ^ (signed(rest[2]) << 18)) & MASK
        value = (value + (value >> 11)) & MASK
    elif len(rest) == 2:
        value = (value + int.from_bytes(rest, "little")) & MASK
        value = (value ^ (value << 11)) & MASK
        value = (value + (value >> 17)) & MASK
    elif len(rest) == 1:
        value = (value + signed(rest[0])) & MASK
        value = (value ^ (value << 10)) & MASK
        value = (value + (value >> 1)) & MASK
    for left, right in ((3, 5), (4, 17), (25, 6)):
        value = (value ^ (value << left)) & MASK
        value = (value + (value >> right)) & MASK
    return value


def messages(text):
    """The entries of a .po: dictionaries of msgctxt, msgid, msgid_plural, msgstr and msgstr[N]."""
    entry, last = {}, None
    for line in text.splitlines() + ['msgid ""']:
        found = re.match(r'(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?) "(.*)"\s*$', line)
        if found:
            field, words = found.groups()
            if field in ("msgctxt", "msgid") and ("msgid" in entry if field == "msgctxt" else "msgstr" in str(list(entry))):
                yield entry
                entry = {}
            entry[field], last = words, field
        elif line.startswith('"') and last:
            entry[last] += line.strip()[1:-1]


def unescaped(text):
    """As po2lmo: only quotes and backslashes are told apart from what they stand for."""
    return re.sub(r'\\(["\\])', r"\1", text)


def lmo(text):
    """The bytes of an .lmo; none if nothing is translated."""
    body, index = b"", []

    def put(key, forms, value):
        nonlocal body
        index.append((key, forms, len(body), len(value)))
        body += value + bytes(-len(value) % 4)

    for entry in messages(text):
        original, values = unescaped(entry.get("msgid", "")), [entry.get("msgstr", "")]
        if "msgid_plural" in entry:
            values = [entry[f"msgstr[{number}]"] for number in range(10) if f"msgstr[{number}]" in entry]
        if not original:
            for line in values[0].split("\\n"):
                if line.lower().startswith("plural-forms: "):
                    put(0, 0, line[14:].encode())
            continue
        for number, value in enumerate(values):
            key = f"{unescaped(entry['msgctxt'])}\1{original}" if entry.get("msgctxt") else original
            key += f"\2{number}" if "msgid_plural" in entry else ""
            value = unescaped(value).encode()
            if value and sfh(key.encode()) != sfh(value):
                put(sfh(key.encode()), len(values), value)
    if not index:
        return b""
    return body + b"".join(struct.pack(">4I", *each) for each in sorted(index)) + struct.pack(">I", len(body))


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:3])
    target.write_bytes(lmo(source.read_text(encoding="utf-8")))
