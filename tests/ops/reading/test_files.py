"""Where a session is asked for, an export file will do; and two are found wherever they lie."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ops import cli
from ops.reading import file_of
from schemas.session.export import export, open_export
from tests.golden import scenarios
from tests.ops.reading.test_reading import stopped_stack
from tests.ops.replay.sounding import sounding

__all__ = ["stopped_stack"]


def antiphon(*words: str) -> Any:
    return CliRunner().invoke(cli.app, list(words))


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An export in the present folder, which has no log."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("REDIS_URL", raising=False)
    asyncio.run(export(sounding(scenarios.barge_in()), "s1", tmp_path / "call.zip", partitions=3))
    return tmp_path / "call.zip"


def test_whoever_reads_a_session_reads_a_file(file: Path) -> None:
    """Timeline, state and JSON as of a log, without one; hints name the file, and following it ends."""
    shown = antiphon("show", "call.zip", "-f")
    assert shown.exit_code == 0, shown.output
    assert "turn 1: 605 ms from the user's last word" in shown.stdout
    assert "state call.zip --at" in shown.stdout
    lines = antiphon("show", str(file), "--json").stdout.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == list(range(1, 29))
    at = antiphon("state", "./call.zip", "--at", "9", "--json")
    assert json.loads(at.stdout)["seq"] == 9
    assert antiphon("state", "call.zip", "--at", "99").exit_code == 2


def test_a_file_is_exported_again_as_it_was(file: Path) -> None:
    """Also onto itself; where it came from stays in it."""
    before = file.read_bytes()
    assert antiphon("export", "call.zip", "again.zip").exit_code == 0
    assert Path("again.zip").read_bytes() == before
    assert antiphon("export", "call.zip", "call.zip").exit_code == 0
    assert file.read_bytes() == before
    with open_export(file) as found:
        assert found.partitions == 3


def test_a_file_that_is_damaged_or_not_there_is_one_sentence(file: Path) -> None:
    """1: it is not as it was written; 2: there is none."""
    file.write_bytes(file.read_bytes()[:9_000])
    for words in (
        ["show", "call.zip"],
        ["state", "call.zip"],
        ["diff", "call.zip", "call.zip"],
        ["export", "call.zip", "x.zip"],
    ):
        refused = antiphon(*words)
        assert refused.exit_code == 1
        assert refused.stderr.startswith("antiphon: call.zip: cut off at byte 9,000, in piece ")
        assert "antiphon import call.zip --salvage" in refused.stderr
        assert refused.stderr.count("\n") == 1
    refused = antiphon("show", "./none.zip")
    assert (refused.exit_code, refused.stderr) == (2, "antiphon: none.zip: there is no such file\n")
    assert not os.path.exists("x.zip")


def test_a_file_of_events_will_do(file: Path) -> None:
    """As `show --json` prints them, and a replay its fork; its sound is found where it is compared with what has it."""
    Path("fork.jsonl").write_text(antiphon("show", "call.zip", "--json").stdout)
    assert "turn 1: 605 ms from" in antiphon("show", "fork.jsonl").stdout
    assert json.loads(antiphon("state", "fork.jsonl", "--at", "9", "--json").stdout)["seq"] == 9
    for words in (["call.zip", "fork.jsonl"], ["fork.jsonl", "call.zip"]):
        found = antiphon("diff", *words, "--json", "--html", "diff.html")
        assert json.loads(found.stdout)["same"] is True, found.output
        page = Path("diff.html").read_text("utf-8")
        assert page.count("<audio ") == 2
        assert "gone already" not in page
    Path("fork.jsonl").write_text("{")
    refused = antiphon("show", "fork.jsonl")
    assert (refused.exit_code, "line 1: expected an event as JSON" in refused.stderr) == (1, True)


def test_what_is_no_file_is_a_session(file: Path) -> None:
    """An id may look like a file's name: only one that is there, or has a folder before it, is one."""
    assert file_of("call.zip") == Path("call.zip")
    assert file_of("CALL.ZIP") is None
    assert file_of("other.zip") is None
    assert file_of("call") is None
    assert file_of("last") is None
    assert file_of("./other.zip") == Path("other.zip")


def test_two_sessions_of_a_stopped_stack_are_compared(stopped_stack: Path) -> None:
    """Its log is served once, for both; also one of them with a file."""
    found = antiphon("diff", "over", "open-one", "--json")
    assert found.exit_code == 0, found.output
    view = json.loads(found.stdout)
    assert (view["first"]["session"], view["second"]["session"], view["same"]) == ("over", "open-one", True)
    assert antiphon("export", "over", "over.zip").exit_code == 0
    assert json.loads(antiphon("diff", "over", "over.zip", "--json").stdout)["same"] is True
    assert json.loads(antiphon("diff", "over.zip", "last", "--json").stdout)["first"]["session"] == "over"
    unknown = antiphon("diff", "over", "nope")
    assert unknown.exit_code == 2
    assert 'no session "nope"' in unknown.stderr


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        ("none/call.zip", 2, "none/call.zip: there is no such file"),
        ("none.jsonl", 1, "none.jsonl: cannot be read (No such file or directory); give a file of events or an export"),
        ("none.zip", 2, 'no session and no file "none.zip"; '),
        ("nobody", 2, 'no session "nobody"; '),
    ],
)
def test_a_mistake_is_told_alike_by_whichever_command(given: str, code: int, says: str, file: Path) -> None:
    """An id or a file is the same for all: those that read, replay, check, compare, walk and write sound."""
    for words in (
        ["show", given],
        ["state", given],
        ["export", given],
        ["diff", "call.zip", given],
        ["replay", given],
        ["replay", given, "--stage", "llm"],
        ["debug", given],
        ["recording", given, "x.wav"],
    ):
        refused = antiphon(*words)
        assert (refused.exit_code, refused.stderr.startswith(f"antiphon: {says}")) == (code, True), (
            words,
            refused.stderr,
        )
        assert refused.stderr.count("\n") == 1
    checked = antiphon("check", given, "call.zip")
    assert checked.exit_code == (code if "session" in says else 1)
    assert says in checked.output
    assert ("✓ call.zip" in checked.stdout) == ("session" not in says)
