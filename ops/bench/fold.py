"""`antiphon bench fold`: what it costs to read a session of 100,000 events again.

Everything happens in it that can (`_eventful.py`). `events_per_s`: events in memory folded; `events_per_s_from_bytes`: as they
are stored, decoded and folded; `state_at_ms`: the state after any event, from stored bytes and the kept state before it, of which
there is one every `snapshot_every` events: the worst of `places` all over the session. Each is the median of `runs`, on one core.
"""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

from ops.bench import machine
from ops.bench._eventful import AGENT, KINDS, PEOPLE, Turn
from schemas.clock import Micros
from schemas.codec import decode_event, encode_event
from schemas.events import Event, ParticipantJoined, SessionStarted
from schemas.session.fold import SessionState, fold, fold_all
from schemas.session.snapshot import dump, load

_EVENTS, _EVERY, _RUNS, _PLACES = 100_000, 1_000, 3, 50
_BEGAN = 1_790_000_000_000_000
Stored = tuple[str, bytes, int, Micros]


async def bench(**_: Any) -> dict[str, Any]:
    events = _session(_EVENTS)
    stored: list[Stored] = [(event.type, encode_event(event), event.seq, event.at) for event in events]
    kept = _kept(events)
    gc.freeze()  # what is read is no garbage: it would be looked at again and again, as in no process that reads page by page
    folded = _median(lambda: fold_all(events))
    decoded = _median(lambda: _from_bytes(stored, SessionState()))
    size = len(events)
    places = [_EVERY - 1, size, *range(size // _PLACES, size, size // _PLACES)]
    took = [_median(lambda place=place: _state_at(stored, kept, place)) for place in places]  # type: ignore[misc]
    return {
        "events_per_s": round(size / folded),
        "events_per_s_from_bytes": round(size / decoded),
        "state_at_ms": round(1000 * max(took), 1),
        "state_at_median_ms": round(1000 * statistics.median(took), 1),
        "events": size,
        "bytes": sum(len(body) for _, body, _, _ in stored),
        "snapshot_every": _EVERY,
        "snapshot_bytes": max(map(len, kept)),
        "places": len(places),
        "runs": _RUNS,
        **machine(),
    }


def _median(work: Callable[[], object]) -> float:
    """CPU seconds."""
    took = []
    for _ in range(_RUNS):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return statistics.median(took)


def _from_bytes(stored: Sequence[Stored], state: SessionState) -> SessionState:
    return fold_all((decode_event(kind, body, seq, at) for kind, body, seq, at in stored), state)


def _kept(events: Sequence[Event]) -> list[bytes]:
    """The state after each `_EVERY` events, as bytes; first that before all."""
    state = SessionState()
    kept = [dump(state)]
    for event in events:
        state = fold(state, event)
        if event.seq % _EVERY == 0:
            kept.append(dump(state))
    return kept


def _state_at(stored: Sequence[Stored], kept: Sequence[bytes], seq: int) -> SessionState:
    before = seq // _EVERY
    return _from_bytes(stored[before * _EVERY : seq], load(kept[before]))


def _session(size: int) -> list[Event]:
    started = SessionStarted(room="fold", transport="websocket", agent=AGENT, gateway="bench")
    events: list[Event] = []
    at = float(_BEGAN)

    def add(event: Event) -> None:
        events.append(event.model_copy(update={"seq": len(events) + 1, "at": Micros(round(at))}))

    add(started)
    for one, name in PEOPLE.items():
        add(ParticipantJoined(participant=one, name=name))
    generation, kinds = 0, cycle(KINDS)
    number = 0
    while len(events) < size:
        number += 1
        turn = Turn("fold", number, generation)
        next(kinds)(turn)
        for seconds, facts in turn.steps:
            at += seconds * 1e6
            for fact in facts:
                add(fact)
                generation = fact.raises or generation
    return events[:size]
