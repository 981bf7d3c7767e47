"""`antiphon bench api`: how fast one API process answers, while it follows live sessions and tells hundreds of readers.

A real log holds `stored` sessions that have ended and `sessions` that go on, each a turn every five seconds; `readers` read event
streams, half of them the list's, half a live session's. Meanwhile sessions and queues are asked for, so many a second as READS
has, one after the other, at random moments and whether or not earlier ones are answered: ten operators who open another session
every five seconds make 20, ten requests each; fifty make 100. (Those who wait for their answers before they ask again, without a
pause, measure how many of them there are.) The figures are those of the first; `at` has each one's. Two of five are for one of
the stored sessions, as a rule one that nobody has asked for before: `cold` says what it takes as long as the API has just begun,
and has not read them ahead. A task in the process's own event loop says how late it is. Then the readers leave and the same is
asked once more (`alone`); then nobody talks either, and 16 at once ask for as many reads, and as many tokens, as are answered.

A busy machine makes every figure worse, so each stands beside what tells the machine from us: `load` before and after; a bare
Starlette route with one question to the log, asked in turn with the others (`peer_*`); and of the time the loop was blocked as
much as it computed itself (`held_ms`), for the rest of it others had the processor.
"""

import asyncio
import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp

from ops.bench import machine
from ops.bench._api_beside import READY, Beside, Gone, api, bare, crowd
from ops.bench._turns import talk
from ops.bench.figures import milliseconds
from ops.stack.embedded.valkey import Valkey
from ops.stack.system import free_port
from schemas.config.settings import Settings
from schemas.log import connected

READS = (20.0, 50.0, 100.0)
"""Requests a second."""
_COLD, _READ_AHEAD = 4.0, 90.0
"""Seconds that are measured as soon as all sessions are listed, and that are waited then."""
_AT_ONCE = 16
_SECRET = "bench-secret-of-more-than-32-characters"
_PEER, _FAILED = "peer", "failed"

Times = dict[str, list[float]]
"""Seconds that answers took, whole, by what was asked for."""


async def bench(
    sessions: int = 100, stored: int = 1_000, readers: int = 500, seconds: float = 15.0, **_: Any
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
        async with Valkey(Path(folder), appendfsync="everysec") as server:
            names = [f"stored-{number}" for number in range(stored)]
            async with connected(Settings(_env_file=None, redis_url=server.url)) as bus:
                for start in range(0, stored, 50):
                    await asyncio.gather(*(talk(bus, name, turns=4) for name in names[start : start + 50]))
            return await _measure(server.url, names, [f"live-{number}" for number in range(sessions)], readers, seconds)


async def _measure(redis_url: str, stored: list[str], live: list[str], readers: int, seconds: float) -> dict[str, Any]:
    ports = {"api_port": free_port(), "peer_port": free_port()}
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    settings = {
        "redis_url": redis_url, "api_port": ports["api_port"], "health_port": 0,
        "api_requests_per_minute": 1_000_000, "api_connections_per_address": 2 * readers + 100,
        "livekit_url": "ws://127.0.0.1:1", "livekit_api_key": "bench", "livekit_api_secret": _SECRET,
    }  # fmt: skip
    around = {"redis_url": redis_url, "url": urls["api_port"], "live": live, "readers": readers}
    loads = [os.getloadavg()[0]]
    async with (
        Beside(crowd, around) as people,
        Beside(bare, {"redis_url": redis_url, "peer_port": ports["peer_port"]}),
        Beside(api, settings) as served,
        aiohttp.ClientSession(urls["api_port"], connector=aiohttp.TCPConnector(limit=0)) as client,
        aiohttp.ClientSession(urls["peer_port"], connector=aiohttp.TCPConnector(limit=0)) as peer,
    ):
        await people.ask("open")
        first, indexed = await _until_read(client, len(stored))
        began = await served.ask("report")
        await people.ask("listen")
        cold = await _ask_around(client, peer, stored, live, READS[0], _COLD)
        await asyncio.sleep(_READ_AHEAD)
        measured: dict[float, tuple[Times, Any]] = {}
        await people.ask("measure")
        for rate in READS:
            await served.ask("measure")
            times = await _ask_around(client, peer, stored, live, rate, seconds)
            measured[rate] = times, await served.ask("report")
        heard = await people.ask("measure")
        await people.ask("leave")
        await served.ask("measure")
        alone = await _ask_around(client, peer, stored, live, READS[0], seconds), await served.ask("report")
        await people.ask("rest")
        most = await _a_second(client, "GET", lambda: _any(stored, live), min(seconds, 5.0))
        tokens = await _a_second(client, "POST", lambda: "/v1/livekit/token", min(seconds, 5.0))
        peers = await _a_second(peer, "GET", lambda: "/", min(seconds, 5.0))
    loads.append(os.getloadavg()[0])
    at = {rate: _figures(*found) for rate, found in measured.items()}
    return {
        "token_per_s": round(tokens),
        "stream_clients": heard,
        **at[READS[0]],
        "reads_per_s": round(most),
        "peer_per_s": round(peers),
        "load": loads,
        "at": {f"{rate:g}": found for rate, found in at.items()},
        "alone": _figures(*alone),
        "cold": {
            "first_page_ms": _ms(first), "indexed_s": round(indexed, 2),
            "blocked_ms": _ms(began["late"][-1]), "held_ms": _ms(began["held"][-1]),
            "read_p50_ms": milliseconds(_reads(cold), 50), "read_p95_ms": milliseconds(_reads(cold), 95),
        },
        "sessions": len(live),
        "stored": len(stored),
        "readers": readers,
        "seconds": seconds,
        **machine(),
    }  # fmt: skip


def _figures(times: Times, told: Any) -> dict[str, Any]:
    """Of one rate. `reads`: how many of a kind, p50 and p95."""
    beside, reads = times[_PEER], _reads(times)
    return {
        "read_p95_ms": milliseconds(reads, 95),
        "blocked_ms": _ms(told["late"][-1]),
        "held_ms": _ms(told["held"][-1]),
        "read_p50_ms": milliseconds(reads, 50),
        "peer_p50_ms": milliseconds(beside, 50),
        "peer_p95_ms": milliseconds(beside, 95),
        "api_core": round(told["share"], 2),
        "latest_ms": [_ms(one) for one in told["late"]],
        "reads": {
            kind: [len(some), milliseconds(some, 50), milliseconds(some, 95)] for kind, some in times.items() if some
        },
    }


def _reads(times: Times) -> list[float]:
    return [took for kind, some in times.items() if kind != _PEER for took in some]


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 1)


