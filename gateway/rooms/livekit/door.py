"""How the agent gets into rooms: LiveKit offers jobs, a watcher finds rooms nobody looked after, somebody names a room.

All three end in the same place: a session named after the room (or after the dispatch that asked for the agent), which the log
opens once. Whoever comes second with the same name stays away, so a room never has the agent twice.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import aiohttp
import psutil
from livekit import api
from livekit.protocol import agent as pb
from livekit.protocol import models

from gateway import load as loads
from gateway.room import Room
from gateway.rooms.livekit._connection import none_left_behind
from gateway.rooms.livekit._phone import Transfer
from gateway.rooms.livekit._survivors import FACTS, Survivors, facts_of
from gateway.rooms.livekit._watcher import Lonely, Watcher
from gateway.rooms.livekit._worker import AgentWorker
from gateway.rooms.livekit.names import attributes, new_identity, session_name
from gateway.rooms.livekit.room import LiveKitRoom, join
from gateway.sessions.reception import Reception, Refused
from gateway.sessions.session import Session
from gateway.transport import RoomOver
from schemas.access.livekit import Access, agent_named, call_metadata
from schemas.access.livekit_errors import LiveKitError, explain
from schemas.bus import SessionInfo
from schemas.config.agent import AgentSpec
from schemas.drafts import is_draft
from schemas.errors import AgentSpecError, AntiphonError, in_words
from schemas.events import SessionStarted
from schemas.process.logging import SESSION, of_session
from schemas.process.numbers import numbers_shortened
from schemas.process.tasks import Tasks
from schemas.text.clean import identity as called
from schemas.text.clean import one_line

log = logging.getLogger("antiphon.gateway.livekit")

LOOK_EVERY = 2.0
"""Seconds between two looks for lonely rooms."""
MADE_ANEW_WITHIN = 8.0
"""Seconds a session without its gateway waits for a room that is gone to be made anew by the people who were in it: a LiveKit
server that restarted has forgotten it, and they come back by themselves."""
_RESERVED = 10.0  # seconds a job may take from the yes to its assignment
_JOIN = 10.0
_Answer = TypeVar("_Answer")
_NOT_FAILED = (
    "hang_up", "client_gone", "end_requested", "limit", "room_closed", "lost", "going_away", "moved", "transferred",
    "agent", "tool", "idle", "machine",
)  # fmt: skip
"""Reasons a session may end with that are no failure of its job; the last three: somebody else goes on."""


@dataclass(frozen=True, slots=True)
class Seat:
    """What a session needs to know of its room. `session`: its name in the log; `identity`: of the agent in the room; `draft`:
    the agent is yet to be looked up by this name; `metadata`: the dispatch's."""

    room: str
    room_sid: str
    session: str
    identity: str
    agent: AgentSpec
    draft: str = ""
    metadata: str = ""


@dataclass(slots=True)
class _Promise:
    """A job we said yes to. `timer`: gives the slot back when no assignment comes."""

    seat: Seat
    timer: asyncio.TimerHandle


