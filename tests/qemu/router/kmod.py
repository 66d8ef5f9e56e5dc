"""Kernel modules: which files a list of names stands for, in an order that loads.

What a module depends on is read from the module itself (`depends=` in its modinfo section), so no
depmod is needed. Modules may be compressed with xz or zstd; the guest gets them plain."""

import lzma
import subprocess
from pathlib import Path

from .fault import Fault

FIRST = "crc32c_generic"
"""libcrc32c asks for it at run time and only hints at it in its modinfo."""


def plain(path: Path) -> bytes:
    """A module's bytes, uncompressed."""
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dcq", path], check=True, capture_output=True).stdout
    return path.read_bytes()


def has(tree: Path, name: str) -> bool:
    """Whether the kernel has a module, or the same built in."""
    return name in _files(tree) or name in _builtin(tree)


def in_order(tree: Path, wanted: tuple[str, ...], merged: tuple[str, ...] = ()) -> list[tuple[str, bytes]]:
    """The modules `wanted` and all they need, each after those it depends on.

    `tree` is a kernel's folder under lib/modules. Names built into the kernel need no file, nor do those that this kernel
    has `merged` into others."""
    files, builtin = _files(tree), _builtin(tree)
    order: dict[str, bytes] = {}

    def add(name: str, because: str) -> None:
        if name in order or name in builtin:
            return
        if name not in files:
            raise Fault(f"kernel {tree.name} has no module {name} ({because})")
        data = plain(files[name])
        for other in _depends(data):
            add(other, f"{name} depends on it")
        order[name] = data

    if FIRST in files:
        add(FIRST, "libcrc32c wants it")
    for name in wanted:
        if name not in merged:
            add(name, "guests load it")
        elif has(tree, name):
            raise Fault(f"kernel {tree.name} has a module {name} of its own, contrary to the table of machines")
    return list(order.items())


def _files(tree: Path) -> dict[str, Path]:
    return {_name(path): path for path in tree.rglob("*.ko*")}


def _builtin(tree: Path) -> set[str]:
    return {_name(Path(line)) for line in (tree / "modules.builtin").read_text().splitlines()}


def _name(path: Path) -> str:
    return path.name.split(".ko")[0].replace("-", "_")


def _depends(data: bytes) -> list[str]:
    at = data.find(b"\0depends=")
    if at < 0:
        return []
    start = at + len(b"\0depends=")
    text = data[start:data.index(b"\0", start)].decode()
    return [name.replace("-", "_") for name in text.split(",") if name]
