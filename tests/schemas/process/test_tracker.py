"""Errors told to a tracker by SENTRY_DSN: which, where, whose; never what was said."""

import asyncio
import gzip
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from schemas.errors import SettingsError
from schemas.process.tracker import tracking

ROOT = Path(__file__).parents[3]
PROCESS = """
import logging, os
from schemas.process.logging import of_session, set_up_logging

set_up_logging("info", "json", "gateway-1", sentry_dsn=os.environ["SENTRY_DSN"])
log = logging.getLogger("antiphon.gateway")

def answer(said):
    raise ValueError(f"can't make anything of {said}")

with of_session("ws-4f0c"):
    log.warning("said: %s", "my pin is z4711")
    try:
        answer("my pin is z4711")
    except ValueError:
        log.exception("%s could not be answered: %s", "Ann Caller", "my pin is z4711")
    log.error("a word was lost: %s", "my pin is z4711", extra={"password": "hunter2"})
logging.getLogger("others").error("whole: my pin is z4711")
for _ in range(40):
    log.error("again")
answer("my pin is z4711")
"""
"""A process that fails in four ways, with secrets all about, and ends. (No hexadecimal id has a z in it.)"""


@pytest.fixture
async def tracker() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A real HTTP server: its DSN, and the bodies it was sent."""
    bodies: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        bodies.append(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
        return web.json_response({})

    app = web.Application()
    app.router.add_post("/api/7/envelope/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://key@127.0.0.1:{runner.addresses[0][1]}/7", bodies
    await runner.cleanup()


async def run(*arguments: str, **variables: str) -> tuple[int | None, bytes]:
    """Python with these arguments, until it ends: its exit code, and what it said."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]]), "NO_PROXY": "127.0.0.1"}
    child = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env=environment | variables, stderr=asyncio.subprocess.PIPE
    )
    _, said = await child.communicate()
    return child.returncode, said


def events_in(bodies: list[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for body in bodies for line in body.splitlines() if b'"level"' in line]


async def sent_by_a_process(dsn: str, bodies: list[bytes]) -> list[dict[str, Any]]:
    """The events of `PROCESS`, once it has ended."""
    code, said = await run("-c", PROCESS, SENTRY_DSN=dsn)
    assert code == 1
    assert b"my pin is z4711" in said  # its own log has it
    return events_in(bodies)


async def test_errors_are_told_and_nothing_that_was_said(tracker: tuple[str, list[bytes]]) -> None:
    """Kind, place, process and session of an error leave the process; its words, variables and arguments do not."""
    dsn, bodies = tracker
    events = await sent_by_a_process(dsn, bodies)
    for secret in (b"z4711", b"Ann", b"hunter2", b"SENTRY", str(Path.home()).encode()):
        assert not any(secret in body for body in bodies), secret
    raised = events[0]
    assert raised["tags"] == {"process": "gateway-1", "session": "ws-4f0c"}
    assert raised["logentry"]["message"].startswith("%s could not be answered: %s (")
    [exception] = raised["exception"]["values"]
    assert exception["type"] == "ValueError"
    assert [frame["function"] for frame in exception["stacktrace"]["frames"]] == ["<module>", "answer"]
    assert events[1]["logentry"]["message"].startswith("a word was lost: %s (")
    assert events[2]["logentry"]["message"].startswith("(")


async def test_a_storm_is_bounded_and_an_end_is_told(tracker: tuple[str, list[bytes]]) -> None:
    """What fails again and again is told thirty times in a minute; what ends a process is told all the same."""
    dsn, bodies = tracker
    events = await sent_by_a_process(dsn, bodies)
    assert len(events) == 31
    assert "logentry" not in events[-1]
    assert events[-1]["exception"]["values"][0]["type"] == "ValueError"


async def test_a_worker_tells_where_the_setting_says(tracker: tuple[str, list[bytes]]) -> None:
    """What a process of ours can't go on with is told to SENTRY_DSN before it ends; the path in its sentence is not."""
    dsn, bodies = tracker
    code, said = await run("-m", "ops.cli", "worker", "stt", SENTRY_DSN=dsn, STT_MODEL="/nowhere/model")
    assert (code, b"/nowhere/model" in said) == (2, True)
    [event] = events_in(bodies)
    assert event["logger"] == "antiphon.worker"
    assert event["logentry"]["message"].startswith("%s (main.run_worker:")
    assert not any(b"/nowhere/model" in body for body in bodies)


def test_a_dsn_that_is_none_is_named() -> None:
    """In one sentence, with what is expected."""
    with pytest.raises(SettingsError, match=r"^SENTRY_DSN: .*; expected https://KEY@HOST/NUMBER"):
        tracking("nonsense", "gateway-1", lambda _: "")


def test_without_its_package_the_setting_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment that names a tracker learns at the start that nobody would be told."""
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    with pytest.raises(SettingsError, match="pip install sentry-sdk"):
        tracking("https://key@tracker.example.com/7", "gateway-1", lambda _: "")
