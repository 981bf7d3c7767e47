"""A person in a LiveKit room: speaks in real time through LiveKit's own client, and hears what the agent's track brings.

What is heard comes from the room. Who said what and how each turn ended is read from
the session's log, in the words of docs/websocket.md; without a log the agent's sentences and turns are taken from what the room
tells.
"""

import asyncio
import contextlib
import json
import logging
import secrets
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol, get_args

import numpy as np
from livekit import api, rtc

from gateway.rooms.livekit.names import SESSION_ATTRIBUTE
from gateway.sessions.messages import Narrator
from gateway.sound.playout import Playout
from ops.people.person import FRAME, CallError, Person, Sounded
from schemas.access.livekit import Access
from schemas.audio import HEARING_RATE, Pcm
from schemas.bus import Posting, Reading
from schemas.client import (
    Activity,
    EndedMessage,
    FromClient,
    Rate,
    SentenceMessage,
    StateMessage,
    ToClient,
    TurnMessage,
    TypedMessage,
)
from schemas.events import EndRequested, PlaybackStarted, SessionEnded
from schemas.process.clock import MonotonicClock

_AGENT_WITHIN = 20.0  # seconds
_READ_EVERY = 0.05  # seconds
_AHEAD = 0.06
"""Seconds the microphone's queue is kept filled: its sound leaves by the SDK's own 10 ms clock, not by ours."""
_QUEUE_MS = 200
_SPARE = 0.03
"""Seconds beyond `_AHEAD` in that queue (it ran dry, and everything after is later) from which silence is left out."""
SILENCE = 12
"""Amplitude up to which the agent's track is silent (a codec's zeros)."""
_HEARD_MS = 10
_BEAT = 1.001 * _HEARD_MS / 1e3
"""Seconds from frame to frame at the most: they come by the SDK's own clock, silent ones too, and when this process was too
busy to see one of them at once, it sounded all the same."""
_STALLED = 0.3
"""Seconds a frame is late from which the clock itself must have stood."""
_LEAVE_WITHIN = 5.0  # seconds


class CallerBus(Reading, Posting, Protocol):
    """What became of a session is read, its end asked for."""


