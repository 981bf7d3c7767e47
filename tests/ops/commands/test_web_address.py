"""The one address that is opened: who serves it, which pages the gateways let in, and what is said where there is no app."""

import asyncio
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import typer
from rich.console import Console

from api import built
from ops import console
from ops.commands.open import open_session
from ops.demo import conversation
from ops.reading.page import Page, page_of
from ops.stack.api import ApiProcess, session_url
from ops.stack.embedded.valkey import Valkey
from ops.stack.here import running
from ops.stack.stack import Plan, Stack
from schemas.config.settings import load
from schemas.log import connected
from tests.schemas.log.talk import STARTED


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))


@pytest.mark.parametrize(
    ("settings", "url", "origins"),
    [
        ({}, "http://127.0.0.1:8123", ["http://127.0.0.1:8123", "http://localhost:8123"]),
        (
            {"gateway_allowed_origins": "https://a.example, https://b.example"},
            "http://127.0.0.1:8123",
            ["https://a.example", "https://b.example", "http://127.0.0.1:8123", "http://localhost:8123"],
        ),
        (
            {"api_public_url": "https://voice.example/"},
            "https://voice.example",
            ["http://127.0.0.1:8123", "http://localhost:8123", "https://voice.example"],
        ),
        ({"api_host": "0.0.0.0"}, "http://127.0.0.1:8123", ["http://127.0.0.1:8123", "http://localhost:8123"]),
        ({"api_host": "::1"}, "http://[::1]:8123", ["http://[::1]:8123", "http://localhost:8123"]),
    ],
)
def test_pages_of_the_api_may_connect(settings: dict[str, Any], url: str, origins: list[str]) -> None:
    """Gateways let in the pages of the API by whichever name they were opened, beside what a user has allowed."""
    api = ApiProcess(load(**settings), 8123)
    assert api.url == url
    assert api.origins().split(",") == origins


def test_every_gateway_is_told(tmp_path: Path) -> None:
    """Each gateway of a stack with an API gets its origins; without one a user's own setting is left alone."""
    settings = load(redis_url="redis://127.0.0.1:6379/0", llm_base_url="http://127.0.0.1:1/v1")
    stack = Stack(Plan(tmp_path, gateways=2, free_ports=True, api=True), settings)
    commands = {command.name: command for command in stack._processes()}
    assert stack.api is not None
    for name in ("gateway-1", "gateway-2"):
        assert commands[name].environment["GATEWAY_ALLOWED_ORIGINS"] == stack.api.origins()
    assert stack.endpoints()["api_url"] == stack.api.url
    without = Stack(Plan(tmp_path, free_ports=True), settings)
    assert "api" not in {command.name for command in without._processes()}
    assert "GATEWAY_ALLOWED_ORIGINS" not in without._processes()[-1].environment
    assert "api_url" not in without.endpoints()


async def test_the_api_is_one_more_process(tmp_path: Path) -> None:
    """It runs beside the rest, is told of in the running file, answers there, and is started again when it dies. Where a stack
    runs that has the session, its own API is named, and nothing is started."""
    plan = Plan(tmp_path / "data" / "up", gateways=0, stt=0, llm=0, tts=0, free_ports=True, api=True)
    async with Stack(plan, load(llm_provider="simulated")) as stack, aiohttp.ClientSession() as http:
        told = running()
        assert told is not None
        assert stack.api is not None
        assert told["api_url"] == stack.api.url
        async with http.get(f"{told['api_url']}/ready") as answer:
            assert (await answer.json())["ready"]
        async with connected(load(redis_url=stack.redis_url)) as bus:
            await bus.open("ws-1", "gateway", "r1", [STARTED])
        async with page_of("ws-1") as page:
            assert page == Page(f"{stack.api.url}/sessions/ws-1", ours=False)
        api = stack.supervisor["api"]
        first = api.pid
        api.kill()
        while api.pid in (None, first):
            await asyncio.sleep(0.05)
        assert api.restarts == 1


async def test_a_session_of_a_stopped_stack_is_opened(tmp_path: Path) -> None:
    """The page of a session whose stack is gone is served by an API over the log it left, until nobody wants it any more."""
    async with Valkey(tmp_path / "data" / "demo" / "valkey") as server, connected(load(redis_url=server.url)) as bus:
        await bus.open("ws-1", "gateway", "r1", [STARTED])
    async with page_of("ws-1") as page, aiohttp.ClientSession() as http:
        assert page.ours
        api, _, rest = page.url.partition("/sessions/")
        assert rest == "ws-1"
        async with http.get(f"{api}/ready") as answer:
            assert (await answer.json())["ready"]
    async with aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.get(f"{api}/ready")


async def test_without_the_app_it_says_how_to_build_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`antiphon open` without a built app is one sentence with the command that builds it."""
    monkeypatch.setattr(built, "_PLACES", ())
    with pytest.raises(typer.Exit) as ended:
        open_session("ws-1")
    assert ended.value.exit_code == 1
    assert "run `make app`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("app", "terminal", "told"),
    [
        (None, True, "make open ARGS=ws-1"),
        (Path("dist"), False, "open ws-1"),
        (Path("dist"), True, "http://127.0.0.1:8080/sessions/ws-1"),
    ],
)
async def test_the_demo_ends_with_where_its_session_is_seen(
    monkeypatch: pytest.MonkeyPatch, app: Path | None, terminal: bool, told: str
) -> None:
    """The page's address for who sits before a terminal; where nobody does, or it is to be built first, the command for it. Last
    of all stands which model answered."""

    @asynccontextmanager
    async def shown(session: str) -> AsyncIterator[Page]:
        yield Page(f"http://127.0.0.1:8080/sessions/{session}", ours=False)

    out = Console(file=io.StringIO(), force_terminal=terminal, width=120)
    monkeypatch.setattr(conversation, "built_app", lambda: app)
    monkeypatch.setattr(conversation, "page_of", shown)
    monkeypatch.setattr(console, "out", out)
    await conversation._show_page("ws-1", last="a model, a stand-in")
    page, last = re.sub(r"\x1b\[[\d;]*m", "", out.file.getvalue()).splitlines()  # type: ignore[attr-defined]
    assert told in page
    assert last == "Answered by  a model, a stand-in"


def test_an_id_is_one_part_of_an_address() -> None:
    """Whatever a session is called, its address leads to it and nowhere else."""
    assert session_url("http://127.0.0.1:1", "lk-a/../b?c#d") == "http://127.0.0.1:1/sessions/lk-a%2F..%2Fb%3Fc%23d"


def test_a_demo_that_ends_with_1_says_why() -> None:
    """How many lines had no whole answer, and where it stands what was waited for."""
    told = conversation._unanswered(1, 6, "ws-1")
    assert told.startswith("1 of 6 lines was not answered to the end: ")
    assert told.endswith(" show ws-1 says what was waited for")
    assert "2 of 6 lines were not" in conversation._unanswered(2, 6, "ws-1")
