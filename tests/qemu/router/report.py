"""What a run tells: a line a case, the console's end for each failure, and JUnit's XML on request."""

import re
import xml.etree.ElementTree as xml
from pathlib import Path

from .cases import Case
from .guest import Outcome


def line(case: Case, outcome: Outcome) -> str:
    word = "FAIL" if outcome.fault else "pass"
    times = f"boot {outcome.boot_seconds:.1f} s, case {outcome.case_seconds:.1f} s"
    return f"{word}  {case.name:<20} {outcome.checks:>4} checks  {times}" + (f"\n      {outcome.fault}" if outcome.fault else "")


def followed(outcome: Outcome) -> str:
    """For somebody who has read the case's own words."""
    if outcome.fault:
        return f"FAILED: {outcome.fault} (the router's console: {outcome.log})"
    return f"All of it was checked: {outcome.checks} checks. The router took {outcome.boot_seconds:.0f} s to boot, the rest {outcome.case_seconds:.0f} s."


def failure(case: Case, outcome: Outcome) -> str:
    return f"---- the console of {case.name}, its end (all of it: {outcome.log})\n{outcome.tail()}\n----"


def junit(file: Path, machine: str, results: list[tuple[Case, Outcome]]) -> None:
    failures = sum(outcome.fault is not None for _, outcome in results)
    suite = xml.Element("testsuite", name=f"qemu.{machine}", tests=str(len(results)), failures=str(failures))
    for case, outcome in results:
        seconds = outcome.boot_seconds + outcome.case_seconds
        entry = xml.SubElement(suite, "testcase", classname=f"qemu.{machine}", name=case.name, time=f"{seconds:.1f}")
        if outcome.fault:
            # Whatever a console prints: XML knows no control characters.
            text = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "·", outcome.tail())
            xml.SubElement(entry, "failure", message=outcome.fault).text = text
    file.parent.mkdir(parents=True, exist_ok=True)
    xml.ElementTree(suite).write(file, encoding="unicode", xml_declaration=True)
