"""The LiveKit room: an agent among the participants of a real room, behind the gateway's `Room` Protocol.

Everything the SDK says comes in by handlers on the event loop and waits for the tick, which drains it. Nothing here decides
about the conversation; what is told to the room is made by `Captions` and the conventions, which are pure.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from livekit import rtc
from livekit.rtc.participant import PublishTrackError

from gateway.inputs import Attached, Detached, Digits, HungUp, Left, RoomInput, Typed
from gateway.room import Room, ToRoom
from gateway.rooms.livekit import _people
from gateway.rooms.livekit._button import Button
from gateway.rooms.livekit._connection import RoomConnection, connect
from gateway.rooms.livekit._ears import Ears
from gateway.rooms.livekit._incoming import Incoming
from gateway.rooms.livekit._outgoing import Outgoing
from gateway.rooms.livekit._phone import OnThePhone, Transfer
from gateway.rooms.livekit._sdk import room_sid
from gateway.rooms.livekit._voice import RATE, VoiceTrack
from gateway.rooms.livekit.captions import Captions
from gateway.rooms.livekit.conventions import Scene
from gateway.rooms.livekit.conventions.agent_session import AgentSession
from gateway.rooms.livekit.conventions.chosen import conventions_of
from gateway.rooms.livekit.conventions.rtvi import Rtvi
from gateway.rooms.livekit.facts import Fact, StateChanged
from schemas.access.livekit_errors import LiveKitError
from schemas.audio import Pcm
from schemas.client import SpeechMessage, TranscriptMessage
from schemas.clock import Clock
from schemas.config.agent import AgentSpec
from schemas.events import TransportName
from schemas.process.backoff import Backoff
from schemas.process.tasks import Tasks
from schemas.text.clean import identity

log = logging.getLogger("antiphon.gateway.livekit")

SUBSCRIBED_WITHIN = 2.0
"""Seconds the agent waits for somebody to subscribe to its voice before it speaks all the same (to who only reads)."""
READY_WITHIN = 5.0
"""Seconds more for an RTVI client to say that it is ready, where the agent expects one."""
RESUMED_WITHIN = 2.0
"""Seconds the SDK has to resume a connection that broke."""
_OLD = 3
"""Client protocol from which a client reads text streams."""
_GOODBYE = 1.0  # seconds to send what is still to be sent, and then to leave
_KNOWN_WITHIN = 6.0
"""Seconds within which a participant is known: the server tells of who publishes nothing every 3 s only."""
CHANGES_EVERY = 1.0
"""Seconds between two looks at what participants changed of themselves."""
_IMITATIONS = 20  # times the agent comes back from those who came in under its identity
_PUBLISHES = 3  # connections in a row that may fail to take the voice
_EARLY = 20  # things that wait for their sender
_EARLY_EACH = 5  # of one of them
NAMELESS = identity("")
"""What the session would call somebody who has no identity."""

Leaving = Callable[[str], Awaitable[None]]
Imitated = Callable[[], Awaitable[bool]]


def _wall() -> datetime:
    return datetime.now(UTC)


async def join(
    url: str,
    token: str,
    *,
    clock: Clock,
    agent: AgentSpec,
    timeout: float = 10.0,
    known: Collection[str] = (),
    renew: Callable[[], str] | None = None,
    leaving: Leaving | None = None,
    imitated: Imitated | None = None,
    transfer: Transfer | None = None,
) -> "LiveKitRoom":
    """Join a room as its agent. LiveKitError (an AntiphonError) says in one sentence why not.

    `token`: of kind agent, with the room's name, `agent` and `can_update_own_metadata`; `known`: participants a session that is
    taken over believes present; `renew`: makes another token when the server was lost and the room is rejoined (else the same is
    used again); `leaving`: awaited with the session's reason before the room is left; `imitated`: asked when
    we were put out by our own identity: whether whoever has it now is no agent (without it, it is taken for one); `transfer`: has
    a phone call somebody else.
    """
    room = LiveKitRoom(
        url, token, clock, agent, known=known, renew=renew, leaving=leaving, imitated=imitated, transfer=transfer
    )  # fmt: skip
    try:
        await room.open(timeout)
    except BaseException:
        await room.aclose("lost")
        raise
    return room


class LiveKitRoom(Room):
    """Use `join`."""

    transport: TransportName = "livekit"
    rate = RATE

    def __init__(
        self, url: str, token: str, clock: Clock, agent: AgentSpec, *, known: Collection[str] = (),
        renew: Callable[[], str] | None = None, leaving: Leaving | None = None, imitated: Imitated | None = None,
        transfer: Transfer | None = None,
    ):  # fmt: skip
        self.name = ""
        self._sid = ""
        self._url, self._token, self._renew, self._leaving = url, token, renew, leaving
        self._imitated, self._imitations = imitated, 0
        self.clock = clock
        self._spec = agent
        self._known = set(known)
        self._connection: RoomConnection | None = None
        self._inputs: list[RoomInput] = []
        self._early: list[tuple[float, Typed | Digits]] = []  # until when it waits for its sender
        self._present: dict[str, bool] = {}  # humans, and whether their client is an old one
        self._identities: dict[str, str] = {}  # theirs, by what the session calls them
        self._changed: dict[str, rtc.RemoteParticipant] = {}  # of whom something else may be known now
        self._changes_at = 0.0
        self._phones: dict[str, None] = {}  # those among them that are phones, in the order of their coming
        self._idle_phones: set[str] = set()  # those among them that ring, so that nobody hears
        self._scene = Scene("")
        self._voice = VoiceTrack(clock)
        self._ears = Ears(clock)
        self._outgoing = Outgoing()
        self._captions = Captions(secrets.token_hex(4), RATE, _wall, agent.livekit.tool_calls)
        self._rtvi = Rtvi(agent.livekit.rtvi, agent.livekit.tts_timing, disconnect=agent.livekit.disconnect_bot)
        self._conventions = conventions_of(agent, self._rtvi)
        self.takes_calls = agent.livekit.tool_calls != "off"
        agent_session = next((one for one in self._conventions if isinstance(one, AgentSession)), None)
        self._incoming = Incoming(self, clock, agent, self._rtvi, agent_session, self._ears, self._outgoing)
        by_button = agent.turn_taking.mode == "push_to_talk"
        self._button = Button(self.put, self._incoming.presses) if by_button else None
        self._state = "initializing"
        self._attached = self._waits_for_phone = False
        self._wait_until: float | None = None  # for somebody to subscribe to the voice
        self._subscribed = False
        self._unpublished = 0  # connections in a row that did not take the voice
        self._give_up_at: float | None = None
        self._closed = self._failed = False
        self._left = asyncio.Event()
        self._tasks = Tasks()
        self._phone = OnThePhone(self.put, self._tasks, transfer)

    @property
    def identity(self) -> str:
        return self._scene.identity

    @property
    def heard_tracks(self) -> dict[str, str]:
        """Whose sound comes in, by which track: sids by identity."""
        return self._ears.open

    async def open(self, timeout: float) -> None:
        """Connect, and look who is there."""
        await self._enter(timeout)
        for known in self._known - self._identities.keys():
            self._inputs.append(Left(known, "gone"))

    async def _enter(self, timeout: float) -> None:
        connection = await connect(self._url, self._token, self, timeout)
        if self._closed:
            await connection.aclose()
            return
        self._connection = connection
        room = connection.room
        self.name = self.name or room.name
        self._scene.identity = room.local_participant.identity
        self._outgoing.renew(room.local_participant, self.name)
        if self._button is not None:
            self._button.register(room.local_participant)
        self._tell(StateChanged(self._state))
        for participant in list(room.remote_participants.values()):
            self.participant_connected(participant)
        self._tasks.spawn(self._publish(connection))
        if not room.isconnected():  # put out again before we could listen
            self.disconnected(rtc.DisconnectReason.UNKNOWN_REASON)

    async def _publish(self, connection: RoomConnection) -> None:
        """A connection that can't carry the voice is left for another: it may be over, which is told after this."""
        try:
            track = await self._voice.publish(connection.room.local_participant)
        except PublishTrackError as error:
            if connection is not self._connection:
                return
            self._unpublished += 1
            log.error("%s: the agent's voice can't be published: %s", self.name, error.message)
            if self._unpublished < _PUBLISHES:
                self.disconnected(rtc.DisconnectReason.UNKNOWN_REASON)
            else:
                self._inputs.append(HungUp("error"))
        else:
            if connection is self._connection:
                self._scene.track, self._unpublished = track, 0

    def position(self) -> dict[str, str]:
        """What the log holds for whoever takes the session over: the room's id, which a restart of LiveKit may have changed."""
        if self._connection is not None:
            self._sid = room_sid(self._connection.room) or self._sid
        return {"sid": self._sid}

    # ── Room ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def drain(self) -> Sequence[RoomInput]:
        if self._closed:
            return ()
        if self._give_up_at is not None and self.clock.now() >= self._give_up_at:
            self.disconnected(rtc.DisconnectReason.SIGNAL_CLOSE)
        self._look_who_hears()
        self._look_who_changed()
        inputs, self._inputs = self._inputs, []
        inputs.extend(self._ears.drain())
        for fact in self._captions.advance(self._played()):
            self._tell(fact)
        return inputs

    def push(self, pcm: Pcm) -> None:
        if not self._closed:
            self._voice.push(pcm)

    def queued(self) -> float:
        return self._voice.queued()

    def clear(self) -> float:
        dropped = self._voice.clear()
        if dropped and not self._closed:
            for fact in self._captions.hushed():
                self._tell(fact)
        return dropped

    def send(self, message: ToRoom) -> None:
        if self._closed:
            return
        if isinstance(message, SpeechMessage | TranscriptMessage):
            who = self._identities.get(message.participant, message.participant)
            message = message.model_copy(update={"participant": who})
        for fact in self._captions.take(message, self._voice.pushed / RATE, self._played()):
            self._tell(fact)

    def act(self, action: str, arguments: Mapping[str, Any]) -> str:
        agent = self._connection.room.local_participant if self._connection is not None else None
        return self._phone.act(action, arguments, next(iter(self._phones), None), agent)

    async def aclose(self, reason: str) -> None:
        """Say what is left to say, and leave. `lost`, `going_away`, `moved`: somebody else goes on, nothing more is said."""
        if self._closed:
            async with asyncio.timeout(3 * _GOODBYE):
                await self._left.wait()
            return
        self._closed = True
        self._voice.clear()
        self._ears.close()
        if self._button is not None:
            self._button.close()
        try:
            if reason not in ("lost", "going_away", "moved"):
                await self._outgoing.flush(_GOODBYE)
            if self._leaving is not None and self.name:  # else we never were in
                async with asyncio.timeout(_GOODBYE):
                    await self._leaving(reason)
        except TimeoutError:
            log.warning("%s: leaving without the last word: it took more than %.0f s", self.name, _GOODBYE)
        finally:
            self._outgoing.close()
            self._tasks.cancel()
            if self._connection is not None:
                await self._connection.aclose()
            await self._voice.aclose()
            self._left.set()

    def _played(self) -> float:
        """Seconds of the stream that have sounded."""
        return self._voice.pushed / RATE - self._voice.queued()

    def _tell(self, fact: Fact) -> None:
        if isinstance(fact, StateChanged):
            self._state = fact.state
        self._scene.tracks = self._ears.tracks
        for convention in self._conventions:
            try:
                self._outgoing.send(convention.tell(fact, self._scene))
            except Exception:  # what is shown of a session must never end it
                if not self._failed:
                    log.exception(
                        "%s: %s can't be told as %s", self.name, type(fact).__name__, type(convention).__name__
                    )
                self._failed = True

    def put(self, item: RoomInput) -> None:
        """Something a participant did. Data may come before the news of who sent it: it waits for them a while."""
        nameless = isinstance(item, Typed | Digits) and item.participant == NAMELESS  # by the server's API
        if isinstance(item, Typed) and not item.text:
            return
        if not isinstance(item, Typed | Digits) or item.participant in self._identities:
            self._inputs.append(item)
        elif nameless and self._identities:
            self._inputs.append(replace(item, participant=next(iter(self._identities))))
        else:
            now = self.clock.now()
            self._early = [(until, early) for until, early in self._early if until > now]
            theirs = sum(early.participant == item.participant for _, early in self._early)
            if theirs < _EARLY_EACH and len(self._early) < _EARLY:
                self._early.append((now + _KNOWN_WITHIN, item))

    def _take_early(self, participant: str) -> None:
        """A human who is here now."""
        early, self._early = self._early, []
        for until, item in early:
            if self.clock.now() < until and item.participant in (NAMELESS, participant):
                self._inputs.append(replace(item, participant=participant))
            elif self.clock.now() < until:
                self._early.append((until, item))

    def _look_who_hears(self) -> None:
        """A session is attached when somebody is there and has our voice, or has had time enough to ask for it. While there is
        only a phone that rings, it waits for as long as it would for a phone on hold."""
        if self._connection is None or not self._present.keys() - self._idle_phones:
            ringing = self._connection is not None and bool(self._idle_phones)
            if self._attached or ringing != self._waits_for_phone:
                self._inputs.append(Detached(held=ringing))
                self._waits_for_phone = ringing
            if self._attached:
                self._attached = self._subscribed = False
            self._wait_until = None
        elif not self._attached:
            if self._wait_until is None:
                self._wait_until = self.clock.now() + SUBSCRIBED_WITHIN
            expects = self._rtvi.expects_client
            patience = READY_WITHIN if expects else 0.0
            if (self._subscribed and not expects) or self.clock.now() >= self._wait_until + patience:
                self._attached, self._waits_for_phone = True, False
                self._inputs.append(Attached())

    def _look_who_changed(self) -> None:
        """At most once a second: what people set, they may set as fast as they like."""
        if self._changed and self.clock.now() >= self._changes_at:
            self._changes_at = self.clock.now() + CHANGES_EVERY
            changed, self._changed = self._changed, {}
            self._inputs.extend(
                _people.joined(participant, self._spec.prompt_attributes)
                for who, participant in changed.items()
                if who in self._present
            )

    # ── what the SDK says (`RoomConnection` calls these) ─────────────────────────────────────────────────────────────────

    def participant_connected(self, participant: rtc.RemoteParticipant) -> None:
        if not _people.is_human(participant) or self._closed:
            return
        called = identity(participant.identity)
        self._identities[called] = participant.identity
        self._present[participant.identity] = self._incoming.protocol(participant) < _OLD
        self._scene.old_clients = any(self._present.values())
        if _people.is_phone(participant):
            self._phones[participant.identity] = None
        self._look_whether_idle(participant)
        self._inputs.append(_people.joined(participant, self._spec.prompt_attributes))
        self._take_early(called)
        self._ears.consider(participant)

    def participant_disconnected(self, participant: rtc.RemoteParticipant) -> None:
        if self._present.pop(participant.identity, None) is None:
            return
        self._identities.pop(identity(participant.identity), None)
        self._phones.pop(participant.identity, None)
        self._idle_phones.discard(participant.identity)
        self._scene.old_clients = any(self._present.values())
        self._ears.gone(participant.identity)
        why = participant.disconnect_reason
        reason = rtc.DisconnectReason.Name(why).lower() if why is not None else ""
        self._inputs.append(Left(participant.identity, reason))

    def attributes_changed(self, participant: rtc.Participant) -> None:
        if not isinstance(participant, rtc.RemoteParticipant) or participant.identity not in self._present:
            return
        self._changed[participant.identity] = participant
        self._look_whether_idle(participant)

    def _look_whether_idle(self, participant: rtc.RemoteParticipant) -> None:
        if _people.is_idle_phone(participant):
            self._idle_phones.add(participant.identity)
        else:
            self._idle_phones.discard(participant.identity)

    def tracks_changed(self, participant: rtc.Participant) -> None:
        if isinstance(participant, rtc.RemoteParticipant) and participant.identity in self._present:
            self._ears.consider(participant)

    def track_subscribed(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        if participant.identity in self._present:
            self._ears.subscribed(track, publication, participant)

    def voice_subscribed(self) -> None:
        self._subscribed = True

    def voice_republished(self, publication: rtc.LocalTrackPublication) -> None:
        self._scene.track = publication.sid

    def data_received(self, packet: rtc.DataPacket, identity: str) -> None:
        self._incoming.data(packet, identity)

    def admits(self, topic: str, identity: str) -> bool:
        return self._incoming.admits(topic, identity)

    async def statistics(self) -> tuple[list[Any], list[Any]]:
        """Of the connection, as the SDK tells them: of the publishing and the subscribing side. RuntimeError: there is none."""
        if self._connection is None:
            raise RuntimeError("the room is not connected")
        found = await self._connection.room.get_rtc_stats()
        return found.publisher_stats, found.subscriber_stats

    def dtmf_received(self, dtmf: rtc.SipDTMF, identity: str) -> None:
        self._incoming.dtmf(dtmf, identity)

    def text_stream(self, reader: rtc.TextStreamReader, identity: str) -> None:
        self._tasks.spawn(self._incoming.chat(reader, identity))

    def agent_session(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        self._tasks.spawn(self._incoming.agent_session(reader, identity))

    def early_sound(self, reader: rtc.ByteStreamReader, identity: str) -> None:
        self._tasks.spawn(self._incoming.early_sound(reader, identity))

    def wavering(self, wavering: bool) -> None:
        """The SDK has lost the server and tries to resume, which takes it long; we are quicker to come in anew."""
        self._give_up_at = self.clock.now() + RESUMED_WITHIN if wavering else None
        if not wavering:
            self._tell(StateChanged(self._state))  # it may have been lost

    def disconnected(self, reason: int) -> None:
        """The server, or the network, has put us out."""
        if self._closed or self._connection is None:
            return
        name = rtc.DisconnectReason.Name(reason)  # type: ignore[arg-type]
        self._voice.clear()
        connection, self._connection = self._connection, None
        self._give_up_at = None
        self._tasks.spawn(connection.aclose())
        self._outgoing.renew(None)
        if name == "DUPLICATE_IDENTITY":
            log.warning("%s: another agent with our identity came in; this one falls silent", self.name)
            self._ears.close()
            self._tasks.spawn(self._look_who_has_our_place())
        elif name in ("ROOM_DELETED", "ROOM_CLOSED", "PARTICIPANT_REMOVED"):
            log.info("%s: the room is over (%s)", self.name, name.lower())
            self._inputs.append(HungUp("room_closed"))
        else:
            log.warning("%s: LiveKit was lost (%s); trying to come back", self.name, name.lower())
            self._ears.close()
            self._tasks.spawn(self._come_back())

    async def _look_who_has_our_place(self) -> None:
        """Another agent: the session goes on there. Anybody else who came in under our name is put out by our coming back."""
        if self._imitated is not None and self._imitations < _IMITATIONS and await self._imitated():
            self._imitations += 1
            log.warning("%s: it is no agent who came in under the agent's identity; coming back", self.name)
            await self._come_back()
        else:
            self._inputs.append(HungUp("room_closed"))

    async def _come_back(self) -> None:
        """Rejoin until it works; meanwhile the session is detached, and ends by itself when that takes too long."""
        was = set(self._present)
        self._present.clear()
        self._identities.clear()
        self._phones.clear()
        self._idle_phones.clear()
        delays, said = Backoff(0.2, 2.0), False
        while not self._closed:
            await asyncio.sleep(next(delays))
            if self._renew is not None:
                self._token = self._renew()
            try:
                await self._enter(5.0)
            except LiveKitError as error:
                if not said:
                    log.warning("%s", error)
                said = True
                continue
            log.info("%s: back in the room", self.name)
            break
        for who in was - self._present.keys():
            self._inputs.append(Left(who, "gone"))
