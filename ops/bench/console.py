"""`antiphon bench console`: what the web app asks of a browser that looks at much.

A real log holds a finished call of `events` events, a live one of as many that goes on, and `sessions` live sessions, each a turn
every five seconds. A real Chromium opens the start, the list and both calls, scrolls, drags along the clock, looks for words
and plays; it says itself when it painted, which tasks were long and when its frames came. Every act's frames a second and longest
task are told; without a GPU the frames say more about the machine than about the page.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from api.built import HOW, built_app
from ops.bench import machine
from ops.bench._eventful import Eventful, eventful
from ops.bench._turns import SavedBus, Talk
from ops.stack.embedded.valkey import Valkey
from ops.stack.supervisor import ANTIPHON
from ops.stack.system import free_port
from ops.stack.web_app import ROOT, chromium, run_script
from schemas.config.settings import Settings
from schemas.errors import AntiphonError
from schemas.log import connected

_READY = 60.0
_TURN = 5.0


class NoBrowser(AntiphonError):
    """The console can't be looked at here: something is missing, or the browser gave up."""


async def bench(sessions: int = 500, events: int = 10_000, seconds: float = 3.0, **_: Any) -> dict[str, Any]:
    browser = chromium()
    if not browser:
        raise NoBrowser("no chromium on PATH; install it, or set CHROMIUM")
    if not (ROOT / "web" / "package.json").is_file():
        raise NoBrowser("the console is measured from a checkout: web/ is not here")
    if built_app() is None:
        raise NoBrowser(HOW)
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
        async with (
            Valkey(Path(folder), appendfsync="everysec") as server,
            connected(Settings(_env_file=None, redis_url=server.url)) as bus,
            _api(server.url, folder) as url,
        ):
            figures = await _looked_at(bus, url, browser, sessions, events, seconds)
    return figures | {"sessions": sessions, "events": events, "seconds": seconds, **machine()}


@asynccontextmanager
async def _api(redis_url: str, folder: str) -> AsyncIterator[str]:
    """A real API; its address."""
    port = free_port()
    told = {
        "REDIS_URL": redis_url,
        "API_PORT": str(port),
        "HEALTH_PORT": "0",
        "LOG_LEVEL": "warning",
        "ANTIPHON_DATA": folder,
    }
    limits = {"API_REQUESTS_PER_MINUTE": "1000000"}
    process = await asyncio.create_subprocess_exec(*ANTIPHON, "api", env=os.environ | told | limits, cwd=folder)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _looked_at(
    bus: SavedBus, url: str, browser: str, sessions: int, events: int, seconds: float
) -> dict[str, Any]:
    past = await eventful(bus, "past", events)
    await past.close()
    live = await eventful(bus, "going-on", events)
    others = [Talk(bus, f"live-{number}") for number in range(sessions)]
    going = [asyncio.create_task(_eventfully(live))]
    for start in range(0, len(others), 50):
        await asyncio.gather(*(one.open() for one in others[start : start + 50]))
    going += [asyncio.create_task(_go_on(one, number / len(others))) for number, one in enumerate(others)]
    try:
        await _until_listed(url, sessions)
        return await _in_browser(
            {"url": url, "browser": browser, "past": "past", "live": "going-on", "seconds": seconds}
        )
    finally:
        for task in going:
            task.cancel()
        await asyncio.gather(*going, return_exceptions=True)


async def _eventfully(one: Eventful) -> None:
    while True:
        await one.turn(pace=1.0)


async def _go_on(one: Talk, share: float) -> None:
    await asyncio.sleep(share * _TURN)
    while True:
        await one.turn(_TURN)


async def _until_listed(url: str, many: int) -> None:
    """The API has read what is there."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _READY
    async with aiohttp.ClientSession(url) as client:
        while loop.time() < end:
            try:
                async with client.get("/v1/sessions?limit=1") as answer:
                    told = await answer.json() if answer.status == 200 else None
            except aiohttp.ClientError:
                told = None
            if told and told["sessions"] and not told["unread"]:
                return
            await asyncio.sleep(0.2)
    raise NoBrowser(f"the API had not read {many} sessions after {_READY:.0f} s")


async def _in_browser(asked: dict[str, Any]) -> dict[str, Any]:
    status, said = await run_script("bench", BENCH=json.dumps(asked))
    if status != 0:
        raise NoBrowser("the browser gave up; what it said stands above")
    figures: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
    return figures
