"""Sessions are opened, taken over and handed back here."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from gateway import turn_taking
from gateway.inputs import HungUp, RoomInput
from gateway.room import Room, ToRoom
from gateway.sessions.engine import Engine
from gateway.sessions.farewell import last_words
from gateway.sessions.house import House
from gateway.sessions.inbox import Inbox
from gateway.sessions.leases import Leases
from gateway.sessions.log_away import insist
from gateway.sessions.pools import Pools
from gateway.sessions.session import Session
from gateway.sessions.session_log import Ownership
from gateway.sessions.tongues import Tongues
from gateway.transport import RoomOver, Transport
from schemas.access.tickets import hash_of, new_ticket, same
from schemas.audio import Pcm
from schemas.bus import Claimed, Hold, InboxEntry, Outcome, Seen
from schemas.clock import Clock, Now
from schemas.config.agent import AgentSpec
from schemas.config.agents import Agents
from schemas.drafts import find_draft
from schemas.errors import AntiphonError, BusError, EventError
from schemas.events import (
    BY_RULES,
    Event,
    ParticipantJoined,
    ParticipantLeft,
    SessionEnded,
    SessionStarted,
    Stage,
    TransportName,
)
from schemas.process.logging import of_session
from schemas.process.tasks import Tasks

log = logging.getLogger("antiphon.gateway")

Why = Literal["expired", "ticket", "restart"]
T = TypeVar("T")
_DRAFT = "draft"
"""Of a beginning's inputs: the agent is tried before it is saved. What it is called is up to its text."""
_IN_TEXT: tuple[Stage, ...] = ("llm",)
"""Stages that a conversation without sound needs."""
NOBODY_HERE = "nobody is here to answer just now"
"""What whoever calls is told while a stage has no worker: which, is ours to know."""


