"""`antiphon bench peers`: the same recordings, the same models, the same rooms, with LiveKit Agents and Pipecat.

Both are installed for it into an environment of their own, below the data folder, the first time it is asked for. Everybody has
their defaults: LiveKit Agents with its own turn detector, and with its VAD alone; Pipecat with smart-turn; we with ours, in a
WebSocket room besides. All hear, think and speak with the models of the settings: the peers through servers of the OpenAI
protocol on this machine (`speech_server.py`, `antiphon llm-server`), one after the other, nothing else running. Measured as in
`bench latency`; what a peer took for a turn is what it wrote into its chat context.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

from rich.table import Table

from ops.bench import _harm, _peers, latency, machine, models
from ops.bench._peers import Calls, Guest, Peer, Servers
from ops.bench._recordings import Progress, Turn, script
from ops.bench.latency import ANSWERS, REPLY, Timed
from ops.stack.here import data_folder
from schemas.config.settings import load

PEERS = (
    Peer(
        "LiveKit Agents, its turn detector",
        "livekit_agent.py",
        ("start",),
        {"PEER_TURNS": "detector"},
        "registered worker",
    ),
    Peer("LiveKit Agents, VAD only", "livekit_agent.py", ("start",), {"PEER_TURNS": "vad"}, "registered worker"),
    Peer("Pipecat, smart-turn", "pipecat_agent.py", dispatched=False),
)
_QUIET = 1.5
"""Seconds of silence behind an answer after which it is over."""
_COLUMNS = ("p50_ms", "p90_ms", "cut_ins", "spoilt", "talk_over_s", "restarts", "unanswered", "turns")


async def bench(
    wav: Path | None = None,
    turns: int | None = None,
    part: str | None = None,
    tell: Callable[[str], object] | None = None,
    peers: Sequence[Peer] = PEERS,
    **_: Any,
) -> dict[str, Any]:
    said = script(wav, turns, part)
    python = await asyncio.to_thread(_peers.installed, data_folder() / "peers")
    rows = []
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as place:
        progress = Progress(len(said) * len(peers), tell)
        async with _peers.servers(Path(place)) as among:
            for peer in peers:
                timed = await _measured(peer, python, among, said, progress)
                rows.append({"who": peer.name, **_row(latency.figures(timed))})
    ours = await latency.bench(wav=wav, livekit=True, turns=turns, part=part, tell=tell)
    rows += [
        {"who": "Antiphon", **_row(ours)},
        {"who": "Antiphon, WebSocket room", **_row(ours["websocket"])},
    ]
    return {"peers": rows, **models(load()), **machine()}


def table(figures: dict[str, Any]) -> Table:
    """For a person."""
    found = Table(box=None, pad_edge=False)
    for name in ("who", *_COLUMNS):
        found.add_column(name, justify="left" if name == "who" else "right")
    for row in figures["peers"]:
        found.add_row(row["who"], *(str(row[name]) for name in _COLUMNS))
    return found


def _row(figures: dict[str, Any]) -> dict[str, Any]:
    return {name: figures[name] for name in (*_COLUMNS, "each")}


async def _measured(peer: Peer, python: str, among: Servers, said: Sequence[Turn], progress: Progress) -> list[Timed]:
    timed: list[Timed] = []
    async with _peers.running(peer, python, among) as calls:
        while len(timed) < len(said):
            timed += await _call(calls, said[len(timed) :], progress)
        told = calls.told()
    found = []
    for one, after in pairwise([*timed, None]):
        assert one is not None
        until = after.speech[0][0] if after is not None else one.speech[-1][1] + ANSWERS
        taken = _peers.taken_of(told, one.speech[0][0], until)
        done = _harm.harm(one.speech, one.sound, taken)
        found.append(replace(one, latency=None if one.cut_in and done.spoilt else one.latency, harm=done))
    return found


async def _call(calls: Calls, said: Sequence[Turn], progress: Progress) -> list[Timed]:
    """One call, as `bench latency` holds it."""
    guest = await calls.guest()
    timed: list[Timed] = []
    try:
        await asyncio.sleep(2.0)  # it may still be waking up
        for turn in takewhile(lambda turn: turn.speaker == said[0].speaker, said):
            began = time.monotonic()
            last_sample = await guest.speak(turn.pcm)
            answer = await latency.first_sound(guest, began, last_sample)
            if answer is not None and answer < last_sample:
                await latency.settled(guest, last_sample)
            waited, cut_in = _harm.latency(latency.chunks(guest, began), last_sample)
            progress(f"{calls.peer.name}, {latency.in_words(turn.name, waited, cut_in)}")
            over = cut_in or answer is None or not await _heard_out(guest, answer)
            sounded = latency.who_sounded(guest, turn, began, last_sample)
            timed.append(Timed(turn, waited, cut_in, guest.session, *sounded))
            if over:
                break
    finally:
        await guest.hang_up()
    return timed


async def _heard_out(guest: Guest, answer: float) -> bool:
    """Whether the answer ends before one has listened long enough."""
    while (now := time.monotonic()) < answer + REPLY + _QUIET:
        if now - max(answer, guest.silent_at) > _QUIET:
            return True
        await asyncio.sleep(0.05)
    return False
