"""`antiphon bench latency`: voice to voice, as the caller hears it, and what answering too soon costs them.

The whole stack runs as separate processes with an agent's defaults. A caller plays recordings in real time through a WebSocket
room and takes the time from the last sample of its speech to the first sample of the agent that reaches it. A reply that
begins before the caller's last sample is a cut-in: counted, and timed only if it fell silent, and what was heard then answered
all that the caller said. `talk_over_s`, `spoilt`, `restarts`: see `_harm.py`; by what sounded, and by what the log says was
answered. A conversation goes on while the replies are short; on one of over 5 s, and after a cut-in, the caller hangs up and
calls again. A conversation is one speaker's.
With `--livekit` each conversation is held twice in turn, through a WebSocket room and through a LiveKit room (a real server,
LiveKit's client library for the caller, the agent by dispatch), so that whatever else slows the machine down slows both.
`at_once_p50_ms`: of the turns in which nothing was waited for but the answer; `--set turn_taking.waits=0` makes that all of them.
The parts come from the log and lie on the turn's critical path; `playout` is what remains of the caller's own measurement: from
the publish of the first sound to the caller's ear, and what the VAD was off about the last sample. So they sum to the turn.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

from ops.bench import _harm, machine, models
from ops.bench._harm import Harm, Span
from ops.bench._recordings import Progress, Turn, script
from ops.bench.figures import milliseconds, percentile
from ops.people.caller import Caller
from ops.people.entry import client_token
from ops.people.livekit_caller import LiveKitCaller
from ops.people.person import Person
from ops.replay.settings import agent_file
from ops.stack.stack import Plan, Stack
from schemas.access.tokens import Grant
from schemas.audio import HEARING_RATE
from schemas.client import TurnMessage
from schemas.config.settings import Settings, load
from schemas.log import connected
from schemas.session.cache import folded
from schemas.session.waterfall import PARTS, waterfall

REPLY = 5.0
"""Seconds of a reply that are listened to."""
ANSWERS = 8.0
"""Seconds after the last sample in which an answer begins, if ever."""
_WAITED = 10.0
"""ms of a wait for the end of the turn that are none."""
_SETTLED = 2.5
"""Seconds without a sound of either, after a cut-in, behind which no other answer comes."""


@dataclass(frozen=True, slots=True)
class Timed:
    """`latency`: seconds; None where no reply came; `cut_in`: the reply began before the caller's last sample; `speech`, `sound`:
    who sounded when, seconds of Redis time; `parts`: of the latency, ms."""

    turn: Turn
    latency: float | None
    cut_in: bool
    session: str
    speech: tuple[Span, ...] = ()
    sound: tuple[Span, ...] = ()
    parts: dict[str, float] = field(default_factory=dict)
    harm: Harm = field(default_factory=Harm)


async def bench(
    wav: Path | None = None,
    tell: Callable[[str], object] | None = None,
    livekit: bool = False,
    turns: int | None = None,
    part: str | None = None,
    sets: Sequence[str] = (),
    **_: Any,
) -> dict[str, Any]:
    """`turns`, `part`: see `script`; `sets`: settings of the agent, as `replay --set` takes them."""
    said = script(wav, turns, part)
    timed: dict[str, list[Timed]] = {"websocket": [], "livekit": []} if livekit else {"websocket": []}
    progress = Progress(len(said) * len(timed), tell)
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as data:
        async with Stack(_plan(Path(data), livekit, sets), load()) as stack:
            while len(timed[room := min(timed, key=lambda room: len(timed[room]))]) < len(said):
                timed[room] += await _converse(caller_in(room, stack), said[len(timed[room]) :], progress)
            timed = {room: await _as_logged(stack.redis_url, every) for room, every in timed.items()}
    if not livekit:
        return {**figures(timed["websocket"]), **models(load()), **machine()}
    both = {room: figures(every) for room, every in timed.items()}
    pairs = [
        (ours.latency - theirs.latency, _playout(ours) - _playout(theirs))
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


def _plan(data: Path, livekit: bool, sets: Sequence[str]) -> Plan:
    """The whole stack; with an agent that is another than the default by what is set."""
    if not sets:
        return Plan(data, free_ports=True, livekit=livekit)
    agent = data / "agents" / "default.toml"
    agent.parent.mkdir()
    agent.write_text(agent_file(sets), "utf-8")
    return Plan(data, free_ports=True, livekit=livekit, environment={"AGENTS": str(agent)})


def _playout(one: Timed) -> float:
    """What the room itself cost, both ways, in ms; nan where the turn has no parts. The rest is how busy the machine was."""
    return one.parts.get("playout", float("nan"))


def figures(timed: Sequence[Timed]) -> dict[str, Any]:
    latencies = [one.latency for one in timed if one.latency is not None]
    return {
        "turns": len(timed),
        "p50_ms": milliseconds(latencies, 50),
        "p90_ms": milliseconds(latencies, 90),
        "p95_ms": milliseconds(latencies, 95),
        "cut_ins": sum(one.cut_in for one in timed),
        **_harm.total([one.harm for one in timed]),
        "unanswered": sum(one.latency is None and not one.cut_in for one in timed),
        "with_pauses": sum(one.turn.pauses for one in timed),
        **_chain([one for one in timed if one.parts]),
        "parts_ms": _median_turn([one.parts for one in timed if one.parts]),
        "each": [
            {
                "turn": one.turn.name,
                "ms": None if one.latency is None else round(one.latency * 1e3),
                "cut_in": one.cut_in,
                "talk_over_ms": round(one.harm.talk_over * 1e3),
                "spoilt": one.harm.spoilt,
                "restarts": one.harm.restarts,
                "parts_ms": one.parts or None,
            }
            for one in timed
        ],
    }


def _chain(timed: Sequence[Timed]) -> dict[str, Any]:
    """The chain alone: of turns that waited for nothing but their answer."""
    prompt = [one.parts["total"] / 1e3 for one in timed if one.parts["commit_wait"] < _WAITED]
    return {"at_once": len(prompt), "at_once_p50_ms": milliseconds(prompt, 50)}


def caller_in(room: str, stack: Stack) -> Person:
    """Of a `websocket` or a `livekit` room."""
    return (
        LiveKitCaller(stack.livekit_access())
        if room == "livekit"
        else Caller(stack.gateways[0], rate=24_000, token=client_token("", Grant()))
    )


async def _converse(caller: Person, said: list[Turn], progress: Progress) -> list[Timed]:
    """One session: the turns of the first speaker of `said` in order, until a reply is too long to be heard out."""
    await caller.connect()
    timed: list[Timed] = []
    await asyncio.sleep(0.5)
    for turn in takewhile(lambda turn: turn.speaker == said[0].speaker, said):
        began = time.monotonic()
        last_sample = await caller.speak(turn.pcm)
        answer = await first_sound(caller, began, last_sample)
        if answer is not None and answer < last_sample:
            await settled(caller, last_sample)
        latency, cut_in = _harm.latency(chunks(caller, began), last_sample)
        progress(in_words(turn.name, latency, cut_in))
        over = cut_in or not await caller.wait_for(TurnMessage, REPLY, began, _answered)
        timed.append(Timed(turn, latency, cut_in, caller.session, *who_sounded(caller, turn, began, last_sample)))
        if over:
            break
        await asyncio.sleep(max(0.0, caller.silent_at - time.monotonic()) + 0.7)
    await caller.hang_up()
    return timed


def in_words(name: str, latency: float | None, cut_in: bool) -> str:
    """How one turn went, for who watches."""
    took = "no answer" if latency is None else f"{latency * 1e3:.0f} ms"
    return f"{name}: {took}{', cut in' if cut_in else ''}"


def _answered(ended: TurnMessage) -> bool:
    return ended.how != "dropped" and ended.why != "filler"


# ── as the caller hears it ───────────────────────────────────────────────────────────────────────────────────────────


async def first_sound(caller: Person, began: float, last_sample: float) -> float | None:
    """When the agent first sounded since the caller began."""
    end = last_sample + ANSWERS
    while time.monotonic() < end:
        if (at := caller.first_sound_after(began)) is not None:
            return at
        await asyncio.sleep(0.01)
    return None


async def settled(caller: Person, last_sample: float) -> None:
    """Until an answer that comes after a cut-in has begun and ended, or is as long as one is listened to."""
    end = last_sample + ANSWERS
    while (now := time.monotonic()) < end and now - max(last_sample, caller.silent_at) < _SETTLED:
        await asyncio.sleep(0.05)


def chunks(caller: Person, began: float) -> list[Span]:
    """What reached the caller since then, from first samples to last."""
    heard = ((one.start, one.start + len(one.pcm) / caller.rate) for one in caller.heard if one.start >= began)
    return _harm.joined(heard)


def who_sounded(
    caller: Person, turn: Turn, began: float, last_sample: float
) -> tuple[tuple[Span, ...], tuple[Span, ...]]:
    """The caller and the agent since the turn began, in seconds of Redis time, whose clock is this machine's."""
    ago = time.time() - time.monotonic()
    first = last_sample - len(turn.pcm) / HEARING_RATE
    speech = _harm.speaks(turn.pcm, HEARING_RATE, first + ago)
    heard = [(one.start + ago, one.pcm) for one in caller.heard if one.start >= began]
    return tuple(speech), tuple(_harm.sounds(heard, caller.rate))


