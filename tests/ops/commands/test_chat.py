"""`antiphon chat`: with a real gateway over a log in memory, its workers by script."""

import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from ops import cli
from ops.people.chat import Options, chat
from schemas.events import SessionStarted
from tests.gateway.door import Door, door
from tests.gateway.pools import Pools


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("REDIS_URL", "ANTIPHON_DATA", "AGENTS"):
        monkeypatch.delenv(name, raising=False)


@asynccontextmanager
async def gateway() -> AsyncIterator[Door]:
    async with door() as one, Pools(one.bus, says=["Yes.", "At eight."]):
        yield one


def modes() -> dict[str, int]:
    """Of the files of conversations that go on."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in Path(".antiphon/chats").iterdir()}


async def one(here: Door, capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    await chat(Options(url=here.url, json=True, **options))
    told: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return told


async def test_one_turn_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The conversation goes on under its name, and ends when that is asked for; its ticket is the user's only."""
    async with gateway() as here:
        first = await one(here, capsys, agent="greeter", name="a", text="a table", metadata={"order": "7"})
        assert (first["version"], first["greeting"], first["said"]) == (1, ["Good day."], ["Yes.", "At eight."])
        assert modes() == {"a.json": 0o600}
        second = await one(here, capsys, name="a", text="at eight?", end=True)
        assert (second["session"], second["resumed"], second["said"]) == (first["session"], True, ["Yes.", "At eight."])
        assert modes() == {}
        log = await here.bus.read(first["session"])
        begun = log[0]
        assert isinstance(begun, SessionStarted)
        assert begun.metadata == {"order": "7"}
        assert log[-1].type == "session.ended"


async def test_a_conversation_that_is_over_is_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    """With how to begin it again, which does."""
    async with gateway() as here:
        first = await one(here, capsys, name="a", text="hello")
        here.engine.sessions[first["session"]].hang_up("hang_up")
        with pytest.raises(typer.Exit) as ended:
            await one(here, capsys, name="a", text="still there?")
        assert ended.value.exit_code == 1
        assert "conversation a is over; begin it again with --new" in capsys.readouterr().err
        again = await one(here, capsys, name="a", text="hello", anew=True)
        assert (again["resumed"], again["session"] != first["session"]) == (False, True)


async def test_what_is_said_is_shown_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    """For a person."""
    async with gateway() as here:
        assert await chat(Options(url=here.url, agent="greeter", text="hello"))
        assert capsys.readouterr().out.splitlines() == ["agent  Good day.", "agent  Yes.", "agent  At eight."]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--session", "../x", "hello"], 2, "expected up to 64 letters, digits"),
        (["--session", "a", "x" * 4001], 2, "a line has 1 to 4000 characters"),
        (["pizza", "-m", "order"], 2, "expected KEY=VALUE"),
        (["--url", "127.0.0.1:1", "--session", "a", "hello"], 3, "dev AGENT, or"),
    ],
)
def test_what_can_not_be_is_one_sentence(arguments: list[str], code: int, told: str) -> None:
    """A name that is none, a line too long, metadata that is none, no gateway: with the command that starts one."""
    result = CliRunner().invoke(cli.app, ["chat", *arguments])
    assert result.exit_code == code
    assert told in result.stderr