class Refused(AntiphonError):
    """No session for this client. `code`: draining, exists, log, over, ticket, workers; of the doors: anew, room, token."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code

    @property
    def passes(self) -> bool:
        """Whether the same may be granted in a while."""
        return self.code in ("draining", "log", "workers")


def new_session(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(8)}"


@dataclass(slots=True)
class Reception:
    """Opens and takes over sessions of one gateway. `transports`: those that there are, by name; `needs_workers`: none is opened
    while a stage has no worker."""

    house: House
    engine: Engine
    agents: Agents
    transports: dict[TransportName, Transport] = field(default_factory=dict)
    draining: bool = False
    needs_workers: bool = False
    pools: Pools = field(init=False)
    leases: Leases = field(init=False)
    inbox: Inbox = field(init=False)
    tongues: Tongues = field(init=False)
    _early: dict[str, list[Event]] = field(default_factory=dict)
    _tasks: Tasks = field(default_factory=Tasks)

    def __post_init__(self) -> None:
        house = self.house
        self.tongues = Tongues(house.bus, house.clock)
        self.pools = Pools(house.bus, house.clock, house.metrics)
        self.inbox = Inbox(house.bus, house.by, self._deliver, self._catch_up, house.metrics)
        self.leases = Leases(
            house.bus, house.clock, house.by, self.engine.sessions, self.adopt, self.engine.broken, house.metrics
        )

    def start(self) -> None:
        self._tasks.spawn(self.inbox.run(), "inbox")
        self._tasks.spawn(self.leases.run(), "leases")
        self._tasks.spawn(self.pools.run(), "pools")

    async def aclose(self) -> None:
        await self._tasks.aclose()

    # ── open ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def open(
        self, name: str, room: Room, agent: AgentSpec, *, timeout: float = 5.0, inputs: dict[str, Any] | None = None,
        metadata: Mapping[str, Any] = {}, draft: bool = False, caller: str = "",
    ) -> Session:  # fmt: skip
        """A new session named `name` in `room`; `inputs`: what is to stand in `session.started` for whoever takes it over;
        `metadata`: of whoever began it; `draft`: the agent came by `draft`; `caller`: who a token or a line vouches for. Refused:
        draining, no workers where they are needed, it exists already, or the log did not answer within `timeout` s."""
        if self.draining:
            raise Refused("this gateway shuts down and takes no new sessions; try again", "draining")
        if self.unmanned(agent):
            raise Refused(f"{NOBODY_HERE}; try again in a while", "workers")
        if draft:
            inputs = {**(inputs or {}), _DRAFT: True}
        with of_session(name):
            return await self._open(name, room, agent, timeout, inputs, metadata, caller)

    async def _open(
        self,
        name: str,
        room: Room,
        agent: AgentSpec,
        timeout: float,
        inputs: dict[str, Any] | None,
        metadata: Mapping[str, Any],
        caller: str,
    ) -> Session:
        house = self.house
        ticket = new_ticket()
        agent, variant = agent.chosen(caller or name)
        warnings = await self.tongues.warnings(agent) if agent.sound else []
        started = SessionStarted(
            room=room.name,
            transport=room.transport,
            agent=agent,
            gateway=house.by,
            by=house.by,
            clock=house.clock.now(),
            inputs={**(inputs or {}), BY_RULES: turn_taking.RULES_VERSION},
            warnings=[one.sentence for one in warnings],
            metadata=dict(metadata),
            caller=caller,
            variant=variant,
        )
        request = secrets.token_hex(8)
        self._early[name] = []
        try:
            sent, claimed = await self._ask(
                "open", lambda: house.bus.open(name, house.by, request, [started], (), hash_of(ticket)), timeout
            )
            if claimed.receipt.outcome not in (Outcome.OK, Outcome.DUP):
                raise Refused(f"a session {name} exists already; begin one with another name", "exists")
            receipt = claimed.receipt
            state = turn_taking.start(
                name, agent, room.clock.now(), seq=receipt.seq, began=receipt.at, metadata=started.metadata
            )
            own = Ownership(
                claimed.epoch,
                sent,
                Seen(receipt.seq, receipt.at),
                turn_taking.Opened(receipt.seq),
                ticket=ticket,
                warnings=[one.told for one in warnings],
                draft=_of_draft(started),
                caller=caller,
            )
            session = Session(house, state, room, own)
            house.metrics.opened.labels(room.transport).inc()
            self._enter(session)
        finally:
            self._early.pop(name, None)
        return session

    def unmanned(self, agent: AgentSpec | None = None) -> list[str]:
        """Why no session (None: of an agent that speaks) is begun for want of workers, a phrase a stage; nothing where that is no
        reason."""
        if not self.needs_workers:
            return []
        return self.pools.told() if agent is None or agent.sound else self.pools.told(_IN_TEXT)

    async def draft(self, name: str, *, timeout: float = 5.0) -> AgentSpec:
        """An agent that is tried before it is saved. AgentSpecError: it is not kept any more; Refused: the log did not answer."""
        _, agent = await self._ask("draft", lambda: find_draft(self.house.bus, name), timeout)
        return agent

    # ── come back, take over ─────────────────────────────────────────────────────────────────────────────────────────

    def local(self, name: str, ticket: str) -> Session | None:
        """A session of ours whose client has come back with its ticket; None when we can't tell (ask the log: `resume`)."""
        session = self.engine.sessions.get(name)
        return session if session is not None and session.ticket and same(session.ticket, ticket) else None

    async def resume(
        self,
        name: str,
        ticket: str,
        may: Callable[[SessionStarted], None],
        make_room: Callable[[SessionStarted, Collection[str]], Room],
        *,
        timeout: float = 5.0,
    ) -> Session:
        """Claim a session with its ticket, from whatever gateway has it. `may` raises Refused for a session that this client may
        not have, before it is taken from anybody; `make_room` is told who is there by the log. Refused: wrong ticket, over,
        unreadable, or no log."""
        if self.draining:
            raise Refused("this gateway shuts down and takes no sessions; try again", "draining")
        with of_session(name):
            return await self._resume(name, ticket, may, make_room, timeout)

    async def _resume(
        self,
        name: str,
        ticket: str,
        may: Callable[[SessionStarted], None],
        make_room: Callable[[SessionStarted, Collection[str]], Room],
        timeout: float,
    ) -> Session:
        with contextlib.suppress(EventError):  # found out below, by whoever has the ticket
            beginning = await self._ask("read", lambda: self.house.bus.read(name, 0, 1), timeout)
            if beginning[1] and isinstance(beginning[1][0], SessionStarted):
                may(beginning[1][0])
        request = secrets.token_hex(8)
        self._early[name] = []
        try:
            sent, claimed = await self._ask(
                "claim", lambda: self.house.bus.claim(name, self.house.by, request, hash_of(ticket)), timeout
            )
            outcome = claimed.receipt.outcome
            if outcome in (Outcome.CLOSED, Outcome.MISSING):
                raise Refused(f"session {name} is over; begin a new one (no `session` in `start`)", "over")
            if outcome not in (Outcome.OK, Outcome.DUP):
                raise Refused(f"this is not the ticket of session {name}", "ticket")
            try:
                events = await insist("read", lambda: self.house.bus.read(name), self.house.metrics)
            except EventError as error:
                await self._give_up(name, claimed.epoch, error)
                raise Refused(f"session {name} can't be gone on with; begin a new one", "over") from None
            room = make_room(_beginning(events), _present(events))
            session = self._continue(name, claimed, events, room, sent, "ticket", ticket)
        finally:
            self._early.pop(name, None)
        return session

    async def adopt(self, name: str) -> None:
        """Take over a session whose gateway's lease ran out, rejoin its room, go on. One of ours, begun or come back meanwhile,
        is left alone: its client is with it."""
        if await self._is_for_others(name) or self.draining or name in self._early or name in self.engine.sessions:
            return
        request = secrets.token_hex(8)
        self._early[name] = []
        try:
            sent = self.house.clock.now()
            claimed = await self.house.bus.claim(name, self.house.by, request)
            if claimed.receipt.outcome is not Outcome.OK:
                return
            try:
                await self._go_on(name, claimed, sent)
            except BusError:
                raise  # the lease runs out again
            except Exception as error:
                await self._give_up(name, claimed.epoch, error)
        finally:
            self._early.pop(name, None)

    async def _is_for_others(self, name: str) -> bool:
        """Some sessions are for gateways that have what this one lacks: here they would only end."""
        if not any(transport.left_to_others for transport in self.transports.values()):
            return False
        first = await self.house.bus.read(name, 0, 1)
        if not first or not isinstance(first[0], SessionStarted):
            return False
        if not (why := self._transport(first[0].transport).left_to_others):
            return False
        log.warning("%s", why, extra={"session": name})
        self.engine.broken.add(name)
        return True

    def _transport(self, name: TransportName) -> Transport:
        return self.transports.get(name) or Transport(name)

    async def _go_on(self, name: str, claimed: Claimed, sent: Now) -> None:
        events = await self.house.bus.read(name)
        beginning = _beginning(events)
        rejoin = self._transport(beginning.transport).rejoin
        room: Room | None = None
        reason = "gateway_lost"
        async with self._holding(name, claimed) as held:
            try:
                room = await rejoin(name, beginning, claimed.positions, _present(events)) if rejoin else None
            except RoomOver as error:
                log.info("%s", error, extra={"session": name})
                reason = error.reason
            except AntiphonError as error:
                log.warning("its room can't be rejoined: %s", error, extra={"session": name})
        if room is not None:
            events = [*events, *await self.house.bus.read(name, events[-1].seq)]  # what happened while we joined
        if (other := self.engine.sessions.get(name)) is not None and other.epoch > claimed.epoch:
            if room is not None:
                await room.aclose("moved")
            return
        nowhere = _Nowhere(beginning.room, beginning.transport, self.house.clock)
        session = self._continue(name, claimed, events, room or nowhere, held.get("at", sent), "expired")
        if room is None:
            session.feed(HungUp(reason))

    @asynccontextmanager
    async def _holding(self, name: str, claimed: Claimed) -> AsyncIterator[dict[str, Now]]:
        """Keep a session's lease while its room is rejoined; gives `at`: when the last successful hold was sent."""
        held: dict[str, Now] = {}

        async def hold() -> None:
            while True:
                await asyncio.sleep(self.house.lease.renewed_every)
                sent = self.house.clock.now()
                hold = Hold(name, claimed.epoch, claimed.positions)
                try:
                    answer = await self.house.bus.hold(self.house.by, self.house.bus.partition(name), [hold])
                except BusError:
                    continue
                if answer.receipts[0].outcome is Outcome.OK:
                    held["at"] = sent

        tasks = Tasks()
        tasks.spawn(hold(), f"hold {name}")
        try:
            yield held
        finally:
            await tasks.aclose()

    async def _give_up(self, name: str, epoch: int, error: Exception) -> None:
        """Nobody can go on with this log: it ends here, and says so."""
        self.engine.broken.add(name)
        log.error("its log can't be gone on with: %s", error, exc_info=error, extra={"session": name})
        self.house.metrics.broken.inc()
        await self.house.bus.close(name, epoch, last_words(error, self.house.by))

    def _continue(
        self, name: str, claimed: Claimed, events: Sequence[Event], room: Room, sent: Now, why: Why, ticket: str = ""
    ) -> Session:
        house, now = self.house, room.clock.now()
        state, decisions = turn_taking.resume(
            name, events, claimed.positions, now, gateway=house.by, epoch=claimed.epoch, reason=why
        )
        last = events[-1]
        begins = turn_taking.Resumed(tuple(events), house.by, claimed.epoch, claimed.positions, why)
        draft = _of_draft(_beginning(events))
        caller = _beginning(events).caller
        own = Ownership(
            claimed.epoch, sent, Seen(last.seq, last.at), begins, events, ticket, draft=draft, caller=caller
        )
        session = Session(house, state, room, own)
        house.metrics.claims.labels(why).inc()
        log.info("taken over (%s) at seq %d, epoch %d", why, last.seq, claimed.epoch, extra={"session": name})
        session.remember(events, again=not self._transport(room.transport).remembers)
        self._enter(session)
        session.carry_out(decisions, now)
        return session

    def _enter(self, session: Session) -> None:
        """Whoever had it here until now lets it go, and its client with it."""
        if (old := self.engine.sessions.get(session.name)) is not None:
            old.let_go("moved")
        self.engine.add(session)
        for event in self._early.get(session.name, []):
            session.tail.receive(event)

    async def _ask(self, what: str, call: Callable[[], Awaitable[T]], timeout: float) -> tuple[Now, T]:
        """Ask the log for a session, over again while it doesn't answer; the request's id keeps it to one. Answers when the
        question was sent, and the answer."""
        sent = self.house.clock.now()
        problem = BusError.told

        async def once() -> T:
            nonlocal sent, problem
            sent = self.house.clock.now()
            try:
                return await call()
            except BusError as error:
                problem = error.told
                raise

        try:
            async with asyncio.timeout(timeout):
                return sent, await insist(what, once, self.house.metrics)
        except TimeoutError:
            raise Refused(f"{problem}, so no session can be begun now; try again", "log") from None

    # ── the inbox ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _deliver(self, entry: InboxEntry) -> None:
        session = self.engine.sessions.get(entry.session)
        self.house.delays.note(entry.event, self.house.clock.now())
        if entry.session in self._early:
            self._early[entry.session].append(entry.event)
        elif session is not None:
            with of_session(entry.session):
                try:
                    session.tail.receive(entry.event)
                except Exception as error:
                    session.fail(error)

    def _catch_up(self) -> None:
        for session in list(self.engine.sessions.values()):
            with of_session(session.name):
                session.tail.catch_up()

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def drain(self, seconds: float) -> None:
        """No new sessions; those that are here may end for `seconds`, then they are let go: others take them over."""
        self.draining = True
        self.leases.adopting = False
        end = self.house.clock.now() + seconds
        while self.engine.sessions and self.house.clock.now() < end:
            await asyncio.sleep(0.1)
        here = self.engine.sessions.values()
        dying = [session for session in here if self._transport(session.room.transport).dies_with_us]
        for session in dying:
            session.hang_up("gateway_lost")
        await asyncio.gather(*(_within(session.over.wait(), 2.0) for session in dying))
        left = list(self.engine.sessions.values())
        if left:
            log.info("%d sessions are handed over", len(left))
        for session in left:
            session.let_go("going_away")
        await asyncio.gather(*(session.room.aclose("going_away") for session in left), return_exceptions=True)


