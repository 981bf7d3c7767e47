"""A line of a process' log: whose it is, when it was, and as JSON for whatever collects it."""

import asyncio
import json
import logging
import re
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Literal

import pytest

from schemas.process.logging import SESSION, of_session, set_up_logging

log = logging.getLogger("antiphon.test")
SetUp = Callable[[Literal["text", "json"]], None]


@pytest.fixture
def set_up() -> Iterator[SetUp]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield lambda form: set_up_logging("info", form, "gateway-1")
    root.handlers[:], level = before
    root.setLevel(level)
    logging.captureWarnings(False)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_json_is_what_collectors_read(set_up: SetUp, capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line: a time with its zone, level, message, process, session, whatever else was said; nothing said takes the
    place of those."""
    set_up("json")
    log.warning("it is %s", "late", extra={"session": "ws-1", "seconds": 1.5, "level": "none", "odd": {1}})
    [line] = lines(capsys)
    assert datetime.fromisoformat(line.pop("time")).tzinfo == UTC
    assert line == {
        "level": "warning", "logger": "antiphon.test", "process": "gateway-1", "message": "it is late", "session": "ws-1",
        "seconds": 1.5, "odd": "{1}",
    }  # fmt: skip


def test_an_error_and_a_warning_of_python_are_lines_like_others(
    set_up: SetUp, capsys: pytest.CaptureFixture[str]
) -> None:
    """A collector that splits at line ends finds no half of one."""
    set_up("json")
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        log.exception("it failed")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(True)
        warnings.warn("this is old\nand long", stacklevel=1)
    failed, warned = lines(capsys)
    assert "first\nsecond" in failed["error"]
    assert (warned["logger"], warned["level"]) == ("py.warnings", "warning")


def test_text_has_the_date_and_the_session(set_up: SetUp, capsys: pytest.CaptureFixture[str]) -> None:
    """For people: when, how grave, by whom, of which call, and what."""
    set_up("text")
    log.info("somebody listens", extra={"session": "ws-1", "agent": "desk"})
    log.info("ready")
    of_one, of_none = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO    antiphon\.test \[ws-1\]: somebody listens \(agent=desk\)",
        of_one,
    )
    assert of_none.endswith("antiphon.test: ready")


async def test_what_is_said_for_a_session_bears_its_id(set_up: SetUp, capsys: pytest.CaptureFixture[str]) -> None:
    """By tasks that are begun for it, too, while others speak in between; who names another session is believed."""
    set_up("json")
    go_on = asyncio.Event()

    async def work(said: str) -> None:
        await go_on.wait()
        log.info(said)

    with of_session("ws-1"):
        first = asyncio.create_task(work("first"))
    with of_session("ws-2"):
        second = asyncio.create_task(work("second"))
        log.info("within")
        log.info("of another", extra={"session": "ws-3"})
    log.info("of none")
    go_on.set()
    await asyncio.gather(first, second)
    assert SESSION.get() == ""
    assert [(line["message"], line.get("session")) for line in lines(capsys)] == [
        ("within", "ws-2"), ("of another", "ws-3"), ("of none", None), ("first", "ws-1"), ("second", "ws-2"),
    ]  # fmt: skip
