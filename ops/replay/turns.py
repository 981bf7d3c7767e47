"""Turn-taking replayed: a stored session, with other settings, as a fork that never touches it; and what is decided otherwise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.inputs import Attached, Detached
from gateway.turn_taking import RULES_VERSION
from ops.replay._answering import BY
from ops.replay._calls import call_of
from ops.replay._edges import believed
from ops.replay._reading import recorded
from ops.replay._recorded import Given, Span
from ops.replay._virtual import Note, Virtual
from schemas.bus import Reading
from schemas.clock import Now
from schemas.config.agent import AgentSpec
from schemas.errors import AntiphonError
from schemas.events import (
    BY_RULES,
    ClipReady,
    Event,
    ReplyFinished,
    ReplySentence,
    SessionStarted,
    SpeechStarted,
    StageExpired,
    StageFailed,
    ToolCalled,
    TranscriptFinal,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.session.fold import fold_all
from schemas.session.history import events_of

_LONGEST = 300_000
"""Events of a session."""
_SAME_TURN = 0.4
"""Seconds by which a turn of both may begin at another moment."""


class ReplayError(AntiphonError):
    """A session that can't be replayed so."""


def started(session: str, events: Sequence[Event]) -> SessionStarted:
    """What its log begins with. ReplayError: with something else."""
    first = events[0] if events else None
    if not isinstance(first, SessionStarted):
        raise ReplayError(f"{session}: its log does not begin with session.started; it can't be replayed")
    return first


def unhooked(agent: AgentSpec) -> AgentSpec:
    """The agent of a fork: of its hooks those alone that may be asked more than once, since nothing is done again."""
    return agent.model_copy(update={"hooked": {name: kind for name, kind in agent.hooked.items() if kind == "pure"}})


