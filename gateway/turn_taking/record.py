"""What the machine was fed, kept in the log beside what it decided from it: so every decision can be taken again, exactly.

The rim notes each input as it feeds it (`Record.fed`); the next publication takes them along, as `fed` among the `inputs` of its
first fact (`Record.sent`). An entry is a short list: what, `now`, and what it says.

    ["opened", now, seq, rules]                       ["onset" | "noise" | "start" | "stop", now, participant, position, head]
    ["resumed", now, count, lost, gateway, epoch,     ["seen", now, seq]                 event `seq` of this log
               positions, reason, rules]              ["lost", now, {event}]             one the log has lost, perhaps
    ["rewound", now, count, lost]                     ["written", now, operation, outcome, seq]
    ["gap", now]                                      ["played", now, turn, index, position, finished]
    ["tick", now]  ["attached", now]                  ["queues", now, stt, llm, tts]
    ["detached", now, held]                           ["joined", now, participant, kind, name, attributes]
    ["hung up", now, reason]                          ["left", now, participant, reason]
    ["pressed" | "released" | "cancelled", now,       ["typed" | "digits", now, participant, text]
               participant, head]                     ["tone", now, participant, frequency, duration]

`count` and `lost`: the log as it was read then: its first `count` events, and behind them those it has lost since. Left out is
what can't matter: our own facts read back, queues that say nothing new, where playback was but for the last time before something
else, and noise while nothing goes on but for the last.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from gateway.inputs import Attached, Detached, Digits, HungUp, Joined, Left, PushToTalk, Typed
from gateway.turn_taking.draft import KEPT
from gateway.turn_taking.interface import (
    Decision,
    EdgeKind,
    Input,
    LogEvent,
    Played,
    Publish,
    Published,
    Queues,
    SpeechEdge,
    Tick,
    Tone,
)
from gateway.turn_taking.machine import READ
from gateway.turn_taking.state import State
from schemas.bus import Outcome
from schemas.clock import Now
from schemas.codec import event_from_json, event_to_json
from schemas.errors import EventError
from schemas.events import BY_RULES, FED, Event, GatewayEvent

RULES_VERSION = 4
"""Of what is decided from the same inputs. Raise it whenever that changes: stored sessions say by which rules they were decided,
and `antiphon check` tells of each what is decided otherwise now."""
MOST = 2_000
"""Entries that wait for a publication: of more none is kept, so that neither memory nor an event grows without end."""

Entry = list[Any]


@dataclass(frozen=True, slots=True)
class Opened:
    """`start`, with session.started as event `seq`."""

    seq: int
    rules: int = RULES_VERSION


@dataclass(frozen=True, slots=True)
class Resumed:
    """`resume`, of these `events`."""

    events: Sequence[Event]
    gateway: str
    epoch: int
    positions: Mapping[str, Any]
    reason: Literal["expired", "ticket", "restart"]
    rules: int = RULES_VERSION


@dataclass(frozen=True, slots=True)
class Rewound:
    """`rewound`, with these `events`."""

    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Gap:
    """Here inputs are missing: nobody knows any more how it went on."""


Beginning = Opened | Resumed | Rewound | Gap

# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_Key = tuple[int, int, str]
_LOGS_OWN = ("seq", "at", "ago", "by", "trace", "audio", "duration")
"""Of a fact: what it gets on its way into the log."""


@dataclass(slots=True)
class _Noted:
    """`quiet`: nothing was decided by it; `idle`: it was noise while nothing went on; `there`: the events the log still has,
    where it has lost some since."""

    now: Now
    item: Input | Beginning
    quiet: bool = False
    idle: bool = False
    there: Collection[_Key] | None = None


@dataclass(slots=True)
class _Batch:
    """What went along with a publication. `fact`: the one that took it; `answered`: its `now`, once the log has it."""

    operation: int
    fact: Event
    noted: list[_Noted]
    answered: Now | None = None


class Record:
    """Of one session on one gateway, from `first` on."""

    def __init__(self, first: Beginning, now: Now) -> None:
        self._waiting = [_Noted(now, first)]
        self._position: _Noted | None = None
        self._batches: list[_Batch] = []
        self._forgotten: Event | None = None
        self._wary_until = now
        """Till then what is read may be of the tail that was lost: it is kept whole."""

    def fed(self, item: Input, now: Now, before: State, after: State, decisions: Sequence[Decision]) -> None:
        """`step(before, item, now)` answered `after, decisions`."""
        noted = _Noted(now, item, quiet=not decisions)
        match item:
            case Played(finished=False):
                if after is not before:
                    self._position = noted
                return
            case Queues() if after is before:
                return
            case LogEvent(event) if not isinstance(event, READ):
                return
            case SpeechEdge(kind="noise") if noted.quiet and self._was_nothing(item, after):
                noted.idle = True
            case Published():
                self._answered(item, now)
            case _:
                pass
        self._note(noted)

    def _was_nothing(self, noise: SpeechEdge, state: State) -> bool:
        """Nothing goes on that could have waited for this noise: what began it is forgotten, and the noise before it."""
        if state.turns or state.wanted or state.playback is not None or state.flight is not None or self._position:
            return False
        began = self._last_edge("onset", noise.participant)
        if began is None or not began.quiet:
            return False
        self._waiting.pop()
        before = self._last_edge("noise", noise.participant)
        if before is not None and before.idle:
            self._waiting.pop()
        return True

    def _last_edge(self, kind: EdgeKind, participant: str) -> _Noted | None:
        """What was noted last, if it is this."""
        last = self._waiting[-1] if self._waiting else None
        item = last.item if last is not None else None
        mine = isinstance(item, SpeechEdge) and (item.kind, item.participant) == (kind, participant)
        return last if mine else None

    def _note(self, noted: _Noted) -> None:
        if len(self._waiting) >= MOST:
            self._waiting = [_Noted(noted.now, Gap())]
        if self._position is not None:
            self._waiting.append(self._position)
            self._position = None
        if noted.now < self._wary_until and isinstance(noted.item, LogEvent):
            noted.there = frozenset()
        self._waiting.append(noted)

    def _answered(self, item: Published, now: Now) -> None:
        batch = next((batch for batch in self._batches if batch.operation == item.operation), None)
        if batch is None or batch.answered is not None:
            return
        if item.outcome is Outcome.FULL:  # nothing was written: they go with what is
            self._batches.remove(batch)
            self._waiting = batch.noted + self._waiting
        elif item.outcome in (Outcome.OK, Outcome.DUP):
            batch.answered = now
            while len(self._batches) > 1 and (at := self._batches[0].answered) is not None and now - at > 2 * KEPT:
                self._forgotten = self._batches.pop(0).fact

    def sent(self, publish: Publish) -> Publish:
        """`publish`, with what it was decided from. (One without a fact leaves that to the next.)"""
        place = next((place for place, event in enumerate(publish.events) if isinstance(event, GatewayEvent)), None)
        if place is None or not self._waiting:
            return publish
        fact = publish.events[place]
        assert isinstance(fact, GatewayEvent)
        entries = [_entry(noted) for noted in self._waiting]
        self._batches.append(_Batch(publish.operation, fact, self._waiting))
        self._waiting = []
        told = fact.model_copy(update={"inputs": {**(fact.inputs or {}), FED: entries}})
        return replace(publish, events=(*publish.events[:place], told, *publish.events[place + 1 :]))

    def rewound(self, events: Sequence[Event], now: Now) -> None:
        """The log lost its tail, and has these `events` now: what went with that tail is told again."""
        marks = {_mark(event) for event in events if isinstance(event, GatewayEvent) and event.clock is not None}
        there = frozenset(_key(event) for event in events)
        lost_from = next((n for n, one in enumerate(self._batches) if _mark(one.fact) not in marks), len(self._batches))
        lost = [noted for batch in self._batches[lost_from:] for noted in batch.noted]
        del self._batches[lost_from:]
        self._waiting = lost + self._waiting
        if self._forgotten is not None and not self._batches and _mark(self._forgotten) not in marks:
            self._waiting.insert(0, _Noted(now, Gap()))
        for noted in self._waiting:
            noted.there = there
        self._wary_until = Now(now + KEPT)
        self._note(_Noted(now, Rewound(tuple(events))))


def _key(event: Event) -> _Key:
    return event.seq, event.at, event.type


def _mark(fact: Event) -> str:
    """By which a fact of ours is known again, whatever became of its seq."""
    body = {name: value for name, value in _whole(fact).items() if name not in _LOGS_OWN}
    return json.dumps(body | {"inputs": body.get("inputs") or None}, sort_keys=True)


def _entry(noted: _Noted) -> Entry:
    now, item = noted.now, noted.item
    match item:
        case SpeechEdge(participant, kind, position, head):
            return [kind, now, participant, position, head]
        case LogEvent(event) if noted.there is not None and _key(event) not in noted.there:
            return ["lost", now, _whole(event)]
        case LogEvent(event):
            return ["seen", now, event.seq]
        case Published(operation, outcome, seq):
            return ["written", now, operation, str(outcome), seq]
        case Played(turn, index, position, finished):
            return ["played", now, turn, index, position, finished]
        case Queues(stt, llm, tts):
            return ["queues", now, stt, llm, tts]
        case Joined(participant, kind, name, attributes):
            return ["joined", now, participant, kind, name, dict(attributes)]
        case Left(participant, reason):
            return ["left", now, participant, reason]
        case Typed(participant, text, note):
            return ["typed", now, participant, text, *([True] if note else [])]
        case Digits(participant, digits):
            return ["digits", now, participant, digits]
        case PushToTalk(participant, pressed, cancel, head):
            what = "pressed" if pressed else "cancelled" if cancel else "released"
            return [what, now, participant, *([] if head is None else [head])]
        case Tone(participant, frequency, duration):
            return ["tone", now, participant, frequency, duration]
        case Detached(held):
            return ["detached", now, held]
        case HungUp(reason):
            return ["hung up", now, reason]
        case Attached():
            return ["attached", now]
        case Tick():
            return ["tick", now]
        case Opened(seq, rules):
            return ["opened", now, seq, rules]
        case Resumed(events, gateway, epoch, positions, reason, rules):
            return ["resumed", now, *_as_read(events, noted), gateway, epoch, dict(positions), reason, rules]
        case Rewound(events):
            return ["rewound", now, *_as_read(events, noted)]
        case Gap():
            return ["gap", now]


def _as_read(events: Sequence[Event], noted: _Noted) -> tuple[int, list[dict[str, Any]]]:
    """How many of them the log has, and those it has lost."""
    if noted.there is None:
        return len(events), []
    kept = next((place for place, event in enumerate(events) if _key(event) not in noted.there), len(events))
    return kept, [_whole(event) for event in events[kept:]]


def _whole(event: Event) -> dict[str, Any]:
    """An event that can't be referred to; what it was decided from is told in its own place."""
    body = event_to_json(event)
    if inputs := body.get("inputs"):
        body["inputs"] = {name: value for name, value in inputs.items() if name != FED}
    return body


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def fed_by(event: Event) -> list[Entry] | None:
    """The entries that this fact took along; None: it begins no publication, or is older than they are."""
    inputs = event.inputs if isinstance(event, GatewayEvent) else None
    found = (inputs or {}).get(FED)
    return found if isinstance(found, list) else None


