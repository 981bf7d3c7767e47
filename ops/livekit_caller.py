"""A person in a LiveKit room: speaks in real time through LiveKit's own client, and hears what the agent's track brings.

The same interface as `ops.caller.Caller`. What is heard comes from the room; who said what, and how each turn ended, is read from
the session's log, in the words of docs/websocket.md.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from datetime import timedelta

import numpy as np
from livekit import api, rtc

from gateway.messages import Narrator
from gateway.rooms.livekit._names import SESSION_ATTRIBUTE
from gateway.rooms.livekit.access import Access
from ops.caller import FRAME, Caller, CallError, Message, Pcm, Sounded
from schemas.audio import HEARING_RATE
from schemas.bus import Bus
from schemas.events import EndRequested, PlaybackStarted, SessionEnded

_AGENT_WITHIN = 20.0  # seconds
_READ_EVERY = 0.05  # seconds
_SOUND = 100
"""Amplitude (of 32768) from which a frame is sound: a track that says nothing brings silence all the time."""
_TAIL = 0.2  # seconds kept after the last sound
_HEARD_MS = 20


class LiveKitCaller(Caller):
    """`room`: a new one gets the agent by dispatch; `bus`: the deployment's log, started."""

    def __init__(
        self,
        access: Access,
        bus: Bus,
        *,
        room: str = "",
        participant: str = "caller",
        rate: int = 24_000,
        on_message: Callable[[Message], None] | None = None,
    ):
        super().__init__(access.url, participant=participant, rate=rate, on_message=on_message)
        self.room_name = room or f"room-{secrets.token_hex(4)}"
        self._access, self._bus = access, bus
        self._room = rtc.Room()
        self._microphone_source = rtc.AudioSource(HEARING_RATE, 1, queue_size_ms=100)
        self._came = asyncio.Event()
        self._lost = False
        self._last_sound = 0.0

    async def connect(self, url: str | None = None) -> bool:
        """Join, and wait until the agent is there. CallError: it can't be reached, or no agent came."""
        grants = api.VideoGrants(room_join=True, room=self.room_name)
        token = api.AccessToken(self._access.api_key, self._access.api_secret).with_identity(self.participant)
        room = self._room
        room.on("participant_connected", self._look)
        room.on("participant_attributes_changed", lambda changed, participant: self._changed(participant))
        room.on("track_subscribed", lambda track, publication, participant: self._hear(track, participant))
        room.on("disconnected", lambda reason: self._hung_up())
        try:
            await room.connect(url or self.url, token.with_grants(grants).with_ttl(timedelta(minutes=10)).to_jwt())
        except rtc.ConnectError as error:
            raise CallError(f"{self.url}: no LiveKit room can be joined there ({error.message[:200]})") from None
        track = rtc.LocalAudioTrack.create_audio_track("microphone", self._microphone_source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await room.local_participant.publish_track(track, options)
        self._tasks.append(asyncio.create_task(self._microphone()))
        for participant in list(room.remote_participants.values()):
            self._look(participant)
        try:
            await asyncio.wait_for(self._came.wait(), _AGENT_WITHIN)
        except TimeoutError:
            await self.aclose()
            raise CallError(
                f"{self.url}: room {self.room_name} got no agent within {_AGENT_WITHIN:.0f} s; is a gateway registered "
                "there (its log says so), and LIVEKIT_AGENT_NAME empty?"
            ) from None
        self._tasks.append(asyncio.create_task(self._read_log()))
        return False

    async def drop(self) -> None:
        """Leave without a word."""
        await self._stop_tasks()
        await self._room.disconnect()

    async def send(self, message: Message) -> None:
        """{"type": "message", "text": …} is typed into the room's chat."""
        if message.get("type") != "message":
            raise CallError(f"a LiveKit room has no {message.get('type')!r}; only `message` can be sent")
        await self._room.local_participant.send_text(message["text"], topic="lk.chat")

    async def hang_up(self) -> None:
        """End the session, and leave: a room whose last human just leaves is kept for a while."""
        if self.session and not self.ended.is_set():
            with contextlib.suppress(Exception):
                await self._bus.post(self.session, secrets.token_hex(8), EndRequested(reason="hang_up"))
                await asyncio.wait_for(self.ended.wait(), 5)
        await self.aclose()

    async def aclose(self) -> None:
        await self._stop_tasks()
        await self._room.disconnect()
        await self._microphone_source.aclose()

    @property
    def connected(self) -> bool:
        return not self._gone and not self.ended.is_set()

    @property
    def _gone(self) -> bool:
        return self._lost

    async def _transmit(self, frame: Pcm) -> None:
        with contextlib.suppress(Exception):  # the source is closed while we leave
            await self._microphone_source.capture_frame(rtc.AudioFrame(frame.tobytes(), HEARING_RATE, 1, FRAME))

    # ── the agent ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _look(self, participant: rtc.RemoteParticipant) -> None:
        if participant.kind != rtc.ParticipantKind.PARTICIPANT_KIND_AGENT:
            return
        if session := participant.attributes.get(SESSION_ATTRIBUTE, ""):
            self.session = self.session or session
            self._came.set()

    def _changed(self, participant: rtc.Participant) -> None:
        if isinstance(participant, rtc.RemoteParticipant):
            self._look(participant)
            if state := participant.attributes.get("lk.agent.state", ""):
                self._note({"type": "state", "state": state})

    def _hear(self, track: rtc.Track, participant: rtc.RemoteParticipant) -> None:
        if participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT and isinstance(track, rtc.RemoteAudioTrack):
            self._tasks.append(asyncio.create_task(self._listen_to(track)))

    async def _listen_to(self, track: rtc.RemoteAudioTrack) -> None:
        stream = rtc.AudioStream(track, sample_rate=self.rate, num_channels=1, frame_size_ms=_HEARD_MS)
        try:
            async for event in stream:
                now = time.monotonic()
                pcm = np.frombuffer(event.frame.data, np.int16)
                if np.abs(pcm.astype(np.int32)).max(initial=0) >= _SOUND:
                    self._last_sound = now
                elif now - self._last_sound > _TAIL:
                    continue
                start = max(now, self._playout_end)
                self.heard.append(Sounded(start, pcm))
                self._playout_end = start + len(pcm) / self.rate
                await self._tell()
        finally:
            await stream.aclose()

    def _hung_up(self) -> None:
        self._lost = True

    # ── the log ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _read_log(self) -> None:
        narrator, seen = Narrator(), 0
        while not self.ended.is_set():
            for event in await self._bus.read(self.session, seen):
                seen = event.seq
                for message in narrator.messages(event):
                    self._note(message)
                if isinstance(event, PlaybackStarted) and event.turn is not None:
                    self._note(narrator.sentence(event.turn, event.generation or 0, event.index, spoken=True))
                if isinstance(event, SessionEnded):
                    self._note({"type": "ended", "reason": event.reason})
                    self.ended.set()
                await self._tell()
            await asyncio.sleep(_READ_EVERY)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()
