"""One session told whole: its turns on the clock of its sound, what went wrong in them, what they wait for."""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from api.sessions.shapes import NoteKind, NoteView, TurnView, forked_from, row_json
from api.sessions.told_events import CHUNK
from api.sessions.turns import Timing, turn_view
from schemas import events as e
from schemas.events import Event
from schemas.session.sound import Score
from schemas.session.state import SessionState
from schemas.session.summary import Gist, Telling
from schemas.session.words import is_bookkeeping, line


@dataclass(slots=True)
class _Open:
    """What is noted of a turn while it goes on."""

    notes: list[NoteView] = field(default_factory=list)
    retried: set[str] = field(default_factory=set)


class Story:
    """Follows one session's log. `score`: of its sound; `states`: as it was after every 200th event; `times`: µs at which each
    event was appended, by which a log that lost its tail is known; `archived`: the log had it no more when it was last asked for.

    What has ended never changes: it is kept as the JSON it is answered as, which costs an answer nothing, and the garbage
    collector, which would look at each word of a thousand sessions again and again, next to nothing."""

    def __init__(self, session: str) -> None:
        self.telling = Telling(session)
        self.archived = False
        self.score = Score()
        self.states: list[SessionState] = []
        self.times = array("q")
        self._timing = Timing()
        self._ended: dict[int, bytes] = {}
        self._open: dict[int, _Open] = {}
        self._notes: list[NoteView] = []

    @property
    def state(self) -> SessionState:
        return self.telling.state

    @property
    def over(self) -> bool:
        return self.state.ended is not None

    @property
    def notes(self) -> Sequence[NoteView]:
        """What concerns no single turn, so far."""
        return self._notes

    def add(self, event: Event) -> None:
        """The next event, in order of seq and without a gap."""
        before = self.state
        self.telling.add(event)
        self.score.add(event)
        self.times.append(event.at)
        self._timing.add(event, self.state)
        self._note(event, before)
        if self.state.seq % CHUNK == 0:
            self.states.append(self.state)
        if isinstance(event, e.TurnEnded):
            self._close(event.turn)

    def _close(self, number: int) -> None:
        turn = self.state.turns.get(number)
        noted = self._open.pop(number, _Open())
        if turn is not None:
            view = turn_view(turn, self.state, self._timing, noted.notes)
            self._ended[number] = view.model_dump_json().encode()
        self._timing.forget(number)

    def json(self, gist: Gist | None = None) -> bytes:
        """The session as it is now: a `SessionView`. `gist`: what a model made of it."""
        going_on = {turn.turn: turn.model_dump_json().encode() for turn in self._going_on()}
        turns = b",".join(text for _, text in sorted({**self._ended, **going_on}.items()))
        notes = b",".join(note.model_dump_json().encode() for note in self._notes)
        told = self.telling.summary()
        if gist is not None:
            told = replace(told, gist=gist.text, topics=gist.topics, result=gist.result, result_error=gist.result_error)
        row = row_json(told)
        origin = forked_from(self.state.metadata)
        fork = origin.model_dump_json().encode() if origin is not None else b"null"
        return b'{"row":%s,"forked_from":%s,"turns":[%s],"notes":[%s]}' % (row, fork, turns, notes)

    def turns(self) -> Iterator[TurnView]:
        """Those that have ended, and those that go on."""
        ended, going_on = list(self._ended.values()), list(self._going_on())
        yield from map(TurnView.model_validate_json, ended)
        yield from going_on

    def _going_on(self) -> Iterator[TurnView]:
        for turn in self.state.turns.values():
            if turn.end is None:
                notes = self._open.get(turn.id, _Open()).notes
                yield turn_view(turn, self.state, self._timing, notes)

    def state_before(self, seq: int) -> SessionState:
        """The latest kept state at or before event `seq`; the empty one before the first of them."""
        kept = min(seq // CHUNK, len(self.states))
        return self.states[kept - 1] if kept else SessionState()

    # ── notes ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _note(self, event: Event, before: SessionState) -> None:
        again = event.cause is not None and event.cause.attempt > 1
        kind = _kind(event)
        if kind is None and event.raises is None and not again:
            return
        since = event.happened - self.state.started_at / 1e6
        if kind is not None:
            told = line(event, self.state)
            text = f"{told.who}: {told.text}" if kind in _WITH_WHO else told.text
            self._keep(event.turn, since, kind, f"{text} ({told.detail})" if told.detail else text)
        if event.raises is not None and _something_was_prepared(before, event.raises):
            self._keep(event.turn, since, "stale", "what was prepared so far is void: it was made before this")
        if again and event.cause is not None and event.turn is not None:
            noted = self._open.setdefault(event.turn, _Open())
            if event.cause.job not in noted.retried:
                noted.retried.add(event.cause.job)
                text = f"{event.cause.job} was given to another worker (attempt {event.cause.attempt})"
                self._keep(event.turn, since, "retry", text)

    def _keep(self, turn: int | None, since: float, kind: NoteKind, text: str) -> None:
        note = NoteView(at_s=round(since, 3), kind=kind, text=text)
        if turn is None or turn in self._ended:
            self._notes.append(note)
        else:
            self._open.setdefault(turn, _Open()).notes.append(note)


_WITH_WHO = ("failed", "retry", "expired", "joined", "left")


def _kind(event: Event) -> NoteKind | None:
    match event:
        case e.TurnEnded(how="interrupted"):
            return "interruption" if event.reason != "session" else None
        case e.TurnCommitted(why="filler"):
            return "filler"
        case e.StageFailed():
            return "retry" if event.will_retry else "failed"
        case e.HookCalled():
            return "failed" if event.error else None if is_bookkeeping(event) else "hook"
        case e.SessionStarted() if event.warnings:
            return "warning"
        case _:
            return _KINDS.get(type(event))


_KINDS: dict[type, NoteKind] = {
    e.StageExpired: "expired",
    e.ParticipantJoined: "joined",
    e.ParticipantLeft: "left",
    e.SessionResumed: "resumed",
    e.SessionRewound: "rewound",
    e.SayRequested: "say",
    e.InstructionsChanged: "instructions",
    e.EndRequested: "end",
    e.StepEntered: "step",
    e.AgentChanged: "agent",
}


def _something_was_prepared(before: SessionState, generation: int) -> bool:
    return any(
        turn.end is None and turn.started_at is None and turn.reply is not None and turn.reply.generation < generation
        for turn in before.turns.values()
    )