class Dispatch:
    """`agent_name`: "" is offered every new room; `capacity`: sessions at once; `watch`: look after lonely rooms."""

    def __init__(
        self, reception: Reception, access: Access, *, agent_name: str = "", capacity: int = 25, watch: bool = True
    ):  # fmt: skip
        self.worker = AgentWorker(access, agent_name, self)
        self._reception, self._access, self._name, self._capacity = reception, access, agent_name, capacity
        self._promised: dict[str, _Promise] = {}
        self._entering: dict[str, asyncio.Task[None]] = {}
        self._jobs: dict[str, Session] = {}
        self._tasks = Tasks()
        self._survivors = Survivors(reception.house.bus)
        self.watcher = (
            Watcher(access, self._session_of, self._look_after, agent_name, every=LOOK_EVERY) if watch else None
        )
        psutil.cpu_percent()  # the first answer would be 0

    def start(self) -> None:
        self._tasks.spawn(self.worker.run(), "livekit worker")
        if self.watcher is not None:
            self._tasks.spawn(self.watcher.run(), "livekit watcher")

    def drain(self) -> None:
        """The reception takes no more sessions: say so to LiveKit at once. Calls go on."""
        self.worker.changed()

    async def aclose(self) -> None:
        """Stop asking for jobs. Whoever is still joining is left, and gone from the room when this returns."""
        await self._tasks.aclose()
        await none_left_behind(_JOIN)

    @property
    def obstacle(self) -> str:
        """Why no LiveKit room will come, "" once it was ready: what is lost later comes back by itself."""
        waiting = f"not yet registered with LiveKit at {self._access.url} (LIVEKIT_URL): it has not answered"
        return "" if self.worker.ever.is_set() else self.worker.problem or waiting

    # ── load ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def readings(self) -> loads.Readings:
        engine, house = self._reception.engine, self._reception.house
        names = {name for name, session in engine.sessions.items() if session.room.transport == "livekit"}
        names.update(promise.seat.session for promise in self._promised.values())
        names.update(task.get_name() for task in self._entering.values())  # some are open already
        return loads.Readings(
            len(names),
            self._capacity,
            psutil.cpu_percent() / 100,
            loads.lateness(engine.late),
            house.delays.seconds(house.clock.now()),
            self._reception.draining,
        )

    def load(self) -> tuple[float, int]:
        readings = self.readings()
        return loads.load(readings), readings.sessions

    # ── jobs: what the worker asks ───────────────────────────────────────────────────────────────────────────────────

    def registered(self) -> None:
        self._survivors.look_again()

    def offered(self, job: pb.Job) -> pb.AvailabilityResponse:
        """Yes reserves a place. No has the job offered elsewhere; `terminate` ends it: the room has what it needs."""
        name = session_name(job.room.sid, job.dispatch_id if job.agent_name else "")
        if self._is_here(job.room.name, name):
            return pb.AvailabilityResponse(job_id=job.id, terminate=True)
        readings = self.readings()
        if loads.full(readings):
            log.info("job %s is left to others: %s", job.id, readings)
            return pb.AvailabilityResponse(job_id=job.id, available=False)
        if unmanned := self._reception.unmanned():
            log.info("job %s is left to others: %s", job.id, ", ".join(unmanned))
            return pb.AvailabilityResponse(job_id=job.id, available=False)
        try:
            agent, draft = self._agent_for(job.metadata)
        except AgentSpecError as error:
            log.warning("job %s in room %s is left to others: %s", job.id, job.room.name, error)
            return pb.AvailabilityResponse(job_id=job.id, available=False)
        seat = Seat(job.room.name, job.room.sid, name, new_identity(), agent, draft, job.metadata)
        timer = asyncio.get_running_loop().call_later(_RESERVED, self._give_back, job.id)
        self._promised[job.id] = _Promise(seat, timer)
        return pb.AvailabilityResponse(
            job_id=job.id,
            available=True,
            participant_identity=seat.identity,
            participant_name=agent.name,
            participant_attributes=attributes(seat.session, self._name),
        )

    def _give_back(self, job: str) -> None:
        if self._promised.pop(job, None):
            log.info("job %s went to somebody else after all", job)
            self.worker.changed()

    def assigned(self, job: pb.Job, url: str, token: str) -> None:
        promise = self._promised.pop(job.id, None)
        if promise is None:
            log.warning("job %s was assigned to us later than %.0f s after the offer", job.id, _RESERVED)
            self._tasks.spawn(self.worker.report(job.id, pb.JS_FAILED, "assigned too late"))
            return
        promise.timer.cancel()
        self._enter(promise.seat, url, token, job.id)

    def terminated(self, job: str) -> None:
        if (entering := self._entering.get(job)) is not None:
            entering.cancel()
        elif (session := self._jobs.get(job)) is not None:
            session.hang_up("end_requested")

    def _enter(self, seat: Seat, url: str, token: str, job: str = "") -> None:
        key = job or seat.session
        task = self._entering[key] = self._tasks.spawn(self._serve(seat, url, token, job), seat.session)
        task.add_done_callback(lambda _: self._entered(key))

    def _entered(self, key: str) -> None:
        self._entering.pop(key, None)
        self.worker.changed()

    async def _serve(self, seat: Seat, url: str, token: str, job: str) -> None:
        SESSION.set(seat.session)  # of this task
        try:
            session = await self._begin(seat, url, token, job)
        except AntiphonError as error:
            if isinstance(error, Refused) and error.code == "exists":
                await self._report(job, pb.JS_SUCCESS)
                return
            if isinstance(error, Refused) and error.code == "anew":
                log.info("%s", error)
                await self._report(job, pb.JS_FAILED, str(error))  # should that session end, the watcher looks again
                return
            log.error("room %s: the agent can't come: %s", seat.room, error)
            await self._report(job, pb.JS_FAILED, str(error))
        else:
            if job:
                self._jobs[job] = session
            await self._report(job, pb.JS_RUNNING)

    async def _begin(self, seat: Seat, url: str, token: str, job: str = "") -> Session:
        """Open the session, which settles who comes; then join. LiveKitError, Refused."""
        house = self._reception.house
        if older := await self._survivors.of(seat.room, self._name, seat.room_sid):
            raise Refused(f"room {seat.room} was made anew; its session {older} goes on there", "anew")
        if seat.draft:
            seat = replace(seat, agent=await self._reception.draft(seat.draft))

        async def leaving(reason: str) -> None:
            self._jobs.pop(job, None)
            self.worker.changed()
            failed = reason not in _NOT_FAILED
            await self._report(job, pb.JS_FAILED if failed else pb.JS_SUCCESS, reason if failed else "")

        room = LiveKitRoom(
            url, token, house.clock, seat.agent, renew=self._renew(seat), leaving=leaving, imitated=self._imitated(seat),
            transfer=self._transfer(seat),
        )  # fmt: skip
        room.name = seat.room
        facts = {
            "url": self._access.url,
            "room_sid": seat.room_sid,
            "identity": seat.identity,
            "agent_name": self._name,
        }
        try:
            session = await self._reception.open(
                seat.session,
                room,
                seat.agent,
                inputs={FACTS: facts},
                draft=bool(seat.draft),
                metadata=call_metadata(seat.metadata, seat.agent.prompt_metadata),
            )
        except BaseException:
            job = ""  # whoever called reports it
            await room.aclose("lost")
            raise
        try:
            await room.open(_JOIN)
        except LiveKitError:
            session.hang_up("error")
            raise
        log.info("in room %s as %s", seat.room, seat.identity)
        return session

    async def _report(self, job: str, status: "pb.JobStatus", error: str = "") -> None:
        if job:
            await self.worker.report(job, status, error)

    def _renew(self, seat: Seat) -> Callable[[], str]:
        return lambda: self._access.agent_token(
            seat.room, seat.identity, seat.agent.name, attributes(seat.session, self._name)
        )

    def _transfer(self, seat: Seat) -> Transfer:
        async def transfer(phone: str, to: str) -> str:
            request = api.TransferSIPParticipantRequest(participant_identity=phone, room_name=seat.room, transfer_to=to)
            try:
                async with self._access.client() as livekit:
                    done = await livekit.sip.transfer_sip_participant(request)
            except api.TwirpError as error:
                said = one_line(error.message, 200)
                log.warning("room %s: a transfer: %s %s", seat.room, error.code, numbers_shortened(said))
                return "no SIP bridge of LiveKit's answers" if _nobody_answers(said) else said
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                log.warning("room %s: a transfer: %s", seat.room, in_words(error))
                return "LiveKit's server does not answer"
            failed = done.status == api.SIPTransferStatus.STS_TRANSFER_FAILED
            return f"they did not take the call ({api.SIPTransferReason.Name(done.reason)})" if failed else ""

        return transfer

    def _imitated(self, seat: Seat) -> Callable[[], Awaitable[bool]]:
        request = api.ListParticipantsRequest(room=seat.room)

        async def look() -> bool:
            """Whether nobody in the room who is called like our agent is one. False: there is one, or no room, or no answer."""
            try:
                answer = await self._ask(lambda livekit: livekit.room.list_participants(request))
            except LiveKitError:
                return False
            agent = models.ParticipantInfo.Kind.AGENT
            return answer is not None and not any(
                one.identity == seat.identity and one.kind == agent for one in answer.participants
            )

        return look

    def _agent_for(self, metadata: str) -> tuple[AgentSpec, str]:
        """By the job's metadata, {"agent": NAME} or NAME alone; else the one called like LIVEKIT_AGENT_NAME; else the default.
        With the name of a draft, where it is yet to be looked up: whoever signed the job's token has named it.

        AgentSpecError: it names one that is not here.
        """
        agents = self._reception.agents
        wanted = agent_named(metadata, agents.names)
        if is_draft(wanted):
            return AgentSpec(name="draft"), wanted
        return agents.find(wanted or (self._name if self._name in agents.names else "")), ""

    def _is_here(self, room: str, name: str) -> bool:
        """Whether this room's session is ours already: it goes on in a room that was made anew, too."""
        sessions = self._reception.engine.sessions
        if name in sessions or any(promise.seat.session == name for promise in self._promised.values()):
            return True
        return not self._name and any(
            isinstance(session.room, LiveKitRoom) and session.room.name == room for session in sessions.values()
        )

    # ── without a job ────────────────────────────────────────────────────────────────────────────────────────────────

    async def join(self, room: str, agent: str = "") -> str:
        """Join a room that exists; answers the session's name. LiveKitError, Refused, AgentSpecError: why not."""
        spec = self._reception.agents.find(agent)
        found = await self._look_up(room)
        if found is None:
            raise Refused(f"there is no room {room[:80]!r} now; people make it by joining it", "room")
        name = session_name(found.sid)
        known = await self._reception.house.bus.info(name)
        if known is not None and known.state == "open":
            raise Refused(f"room {room} has its agent already, in session {name}", "exists")
        if known is not None:
            name = f"{name}-{new_identity()[-6:]}"
        seat = Seat(room, found.sid, name, new_identity(), spec)
        with of_session(name):
            return (await self._begin(seat, self._access.url, self._renew(seat)())).name

    async def _session_of(self, session: str) -> SessionInfo | None:
        return await self._reception.house.bus.info(session)

    def _look_after(self, lonely: Lonely) -> None:
        """Join a room that has people and no agent, if there is a place here."""
        if (
            loads.full(self.readings())
            or self._reception.unmanned()
            or lonely.session in self._entering
            or self._is_here(lonely.room, lonely.session)
        ):
            return
        try:
            agent, draft = self._agent_for(lonely.metadata)
        except AgentSpecError as error:
            log.warning("room %s is left alone: %s", lonely.room, error)
            return
        log.info("room %s has people and no agent: joining", lonely.room)
        seat = Seat(lonely.room, lonely.room_sid, lonely.session, new_identity(), agent, draft, lonely.metadata)
        self._enter(seat, self._access.url, self._renew(seat)())

    async def rejoin(
        self, session: str, beginning: SessionStarted, positions: Mapping[str, Any], present: Collection[str]
    ) -> Room | None:
        """After a take-over: the same room as the same participant; the server puts out whoever else is that. RoomOver: it is
        not there any more. LiveKitError: it could not be reached for as long as a session waits for a dropped client."""
        facts = facts_of(beginning)
        last = (positions.get("room") or {}).get("sid") or facts.get("room_sid", "")
        identity = str(facts.get("identity") or new_identity())
        clock = self._reception.house.clock
        began = clock.now()
        while True:
            try:
                found = await self._look_up(beginning.room)
                if found is not None and (last in ("", found.sid) or await self._is_anybody_there(found.name, present)):
                    seat = Seat(beginning.room, found.sid, session, identity, beginning.agent)
                    renew = self._renew(seat)
                    return await join(
                        self._access.url, renew(), clock=clock, agent=seat.agent, timeout=_JOIN, known=present,
                        renew=renew, imitated=self._imitated(seat), transfer=self._transfer(seat),
                    )  # fmt: skip
                if not present or clock.now() - began >= MADE_ANEW_WITHIN:
                    raise RoomOver(f"room {beginning.room} is gone", "room_closed")
            except LiveKitError as error:
                if clock.now() - began >= beginning.agent.limits.client_gone:
                    raise
                log.warning("%s; trying again", error)
            await asyncio.sleep(0.5)

    async def _is_anybody_there(self, room: str, people: Collection[str]) -> bool:
        """Whether one of these is in a room of this name, which then is theirs, whatever its id."""
        request = api.ListParticipantsRequest(room=room)
        answer = await self._ask(lambda livekit: livekit.room.list_participants(request))
        return answer is not None and any(called(one.identity) in people for one in answer.participants)

    async def _look_up(self, room: str) -> models.Room | None:
        request = api.ListRoomsRequest(names=[room])
        answer = await self._ask(lambda livekit: livekit.room.list_rooms(request))
        return next(iter(answer.rooms), None) if answer is not None else None

    async def _ask(self, question: Callable[[api.LiveKitAPI], Awaitable[_Answer]]) -> _Answer | None:
        """Of LiveKit's API; None: there is no such room. LiveKitError."""
        try:
            async with self._access.client() as livekit:
                return await question(livekit)
        except api.TwirpError as error:
            if error.status == 404:
                return None
            raise explain(f"{error.status} {error.message}", self._access.url) from None
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise explain(f"IO error: {in_words(error)}", self._access.url) from None


def _nobody_answers(said: str) -> bool:
    """LiveKit can't tell that there is no bridge: it only gets no answer."""
    return any(sign in said for sign in ("no response", "no answer", "unavailable"))