def rules_of(event: Event) -> int | None:
    """By whose rules the session was decided that this event begins; None: it does not say."""
    inputs = event.inputs if isinstance(event, GatewayEvent) else None
    found = (inputs or {}).get(BY_RULES)
    return found if isinstance(found, int) else None


def read_entry(entry: Entry, log: Mapping[int, Event]) -> tuple[Now, Input | Beginning]:
    """What was fed, and when. `log`: the session's events by seq. EventError: it is no such entry."""
    try:
        what, now, *rest = entry
        return Now(float(now)), _READERS[what](log, *rest)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EventError(
            f"an input of turn-taking can't be read: {str(entry)[:200]} ({type(error).__name__})"
        ) from None


_KINDS: tuple[EdgeKind, ...] = get_args(EdgeKind)
_Log = Mapping[int, Event]


def _edge(kind: EdgeKind) -> Any:
    return lambda log, participant, position, head: SpeechEdge(str(participant), kind, int(position), int(head))


def _prefix(log: _Log, count: int, lost: Sequence[dict[str, Any]]) -> tuple[Event, ...]:
    return (*(log[seq] for seq in range(1, int(count) + 1)), *(event_from_json(event) for event in lost))


_READERS: dict[str, Any] = {
    **{kind: _edge(kind) for kind in _KINDS},
    "seen": lambda log, seq: LogEvent(log[seq]),
    "lost": lambda log, event: LogEvent(event_from_json(event)),
    "written": lambda log, operation, outcome, seq: Published(int(operation), Outcome(outcome), int(seq)),
    "played": lambda log, turn, index, position, finished: Played(
        int(turn), int(index), float(position), bool(finished)
    ),
    "queues": lambda log, stt, llm, tts: Queues(int(stt), int(llm), int(tts)),
    "joined": lambda log, participant, kind, name, attributes: Joined(participant, kind, name, dict(attributes)),
    "left": lambda log, participant, reason: Left(participant, reason),
    "typed": lambda log, participant, text, note=False: Typed(participant, text, bool(note)),
    "digits": lambda log, participant, digits: Digits(participant, digits),
    "pressed": lambda log, participant, head=None: PushToTalk(participant, True, head=head),
    "released": lambda log, participant, head=None: PushToTalk(participant, False, head=head),
    "cancelled": lambda log, participant, head=None: PushToTalk(participant, False, cancel=True, head=head),
    "tone": lambda log, participant, frequency, duration: Tone(participant, float(frequency), float(duration)),
    "detached": lambda log, held: Detached(bool(held)),
    "hung up": lambda log, reason: HungUp(reason),
    "attached": lambda log: Attached(),
    "tick": lambda log: Tick(),
    "opened": lambda log, seq, rules: Opened(int(seq), int(rules)),
    "resumed": lambda log, count, lost, gateway, epoch, positions, reason, rules: Resumed(
        _prefix(log, count, lost), str(gateway), int(epoch), dict(positions), reason, int(rules)
    ),
    "rewound": lambda log, count, lost: Rewound(_prefix(log, count, lost)),
    "gap": lambda log: Gap(),
}

__all__ = [
    "RULES_VERSION",
    "Beginning",
    "Entry",
    "Gap",
    "Opened",
    "Record",
    "Resumed",
    "Rewound",
    "fed_by",
    "read_entry",
    "rules_of",
]
