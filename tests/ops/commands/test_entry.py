"""The commands let themselves in where the gateway asks for a token."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import typer
from aiohttp import web

from ops.commands.phone import NotDone, hang_up
from ops.commands.room import send_agent
from ops.people.call import Options, hold
from ops.people.dialogue import Dialogue
from ops.people.entry import client_token, gateway_url
from ops.people.person import CallError
from schemas.access.tokens import Grant, verify
from schemas.client import ReadyMessage
from schemas.errors import SettingsError

SECRET = "0123456789abcdef" * 2
QUESTION = Path(__file__).parents[3] / "ops" / "demo" / "capital.flac"


@asynccontextmanager
async def asked() -> AsyncIterator[tuple[str, list[str]]]:
    """A gateway's door that turns everybody away and remembers their tokens."""
    tokens: list[str] = []

    async def refuse(request: web.Request) -> web.Response:
        tokens.append(request.headers.get("Authorization", "").removeprefix("Bearer "))
        return web.json_response({"error": {"code": "no", "message": "not today"}}, status=403)

    async with serving(refuse) as url:
        yield url, tokens


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """A server that answers everything so; its URL as a gateway's."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}/ws"
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEWAY_TOKEN_SECRET", SECRET)


async def test_call_and_join_bring_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """With GATEWAY_TOKEN_SECRET set, `call` and `join` sign a token for just what they want; one that is given goes before."""
    async with asked() as (url, tokens):
        with pytest.raises(CallError, match="not today"):
            await send_agent("lobby", "desk", url, "", False)
        with pytest.raises(CallError, match="not today"):
            await send_agent("lobby", "desk", url, "a token of mine", False)
        options = Options(QUESTION, url, None, "desk", "", 2, 1.0, True)
        await hold(options)
    assert verify(SECRET, tokens[0]) == Grant(room="lobby", agent="desk", join=True)
    assert tokens[1] == "a token of mine"
    assert [verify(SECRET, token) for token in tokens[2:]] == [Grant(agent="desk")] * 2


async def test_who_has_no_token_is_told_how_to_get_in(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a terminal that hasn't the gateway's secret every command says which setting lets it in."""
    monkeypatch.delenv("GATEWAY_TOKEN_SECRET")

    async def refuse(request: web.Request) -> web.StreamResponse:
        if request.path == "/join":
            return web.json_response({"error": {"code": "token", "message": "a token is required"}}, status=401)
        if request.path != "/ws":
            raise web.HTTPUnauthorized(text="a token is required")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json({"type": "error", "code": "token", "message": "a token is required", "fatal": True})
        await socket.close()
        return socket

    async with serving(refuse) as url:
        with pytest.raises(CallError, match="GATEWAY_TOKEN_SECRET"):
            await send_agent("lobby", "", url, "", False)
        with pytest.raises(NotDone, match="GATEWAY_TOKEN_SECRET"):
            await hang_up("x", url, False)
        with pytest.raises(typer.Exit):
            await hold(Options(QUESTION, url, None, "", "", 1, 1.0, True))
    assert "GATEWAY_TOKEN_SECRET" in capsys.readouterr().err


def test_what_is_not_as_the_agent_wants_it_is_shown() -> None:
    """The warnings of `ready` are for whoever calls with `antiphon call`, too."""
    said: list[str] = []
    Dialogue(lambda _, text, __: said.append(text), "you").message(
        ReadyMessage(session="ws-1", ticket="t", warnings=("the voice speaks en only",), rate=24_000, resumed=False)
    )
    assert said == ["session ws-1", "the voice speaks en only"]


def test_without_a_secret_there_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no secret is set none is made up; one that is too short is an error that names the setting."""
    monkeypatch.setenv("GATEWAY_TOKEN_SECRET", "short")
    with pytest.raises(SettingsError, match="GATEWAY_TOKEN_SECRET has 5 characters"):
        client_token("", Grant())
    monkeypatch.delenv("GATEWAY_TOKEN_SECRET")
    assert client_token("", Grant()) == ""
    assert client_token("given", Grant()) == "given"


def test_a_gateway_for_everybody_is_called_on_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """GATEWAY_HOST=0.0.0.0 is where it listens, not what to call."""
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path))
    monkeypatch.setenv("GATEWAY_HOST", "0.0.0.0")
    assert gateway_url(None) == "ws://127.0.0.1:8765/ws"
    monkeypatch.setenv("GATEWAY_HOST", "::1")
    assert gateway_url(None) == "ws://[::1]:8765/ws"