class LiveKitCaller(Person):
    """`room`: a new one gets the agent by dispatch; `bus`: the deployment's log, started, which also lets `hang_up` end the
    session."""

    def __init__(
        self,
        access: Access,
        bus: CallerBus | None = None,
        *,
        room: str = "",
        participant: str = "caller",
        rate: Rate = 24_000,
        on_message: Callable[[ToClient], None] | None = None,
    ):
        super().__init__(participant, rate, on_message)
        self.url = access.url
        self.room_name = room or f"room-{secrets.token_hex(4)}"
        self._access, self._bus = access, bus
        self._room = rtc.Room()
        self._source = rtc.AudioSource(HEARING_RATE, 1, _QUEUE_MS)
        self._leaving = Playout(MonotonicClock(), HEARING_RATE)
        self._ears: dict[str, asyncio.Task[None]] = {}
        self._agent = asyncio.Event()
        self._voice = asyncio.Event()
        self._lost = False

    async def connect(self, url: str | None = None) -> bool:
        """Join, and wait until the agent is there. CallError: it can't be reached, or no agent came."""
        grants = api.VideoGrants(room_join=True, room=self.room_name)
        token = api.AccessToken(self._access.api_key, self._access.api_secret).with_identity(self.participant)
        logging.getLogger("livekit").setLevel(logging.CRITICAL)
        room = self._room
        room.on("participant_connected", self._look)
        room.on("participant_attributes_changed", lambda changed, participant: self._changed(participant))
        room.on("track_subscribed", lambda track, publication, participant: self._hear(track, participant))
        room.on("track_unsubscribed", lambda track, publication, participant: self._cease(track.sid))
        room.on("disconnected", lambda reason: self._hung_up())
        if self._bus is None:
            room.on("data_received", self._told)
        try:
            await room.connect(url or self.url, token.with_grants(grants).with_ttl(timedelta(minutes=10)).to_jwt())
        except rtc.ConnectError as error:
            raise CallError(f"{self.url}: no LiveKit room can be joined there ({error.message[:200]})") from None
        track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await room.local_participant.publish_track(track, options)
        self._tasks.append(asyncio.create_task(self._microphone()))
        for participant in list(room.remote_participants.values()):
            self._look(participant)
        try:
            async with asyncio.timeout(_AGENT_WITHIN):
                await asyncio.gather(self._agent.wait(), self._voice.wait())
        except TimeoutError:
            await self.aclose()
            raise CallError(
                f"{self.url}: room {self.room_name} got no agent within {_AGENT_WITHIN:.0f} s; is a gateway registered "
                "there (its log says so), and LIVEKIT_AGENT_NAME empty?"
            ) from None
        if self._bus is not None:
            self._tasks.append(asyncio.create_task(self._read_log(self._bus)))
        return False

    async def drop(self) -> None:
        """Leave without a word."""
        await self._stop_tasks()
        await self._room.disconnect()

    async def send(self, message: FromClient) -> None:
        """What is typed goes into the room's chat."""
        if not isinstance(message, TypedMessage):
            raise CallError(f"a LiveKit room has no {message.type!r}; only `message` can be sent")
        await self._room.local_participant.send_text(message.text, topic="lk.chat")

    async def hang_up(self) -> None:
        """Leave; with a log, end the session first: one whose last human just leaves is kept for a while."""
        if self._bus is not None and self.session and not self.ended.is_set():
            with contextlib.suppress(Exception):
                await self._bus.post(self.session, secrets.token_hex(8), EndRequested(reason="hang_up"))
                async with asyncio.timeout(5):
                    await self.ended.wait()
        await self.aclose()

    async def aclose(self) -> None:
        await self._stop_tasks()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_WITHIN):
                await self._room.disconnect()
        await self._source.aclose()

    @property
    def connected(self) -> bool:
        return not self._gone and not self.ended.is_set()

    @property
    def _gone(self) -> bool:
        return self._lost

    # ── speaking ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def speak(self, pcm: Pcm) -> float:
        """Say `pcm` (int16 mono, 16 kHz); answers when its last sample left the microphone's queue (monotonic seconds)."""
        spoken = await super().speak(pcm)
        if (wait := spoken - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        return spoken

    async def _microphone(self) -> None:
        """Frames on an absolute schedule, a little ahead of their time, so that the SDK never runs out of them.

        A sample is spoken when it leaves the queue, not when it is put there.
        """
        self.microphone_began = time.monotonic()
        while not self._lost:
            frame, speaking = self._next_frame()
            self.spoken.append(frame)
            if speaking or self._leaving.queued() < _AHEAD + _SPARE:
                self._leaving.push(FRAME)
                await self._source.capture_frame(rtc.AudioFrame(frame.tobytes(), HEARING_RATE, 1, FRAME))
            if speaking and not self._speech:
                planned = self.microphone_began + len(self.spoken) * FRAME / HEARING_RATE
                self._last_spoken += time.monotonic() + self._leaving.queued() - planned
                self._said.set()
            due = self.microphone_began + len(self.spoken) * FRAME / HEARING_RATE - _AHEAD
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)

    # ── the agent ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _look(self, participant: rtc.RemoteParticipant) -> None:
        if participant.kind != rtc.ParticipantKind.PARTICIPANT_KIND_AGENT:
            return
        if session := participant.attributes.get(SESSION_ATTRIBUTE, ""):
            self.session = self.session or session
            self._agent.set()

    def _changed(self, participant: rtc.Participant) -> None:
        if isinstance(participant, rtc.RemoteParticipant):
            self._look(participant)
            state = participant.attributes.get("lk.agent.state", "")
            if state in get_args(Activity):  # others know more
                self._note(StateMessage.model_validate({"state": state}))

    def _speaks_for_agent(self, participant: rtc.RemoteParticipant) -> bool:
        return participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT

    def _hear(self, track: rtc.Track, participant: rtc.RemoteParticipant) -> None:
        if self._speaks_for_agent(participant) and isinstance(track, rtc.RemoteAudioTrack):
            self._ears[track.sid] = asyncio.create_task(self._listen_to(track))
            self._tasks.append(self._ears[track.sid])
            self._voice.set()

    def _cease(self, sid: str) -> None:
        """WebRTC may bring the next track by the way of this one: who still listened here would hear both."""
        if (ear := self._ears.pop(sid, None)) is not None:
            ear.cancel()

    async def _listen_to(self, track: rtc.RemoteAudioTrack) -> None:
        stream = rtc.AudioStream(track, sample_rate=self.rate, num_channels=1, frame_size_ms=_HEARD_MS)
        start = 0.0
        try:
            async for event in stream:
                now = time.monotonic()
                start = min(now, start + _BEAT) if now - start < _STALLED else now
                pcm = np.frombuffer(event.frame.data, np.int16)
                if int(np.abs(pcm.astype(np.int32)).max(initial=0)) > SILENCE:
                    self.heard.append(Sounded(start, pcm))
                    self._playout_end = start + len(pcm) / self.rate
                    await self._tell()
        finally:
            await stream.aclose()

    def _hung_up(self) -> None:
        self._lost = True

    def _told(self, packet: rtc.DataPacket) -> None:
        """The agent's sentences and replies, as the room tells them to simple front ends."""
        if packet.topic not in ("antiphon.words", "transcripts"):
            return
        told = json.loads(packet.data)
        turn = str(told.get("segment_id", "")).rpartition("-agent-")[2]
        if turn.isdigit() and told["type"] == "words":
            index = sum(isinstance(one, SentenceMessage) and one.turn == int(turn) for _, one in self.messages)
            self._note(SentenceMessage(turn=int(turn), index=index, text=told["text"], spoken=True))
        elif turn.isdigit() and told["type"] == "transcript":
            self._note(TurnMessage(turn=int(turn), how="played", reason="", heard=told["text"]))

    # ── the log ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _read_log(self, bus: Reading) -> None:
        narrator, seen = Narrator(), 0
        while not self.ended.is_set():
            for event in await bus.read(self.session, seen):
                seen = event.seq
                for message in narrator.messages(event):
                    self._note(message)
                if isinstance(event, PlaybackStarted) and event.turn is not None:
                    for message in narrator.sentence(event.turn, event.generation or 0, event.index):
                        self._note(message)
                if isinstance(event, SessionEnded):
                    self._note(EndedMessage(reason=event.reason))
                    self.ended.set()
                await self._tell()
            await asyncio.sleep(_READ_EVERY)
