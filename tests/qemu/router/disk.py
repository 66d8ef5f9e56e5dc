"""A disk that forgets: what its guest has not flushed is lost with the power, as in a real disk's cache.

To kill QEMU proves nothing about a file: what the guest wrote is in the host's page cache and stays there. So the
disk is served from here (over the NBD protocol, which QEMU speaks), and a cut throws away what was written since the
last flush: all of it, or any part of it, since a disk may write in any order it likes. A page is written or it is not."""

import random
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
from pathlib import Path

from .fault import Fault

PAGE = 4096

# https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
INIT, OPTION, REPLY = 0x4E42444D41474943, 0x49484156454F5054, 0x3E889045565A9
REQUEST, SIMPLE_REPLY = 0x25609513, 0x67446698
FIXED_NEWSTYLE, NO_ZEROES = 1, 2
EXPORT_NAME, ABORT, GO = 1, 2, 7
ACK, INFO, UNSUPPORTED = 1, 3, (1 << 31) | 1
HAS_FLAGS, SEND_FLUSH, SEND_FUA = 1, 4, 8
READ, WRITE, DISCONNECT, FLUSH, FUA = 0, 1, 2, 3, 1 << 16
INVALID = 22


class Cache:
    """Pages as they are on the medium, and newer ones that are only in the disk's memory."""

    def __init__(self, medium: bytearray):
        self.medium = medium
        self.newer: dict[int, bytearray] = {}

    def read(self, offset: int, length: int) -> bytes:
        data = bytearray()
        for page, start, end in _pages(offset, length):
            data += self.newer[page][start:end] if page in self.newer else self.medium[page * PAGE + start:page * PAGE + end]
        return bytes(data)

    def write(self, offset: int, data: bytes, through: bool = False) -> None:
        at = 0
        for page, start, end in _pages(offset, len(data)):
            if page not in self.newer:
                self.newer[page] = self.medium[page * PAGE:(page + 1) * PAGE]
            self.newer[page][start:end] = data[at:at + end - start]
            at += end - start
            if through:
                self._settle(page)

    def flush(self) -> None:
        for page in list(self.newer):
            self._settle(page)

    def cut(self, chance: random.Random) -> int:
        """The power fails: gives how many pages are lost. Every second time a part of the rest has been written."""
        survivors = chance.choice((0, 0.5))
        for page in list(self.newer):
            if chance.random() < survivors:
                self._settle(page)
        lost = len(self.newer)
        self.newer.clear()
        return lost

    def _settle(self, page: int) -> None:
        self.medium[page * PAGE:(page + 1) * PAGE] = self.newer.pop(page)


def _pages(offset: int, length: int):
    """The pages that a piece of the disk lies in, each with where in it the piece begins and ends."""
    end = offset + length
    for page in range(offset // PAGE, (end + PAGE - 1) // PAGE):
        yield page, max(offset - page * PAGE, 0), min(end - page * PAGE, PAGE)


class Disk:
    """A disk with an empty file system, for the guests of one case, one at a time."""

    def __init__(self, megabytes: int):
        self._folder = tempfile.TemporaryDirectory(prefix="glacic-disk-")
        self.socket = Path(self._folder.name) / "nbd"
        self._cache = Cache(_formatted(Path(self._folder.name) / "image", megabytes))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.socket))
        self._listener.listen(1)
        self._idle = threading.Event()
        self._idle.set()
        threading.Thread(target=self._serve, daemon=True).start()

    def arguments(self) -> list[str]:
        """For QEMU: the guest is told of the cache, and flushes when it wants something kept."""
        return ["-drive", f"file=nbd:unix:{self.socket},if=virtio,format=raw,cache=writeback"]

    def cut(self, chance: random.Random) -> int:
        """After the guest's sudden end; see `Cache.cut`."""
        if not self._idle.wait(30):
            raise Fault("a disk is still in use after its guest was turned off")
        return self._cache.cut(chance)

    def close(self) -> None:
        self._listener.close()
        self._folder.cleanup()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._idle.clear()
            try:
                with connection:
                    _Conversation(connection, self._cache).run()
            except (OSError, EOFError):
                pass  # how a guest ends that is turned off
            finally:
                self._idle.set()


class _Conversation:
    def __init__(self, connection: socket.socket, cache: Cache):
        self.connection, self.cache = connection, cache

    def run(self) -> None:
        self._send(struct.pack(">QQH", INIT, OPTION, FIXED_NEWSTYLE | NO_ZEROES))
        without_zeroes = struct.unpack(">I", self._receive(4))[0] & NO_ZEROES
        while True:
            _, option, length = struct.unpack(">QII", self._receive(16))
            self._receive(length)
            size_and_flags = struct.pack(">QH", len(self.cache.medium), HAS_FLAGS | SEND_FLUSH | SEND_FUA)
            if option == EXPORT_NAME:
                self._send(size_and_flags + (b"" if without_zeroes else bytes(124)))
                return self._transmission()
            if option == GO:
                self._reply(option, INFO, struct.pack(">H", 0) + size_and_flags)
                self._reply(option, ACK)
                return self._transmission()
            self._reply(option, ACK if option == ABORT else UNSUPPORTED)
            if option == ABORT:
                return None

    def _transmission(self) -> None:
        while True:
            _, flags_and_kind, handle, offset, length = struct.unpack(">IIQQI", self._receive(28))
            kind = flags_and_kind & 0xFFFF
            answer, error = b"", 0
            if kind == READ:
                answer = self.cache.read(offset, length)
            elif kind == WRITE:
                self.cache.write(offset, self._receive(length), bool(flags_and_kind & FUA))
            elif kind == FLUSH:
                self.cache.flush()
            elif kind == DISCONNECT:
                return
            else:
                error = INVALID
            self._send(struct.pack(">IIQ", SIMPLE_REPLY, error, handle) + answer)

    def _reply(self, option: int, kind: int, data: bytes = b"") -> None:
        self._send(struct.pack(">QIII", REPLY, option, kind, len(data)) + data)

    def _send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def _receive(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            if not (more := self.connection.recv(length - len(data))):
                raise EOFError
            data += more
        return bytes(data)


def _formatted(image: Path, megabytes: int) -> bytearray:
    """ext4 as routers with a disk have it."""
    program = shutil.which("mke2fs", path="/sbin:/usr/sbin:/bin:/usr/bin")
    if program is None:
        raise Fault("mke2fs is missing (install e2fsprogs)")
    done = subprocess.run([program, "-q", "-F", "-t", "ext4", image, f"{megabytes}M"], capture_output=True, text=True)
    if done.returncode != 0:
        raise Fault(f"mke2fs failed: {done.stderr.strip()}")
    data = bytearray(image.read_bytes())
    image.unlink()
    return data
