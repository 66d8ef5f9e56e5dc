"""The vendor table of the package glacic-vendors, made of the IEEE's registry as Debian's package ieee-data brings it.

A line an assignment: prefix of 6, 7 or 9 lower-case hex digits, a tab, a short name. Sorted by bytes, so that a look-up
is a binary search in the file; docs/vendors.md has the format. The registry is public, without copyright.
"""

import csv
import re
import sys
from pathlib import Path

SOURCE = Path("/usr/share/ieee-data")
FILES = ("oui.csv", "mam.csv", "oui36.csv", "iab.csv")
LONGEST = 32

# What says only that a company is one.
LEGAL = re.compile(
    r"[,\s]+(?:(?:co|corp|inc|ltd|llc|gmbh|ag|sa|s\.a|srl|s\.r\.l|spa|s\.p\.a|bv|b\.v|nv|n\.v|oy|ab|as|a/s|plc|pty|pte|kg|"
    r"limited|incorporated|corporation|company|technologies|technology|electronics|communications|international)\.?"
    r"(?:\s*&\s*)?)+\s*$",
    re.IGNORECASE,
)


def short(name):
    """A name as short as it can be told by; empty if the registry names nobody."""
    name = " ".join(re.sub(r"\([^)]*\)", " ", name).split())
    if name.lower() in ("private", "ieee registration authority", ""):
        return ""
    while (cut := LEGAL.sub("", name).strip(" ,.&")) != name and cut:
        name = cut
    name = "".join(c for c in name if c.isprintable())
    if len(name.encode()) > LONGEST:
        name = name.encode()[: LONGEST + 1].decode(errors="ignore")
        name = name.rsplit(" ", 1)[0] if " " in name else name[:-1]
    return name.strip(" ,.&-:")


def table(source=SOURCE):
    """The whole table as bytes."""
    names = {}
    for file in FILES:
        with open(source / file, newline="", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                prefix = row["Assignment"].strip().lower()
                name = short(row["Organization Name"])
                if name and re.fullmatch(r"[0-9a-f]{6}([0-9a-f]|[0-9a-f]{3})?", prefix):
                    # Of two entries for one block (the registry has a few) the first counts.
                    names.setdefault(prefix, name)
    return b"".join(sorted(f"{prefix}\t{name}\n".encode() for prefix, name in names.items()))


if __name__ == "__main__":
    sys.stdout.buffer.write(table(*(Path(folder) for folder in sys.argv[1:2])))