async def _within(work: Awaitable[object], seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await work


class _Nowhere(Room):
    """The room of a session whose sound died with its gateway."""

    rate = 16_000

    def __init__(self, name: str, transport: TransportName, clock: Clock) -> None:
        self.name, self.transport, self.clock = name, transport, clock

    def drain(self) -> Sequence[RoomInput]:
        return ()

    def push(self, pcm: Pcm) -> None: ...

    def queued(self) -> float:
        return 0.0

    def clear(self) -> float:
        return 0.0

    def send(self, message: ToRoom) -> None: ...

    async def aclose(self, reason: str) -> None: ...


def _beginning(events: Sequence[Event]) -> SessionStarted:
    if not events or not isinstance(events[0], SessionStarted):
        raise Refused("the session's log does not begin with its beginning; begin a new session", "over")
    if isinstance(events[-1], SessionEnded):
        raise Refused("the session is over; begin a new one", "over")
    return events[0]


def _of_draft(beginning: SessionStarted) -> bool:
    return bool((beginning.inputs or {}).get(_DRAFT))


def _present(events: Sequence[Event]) -> set[str]:
    """Who was in the room, by the log."""
    found: set[str] = set()
    for event in events:
        if isinstance(event, ParticipantJoined):
            found.add(event.participant)
        elif isinstance(event, ParticipantLeft):
            found.discard(event.participant)
    return found
