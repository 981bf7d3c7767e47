"""One session on this gateway: what its room and its log say goes to turn-taking, what turn-taking decides is carried out."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway import turn_taking
from gateway.inputs import Attached, Heard, HungUp, Joined, Left
from gateway.load import Delays
from gateway.metrics import GatewayMetrics
from gateway.room import Room
from gateway.sessions.fairness import Fairness
from gateway.sessions.messages import Narrator
from gateway.sessions.outbox import Outbox, gone, insist
from gateway.sessions.snapshots import Snapshots
from gateway.sessions.waiting import Waiting
from gateway.sound.playback import Playback
from gateway.sound.ring import Stream
from gateway.sound.sample_rate import SampleRate
from gateway.sound.vad import VoiceActivity
from gateway.turn_taking import (
    Decision,
    End,
    Input,
    LogEvent,
    NoMoreParts,
    Pause,
    Play,
    Publish,
    Queues,
    Refold,
    Resume,
    SpeechEdge,
    State,
    Stop,
    Tell,
    Tick,
)
from schemas.bus import (
    Announcing,
    Gatekeeping,
    Held,
    Hold,
    Listing,
    Outcome,
    Publication,
    Reading,
    Reply,
    Seen,
    Storing,
)
from schemas.client import EndedMessage, ErrorMessage
from schemas.clock import Clock, Now
from schemas.config.lease import Lease
from schemas.events import ClipReady, Event, SessionEnded, StageFailed, TranscriptFinal, TurnEnded

log = logging.getLogger("antiphon.gateway")

_RING_BEYOND = 6.0  # seconds of sound kept beyond the longest utterance
_LAST_WORDS = 1 << 40  # an operation number above any of turn-taking's


class TurnTaking(Protocol):
    """The pure machine, as `gateway.turn_taking` offers it."""

    def step(self, state: State, item: Input, now: float) -> tuple[State, list[Decision]]: ...

    def rewound(self, state: State, events: Sequence[Event], now: float) -> tuple[State, list[Decision]]: ...


class GatewayBus(Gatekeeping, Reading, Listing, Storing, Announcing, Protocol):
    """The log as a gateway knows it: it takes no jobs, and asks nothing of sessions by post."""


@dataclass(slots=True)
class House:
    """What all sessions of a gateway share. `by`: its name in the log; `waken`: a session's next wake-up may have changed;
    `ended`: a session is over here."""

    bus: GatewayBus
    clock: Clock
    vad: VoiceActivity
    by: str
    queue_limit: int = 1000
    metrics: GatewayMetrics = field(default_factory=GatewayMetrics)
    waken: Callable[["Session"], None] = lambda _: None
    ended: Callable[["Session"], None] = lambda _: None
    machine: TurnTaking = turn_taking
    delays: Delays = field(default_factory=Delays)
    lease: Lease = field(init=False)

    def __post_init__(self) -> None:
        self.lease = Lease(self.bus.lease)


class Session:
    """`state`: turn-taking's; `room`: where it takes place; `known`: seq up to which `state` holds the log; `held_at`: when
    (our clock) the call was sent that gave us the session."""

    def __init__(
        self, house: House, name: str, epoch: int, state: State, room: Room, *, known: int, held_at: float,
        seen: Seen | None = None, ticket: str = "", snapshots: Snapshots | None = None,
    ):  # fmt: skip
        self.name = name
        self.room = room
        self.hurries = room.hurries
        self.state = state
        self.ticket = ticket
        """Hash of the client's ticket, "" when we don't know it."""
        self.secret = ""
        self.warnings: list[str] = []
        """What the client is told at the beginning."""
        self.over = asyncio.Event()
        self.held_at = held_at
        self.waiting = Waiting()
        self.streams: dict[str, Stream] = {}
        self.playback = Playback(room, self._fetch, self._woken)
        self._house = house
        self._time = room.clock
        self._outbox = Outbox(
            house.bus, name, epoch, by=house.by, limit=house.queue_limit, clock=house.clock, metrics=house.metrics
        )
        self._narrator = Narrator()
        self._snapshots = snapshots or Snapshots()
        self._fairness = Fairness()
        self._early: dict[int, Event] = {}
        self._next = known + 1
        self._seen = seen
        self._behind = 0
        self._reading = False
        self._publishing = False
        self._fed_to = known
        self._queues: Queues | None = None
        self._stopped_at: float | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._sample_rate = SampleRate()
        self.broken = False

    @property
    def epoch(self) -> int:
        return self._outbox.epoch

    def now(self) -> Now:
        """The session's own time: the gateway's, or that of a room which runs as fast as it goes."""
        return self._time.now()

    # ── inputs ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self, decisions: Iterable[Decision] = ()) -> None:
        """Carry out what was decided before there was a session to do it (a take-over)."""
        self._carry_out(decisions, self.now())

    def skip_to(self, seq: int) -> None:
        """Turn-taking knows the log up to `seq` (it began with it); only the rest of us reads it."""
        self._fed_to = seq

    def remember(self, event: Event, *, playable: bool, again: bool) -> None:
        """An event from before we had the session: turn-taking has it, later messages and sounds refer to it. `again`: words of
        turns that are still open are told again, for whoever had them may have died before the client was told."""
        again = again and isinstance(event, TranscriptFinal) and event.turn in self.state.turns
        for message in self._narrator.messages(event):
            if again:
                self.room.send(message)
        self.waiting.read(event)
        if playable and isinstance(event, ClipReady):
            self.playback.prepare(event)

    def feed(self, item: Input) -> None:
        """One input to turn-taking; where playback is goes before it."""
        if self.over.is_set():
            return
        now = self.now()
        if isinstance(item, SpeechEdge):
            self._stopped_at = now - (item.head - item.position) / 16_000 if item.kind == "stop" else None
        self._report(now)
        self._step(item, now)
        self._house.waken(self)

    def listen(self) -> None:
        """Take what came in by the room: sound into the rings, the rest to turn-taking."""
        now = self.now()
        for item in self.room.drain():
            if isinstance(item, Heard):
                self._stream(item.participant).append(item.pcm, now)
                continue
            if not self._fairness.may(item, now):
                self._house.metrics.unheeded.inc()
                continue
            if isinstance(item, Joined):
                self._stream(item.participant)
            self.feed(item)
            if isinstance(item, Left) and item.participant in self.streams:
                self._house.vad.give_slot(self.streams.pop(item.participant).slot)
            if self.over.is_set():
                return
        for late in self._fairness.due(now):
            self.feed(late)
        for stream in self.streams.values():
            stream.fill(now)
        complaint = self._sample_rate.complaint(self.room.seems, self.streams.values())
        if complaint is not None:
            log.warning("%s: %s", self.name, complaint.message)
            self.room.send(complaint)

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
            self._step(Tick(), now)
        self.playback.pump()

    @property
    def busy(self) -> bool:
        """Whether a worker, or the log, has something to answer."""
        return self._publishing or self._reading or bool(self.waiting)

    def wakes_at(self) -> float:
        """When (its own time) something is due next: a timer of turn-taking, or the end of a sentence."""
        ends = self.playback.ends_in()
        return self.state.wake_at if ends is None else min(self.state.wake_at, self.now() + ends)

    def _stream(self, participant: str) -> Stream:
        if participant not in self.streams:
            rules = self.state.agent.turn_taking
            self.streams[participant] = Stream(
                participant,
                self._house.vad.take_slot(),
                rules.start_speech,
                rules.max_utterance + _RING_BEYOND,
                self.now(),
            )
        return self.streams[participant]

    def _report(self, now: float) -> None:
        played = self.playback.report()
        if played is not None:
            self._step(played, now)

    def _step(self, item: Input, now: float) -> None:
        if self.over.is_set():
            return
        self.state, decisions = self._house.machine.step(self.state, item, now)
        if decisions:
            self._carry_out(decisions, now)

    def _woken(self) -> None:
        if not self.over.is_set():
            self._report(self.now())
            self._house.waken(self)

    # ── the log, read ────────────────────────────────────────────────────────────────────────────────────────────────

    def receive(self, event: Event) -> None:
        """An event of this session's log, from the inbox, in any order and perhaps again."""
        if event.seq >= self._next and not self.over.is_set():
            self._early[event.seq] = event
            self._take_in_order()

    def _take_in_order(self) -> None:
        while (event := self._early.pop(self._next, None)) is not None and not self.over.is_set():
            self._next += 1
            self._take(event)
        if self._early and not self._publishing:  # what we publish ourselves may come a moment later
            self.catch_up()

    def catch_up(self) -> None:
        """Read what is missing from the log itself."""
        if not self._reading and not self.over.is_set():
            self._reading = True
            self._spawn(self._read_gap)

    async def _read_gap(self) -> None:
        try:
            after = self._next - 1
            for event in await insist("read", lambda: self._house.bus.read(self.name, after), self._house.metrics):
                if event.seq >= self._next:
                    self._early[event.seq] = event
        finally:
            self._reading = False
        while (event_ := self._early.pop(self._next, None)) is not None:
            self._next += 1
            self._take(event_)

    def _take(self, event: Event) -> None:
        self._seen = Seen(event.seq, event.at)
        self._snapshots.add(event)
        self.waiting.read(event)
        if isinstance(event, ClipReady):
            self.playback.prepare(event)
        elif isinstance(event, TurnEnded):
            self.playback.forget(event.turn)
        elif isinstance(event, StageFailed):
            self.room.send(ErrorMessage(code=f"{event.stage}_{event.code}", message=event.message, fatal=False))
        for message in self._narrator.messages(event):
            self.room.send(message)
        if event.seq > self._fed_to:
            self.feed(LogEvent(event))

    # ── the lease ────────────────────────────────────────────────────────────────────────────────────────────────────

    def to_hold(self) -> Hold:
        self._report(self.now())
        positions: dict[str, Any] = self.state.positions()
        if (of_room := self.room.position()) is not None:
            positions |= {"room": of_room}
        return Hold(self.name, self.epoch, positions, self._seen)

    def held(self, reply: Reply, held: Held, sent: float) -> None:
        """The answer to a hold that was sent at `sent` (our clock)."""
        if self.over.is_set():
            return
        if gone(reply.outcome):
            self._end(End("lost", lost=True))
            return
        self.held_at = sent
        self.playback.unhush()
        if reply.outcome is Outcome.REWOUND and not self._publishing:
            self._spawn(self._refold)
            return
        lagging = reply.seq >= self._next and not self._publishing
        if lagging and self._behind == self._next:  # as far behind as at the last hold: the inbox lost something
            self.catch_up()
        self._behind = self._next if lagging else 0
        queues = Queues(held.queued["stt"], held.queued["llm"], held.queued["tts"])
        if queues != self._queues:
            self._queues = queues
            self.feed(queues)

    # ── decisions ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _carry_out(self, decisions: Iterable[Decision], now: float) -> None:
        for decision in decisions:
            match decision:
                case Publish():
                    self._publish(decision)
                case Play():
                    self._play(decision, now)
                case Pause():
                    self.playback.pause()
                case Resume():
                    self.playback.resume(decision.position)
                case Stop():
                    self.playback.stop(decision.turn)
                case NoMoreParts():
                    self.playback.no_more_parts((decision.turn, decision.generation, decision.index))
                case Tell():
                    self.room.send(decision.message)
                case End():
                    self._end(decision)
                case Refold():
                    self._spawn(self._refold)

    def _play(self, play: Play, now: float) -> None:
        if play.phrase is None or play.index == 0:
            self.room.send(self._narrator.sentence(play.turn, play.generation, play.index))
        if self._stopped_at is not None:
            self._house.metrics.voice_to_voice.observe(max(0.0, now - self._stopped_at))
            self._stopped_at = None
        self.playback.play(play.turn, play.generation, play.index, play.clips, play.last, play.phrase)

    def _publish(self, publish: Publish) -> None:
        cuts = [
            (capture, self.streams[capture.participant].cut(capture.start, capture.end))
            for capture in publish.captures
            if capture.participant in self.streams
        ]
        self._publishing = True
        self.waiting.asked(publish.jobs)
        self._spawn(self._send, publish, cuts, self._house.clock.now())

    async def _send(self, publish: Publish, cuts: Any, made: float) -> None:
        published = await self._outbox.send(publish, cuts, made, self._seen, self._snapshots.due())
        self._publishing = False
        if published.outcome in (Outcome.OK, Outcome.DUP):
            self._snapshots.written()
            for event in publish.events:
                self._narrator.remember(event)  # what it names may sound before the inbox brings it
        elif published.outcome is Outcome.FULL:
            self.waiting = Waiting()
        self.feed(published)
        self._take_in_order()

    async def _refold(self) -> None:
        events = await insist("read", lambda: self._house.bus.read(self.name), self._house.metrics)
        if self.over.is_set():
            return
        log.warning("%s: the log lost its tail; it has %d events now", self.name, len(events))
        self._early.clear()
        self._next = len(events) + 1
        self._fed_to = len(events)
        self._seen = Seen(events[-1].seq, events[-1].at) if events else None
        self._snapshots = Snapshots(events)
        now = self.now()
        self.state, decisions = self._house.machine.rewound(self.state, events, now)
        self._carry_out(decisions, now)
        self._house.waken(self)

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _end(self, end: End) -> None:
        if self.over.is_set():
            return
        self.over.set()
        self.playback.close()
        for stream in self.streams.values():
            self._house.vad.give_slot(stream.slot)
        self.streams.clear()
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        if not end.lost:
            self.room.send(EndedMessage(reason=end.reason))
        self._house.metrics.ended.labels("lost" if end.lost else end.reason).inc()
        self._house.ended(self)
        closing = asyncio.create_task(self.room.aclose("lost" if end.lost else end.reason))
        self._tasks.add(closing)
        closing.add_done_callback(self._tasks.discard)

    def let_go(self, reason: str) -> None:
        """Leave without a word in the log: the lease runs out, or its client comes back elsewhere."""
        self._end(End(reason, lost=True))

    def hang_up(self, reason: str) -> None:
        self.feed(HungUp(reason))

    def attach(self) -> None:
        self.feed(Attached())

    def fail(self, error: BaseException) -> None:
        """An error of ours: this session ends, and says so; no other one is harmed."""
        if self.over.is_set():
            return
        self.broken = True
        self._house.metrics.broken.inc()
        log.error("%s: ended by an error of ours", self.name, exc_info=error)
        message = f"The gateway failed while handling this session ({type(error).__name__}); please call again."
        self.room.send(ErrorMessage(code="internal", message=message, fatal=True))
        goodbye: list[Event] = [
            *(TurnEnded(turn=turn, how="failed", reason="gateway") for turn in self.state.turns),
            SessionEnded(reason="error", detail=f"{type(error).__name__}: {error}"[:500]),
        ]
        events = [event.model_copy(update={"by": self._house.by}) for event in goodbye]
        last = Publication(_LAST_WORDS, events)
        self._end(End("error"))
        farewell = asyncio.create_task(
            _ignore(insist("close", lambda: self._house.bus.close(self.name, self.epoch, last), self._house.metrics))
        )
        self._tasks.add(farewell)
        farewell.add_done_callback(self._tasks.discard)

    async def _fetch(self, key: str) -> bytes | None:
        return await insist("get_blob", lambda: self._house.bus.get_blob(key), self._house.metrics)

    def _spawn(self, work: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        task = asyncio.create_task(self._guarded(work, arguments))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, work: Callable[..., Awaitable[None]], arguments: tuple[Any, ...]) -> None:
        try:
            await work(*arguments)
        except Exception as error:
            self.fail(error)


async def _ignore(work: Any) -> None:
    await asyncio.wait_for(work, 10)
