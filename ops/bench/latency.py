"""`antiphon bench latency`: voice to voice, as the caller hears it.

The whole stack runs as separate processes with an agent's defaults. A caller plays recordings in real time through a WebSocket
room, one conversation of a few turns after another, and takes the time from the last sample of its speech to the first
sample of the agent that reaches it. A reply that begins before the caller's last sample is a cut-in: counted, not timed.
The parts come from the log and lie on the turn's critical path; what lies between the log and the caller is `transport`.
"""

import asyncio
import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.bench import machine
from ops.bench._figures import milliseconds, percentile
from ops.bench._recordings import Turn, folder, turns
from ops.caller import Caller
from ops.stack import Plan, Stack
from schemas.folding import folded
from schemas.log import connect
from schemas.settings import Settings, load
from schemas.waterfall import PARTS, waterfall

_PER_CONVERSATION = 5
_REPLY_LIMIT = 20.0


@dataclass(frozen=True, slots=True)
class Timed:
    """`latency`: seconds; None where no reply came; `cut_in`: the reply began before the caller's last sample."""

    turn: Turn
    latency: float | None
    cut_in: bool
    session: str
    number: int | None
    first_sample: float


async def bench(wav: Path | None = None, progress: Any = None, **_: Any) -> dict[str, Any]:
    script = folder(wav) if wav else turns()
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as data:
        async with Stack(Plan(Path(data), free_ports=True), load()) as stack:
            timed = []
            for first in range(0, len(script), _PER_CONVERSATION):
                timed += await _converse(stack.gateways[0], script[first : first + _PER_CONVERSATION], progress)
            parts = await _parts(stack.redis_url, timed)
    latencies = [one.latency for one in timed if one.latency is not None and not one.cut_in]
    return {
        "turns": len(timed),
        "p50_ms": milliseconds(latencies, 50),
        "p95_ms": milliseconds(latencies, 95),
        "cut_ins": sum(one.cut_in for one in timed),
        "unanswered": sum(one.latency is None and not one.cut_in for one in timed),
        "with_pauses": sum(one.turn.pauses for one in timed),
        "parts_ms": _median_turn(timed, parts),
        "each": [
            {
                "turn": one.turn.name,
                "ms": None if one.latency is None else round(one.latency * 1e3),
                "cut_in": one.cut_in,
                "parts_ms": parts.get((one.session, one.number)),
            }
            for one in timed
        ],
        **machine(),
    }


async def _converse(url: str, script: list[Turn], progress: Any) -> list[Timed]:
    """One session: each turn is spoken when the agent has finished answering the one before."""
    caller = Caller(url, rate=24_000)
    await caller.connect()
    timed = []
    await asyncio.sleep(0.5)
    for turn in script:
        began = time.monotonic()
        last_sample = await caller.speak(turn.pcm)
        answer = await _first_sound(caller, began, last_sample)
        ended = await caller.wait_for(_is_end_of_reply, _REPLY_LIMIT, since=began)
        await asyncio.sleep(max(0.0, caller.silent_at - time.monotonic()) + 0.7)
        cut_in = answer is not None and answer < last_sample
        latency = None if answer is None or cut_in else answer - last_sample
        number = ended.get("turn") if ended else None
        timed.append(Timed(turn, latency, cut_in, caller.session, number, answer or math.nan))
        if progress:
            progress(turn.name, latency, cut_in)
    await caller.hang_up()
    return timed


async def _first_sound(caller: Caller, began: float, last_sample: float) -> float | None:
    end = last_sample + 8.0
    while time.monotonic() < end:
        if (at := caller.first_sound_after(began)) is not None:
            return at
        await asyncio.sleep(0.01)
    return None


def _is_end_of_reply(message: dict[str, Any]) -> bool:
    return message["type"] == "turn" and message["how"] not in ("dropped",)


async def _parts(redis_url: str, timed: list[Timed]) -> dict[tuple[str, int | None], dict[str, float]]:
    """The waterfall of every turn, in ms, by session and turn."""
    bus = connect(Settings(redis_url=redis_url))
    await bus.start()
    found: dict[tuple[str, int | None], dict[str, float]] = {}
    for session in {one.session for one in timed}:
        state = await folded(bus, session)
        for one in (one for one in timed if one.session == session and one.number is not None):
            shape = waterfall(state, one.number)
            if shape is not None:
                found[session, one.number] = {name: round(shape.parts[name] * 1e3, 1) for name in PARTS}
    await bus.aclose()
    return found


def _median_turn(timed: list[Timed], parts: dict[tuple[str, int | None], dict[str, float]]) -> dict[str, float]:
    """The parts of the turn whose latency is nearest the median, and what the log could not see of it (`transport`)."""
    answered = [
        one for one in timed if one.latency is not None and not one.cut_in and (one.session, one.number) in parts
    ]
    middle = percentile([one.latency or 0.0 for one in answered], 50)
    if not answered:
        return {}
    nearest = min(answered, key=lambda one: abs((one.latency or 0.0) - middle))
    shape = parts[nearest.session, nearest.number]
    total = (nearest.latency or 0.0) * 1e3
    return {**shape, "transport": round(total - sum(shape.values()), 1), "total": round(total, 1)}
