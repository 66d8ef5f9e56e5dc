"""All machines of a run: what each of their cases needs is built first, then one pool of jobs runs them."""

import concurrent.futures
import shutil
from collections.abc import Callable
from pathlib import Path

from . import guest, kmod, openwrt
from .build import Build, Host, target
from .cases import Case
from .debian import Packages
from .fault import Fault
from .initramfs import Initramfs
from .machines import Machine
from .report import Result
from .source import Sources


Follow = Callable[[str], None] | None
"""Gets each line that a case prints."""


class Router:
    """A machine that is ready to run cases: its kernel, its tools, its programs."""

    def __init__(self, machine: Machine, programs: Build, refresh: bool = False):
        if shutil.which(machine.qemu[0]) is None:
            raise Fault(f"{machine.qemu[0]} is missing (scripts/setup installs it)")
        self.machine = machine
        self.packages = (Sources if machine.from_source else Packages)(machine, refresh)
        self.kernel, self.modules = self.packages.kernel()
        self.what = self.kernel.name
        self.programs = programs
        self.initramfs = Initramfs(machine, self.packages, programs)

    def cannot(self, case: Case) -> str | None:
        """Why the machine cannot run the case, by the table of machines, which must be right about its kernel."""
        for name in case.modules:
            if name.endswith("?") or name not in self.machine.lacks:
                continue
            if kmod.has(self.modules, name):
                raise Fault(f"kernel {self.modules.name} has a module {name}, contrary to the table of machines")
            return f"{name}: {self.machine.lacks[name]}"
        return None

    def run(self, case: Case, files: dict[str, Path], expected: int, seconds: int, log: Path, follow: Follow) -> guest.Outcome:
        archive = self.initramfs.case(case, files)
        power = guest.Power(case.clock, case.disk, case.boots)
        return guest.run(self.machine, self.kernel, archive, case.memory_of(self.machine), case.cpus, seconds, expected, log, follow, power)


class Entry:
    """A case on a machine. A fault of what it is made of fails it, and no other."""

    def __init__(self, router: Router | openwrt.Router, case: Case, host: Host):
        self.router, self.case = router, case
        self.fault: str | None = None
        self.without: str | None = None
        self.expected = 0
        self.files: dict[str, Path] = {}
        try:
            self.without = router.cannot(case)
            if self.without is None:
                self.files = case.found_files(host)
                self.expected = case.expected(host, len(self.files))
                for name in (*case.programs, *case.cargo_test[:1], *(("glacic",) if case.package else ())):
                    router.programs.program(name)
        except Fault as fault:
            self.fault = str(fault)

    def run(self, least_seconds: int, follow: Follow) -> Result:
        machine, case = self.router.machine, self.case
        if self.without:
            return Result(machine, case, None, self.without)
        log = target() / "qemu" / machine.name / f"{case.name}.log"
        try:
            if self.fault:
                raise Fault(self.fault)
            outcome = self.router.run(case, self.files, self.expected, max(case.seconds, least_seconds), log, follow)
        except Fault as fault:
            outcome = guest.Outcome.never_started(str(fault), log)
        return Result(machine, case, outcome)


def run(entries: list[Entry], jobs: int, least_seconds: int, follow: Follow, told: Callable[[Result], None]) -> list[Result]:
    """Runs what is ready, the longest first so that none is left alone at the end. `told` gets each result as it comes."""
    order = sorted(entries, key=lambda entry: -entry.case.seconds * entry.case.boots)

    def one(entry: Entry) -> Result:
        result = entry.run(least_seconds, follow)
        if not guest.stopped():
            told(result)
        return result

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        try:
            results = dict(zip(map(id, order), pool.map(one, order)))
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            guest.stop_all()
            raise
    return [results[id(entry)] for entry in entries]