# ── as the log has it ────────────────────────────────────────────────────────────────────────────────────────────────


async def _as_logged(redis_url: str, timed: Sequence[Timed]) -> list[Timed]:
    """With the parts of every turn that was timed, and what harm was done. A spoilt turn has no latency: what was heard then is
    no answer to it."""
    told = []
    async with connected(Settings(redis_url=redis_url)) as log:
        for one in timed:
            state = await folded(log, one.session)
            taken = _harm.taken_in(state, one.speech)
            done = _harm.harm(one.speech, one.sound, taken)
            latency = None if one.cut_in and done.spoilt else one.latency
            answered = _harm.answered(taken)
            shape = waterfall(state, answered.number) if answered and latency is not None else None
            parts: dict[str, float] = {}
            if shape is not None and latency is not None:
                parts = {name: round(shape.parts[name] * 1e3, 1) for name in PARTS if name != "playout"}
                total = round(latency * 1e3, 1)
                parts |= {"playout": round(total - sum(parts.values()), 1), "total": total}
            told.append(replace(one, latency=latency, parts=parts, harm=done))
    return told


def _median_turn(shapes: list[dict[str, float]]) -> dict[str, float]:
    """The parts of the turn whose latency is nearest the median."""
    middle = percentile([shape["total"] for shape in shapes], 50)
    return min(shapes, key=lambda shape: abs(shape["total"] - middle), default={})