async def events_to_replay(log: Reading, session: str) -> list[Event]:
    """All of a session that is over. ReplayError: there is none, it goes on, or it is too long."""
    info = await log.info(session)
    if info is None:
        raise ReplayError(f"there is no session {session} any more")
    if info.state == "open":
        raise ReplayError(f"{session} goes on; it can be replayed once it has ended")
    if info.seq > _LONGEST:
        raise ReplayError(f"{session} has {info.seq} events; {_LONGEST} are replayed at most")
    return [event async for event in events_of(log, session)]


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a turn. Moments are seconds from the session's beginning; `began`: of its first speech, or of what else
    opened it; `committed`: the last time the floor became the agent's; `why`: what of; `reopened`: how often it was taken back;
    `how`, `reason`: its end."""

    turn: int
    began: float
    text: str = ""
    committed: float | None = None
    why: str = ""
    reopened: int = 0
    how: str = ""
    reason: str = ""
    heard: str = ""

    def view(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "turn": self.turn,
            "began": round(self.began, 3),
            "text": self.text,
            "committed": None if self.committed is None else round(self.committed, 3),
            "why": self.why,
            "reopened": self.reopened,
            "how": self.how,
            "reason": self.reason,
            "heard": self.heard,
        }


@dataclass(frozen=True, slots=True)
class Pair:
    """A turn as it was, and as it would be; None: there is none."""

    was: Decision | None
    now: Decision | None

    @property
    def later(self) -> float | None:
        """Seconds by which it is committed later; negative: earlier."""
        if self.was is None or self.now is None or self.was.committed is None or self.now.committed is None:
            return None
        return self.now.committed - self.was.committed

    @property
    def otherwise(self) -> list[str]:
        """What is decided otherwise, in words."""
        was, now = self.was, self.now
        if was is None or now is None:
            return ["there is no such turn now" if now is None else "a turn that was none"]
        found = []
        if (was.committed is None) != (now.committed is None):
            found.append("is committed" if was.committed is None else "is not committed")
        elif self.later is not None and abs(self.later) >= 0.05:
            found.append(f"committed {abs(self.later):.2f} s {'later' if self.later > 0 else 'earlier'}")
        if was.why != now.why and was.why and now.why:
            found.append(f"by {now.why} instead of {was.why}")
        if was.reopened != now.reopened:
            found.append(f"taken back {now.reopened} times instead of {was.reopened}")
        if (was.how, was.reason) != (now.how, now.reason):
            found.append(f"{_end(now)} instead of {_end(was)}")
        if was.text != now.text:
            found.append(f'before it was: "{was.text}"' if was.text else "before it had no words")
        return found


def _end(decision: Decision) -> str:
    return f"{decision.how or 'open'}{f' ({decision.reason})' if decision.reason else ''}"


@dataclass(slots=True)
class Replayed:
    """`events`: the fork's log; `exact`: the edges of speech were recorded, none read off; `turns`: turn by turn; `notes`: what
    was answered by an estimate; `seconds`: how long it lasts; `sounded`: when the agent did, seconds of Redis time."""

    events: list[Event]
    exact: bool
    turns: list[Pair] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    seconds: float = 0.0
    sounded: list[Span] = field(default_factory=list)

    def view(self) -> dict[str, Any]:
        """As JSON values, but for the events."""
        return {
            "events": len(self.events),
            "seconds": round(self.seconds, 3),
            "exact": self.exact,
            "turns": [
                {
                    "was": pair.was.view() if pair.was else None,
                    "now": pair.now.view() if pair.now else None,
                    "otherwise": pair.otherwise,
                }
                for pair in self.turns
            ],
            "estimates": [note.view() for note in self.notes],
        }


def replay(
    events: Sequence[Event], agent: AgentSpec, *, session: str = "", changed: Mapping[str, Any] | None = None,
    from_turn: int | None = None,
) -> Replayed:  # fmt: skip
    """Have turn-taking decide the session again, with `agent`'s settings, in virtual time. `session`, `changed`: what the fork
    says it came from; `from_turn`: what was before that turn is kept. EventError, ReplayError."""
    recording = recorded(events)
    was = recording.began.agent.turn_taking.start_speech
    given = believed(recording.given, was, agent.turn_taking.start_speech)
    since, kept = from_turn_on(events, from_turn) if from_turn is not None else (0.0, [])
    origin = {"session": session, "turn": from_turn, "changed": dict(changed or {})}
    if kept:
        origin["kept"] = kept[-1].seq
    started = recording.began.model_copy(
        update={
            "agent": unhooked(agent),
            "gateway": BY,
            "by": BY,
            "clock": Now(0.0),
            "inputs": {BY_RULES: RULES_VERSION},
            "metadata": {**recording.began.metadata, "forked_from": origin},
        }
    )
    late = late_of(events, kept) if kept else []
    rim = Virtual(recording, agent, as_of(given, since), started, kept, since, late)
    rim.run()
    replayed = Replayed(rim.events, recording.exact, notes=rim.notes)
    replayed.seconds = (rim.events[-1].at - rim.events[0].at) / 1e6
    replayed.turns = aligned(decisions(events), decisions(rim.events))
    beginning = events[0].at / 1e6
    replayed.sounded = [(beginning + start, beginning + end) for start, end in rim.sounded]
    return replayed


# ── from a turn on ───────────────────────────────────────────────────────────────────────────────────────────────────


def from_turn_on(events: Sequence[Event], turn: int) -> tuple[float, list[Event]]:
    """The moment before turn `turn`, and the log until then. Of a turn that began over the agent: before the one it spoke over,
    for what was sounding can't be taken up in its midst."""
    began = {decision.turn: decision.began for decision in decisions(events)}
    if turn not in began:
        known = f"turns {min(began)} to {max(began)}" if began else "no turn"
        raise ReplayError(f"there is no turn {turn} in this session, which has {known}")
    beginning = events[0].at
    since = max(0.0, began[turn] - 0.15)
    while (before := _over(events, beginning, since)) is not None and began.get(before, since) < since:
        since = max(0.0, began[before] - 0.15)
    kept = [event for event in events if (event.at - beginning) / 1e6 <= since]
    return (since, kept) if len(kept) > 1 else (0.0, [])


def _over(events: Sequence[Event], beginning: int, since: float) -> int | None:
    """The turn that is being said, or has the floor, at that moment."""
    state = fold_all(event for event in events if (event.at - beginning) / 1e6 <= since)
    return next((turn.id for turn in state.turns.values() if turn.end is None), None)


