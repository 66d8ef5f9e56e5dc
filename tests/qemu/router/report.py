"""What a run tells: a line a case, the console's end for each failure, tables at the end, and JUnit's XML on request."""

import re
import xml.etree.ElementTree as xml
from dataclasses import dataclass
from pathlib import Path

from .cases import Case
from .guest import Outcome
from .machines import Machine

FIGURE = re.compile(r"^figure: (?P<what>.+) = (?P<value>\d+) (?P<unit>\S+)(?: of (?P<budget>\d+))?\r?$", re.MULTILINE)
"""What `figure` of guest/lib.sh prints."""


@dataclass(frozen=True)
class Result:
    """How a case went on a machine; or why that machine cannot run it, as the table of machines says."""

    machine: Machine
    case: Case
    outcome: Outcome | None
    cannot: str | None = None

    @property
    def failed(self) -> bool:
        return self.outcome is not None and self.outcome.fault is not None

    def figures(self) -> list[re.Match]:
        console = self.outcome.log.read_bytes().decode(errors="replace") if self.outcome else ""
        return list(FIGURE.finditer(console))


def line(result: Result) -> str:
    head = f"{result.machine.name:<13} {result.case.name:<20}"
    if result.outcome is None:
        return f"----  {head} cannot run here: {result.cannot}"
    outcome = result.outcome
    word = "FAIL" if outcome.fault else "pass"
    times = f"boot {outcome.boot_seconds:.1f} s, case {outcome.case_seconds:.1f} s, busy {outcome.busy_seconds:.1f} s"
    return f"{word}  {head} {outcome.checks:>4} checks  {times}" + (f"\n      {outcome.fault}" if outcome.fault else "")


def followed(outcome: Outcome) -> str:
    """For somebody who has read the case's own words."""
    if outcome.fault:
        return f"FAILED: {outcome.fault} (the router's console: {outcome.log})"
    return f"All of it was checked: {outcome.checks} checks. The router took {outcome.boot_seconds:.0f} s to boot, the rest {outcome.case_seconds:.0f} s."


def failure(result: Result) -> str:
    outcome = result.outcome
    return f"---- the console of {result.case.name} on {result.machine.name}, its end (all of it: {outcome.log})\n{outcome.tail()}\n----"


def tables(results: list[Result]) -> str:
    """Cases by machine, and the figures that cases have printed."""
    machines = list(dict.fromkeys(result.machine.name for result in results))
    cells = {(result.case.name, result.machine.name): _cell(result) for result in results}
    rows = [[name, *(cells.get((name, machine), "·") for machine in machines)] for name in sorted({name for name, _ in cells})]
    text = _table(["", *machines], rows)
    if any("·" in row for row in rows):
        text += "\n·       not among the cases of this machine"
    for result in results:
        if result.cannot:
            text += f"\ncannot  {result.case.name} on {result.machine.name}: {result.cannot}"
    measured = {}
    for result in results:
        for figure in result.figures():
            budget = f"≤ {int(figure['budget']):,}" if figure["budget"] else ""
            row = measured.setdefault(f"{figure['what']}, {figure['unit']}", {"budget": budget})
            row[result.machine.name] = f"{int(figure['value']):,}"
    if measured:
        columns = ["budget", *machines]
        text += "\n\n" + _table(["figures", *columns], [[what, *(row.get(column, "") for column in columns)] for what, row in measured.items()])
    return text


def summary(results: list[Result]) -> str:
    ran = [result for result in results if result.outcome]
    failed = sum(result.failed for result in ran)
    cannot = len(results) - len(ran)
    return f"{len(ran) - failed} of {len(ran)} cases passed" + (f", {cannot} cannot run on a machine they are meant for" if cannot else "")


def _cell(result: Result) -> str:
    if result.outcome is None:
        return "cannot"
    if result.outcome.fault:
        return "FAIL"
    return f"{result.outcome.checks} in {result.outcome.boot_seconds + result.outcome.case_seconds:.0f} s"


def _table(head: list[str], rows: list[list[str]]) -> str:
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    lines = []
    for row in [head, *rows]:
        first, *rest = (cell.ljust(width) if column == 0 else cell.rjust(width) for column, (cell, width) in enumerate(zip(row, widths)))
        lines.append("  ".join([first, *rest]).rstrip())
    return "\n".join(lines)


def junit(file: Path, results: list[Result]) -> None:
    """One suite a machine."""
    root = xml.Element("testsuites")
    for machine in dict.fromkeys(result.machine.name for result in results):
        of_machine = [result for result in results if result.machine.name == machine]
        suite = xml.SubElement(
            root, "testsuite", name=f"qemu.{machine}", tests=str(len(of_machine)),
            failures=str(sum(result.failed for result in of_machine)), skipped=str(sum(result.outcome is None for result in of_machine)))
        for result in of_machine:
            outcome = result.outcome
            seconds = outcome.boot_seconds + outcome.case_seconds if outcome else 0.0
            entry = xml.SubElement(suite, "testcase", classname=f"qemu.{machine}", name=result.case.name, time=f"{seconds:.1f}")
            if figures := result.figures():
                properties = xml.SubElement(entry, "properties")
                for figure in figures:
                    xml.SubElement(properties, "property", name=f"{figure['what']}, {figure['unit']}", value=figure["value"])
            if outcome is None:
                xml.SubElement(entry, "skipped", message=result.cannot)
            elif outcome.fault:
                xml.SubElement(entry, "failure", message=_plain(outcome.fault)).text = _plain(outcome.tail())
    file.parent.mkdir(parents=True, exist_ok=True)
    xml.ElementTree(root).write(file, encoding="unicode", xml_declaration=True)


def _plain(text: str) -> str:
    """Whatever a console prints: XML knows no control characters."""
    return re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "·", text)
