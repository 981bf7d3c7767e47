"""One session on this gateway: what its room and its log say goes to turn-taking, what turn-taking decides is carried out."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from gateway import turn_taking
from gateway.inputs import HungUp, Typed
from gateway.room import Room
from gateway.sessions.farewell import last_words
from gateway.sessions.furnishing import any_sound, furnish
from gateway.sessions.house import House
from gateway.sessions.listening import Listening
from gateway.sessions.outbox import gone
from gateway.sessions.session_log import Ownership, SessionLog
from gateway.sessions.tally import Tally
from gateway.sessions.telling import Teller
from gateway.sound.backdrop import Backdrop
from gateway.sound.playback import Playback
from schemas.bus import Held, Hold, Outcome, Receipt
from schemas.client import StateMessage, ToClient
from schemas.clock import Now
from schemas.errors import in_words
from schemas.events import (
    ActionRequested,
    ClipReady,
    Event,
    MemoryLoaded,
    ParticipantJoined,
    SessionEnded,
    TurnEnded,
)
from schemas.process.tasks import Tasks

log = logging.getLogger("antiphon.gateway")

_SAYING, _LOOK = 20.0, 0.1
"""Seconds that a transfer waits for the agent to have said what it says, looked at so often."""


class Session:
    """`state`: turn-taking's; `room`: where it takes place; `own`: how it came to be ours; `ended_as`: once it is over here: the
    reason, "lost" where another gateway may go on with it."""

    def __init__(self, house: House, state: turn_taking.State, room: Room, own: Ownership):
        self.name, self.state = state.session, state
        self.room, self.hurries = room, room.hurries
        self.epoch, self.held_at, self.ticket, self.warnings = own.epoch, own.held_at, own.ticket, own.warnings
        self.over, self.broken, self.ended_as = asyncio.Event(), False, ""
        self._house = house
        self._tasks = Tasks(self.fail)
        self._record = turn_taking.Record(own.begins, state.active)
        self._listening = Listening(room, state.agent, house.vad, house.metrics)
        self.streams = self._listening.streams
        self._log = SessionLog(house, self.name, own, self._take, self._tasks)
        self.tail = self._log.tail
        self._backdrop = Backdrop(room, room.clock) if any_sound(state.agent.sounds) else None
        self.playback = Playback(self._backdrop or room, self._log.fetch, self._woken)
        if self._backdrop is not None:
            self._tasks.spawn(furnish(self._backdrop, state.agent, house.beside, self.name), "background sound")
        self._telling = Teller(self.name, room, tells_tools=room.takes_calls or state.agent.tools.tell_clients)
        self._tally = Tally(
            house.metrics, self.name, room, state.agent.name, self.now(), goes_on=bool(own.known), draft=own.draft
        )
        self._queues: turn_taking.Queues | None = None
        self._caller, self._remembers = own.caller, house.remembering is not None and state.agent.memory.on

    def now(self) -> Now:
        """The session's own time: the gateway's, or that of a room which runs as fast as it goes."""
        return self.room.clock.now()

    @property
    def busy(self) -> bool:
        """Whether a worker, or the log, has something to answer."""
        return self._log.busy

    def wakes_at(self) -> Now:
        """When (its own time) something is due next: a timer of turn-taking, or the end of a sentence."""
        ends = self.playback.ends_in()
        return self.state.wake_at if ends is None else min(self.state.wake_at, Now(self.now() + ends))

    def entered(self) -> None:
        """The engine has it."""
        self._tally.entered()

    # ── inputs ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def feed(self, item: turn_taking.Input) -> None:
        """One input to turn-taking; where playback is goes before it."""
        if self.over.is_set():
            return
        now = self.now()
        if isinstance(item, turn_taking.SpeechEdge):
            self._tally.speech(item, now)
        self._report(now)
        self._step(item, now)
        self._house.waken(self)

    def listen(self) -> None:
        """Take what came in by the room."""
        for item in self._listening.inputs(self.now()):
            self.feed(item)
            if self.over.is_set():
                return
        if self.room.seems is not None and (complaint := self._listening.complaint()) is not None:
            self._telling.complaint(complaint)

    def advance(self) -> None:
        """Let time pass: sound out, timers, silence when the lease may be gone."""
        if self.over.is_set():
            return
        if self._house.clock.now() - self.held_at > self._house.lease.silent_after and not self.playback.hushed:
            self._house.metrics.silenced.inc()
            self.playback.hush()
        now = self.now()
        due = now >= self.state.wake_at
        if due or self.playback.finished:
            self._report(now)
        if due:
            self._step(turn_taking.Tick(), now)
        self.playback.pump()
        if self._backdrop is not None:
            self._backdrop.pump(heard=self.state.away_since is None and not self.playback.hushed)

    def _report(self, now: Now) -> None:
        played = self.playback.report()
        if played is not None:
            self._step(played, now)

    def _step(self, item: turn_taking.Input, now: Now) -> None:
        if self.over.is_set():
            return
        before = self.state
        self.state, decisions = self._house.machine.step(before, item, now)
        self._record.fed(item, now, before, self.state, decisions)
        if decisions:
            self.carry_out(decisions, now)

    def _woken(self) -> None:
        if not self.over.is_set():
            self._report(self.now())
            self._house.waken(self)

    # ── the log, read ────────────────────────────────────────────────────────────────────────────────────────────────

    def remember(self, events: Iterable[Event], *, again: bool) -> None:
        """Events from before we had the session: turn-taking has them, later messages and sounds refer to them. `again`: the
        client is told once more the words of turns that are still open."""
        for event in events:
            self._telling.past(event)
            self._tally.known(event)
            self._remembers = self._remembers and not isinstance(event, MemoryLoaded)
            self._log.waiting.read(event)
            if isinstance(event, ClipReady) and (event.phrase is not None or event.turn in self.state.turns):
                self.playback.prepare(event)
        if again:
            self._telling.again(self.state.turns)

    def _take(self, event: Event) -> None:
        """The next event of the log."""
        self._log.waiting.read(event)
        if isinstance(event, ClipReady):
            self.playback.prepare(event)
        elif isinstance(event, TurnEnded):
            self.playback.forget(event.turn)
            self._tally.spoken(self.playback.given)
        self._tally.event(event)
        self._tally.told(self._telling.event(event))
        self.feed(turn_taking.LogEvent(event))
        if self._remembers and isinstance(event, ParticipantJoined) and not self.over.is_set():
            self._remember()
        if isinstance(event, ActionRequested):
            self._tasks.spawn(self._act(event), f"{event.action} of {self.name}")

    def _remember(self) -> None:
        """Once it is known who calls."""
        remembering = self._house.remembering
        assert remembering is not None
        if caller := remembering.caller(self.state, self.room.transport, self._caller):
            self._remembers = False
            self._tasks.spawn(remembering.load(self.name, self.state.agent.name, caller))

    async def _act(self, asked: ActionRequested) -> None:
        """Do what a tool wants done to the call: keys at once, all else when what is being said is said."""
        for _ in range(round(_SAYING / _LOOK)):
            if self.over.is_set() or asked.action == "dtmf" or not (self.state.turns or self.state.wanted):
                break
            await asyncio.sleep(_LOOK)
        why = "" if self.over.is_set() else self.room.act(asked.action, asked.arguments)
        if why:
            log.warning("%s: %s", asked.action, why, extra={"session": self.name})
            self.feed(Typed(self.state.linked or "", f"({asked.action} could not be done: {why})", note=True))

    async def _refold(self) -> None:
        """The log lost its tail: begin anew with what it has."""
        events = await self._log.read()
        if self.over.is_set():
            return
        log.warning("the log lost its tail; it has %d events now", len(events), extra={"session": self.name})
        self.tail.begin_anew(events)
        now = self.now()
        self._record.rewound(events, now)
        self.state, decisions = self._house.machine.rewound(self.state, events, now)
        self.carry_out(decisions, now)
        self._house.waken(self)

    # ── the lease ────────────────────────────────────────────────────────────────────────────────────────────────────

    def to_hold(self) -> Hold:
        self._report(self.now())
        positions: dict[str, Any] = self.state.positions()
        if (of_room := self.room.position()) is not None:
            positions |= {"room": of_room}
        return Hold(self.name, self.epoch, positions, self.tail.seen)

    def held(self, receipt: Receipt, held: Held, sent: Now) -> None:
        """The answer to a hold that was sent at `sent` (our clock)."""
        if self.over.is_set():
            return
        if gone(receipt.outcome):
            self._end(turn_taking.End("lost", lost=True))
            return
        self.held_at = sent
        self.playback.unhush()
        if receipt.outcome is Outcome.REWOUND and not self.tail.expecting:
            self._tasks.spawn(self._refold())
            return
        self.tail.reaches(receipt.seq)
        queues = turn_taking.Queues(held.queued["stt"], held.queued["llm"], held.queued["tts"])
        if queues != self._queues:
            self._queues = queues
            self.feed(queues)

    # ── decisions ────────────────────────────────────────────────────────────────────────────────────────────────────

    def carry_out(self, decisions: Iterable[turn_taking.Decision], now: Now) -> None:
        """Do what turn-taking has decided at `now` (the session's time)."""
        for decision in decisions:
            match decision:
                case turn_taking.Publish():
                    told = self._record.sent(decision)
                    self._log.publish(told, self._listening.cut(decision.captures), self._published)
                case turn_taking.Play():
                    self._play(decision, now)
                case turn_taking.Pause():
                    self.playback.pause()
                case turn_taking.Resume():
                    self.playback.resume(decision.position)
                case turn_taking.Stop():
                    self.playback.stop(decision.turn)
                case turn_taking.NoMoreParts():
                    self.playback.no_more_parts((decision.turn, decision.generation, decision.index))
                case turn_taking.Tell():
                    self._show(decision.message)
                case turn_taking.End():
                    self._end(decision)
                case turn_taking.Refold():
                    self._tasks.spawn(self._refold())

    def _show(self, message: ToClient) -> None:
        if self._backdrop is not None and isinstance(message, StateMessage):
            self._backdrop.thinks(message.state == "thinking")
        self.room.send(message)

    def _play(self, play: turn_taking.Play, now: Now) -> None:
        self._telling.sounds(play)
        self._tally.sounds(play, now)
        self.playback.play(play.turn, play.generation, play.index, play.clips, play.last, play.phrase)

    def _published(self, publish: turn_taking.Publish, published: turn_taking.Published) -> None:
        if published.outcome in (Outcome.OK, Outcome.DUP):
            if any(isinstance(event, SessionEnded) for event in publish.events):
                self._close(publish.events)
            else:
                self._telling.published(publish.events)
        self.feed(published)

    def _close(self, events: Sequence[Event]) -> None:
        """The last ones of the log: they are told and counted now, as nothing is read behind the end."""
        self._tally.told(self._telling.closing(events))
        for event in events:
            self._tally.event(event)

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _end(self, end: turn_taking.End) -> None:
        if self.over.is_set():
            return
        reason = self.ended_as = "lost" if end.lost else end.reason
        self.over.set()
        self.tail.close()
        self.playback.close()
        self._listening.close()
        self._tasks.cancel()
        if not end.lost:
            self._telling.ended(end.reason)
        self._tally.spoken(self.playback.given)
        self._tally.ended(reason, self.now(), lost=end.lost)
        self._house.ended(self)
        self._tasks.spawn(self.room.aclose(reason))

    def let_go(self, reason: str) -> None:
        """Leave without a word in the log: the lease runs out, or its client comes back elsewhere."""
        self._end(turn_taking.End(reason, lost=True))

    def hang_up(self, reason: str) -> None:
        self.feed(HungUp(reason))

    def fail(self, error: BaseException) -> None:
        """An error of ours: this session ends, and says so; no other one is harmed."""
        if self.over.is_set():
            log.warning("after its end: %s", in_words(error), extra={"session": self.name})
            return
        self.broken = True
        self._house.metrics.broken.inc()
        log.error("ended by an error of ours", exc_info=error, extra={"session": self.name})
        last = last_words(error, self._house.by, self.state.turns)
        try:
            self._close(last.events)
        except Exception as another:  # it may be the same fault: the session ends all the same
            log.warning("its last turns are not told: %s", in_words(another), extra={"session": self.name})
        self._telling.failed()
        self._end(turn_taking.End("error"))
        self._tasks.spawn(self._log.close(last))
