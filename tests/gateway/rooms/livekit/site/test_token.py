"""`antiphon room token`: how a person comes into a room."""

import json

import pytest
from livekit import rtc
from typer.testing import CliRunner

from ops.cli import app
from tests.gateway.rooms.livekit.site.conftest import Site, session_of, until


async def test_a_person_comes_in(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The printed token lets LiveKit's own client into the room, where the agent that was asked for comes too."""
    folder = site.folder / "agents"
    folder.mkdir()
    for name in ("default", "helper"):
        (folder / f"{name}.toml").write_text(f'name = "{name}"\n')
    await site.gateway(livekit_agent_name="desk", agents=str(folder))
    for name, value in (site.livekit.environment | {"LIVEKIT_AGENT_NAME": "desk"}).items():
        monkeypatch.setenv(name, value)
    printed = CliRunner().invoke(app, ["room", "token", "lobby", "--agent", "helper"]).stdout
    url, token = printed.split()
    ann = rtc.Room()
    await ann.connect(url, token)
    try:
        session = await until(lambda: session_of(ann), "the agent")
        assert (await site.events(session))[0].agent.name == "helper"  # type: ignore[union-attr]
    finally:
        await ann.disconnect()


def test_browsers_get_their_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """LIVEKIT_PUBLIC_URL is what is handed out, not the address inside; the secret is in no output."""
    monkeypatch.setenv("LIVEKIT_URL", "ws://livekit:7880")
    monkeypatch.setenv("LIVEKIT_PUBLIC_URL", "wss://rooms.example.com")
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "x" * 40)
    output = CliRunner().invoke(app, ["room", "token", "lobby", "--participant", "ann", "--json"]).stdout
    found = json.loads(output)
    assert (found["url"], found["room"], found["participant"]) == ("wss://rooms.example.com", "lobby", "ann")
    assert "x" * 40 not in output


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Without a room or a server the command exits with 2 and says which."""
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path))
    monkeypatch.setenv("LIVEKIT_URL", "")
    for arguments, said in (([], "missing argument"), (["lobby"], "LIVEKIT_URL is not set")):
        result = CliRunner().invoke(app, ["room", "token", *arguments])
        assert (result.exit_code, said in result.output) == (2, True)
