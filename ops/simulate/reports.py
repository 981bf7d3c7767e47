"""Results for machines: JUnit's XML, as CI servers read it."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from ops.simulate.judge import transcript_of
from ops.simulate.run import Result
from schemas.errors import AntiphonError
from schemas.process.whole_file import whole_file
from schemas.text.clean import printable

__all__ = ["write_junit"]


def write_junit(agent: str, results: Sequence[Result], file: Path) -> None:
    """A test case a scenario. AntiphonError: it can't be written."""
    failed = sum(not result.passed for result in results)
    seconds = f"{sum(result.seconds for result in results):.3f}"
    suite = ET.Element(
        "testsuite", name=f"antiphon simulate {printable(agent)}", tests=str(len(results)), failures=str(failed), errors="0",
        skipped="0", time=seconds,
    )  # fmt: skip
    for result in results:
        name = printable(result.scenario.name)
        case = ET.SubElement(suite, "testcase", classname=printable(agent), name=name, time=f"{result.seconds:.3f}")
        if result.scenario.file is not None:
            case.set("file", str(result.scenario.file))
        if failures := result.failures:
            lines = [f"{check.what}: {check.why}" if check.why else check.what for check in failures]
            failure = ET.SubElement(case, "failure", type=failures[0].kind, message=printable(lines[0]))
            failure.text = "\n".join(map(printable, lines))
        said = transcript_of(result.observed.transcript)
        ET.SubElement(case, "system-out").text = "\n".join(
            map(printable, [f"session {result.session}", *said.split("\n")])
        )
    root = ET.Element("testsuites", tests=str(len(results)), failures=str(failed), time=seconds)
    root.append(suite)
    ET.indent(root)
    with whole_file(file, AntiphonError) as part:
        ET.ElementTree(root).write(part, encoding="utf-8", xml_declaration=True)