def as_of(given: Sequence[Given], since: float) -> list[Given]:
    """What is given from that moment on, and before it who hears."""
    before = [one for one in given if one.at < since and isinstance(one.item, Attached | Detached)]
    return [*(Given(since, one.item) for one in before[-1:]), *(one for one in given if one.at >= since)]


def late_of(events: Sequence[Event], kept: Sequence[Event]) -> list[tuple[float, Event]]:
    """What came after the moment of what was asked before it."""
    known = {event.utterance for event in kept if isinstance(event, UtteranceCaptured)}
    state = fold_all(kept)
    replies = {(turn.id, turn.reply.generation) for turn in state.turns.values() if turn.reply is not None}
    calls = {event.call for event in kept if isinstance(event, ToolCalled)}
    found = []
    for event in events[len(kept) :]:
        of_utterance = isinstance(event, TranscriptFinal | StageFailed | StageExpired) and event.utterance in known
        said = isinstance(event, ReplySentence | ReplyFinished) and event.cause is not None
        of_reply = (said or isinstance(event, ClipReady)) and (event.turn, event.generation) in replies
        if of_utterance or of_reply or call_of(event) in calls:
            found.append(((event.at - events[0].at) / 1e6, event))
    return found


# ── turn by turn ─────────────────────────────────────────────────────────────────────────────────────────────────────


def decisions(events: Sequence[Event]) -> list[Decision]:
    """What became of each turn, in the order in which they began."""
    if not events:
        return []
    beginning = events[0].at / 1e6
    turns: dict[int, dict[str, Any]] = {}
    words: dict[int, dict[str, str]] = {}
    for event in events:
        if event.turn is None or isinstance(event, SessionStarted):
            continue
        moment = event.happened - beginning
        turn = turns.setdefault(event.turn, {"turn": event.turn, "began": moment})
        if isinstance(event, SpeechStarted):
            turn["began"] = min(turn["began"], moment)
        match event:
            case UtteranceCaptured():
                said = words.setdefault(event.turn, {})
                before = [said.pop(name, "") for name in (*event.joins, event.replaces or "")]
                said[event.utterance] = " ".join(text for text in before if text)
                if turn.pop("committed", None) is not None:
                    turn["reopened"] = turn.get("reopened", 0) + 1
            case TranscriptFinal() if event.utterance in words.get(event.turn, {}):
                words[event.turn][event.utterance] = event.text.strip()
            case TurnCommitted():
                turn["committed"], turn["why"] = moment, event.why
            case TurnEnded():
                turn["how"], turn["reason"], turn["heard"] = event.how, event.reason, event.heard
                if event.into is not None:
                    words[event.into] = {**words.get(event.turn, {}), **words.get(event.into, {})}
            case _:
                pass
    for number, said in words.items():
        turns[number]["text"] = " ".join(text for text in said.values() if text)
    return sorted((Decision(**turn) for turn in turns.values()), key=lambda decision: (decision.began, decision.turn))


def aligned(was: Sequence[Decision], now: Sequence[Decision]) -> list[Pair]:
    """Turns of both, by when they began: their numbers drift apart as soon as one is decided otherwise."""
    pairs: list[Pair] = []
    left = list(now)
    for one in was:
        near = [other for other in left if abs(other.began - one.began) < _SAME_TURN]
        kin = [other for other in near if (other.why in _OWN) == (one.why in _OWN)] or near
        found = min(kin, key=lambda other: abs(other.began - one.began), default=None)
        found = found or _of_its_own(one, left)
        if found is not None:
            left.remove(found)
        pairs.append(Pair(one, found))
    pairs += [Pair(None, other) for other in left]
    return sorted(pairs, key=lambda pair: (pair.was or pair.now or Decision(0, 0.0)).began)


def _of_its_own(one: Decision, left: Sequence[Decision]) -> Decision | None:
    """What the agent says of its own accord may come at quite another moment: it is the next of its kind."""
    if one.why not in _OWN:
        return None
    return next((other for other in left if other.why == one.why and other.heard == one.heard), None)


_OWN = frozenset(("greeting", "say", "fallback", "repeat", "filler", "idle", "goodbye"))
