"""`antiphon bench latency`: voice to voice, as the caller hears it.

The whole stack runs as separate processes with an agent's defaults. A caller plays recordings in real time through a WebSocket
room and takes the time from the last sample of its speech to the first sample of the agent that reaches it. A reply that
begins before the caller's last sample is a cut-in: counted, not timed. A conversation goes on while the replies are short;
on one of over 5 s, and after a cut-in, the caller hangs up and calls again. A conversation is one speaker's.
With `--livekit` each conversation is held twice in turn, through a WebSocket room and through a LiveKit room (a real server,
LiveKit's client library for the caller, the agent by dispatch), so that whatever else slows the machine down slows both.
The parts come from the log and lie on the turn's critical path; `playout` is what remains of the caller's own measurement: from
the publish of the first sound to the caller's ear, and what the VAD was off about the last sample. So they sum to the turn.
"""

import asyncio
import tempfile
import time
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from ops.bench import machine, models
from ops.bench._recordings import Turn, folder
from ops.bench._recordings import turns as recorded_turns
from ops.bench.figures import milliseconds, percentile
from ops.people.caller import Caller
from ops.people.entry import client_token
from ops.people.livekit_caller import LiveKitCaller
from ops.people.person import Person
from ops.stack.stack import Plan, Stack
from schemas.access.tokens import Grant
from schemas.client import SentenceMessage, TurnMessage
from schemas.config.settings import Settings, load
from schemas.log import connected
from schemas.session.cache import folded
from schemas.session.waterfall import PARTS, waterfall

_REPLY = 5.0
"""Seconds of a reply that are listened to."""


@dataclass(frozen=True, slots=True)
class Timed:
    """`latency`: seconds; None where no reply came; `cut_in`: the reply began before the caller's last sample."""

    turn: Turn
    latency: float | None
    cut_in: bool
    session: str
    number: int | None


async def bench(
    wav: Path | None = None, progress: Any = None, livekit: bool = False, turns: int | None = None, **_: Any
) -> dict[str, Any]:
    script = (folder(wav) if wav else recorded_turns())[:turns]
    timed: dict[str, list[Timed]] = {"websocket": [], "livekit": []} if livekit else {"websocket": []}
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as data:
        async with Stack(Plan(Path(data), free_ports=True, livekit=livekit), load()) as stack:
            while len(timed[room := min(timed, key=lambda room: len(timed[room]))]) < len(script):
                timed[room] += await _converse(caller_in(room, stack), script[len(timed[room]) :], progress)
            parts = await _parts(stack.redis_url, [one for every in timed.values() for one in every])
    if not livekit:
        return {**_figures(timed["websocket"], parts), **models(load()), **machine()}
    both = {room: _figures(every, parts) for room, every in timed.items()}
    pairs = [
        (ours.latency - theirs.latency, _playout(ours, parts) - _playout(theirs, parts))
        for ours, theirs in zip(timed["livekit"], timed["websocket"], strict=True)
        if ours.latency is not None and theirs.latency is not None
    ]
    return {
        **both["livekit"],
        "websocket": both["websocket"],
        "over_websocket_ms": round(both["livekit"]["p50_ms"] - both["websocket"]["p50_ms"], 2),
        "over_websocket_each_turn_p50_ms": milliseconds([total for total, _ in pairs], 50),
        "over_websocket_playout_p50_ms": round(
            percentile([playout for _, playout in pairs if playout == playout], 50), 1
        ),
        **models(load()),
        **machine(),
    }


def _playout(one: Timed, parts: dict[tuple[str, int | None], dict[str, float]]) -> float:
    """What the room itself cost, both ways, in ms; nan where the turn has no parts. The rest is how busy the machine was."""
    return parts.get((one.session, one.number), {}).get("playout", float("nan"))


def _figures(timed: list[Timed], parts: dict[tuple[str, int | None], dict[str, float]]) -> dict[str, Any]:
    latencies = [one.latency for one in timed if one.latency is not None]
    return {
        "turns": len(timed),
        "p50_ms": milliseconds(latencies, 50),
        "p95_ms": milliseconds(latencies, 95),
        "cut_ins": sum(one.cut_in for one in timed),
        "unanswered": sum(one.latency is None and not one.cut_in for one in timed),
        "with_pauses": sum(one.turn.pauses for one in timed),
        "parts_ms": _median_turn([shape for one in timed if (shape := parts.get((one.session, one.number)))]),
        "each": [
            {
                "turn": one.turn.name,
                "ms": None if one.latency is None else round(one.latency * 1e3),
                "cut_in": one.cut_in,
                "parts_ms": parts.get((one.session, one.number)),
            }
            for one in timed
        ],
    }


def caller_in(room: str, stack: Stack) -> Person:
    """Of a `websocket` or a `livekit` room."""
    return (
        LiveKitCaller(stack.livekit_access())
        if room == "livekit"
        else Caller(stack.gateways[0], rate=24_000, token=client_token("", Grant()))
    )


async def _converse(caller: Person, script: list[Turn], progress: Any) -> list[Timed]:
    """One session: the turns of the first speaker of `script` in order, until a reply is too long to be heard out."""
    await caller.connect()
    timed: list[Timed] = []
    await asyncio.sleep(0.5)
    for turn in takewhile(lambda turn: turn.speaker == script[0].speaker, script):
        began = time.monotonic()
        last_sample = await caller.speak(turn.pcm)
        answer = await _first_sound(caller, began, last_sample)
        cut_in = answer is not None and answer < last_sample
        latency = None if answer is None or cut_in else answer - last_sample
        sentence = await caller.wait_for(SentenceMessage, 0.5, began)
        timed.append(Timed(turn, latency, cut_in, caller.session, sentence.turn if sentence else None))
        if progress:
            progress(turn.name, latency, cut_in)
        if cut_in or not await caller.wait_for(TurnMessage, _REPLY, began, _answered):
            break
        await asyncio.sleep(max(0.0, caller.silent_at - time.monotonic()) + 0.7)
    await caller.hang_up()
    return timed


def _answered(ended: TurnMessage) -> bool:
    return ended.how != "dropped" and ended.why != "filler"


async def _first_sound(caller: Person, began: float, last_sample: float) -> float | None:
    end = last_sample + 8.0
    while time.monotonic() < end:
        if (at := caller.first_sound_after(began)) is not None:
            return at
        await asyncio.sleep(0.01)
    return None


async def _parts(redis_url: str, timed: list[Timed]) -> dict[tuple[str, int | None], dict[str, float]]:
    """The parts of every answered turn in ms, by session and turn."""
    found: dict[tuple[str, int | None], dict[str, float]] = {}
    async with connected(Settings(redis_url=redis_url)) as log:
        for one in timed:
            if one.latency is None or one.number is None:
                continue
            shape = waterfall(await folded(log, one.session), one.number)
            if shape is not None:
                parts = {name: round(shape.parts[name] * 1e3, 1) for name in PARTS if name != "playout"}
                total = round(one.latency * 1e3, 1)
                playout = round(total - sum(parts.values()), 1)
                found[one.session, one.number] = {**parts, "playout": playout, "total": total}
    return found


def _median_turn(shapes: list[dict[str, float]]) -> dict[str, float]:
    """The parts of the turn whose latency is nearest the median."""
    middle = percentile([shape["total"] for shape in shapes], 50)
    return min(shapes, key=lambda shape: abs(shape["total"] - middle), default={})
