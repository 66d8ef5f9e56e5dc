"""Cases: shell scripts that run in a guest, with a head of `# key: value` lines that says what to expect.

    # what: one line for people
    # checks: 12                the exact number of checks that must pass, or
    # checks: 2 a file          so many for each file under /files, or
    # checks: listed            as many as the test program lists on the host
    # files: src/**/*.nft       files of the tree, found in the guest under /files
    # rulesets: TESTS           files that these unit tests write into $GLACIC_RULESETS on the host, found there, too
    # programs: glacic          programs of the tree, found in /bin
    # package: glacic           the package, packed around the program and unpacked as opkg would (see package.py)
    # cargo-test: NAME ARGS…    a test program, run by `cargo_test` (see guest/lib.sh)
    # machines: all             where it runs unless told otherwise: names of machines, all, or openwrt (default: x86_64)
    # memory: 256 mipsel=48     in megabytes, and where it is another amount
    # cpus: 1
    # seconds: 120              from the guest's ready line to its result, for each boot
    # modules: ext4 jffs2?      kernel modules besides those of every guest; with `?` where the kernel has them
    # clock: 1970-01-01         what the router's clock says when it is turned on
    # disk: 16                  megabytes of a disk, /dev/vda with ext4, that forgets what was not flushed (see disk.py)
    # boots: 21                 how often the guest is turned on: the case may `cut` the power once less (see guest/lib.sh)
"""

from dataclasses import dataclass
from pathlib import Path

from .fault import Fault
from .build import TREE, Host
from .machines import MACHINES, OPENWRT, Machine

FOLDER = Path(__file__).resolve().parents[1] / "cases"
KEYS = {"what", "checks", "files", "rulesets", "programs", "cargo-test", "machines", "memory", "cpus", "seconds",
        "modules", "clock", "disk", "boots", "package"}


@dataclass(frozen=True)
class Case:
    name: str
    script: Path
    what: str
    checks: str
    files: tuple[str, ...]
    rulesets: str | None
    programs: tuple[str, ...]
    cargo_test: tuple[str, ...]
    machines: tuple[str, ...]
    memory: dict[str | None, int]
    """By the name of a machine; that of all others is at None."""
    cpus: int
    seconds: int
    modules: tuple[str, ...]
    clock: str | None
    disk: int
    boots: int
    package: str | None

    def memory_of(self, machine: Machine) -> int:
        return self.memory.get(machine.name, self.memory[None])

    @property
    def wants_glacic(self) -> bool:
        return self.package is not None or "glacic" in self.programs

    def found_files(self, host: Host) -> dict[str, Path]:
        """What the case works on, by its path under /files. To find nothing is a fault, not an empty case."""
        sources = [(TREE, pattern) for pattern in self.files]
        if self.rulesets:
            sources.append((host.rulesets(self.rulesets), "*.nft"))
        found = {}
        for folder, pattern in sources:
            matches = {str(path.relative_to(folder)): path for path in sorted(folder.glob(pattern)) if path.is_file()}
            if not matches:
                raise Fault(f"{self.name}: there is no {folder / pattern}")
            found.update(matches)
        return found

    def expected(self, host: Host, files: int) -> int:
        """The number of checks that must pass, never 0; `files` is how many files the case has."""
        words = self.checks.split()
        if words == ["listed"] and self.cargo_test:
            count = host.tests(self.cargo_test[0], list(self.cargo_test[1:]))
        elif len(words) == 3 and words[0].isdigit() and words[1:] == ["a", "file"]:
            count = int(words[0]) * files
        elif len(words) == 1 and words[0].isdigit():
            count = int(words[0])
        else:
            raise Fault(f"{self.name}: `checks: {self.checks}` is none of N, N a file, listed")
        if count == 0:
            raise Fault(f"{self.name}: no check is expected, so it cannot pass")
        return count


def read(script: Path) -> Case:
    """Reads a case's head."""
    values: dict[str, str] = {}
    for number, line in enumerate(script.read_text().splitlines(), 1):
        if not line.startswith("#"):
            break
        key, colon, value = line.removeprefix("#").strip().partition(": ")
        if not colon or " " in key:
            continue
        if key not in KEYS:
            raise Fault(f"{script}:{number}: `{key}` is none of {', '.join(sorted(KEYS))}")
        values[key] = value.strip()
    for key in ("what", "checks"):
        if key not in values:
            raise Fault(f"{script} has no `# {key}:` line")
    return Case(
        name=script.stem, script=script, what=values["what"], checks=values["checks"],
        files=tuple(values.get("files", "").split()), rulesets=values.get("rulesets"), programs=tuple(values.get("programs", "").split()),
        cargo_test=tuple(values.get("cargo-test", "").split()),
        machines=_machines(script, values.get("machines", "x86_64")), memory=_memory(script, values.get("memory", "256")),
        cpus=int(values.get("cpus", "1")), seconds=int(values.get("seconds", "120")),
        modules=tuple(values.get("modules", "").split()), clock=values.get("clock"), disk=int(values.get("disk", "0")),
        boots=int(values.get("boots", "1")),
        package=values.get("package"),
    )


def _machines(script: Path, text: str) -> tuple[str, ...]:
    names = (*MACHINES, OPENWRT) if text == "all" else tuple(text.split())
    for name in names:
        if name not in (*MACHINES, OPENWRT):
            raise Fault(f"{script}: there is no machine {name}")
    return names


def _memory(script: Path, text: str) -> dict[str | None, int]:
    amount, *exceptions = text.split()
    memory: dict[str | None, int] = {None: int(amount)}
    for name, _, other in (word.partition("=") for word in exceptions):
        if name not in MACHINES:
            raise Fault(f"{script}: there is no machine {name}")
        memory[name] = int(other)
    return memory


def all_cases() -> list[Case]:
    return [read(script) for script in sorted(FOLDER.glob("*.sh"))]


def chosen(names: list[str]) -> list[Case]:
    """The cases named, each by its name or by the path of its script; all of the folder without names."""
    if not names:
        return all_cases()
    cases = []
    for name in names:
        script = Path(name) if "/" in name else FOLDER / f"{name}.sh"
        if not script.is_file():
            raise Fault(f"there is no case {name} (--list names them)")
        cases.append(read(script))
    return cases
