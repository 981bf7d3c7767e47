"""`antiphon bench rooms`: how many LiveKit rooms one gateway process, pinned to one core, can hold.

Everything a gateway does is done: dispatch, joining, decoding, VAD, turn-taking, publications, playback, and what is told in
the room. A person in each room asks a question, is silent for one and a half times as long, hears the answer meanwhile, and asks
again: both talk about 40 % of the time. People (`ops/livekit/people`), LiveKit's server, the log and workers of fixed cost
share the other cores.

`lateness_p99_ms`: of the gateway's frames, which are the ticks at which sound is taken from all rooms and given to all.
`heard_late_p99_ms`: how much later than its place in its stretch of speech a packet of the agent's voice reached its person;
what the server and the people were late themselves is in it. `limit`: what takes the gateway's core.
"""

import asyncio
import time
from collections import Counter
from typing import Any

from ops.bench import machine
from ops.bench._core import SHORT_ANSWERS, PinnedGateway, cores_apart, question_and_silence, simulated_pools
from ops.bench._people import People
from ops.bench.figures import milliseconds
from ops.stack.embedded.livekit import LiveKit, build, build_if_missing
from ops.stack.embedded.valkey import Valkey
from ops.stack.processes import preload
from schemas.audio import HEARING_RATE
from schemas.config.settings import Settings
from schemas.events import TurnEnded
from schemas.log import connected

LIMIT_MS = 20.0
_PLAYED = 0.9
"""Of the turns that ended: below, what was measured is not a conversation."""
_SETTLED = 8.0  # seconds until everybody has asked and been answered once
_JOINED_WITHIN = 60.0
_OURS = {"event loop", "python"}
"""Threads that run our code (`python`: the VAD's and the pools'); the others are the SDK's, which calls us from some of them."""


async def bench(sessions: int = 0, seconds: float = 20.0, livekit: bool = True, **_: Any) -> dict[str, Any]:
    """`sessions`: just so many rooms; 0 begins with 20 and tries a quarter more as long as it goes, or fewer until it does.
    `livekit`: there are no other rooms to measure yet."""
    await build_if_missing()
    await build("people")
    preload()
    tried = [await _run(sessions or 20, seconds)]
    if not sessions:
        up = _kept_up(tried[0])
        while _kept_up(tried[-1]) == up and 4 <= tried[-1]["rooms"] <= 200:
            tried.append(await _run(tried[-1]["rooms"] * (5 if up else 3) // 4, seconds))
    good = [row for row in tried if _kept_up(row)]
    best = max(good, key=lambda row: row["rooms"]) if good else tried[-1]
    return {
        "rooms": best["rooms"] if good else 0,
        "lateness_p99_ms": best["lateness_p99_ms"],
        "cpu_per_room": best["cpu_per_room"],
        "limit": best["limit"],
        "tried": tried,
        **machine(),
    }


def _kept_up(row: dict[str, Any]) -> bool:
    ended = sum(row["turns"].values())
    played = row["turns"].get("played", 0)
    return bool(row["lateness_p99_ms"] < LIMIT_MS and ended >= row["rooms"] and played >= _PLAYED * ended)


async def _run(rooms: int, seconds: float) -> dict[str, Any]:
    async with (
        cores_apart() as own,
        simulated_pools(SHORT_ANSWERS, WORKER_BATCH="32") as (log, folder),
        LiveKit(folder / "livekit", log.url) as server,
    ):
        settings = {
            "redis_url": log.url, "livekit_url": server.url, "livekit_api_key": server.api_key,
            "livekit_api_secret": server.api_secret, "livekit_sessions": rooms, "livekit_watch": False,
        }  # fmt: skip
        async with PinnedGateway(settings, own) as gateway:
            return await _measure(rooms, seconds, gateway, server, log)


async def _measure(rooms: int, seconds: float, gateway: PinnedGateway, server: LiveKit, log: Valkey) -> dict[str, Any]:
    names = [f"room-{number}" for number in range(rooms)]
    cycle = question_and_silence()
    shift = len(cycle) / HEARING_RATE / rooms  # all of them are always at different places
    async with People(server, names, cycle, shift=shift, every=0.2) as people:
        await people.joined()
        end = time.monotonic() + _JOINED_WITHIN
        while (there := await gateway.ask("sessions")) < rooms and time.monotonic() < end:
            await asyncio.sleep(0.2)
        await asyncio.sleep(_SETTLED)
        await gateway.ask("measure")
        people.measure()
        before = await _turns(log)
        await asyncio.sleep(seconds)
        report = await gateway.ask("report")
        heard = await people.report()
        turns = await _turns(log) - before
    row = {"rooms": there, **report, "cpu_per_room": round(report["core"] / max(1, there), 4), "turns": dict(turns)}
    row["heard_late_p99_ms"] = milliseconds([late / 1e3 for late in heard["late_ms"]], 99)
    row["people_late_p99_ms"] = milliseconds([late / 1e3 for late in heard["own_ms"]], 99)
    row["agent_talks"] = round(heard["packets"] * 0.02 / seconds / max(1, there), 2)
    row["limit"] = _limit(report)
    return row


def _limit(report: dict[str, Any]) -> str:
    """Whose threads take how much of the core."""
    ours = sum(load for name, load in report["threads"].items() if name in _OURS)
    sdk = max(0.0, report["core"] - ours)
    most = "the SDK's own threads" if sdk > ours else "our event loop"
    return (
        f"{most}: of {report['core']:.0%} of the core the SDK's threads take {sdk:.0%}, event loop and VAD {ours:.0%}"
    )


async def _turns(log: Valkey) -> Counter[str]:
    """How the turns of all open sessions have ended so far."""
    async with connected(Settings(redis_url=log.url)) as bus:
        ended: Counter[str] = Counter()
        for session in await bus.sessions(1000):
            ended.update(event.how for event in await bus.read(session.session) if isinstance(event, TurnEnded))
        return ended
