"""A writer of cpio archives in the `newc` form, which the kernel unpacks as its first file system.

Written here because it makes device nodes without root, and because the same input always gives
the same bytes. Format: Documentation/driver-api/early-userspace/buffer-format.rst of the kernel."""

import stat
from pathlib import Path, PurePosixPath


class Archive:
    """An archive in memory. Folders above an entry come into being by themselves."""

    def __init__(self):
        self._parts: list[bytes] = []
        self._inode = 0
        self._seen: set[str] = set()

    def folder(self, path: str, mode: int = 0o755) -> None:
        self._entry(path, stat.S_IFDIR | mode)

    def file(self, path: str, data: bytes | Path, mode: int = 0o644) -> None:
        self._entry(path, stat.S_IFREG | mode, data.read_bytes() if isinstance(data, Path) else data)

    def program(self, path: str, data: bytes | Path) -> None:
        self.file(path, data, 0o755)

    def link(self, path: str, target: str) -> None:
        self._entry(path, stat.S_IFLNK | 0o777, target.encode())

    def node(self, path: str, major: int, minor: int, mode: int = 0o600) -> None:
        """A character device."""
        self._entry(path, stat.S_IFCHR | mode, device=(major, minor))

    def bytes(self) -> bytes:
        """The whole archive. Archives put one behind the other are unpacked one after the other."""
        return b"".join(self._parts) + _record("TRAILER!!!", 0, 0, b"", (0, 0))

    def paths(self) -> set[str]:
        return set(self._seen)

    def _entry(self, path: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        if path in self._seen:
            if stat.S_ISDIR(mode):
                return
            raise ValueError(f"{path} is in the archive already")
        above = str(PurePosixPath(path).parent)
        if above != "." and above not in self._seen:
            self.folder(above)
        self._seen.add(path)
        self._inode += 1
        self._parts.append(_record(path, self._inode, mode, data, device))


def _record(path: str, inode: int, mode: int, data: bytes, device: tuple[int, int]) -> bytes:
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (inode, mode, 0, 0, links, 0, len(data), 0, 0, *device, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(head + name) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
