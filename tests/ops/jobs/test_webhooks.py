"""Webhooks as somebody receives them: signed, bounded, and never led into a private network."""

import asyncio
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from ops.jobs.webhooks import Undelivered, Webhooks, message
from schemas.clock import Micros
from schemas.config.settings import Settings
from schemas.errors import SettingsError
from tests.ops.jobs.receiving import SECRET, Receiver, receiving, serving

PAGE = (Path(__file__).parents[3] / "docs" / "operating" / "webhooks.md").read_text("utf-8")
AT = Micros(1_764_252_331_120_000)
BODY = message("session.ended", AT, {"session": "ws-1"})


def settings(**given: Any) -> Settings:
    values: dict[str, Any] = {"webhook_secret": SECRET, "webhook_private": True} | given
    return Settings(_env_file=None, **values)


async def sent(url: str, within: float = 5.0, **given: Any) -> int:
    """Its status. Undelivered."""
    webhooks = Webhooks(settings(webhook_url=url, **given), within=within)
    try:
        return await webhooks.send(url, "msg_1", 1_764_252_332, BODY)
    finally:
        await webhooks.aclose()


async def test_the_signature_is_the_fields() -> None:
    """Id, time and body are signed with each secret that is set, so that one may replace another."""
    other = "whsec_" + SECRET.removeprefix("whsec_")[::-1].lstrip("=") + "="
    async with receiving() as receiver:
        assert await sent(receiver.url) == 204
        assert await sent(receiver.url, webhook_secret=f"{other} {SECRET}") == 204
        with pytest.raises(Undelivered, match="it answered 401"):
            await sent(receiver.url, webhook_secret=other)
    assert (
        receiver.told
        == [{"type": "session.ended", "timestamp": "2025-11-27T14:05:31.120Z", "data": {"session": "ws-1"}}] * 2
    )
    assert (receiver.ids, receiver.forged) == (["msg_1"] * 2, 1)


async def test_the_receiver_of_the_page(tmp_path: Path) -> None:
    """What docs/operating/webhooks.md gives takes what is signed right and fresh, and nothing else."""
    [code] = re.findall(r"^    import base64.*\n(?:^ {4}.*\n)+", PAGE, re.MULTILINE)
    code = re.sub(r"^    ", "", code, flags=re.MULTILINE)
    code = code.replace('("127.0.0.1", 8088), Receiver).serve_forever()', '("127.0.0.1", 0), Receiver)')
    before, _, last = code.rpartition("http.server.HTTPServer(")
    code = (
        f"{before}served = http.server.HTTPServer({last}print(served.server_port, flush=True)\nserved.serve_forever()\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "WEBHOOK_SECRET": SECRET},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{int(await process.stdout.readline())}/"
        webhooks = Webhooks(settings(webhook_url=url))
        now = time.time()
        assert await webhooks.send(url, "msg_1", int(now), BODY) == 204
        with pytest.raises(Undelivered, match="401"):
            await webhooks.send(url, "msg_1", int(now) - 400, BODY)
        await webhooks.aclose()
        with pytest.raises(Undelivered, match="401"):
            await sent(url, webhook_secret="whsec_" + "A" * 43 + "=")
    finally:
        process.kill()
        await process.wait()


PRIVATE = (
    "127.0.0.1", "localhost", "10.1.2.3", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "[::1]", "[fe80::1]", "[fd00::1]", "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::]",
)  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
async def test_no_private_address_is_asked(host: str) -> None:
    """However it is written, and whatever a name stands for: nothing is sent, and the setting is named."""
    with pytest.raises(Undelivered, match=r"leads to .* no public address; set WEBHOOK_PRIVATE=true"):
        await sent(f"https://{host}:1/hook", webhook_private=False)


@pytest.mark.parametrize(
    "host", ["2130706433", "127.1", "0x7f.1", "１２７.0.0.1", "127。0｡0.1", "①27.0.0.1", "127.0.0.%31"]
)
async def test_no_odd_writing_of_an_address_is_asked(host: str) -> None:
    """What no browser would show is nobody's address, whatever the system makes of it."""
    with pytest.raises(Undelivered, match=r"no public address|not a canonical IPv4 address"):
        await sent(f"https://{host}:1/hook", webhook_private=False)


async def test_redirects_are_not_followed() -> None:
    """Where it leads to is said to be named."""
    receiver = Receiver()
    async with serving(receiver.answer) as other:

        async def away(request: web.Request) -> web.StreamResponse:
            return web.Response(status=307, headers={"Location": other})

        async with serving(away) as url:
            with pytest.raises(Undelivered, match="it answered 307, and redirects are not followed"):
                await sent(url)
    assert receiver.told == []


async def test_answers_are_bounded() -> None:
    """One without an end is read no further than its beginning; one that never comes is waited for no longer than told."""

    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(status=500)
        await answer.prepare(request)
        while True:
            await answer.write(b"x" * 65536)

    async def silent(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(60)
        return web.Response()

    async with serving(endless) as url:
        with pytest.raises(Undelivered) as told:
            await sent(url)
        assert str(told.value) == f"127.0.0.1: it answered 500 {'x' * 300}"
    async with serving(silent) as url:
        with pytest.raises(Undelivered, match=r"127.0.0.1: no answer within 0.2 s"):
            await sent(url, within=0.2)


async def test_nobody_listens() -> None:
    """Said in a sentence, without the path: secrets stand in paths."""
    with pytest.raises(Undelivered) as told:
        await sent("http://127.0.0.1:1/hook/secret")
    assert "refused" in str(told.value)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    ("status", "asked", "wait", "final"),
    [
        (429, "120", 120.0, False),
        (503, "999999", 3600.0, False),
        (503, "soon", 0.0, False),
        (500, "120", 0.0, False),
        (410, "", 0.0, True),
    ],
)
async def test_what_a_receiver_asks_for(status: int, asked: str, wait: float, final: bool) -> None:
    """To wait, up to an hour; to be told no more."""
    async with receiving() as receiver:
        receiver.statuses, receiver.headers = [status], {"Retry-After": asked}
        with pytest.raises(Undelivered) as told:
            await sent(receiver.url)
    assert (told.value.wait, told.value.final) == (wait, final)


def test_who_is_told() -> None:
    """An agent's own address before everybody's; off is nobody."""
    given = settings(webhook_url="https://a.example/x", webhook_agents="desk=https://b.example/y?z=1, demo=off")
    webhooks = Webhooks(given)
    assert [webhooks.url_of(agent) for agent in ("desk", "demo", "other")] == [
        "https://b.example/y?z=1", "", "https://a.example/x"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"webhook_url": "https://a.example", "webhook_secret": ""},
            "WEBHOOK_SECRET is not set, and webhooks are signed",
        ),
        ({"webhook_url": "http://a.example", "webhook_private": False}, "expected https.*WEBHOOK_PRIVATE=true"),
        ({"webhook_agents": "a=http://a.example", "webhook_private": False}, "expected https.*WEBHOOK_PRIVATE=true"),
    ],
)
def test_what_cannot_be_sent_is_a_setting_to_change(given: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        Webhooks(settings(**given))
