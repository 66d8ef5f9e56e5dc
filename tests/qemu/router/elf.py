"""Which shared libraries an ELF file asks for: both classes, both byte orders.

Only the program headers and the dynamic section are read; that is what the loader goes by, too."""

import struct
from dataclasses import dataclass
from pathlib import Path

from .fault import Fault

PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DT_NEEDED, DT_STRTAB = 1, 5


@dataclass(frozen=True)
class Elf:
    machine: int
    """The e_machine field."""
    bits: int
    needed: tuple[str, ...]
    interpreter: str | None
    """The loader's path, None for a static program or a library."""


def is_elf(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def read(path: Path) -> Elf:
    """Reads what `path` needs to run."""
    data = path.read_bytes()
    if data[:4] != b"\x7fELF":
        raise Fault(f"{path} is no ELF file")
    bits = {1: 32, 2: 64}[data[4]]
    order = {1: "<", 2: ">"}[data[5]]
    wide = bits == 64
    machine, = struct.unpack_from(order + "H", data, 18)
    table, = struct.unpack_from(order + ("Q" if wide else "I"), data, 32 if wide else 28)
    size, count = struct.unpack_from(order + "HH", data, 54 if wide else 42)

    loads, dynamic, interpreter = [], None, None
    for at in range(table, table + size * count, size):
        if wide:
            kind, _, offset, address, _, length = struct.unpack_from(order + "IIQQQQ", data, at)
        else:
            kind, offset, address, _, length = struct.unpack_from(order + "IIIII", data, at)
        if kind == PT_LOAD:
            loads.append((address, offset, length))
        elif kind == PT_DYNAMIC:
            dynamic = (offset, length)
        elif kind == PT_INTERP:
            interpreter = _text(data, offset)
    if dynamic is None:
        return Elf(machine, bits, (), interpreter)

    names, strings = [], None
    step = 16 if wide else 8
    for at in range(dynamic[0], dynamic[0] + dynamic[1], step):
        tag, value = struct.unpack_from(order + ("QQ" if wide else "II"), data, at)
        if tag == DT_NEEDED:
            names.append(value)
        elif tag == DT_STRTAB:
            strings = value
    if names and strings is None:
        raise Fault(f"{path} names libraries and has no table of names")
    start = _offset(loads, strings, path) if names else 0
    return Elf(machine, bits, tuple(_text(data, start + name) for name in names), interpreter)


def closure(programs: list[Path], find) -> dict[str, Path]:
    """Every library and loader that `programs` need, by the path it must have in the guest.

    `find(name, program)` gives the file for a library's name, or raises."""
    found: dict[str, Path] = {}
    todo = list(programs)
    while todo:
        program = todo.pop()
        elf = read(program)
        wanted = [(f"lib/{name}", name) for name in elf.needed]
        if elf.interpreter:
            wanted.append((elf.interpreter.lstrip("/"), Path(elf.interpreter).name))
        for target, name in wanted:
            if target not in found:
                found[target] = find(name, program)
                todo.append(found[target])
    return found


def _text(data: bytes, start: int) -> str:
    return data[start:data.index(b"\0", start)].decode()


def _offset(loads, address: int, path: Path) -> int:
    for start, offset, length in loads:
        if start <= address < start + length:
            return address - start + offset
    raise Fault(f"{path} has its table of names outside of what is loaded")
