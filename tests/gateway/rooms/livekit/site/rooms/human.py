"""A human in a LiveKit room, by LiveKit's own client library: speaks tones, and remembers all they hear, see and read."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from livekit import rtc
from livekit.protocol.agent_pb import agent_session as pb

RATE = 16_000
LOUD = 700
"""Amplitude above which the agent's track sounds."""


@dataclass
class Text:
    """A text stream as it was read. `chunks` with the time each came."""

    sender: str
    attributes: dict[str, str]
    chunks: list[tuple[float, str]] = field(default_factory=list)
    done: bool = False

    @property
    def text(self) -> str:
        return "".join(chunk for _, chunk in self.chunks)

    @property
    def segment(self) -> str:
        return self.attributes["lk.segment_id"]

    @property
    def final(self) -> bool:
        return self.attributes.get("lk.transcription_final") == "true"


class Human:
    def __init__(self, identity: str):
        self.identity = identity
        self.room = rtc.Room()
        self.texts: list[Text] = []
        self.packets: list[tuple[float, str, Any]] = []  # when, topic, JSON
        self.old: list[tuple[str, rtc.TranscriptionSegment]] = []
        self.states: list[str] = []
        self.session: list[pb.AgentSessionMessage] = []
        self.heard: list[tuple[float, int]] = []  # when, loudness of 10 ms
        self.agents_tracks: list[rtc.RemoteTrackPublication] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._source = rtc.AudioSource(RATE, 1, 200)
        self._speaking: asyncio.Task[None] | None = None

    async def join(self, url: str, token: str, *, microphone: bool = True) -> None:
        room = self.room
        room.on("track_subscribed", self._subscribed)
        room.on("data_received", self._data)
        room.on("transcription_received", self._transcribed)
        room.on("participant_attributes_changed", self._attributes)
        room.register_text_stream_handler("lk.transcription", self._text)
        room.register_byte_stream_handler("lk.agent.session", self._session)
        await room.connect(url, token)
        if microphone:
            await self.publish()

    async def publish(
        self, source: rtc.AudioSource | None = None, kind: Any = rtc.TrackSource.SOURCE_MICROPHONE
    ) -> rtc.LocalTrackPublication:
        track = rtc.LocalAudioTrack.create_audio_track("voice", source or self._source)
        return await self.room.local_participant.publish_track(track, rtc.TrackPublishOptions(source=kind))

    async def leave(self) -> None:
        await self.room.disconnect()  # first: until then new tracks may come, and be listened to
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # ── to the agent ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def speak(self, seconds: float, source: rtc.AudioSource | None = None, loudness: int = 6000) -> None:
        """A tone, in real time; then half a second of silence."""
        source = source or self._source
        rate, channels = source.sample_rate, source.num_channels
        step = rate // 50
        for count in range(int(seconds * 50)):
            wave = loudness * np.sin(2 * np.pi * 440 * (np.arange(step) + count * step) / rate)
            await source.capture_frame(_frame(np.repeat(wave, channels), rate, channels))
        for _ in range(25):
            await source.capture_frame(_frame(np.zeros(step * channels), rate, channels))

    async def write(self, text: str) -> None:
        await self.room.local_participant.send_text(text, topic="lk.chat")

    async def send(self, message: Any, topic: str = "") -> None:
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        await self.room.local_participant.publish_data(data, topic=topic)

    async def ask_session(self, message: pb.AgentSessionMessage) -> None:
        await self.room.local_participant.send_bytes(message.SerializeToString(), topic="lk.agent.session")

    # ── from the agent ───────────────────────────────────────────────────────────────────────────────────────────────

    def _subscribed(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        if participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT:
            self.agents_tracks.append(publication)
            self._tasks.append(asyncio.create_task(self._listen(track)))

    async def _listen(self, track: rtc.Track) -> None:
        stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=10)
        try:
            async for event in stream:
                loudness = int(np.abs(np.frombuffer(event.frame.data, np.int16).astype(np.int32)).max())
                self.heard.append((time.monotonic(), loudness))
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                await stream.aclose()

    def _data(self, packet: rtc.DataPacket) -> None:
        self.packets.append((time.monotonic(), packet.topic or "", json.loads(packet.data)))

    def _transcribed(self, segments: list[rtc.TranscriptionSegment], participant: rtc.Participant | None) -> None:
        for segment in segments:
            self.old.append((participant.identity if participant else "", segment))

    def _attributes(self, changed: dict[str, str], participant: rtc.Participant) -> None:
        if "lk.agent.state" in changed:
            self.states.append(changed["lk.agent.state"])

    def _text(self, reader: rtc.TextStreamReader, sender: str) -> None:
        text = Text(sender, reader.info.attributes or {})
        self.texts.append(text)
        self._tasks.append(asyncio.create_task(self._read(reader, text)))

    async def _read(self, reader: rtc.TextStreamReader, text: Text) -> None:
        async for chunk in reader:
            text.chunks.append((time.monotonic(), chunk))
        text.attributes |= reader.info.attributes or {}
        text.done = True

    def _session(self, reader: rtc.ByteStreamReader, sender: str) -> None:
        self._tasks.append(asyncio.create_task(self._read_session(reader)))

    async def _read_session(self, reader: rtc.ByteStreamReader) -> None:
        self.session.append(pb.AgentSessionMessage.FromString(b"".join([chunk async for chunk in reader])))

    # ── what came ────────────────────────────────────────────────────────────────────────────────────────────────────

    def told(self, topic: str, kind: str | None = None) -> list[Any]:
        """JSON packets of a topic, in order."""
        return [m for _, where, m in self.packets if where == topic and (kind is None or m.get("type") == kind)]

    def spoken_by(self, identity: str) -> list[Text]:
        return [text for text in self.texts if text.sender == identity]

    def sounding(self, after: float = 0.0) -> list[float]:
        """When the agent's track sounded."""
        return [when for when, loudness in self.heard if loudness > LOUD and when > after]

    async def until(self, come: Callable[[], Any], what: str, seconds: float = 8.0) -> Any:
        for _ in range(int(seconds / 0.02)):
            if result := come():
                return result
            await asyncio.sleep(0.02)
        raise AssertionError(f"{self.identity} waited {seconds:.0f} s for {what}; {self._all()}")

    def _all(self) -> str:
        texts = [(text.sender, text.text, text.attributes) for text in self.texts]
        return f"texts {texts}, states {self.states}, packets {[m for _, _, m in self.packets][-10:]}"


def _frame(wave: Any, rate: int, channels: int) -> rtc.AudioFrame:
    data = wave.astype(np.int16).tobytes()
    return rtc.AudioFrame(data, rate, channels, len(data) // 2 // channels)