async def _until_read(client: aiohttp.ClientSession, many: int) -> tuple[float, float]:
    """Seconds that the first page took, and from it until it had looked at all sessions there are."""
    end, first, began = time.monotonic() + READY, 0.0, 0.0
    while time.monotonic() < end:
        asked = time.monotonic()
        try:
            async with client.get("/v1/sessions") as answer:
                told = await answer.json() if answer.status == 200 else None
        except aiohttp.ClientError:
            told = None
        if told and not first:
            first, began = time.monotonic() - asked, asked
        if told and told["sessions"] and told["next"] and not told["unread"]:
            return first, time.monotonic() - began
        await asyncio.sleep(0.05)
    raise Gone(f"the API had not read {many} sessions after {READY:.0f} s")


def _asks(stored: list[str], live: list[str]) -> dict[str, Callable[[], str]]:
    return {
        "list": lambda: random.choice(["/v1/sessions", "/v1/sessions?state=open", "/v1/sessions?q=7&slow_ms=1"]),
        "stored session": lambda: f"/v1/sessions/{random.choice(stored)}",
        "live session": lambda: f"/v1/sessions/{random.choice(live)}",
        "events": lambda: f"/v1/sessions/{random.choice(stored)}/events?limit=50",
        "queues": lambda: "/v1/queues",
    }


def _any(stored: list[str], live: list[str]) -> str:
    return random.choice(list(_asks(stored, live).values()))()


async def _ask_around(
    client: aiohttp.ClientSession,
    peer: aiohttp.ClientSession,
    stored: list[str],
    live: list[str],
    rate: float,
    seconds: float,
) -> Times:
    asks = _asks(stored, live)
    asks[_PEER] = lambda: "/"
    times: Times = {kind: [] for kind in (*asks, _FAILED)}

    async def ask(kind: str) -> None:
        began = time.perf_counter()
        try:
            async with (peer if kind == _PEER else client).get(asks[kind]()) as answer:
                body = await answer.read()
                assert answer.status == 200, body
        except aiohttp.ClientError:
            times[_FAILED].append(time.perf_counter() - began)
        else:
            times[kind].append(time.perf_counter() - began)

    async with asyncio.TaskGroup() as asking:
        due = time.perf_counter()
        end = due + seconds
        while due < end:
            asking.create_task(ask(random.choice(list(asks))))
            due += random.expovariate(rate * len(asks) / (len(asks) - 1))
            await asyncio.sleep(due - time.perf_counter())
    return times


async def _a_second(client: aiohttp.ClientSession, method: str, path: Callable[[], str], seconds: float) -> float:
    """Answers a second, as fast as they come."""
    end, made = time.perf_counter() + seconds, 0
    body = json.dumps({"room_name": "bench", "participant_identity": "ann"}).encode() if method == "POST" else None
    headers = {"Content-Type": "application/json"} if body else {}

    async def ask() -> None:
        nonlocal made
        while time.perf_counter() < end:
            async with client.request(method, path(), data=body, headers=headers) as answer:
                assert answer.status in (200, 201), await answer.text()
                await answer.read()
            made += 1

    await asyncio.gather(*(ask() for _ in range(_AT_ONCE)))
    return made / seconds
