"""Nothing that strangers say or send reaches a terminal, or a log that is read on one, as a control of theirs."""

import io
import json
import logging
import sys

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops import console, reading
from ops.people.dialogue import Dialogue
from schemas.client import SentenceMessage
from schemas.events import Event
from schemas.process.logging import set_up_logging
from tests.archive import Archive
from tests.golden import scenarios

EVIL = "Bob\x1b[2J\x1b]0;owned\x07\r\u202e\u009b31m\u2066\ud83d\n   9    9.99 s  agent     says “forged”"


def shown() -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return console.terminal(file=file, width=100), file


def harmless(text: str) -> bool:
    """Nothing but letters, blanks and line ends: also none of the bytes a terminal of 8 bits takes for a control."""
    text.encode()
    return not any(
        (ord(sign) < 32 and sign not in "\n") or 0x7F <= ord(sign) < 0xA0 or sign in "\u202e\u2066" for sign in text
    )


def hostile() -> list[Event]:
    """A golden session whose every text is EVIL."""

    def spoilt(value: object) -> object:
        if isinstance(value, dict):
            kept = ("type", "how", "why", "kind", "transport", "job", "utterance", "participant", "key")
            return {name: item if name in kept else spoilt(item) for name, item in value.items()}
        if isinstance(value, list):
            return [spoilt(item) for item in value]
        return EVIL if isinstance(value, str) and " " in value else value

    return [type(event).model_construct(**_read(event, spoilt(event.model_dump()))) for event in scenarios.barge_in()]


def _read(event: Event, fields: object) -> dict[str, object]:
    assert isinstance(fields, dict)
    fields = {name: value for name, value in fields.items() if value is not None}
    made = type(event).model_validate(fields)
    return {name: getattr(made, name) for name in type(made).model_fields}


@pytest.mark.parametrize("json_too", [False, True])
async def test_a_session_is_told_without_controls(json_too: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """`show` and `state` spell out what would move the cursor, and nothing that was said poses as an event of its own."""
    bus = Archive(hostile())
    out, file = shown()
    await reading.show(bus, "s1", out=out, json=json_too)
    await reading.state(bus, "s1", out=out, json=json_too)
    said = file.getvalue() + capsys.readouterr().out
    assert harmless(said)
    assert "owned" in said
    assert not any(line.startswith("   9    9.99 s") for line in said.splitlines())
    if json_too:
        assert "\x1b[2J" in json.dumps(json.loads(said.splitlines()[0]), ensure_ascii=False) or "\\u001b[2J" in said


def test_whatever_is_printed_is_shown_as_text() -> None:
    """A table, a line, a dialogue: also what is printed without a thought of strangers; and nothing in it is taken for markup, or
    for the name of a picture."""
    out, file = shown()
    table = Table("who", box=None)
    table.add_row(Text(EVIL))
    table.add_row(EVIL)
    out.print(table)
    out.print(EVIL, "[bold]plain[/nothing] :smile:")
    Dialogue(lambda who, text, style: console.hang(Text(who), text, out), "you").message(
        SentenceMessage(turn=1, index=0, text=EVIL, spoken=True)
    )
    assert harmless(file.getvalue())
    assert "[bold]plain[/nothing] :smile:" in file.getvalue()
    assert r"\x1b[2J" in file.getvalue()


def test_json_keeps_what_it_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    """What is escaped in a line of JSON is found again by whoever reads it."""
    console.emit({"text": EVIL})
    written = capsys.readouterr().out
    assert harmless(written)
    assert json.loads(written)["text"] == EVIL


@pytest.mark.parametrize("form", ["text", "json"])
def test_logs_hold_no_controls(form: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A record is told without controls, in its message, its extras and its error; its further lines don't pose as records."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        set_up_logging("info", form, "test")  # type: ignore[arg-type]
        try:
            raise ValueError(EVIL)
        except ValueError:
            logging.getLogger("antiphon.test").exception("%s came", EVIL, extra={"who": EVIL})
    finally:
        root.handlers[:], level = before
        root.setLevel(level)
    said = capsys.readouterr().err
    assert harmless(said)
    assert said.count("owned") == 3
    if form == "text":
        head, *further = said.splitlines()
        assert head[4] == "-"  # the year
        assert all(line.startswith("    ") for line in further)
    else:
        assert json.loads(said)["who"] == EVIL
    assert sys.exc_info()[0] is None
