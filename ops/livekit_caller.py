"""A person at the other end of a LiveKit room, by LiveKit's own client library; what `Caller` is for a WebSocket room.

Speaks in real time, hears in real time, remembers both. The agent comes by dispatch, as to anybody.
"""

import asyncio
import contextlib
import json
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from livekit import api, rtc

from ops.caller import CallError, Message, Pcm, Sounded
from ops.stack import Stack
from schemas.audio import HEARING_RATE
from schemas.settings import load

FRAME = HEARING_RATE // 50
_AHEAD = 0.06
"""Seconds the microphone's queue is kept filled: its sound leaves by the SDK's own 10 ms clock, not by ours."""
SILENCE = 12
"""Amplitude up to which the agent's track is silent (a codec's zeros)."""
RATE = 24_000
SESSION = "antiphon.session"
_AGENT_WITHIN = 15.0


class LiveKitCaller:
    """`room`: whose; "" is a new one. `session`: the agent's session in the log, once it is there.

    Messages are those of a WebSocket client as far as a room tells them: `sentence` and `turn` of the agent's replies.
    """

    def __init__(self, url: str, key: str, secret: str, *, room: str = "", participant: str = "caller"):
        self.url, self.participant, self.rate = url, participant, RATE
        self.room_name = room or f"bench-{secrets.token_hex(4)}"
        self.session = ""
        self.messages: list[tuple[float, Message]] = []
        self.heard: list[Sounded] = []
        self.microphone_began = 0.0
        self._token = (
            api.AccessToken(key, secret)
            .with_identity(participant)
            .with_grants(api.VideoGrants(room_join=True, room=self.room_name))
            .to_jwt()
        )
        self._room = rtc.Room()
        self._source = rtc.AudioSource(HEARING_RATE, 1, 200)
        self._speech: deque[Pcm] = deque()
        self._spoken = 0  # samples
        self._last_spoken = 0.0
        self._said = asyncio.Event()
        self._agent = asyncio.Event()
        self._voice = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def connect(self) -> None:
        """Join, publish a microphone, and wait for the agent and its voice. CallError: what is missing."""
        logging.getLogger("livekit").setLevel(logging.CRITICAL)
        self._room.on("participant_connected", self._see)
        self._room.on("participant_attributes_changed", lambda changed, participant: self._see(participant))
        self._room.on("track_subscribed", self._subscribed)
        self._room.on("data_received", self._data)
        try:
            await self._room.connect(self.url, self._token)
        except rtc.ConnectError as error:
            raise CallError(
                f"{self.url}: no LiveKit server answers there as expected ({error.message[:200]})"
            ) from None
        for participant in self._room.remote_participants.values():
            self._see(participant)
        track = rtc.LocalAudioTrack.create_audio_track("microphone", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        await self._room.local_participant.publish_track(track, options)
        self._tasks.append(asyncio.create_task(self._microphone()))
        try:
            await asyncio.wait_for(asyncio.gather(self._agent.wait(), self._voice.wait()), _AGENT_WITHIN)
        except TimeoutError:
            await self.hang_up()
            raise CallError(
                f"room {self.room_name}: no agent within {_AGENT_WITHIN:.0f} s; is a gateway registered with {self.url}?"
            ) from None

    async def hang_up(self) -> None:
        for task in self._tasks:
            task.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._room.disconnect(), 5)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._source.aclose()

    # ── speaking ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def speak(self, pcm: Pcm) -> float:
        """Say `pcm` (int16 mono, 16 kHz); answers when its last sample left the microphone (monotonic seconds)."""
        self._said.clear()
        self._speech.append(pcm)
        await self._said.wait()
        if (wait := self._last_spoken - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        return self._last_spoken

    async def _microphone(self) -> None:
        began = time.monotonic()
        self.microphone_began = began + _AHEAD  # the first sample leaves when the queue is filled
        while True:
            frame, speaking = self._next_frame()
            data = rtc.AudioFrame(frame.tobytes(), HEARING_RATE, 1, FRAME)
            await self._source.capture_frame(data)
            self._spoken += FRAME
            if speaking and not self._speech:
                self._said.set()
            if (wait := self.microphone_began + self._spoken / HEARING_RATE - _AHEAD - time.monotonic()) > 0:
                await asyncio.sleep(wait)

    def _next_frame(self) -> tuple[Pcm, bool]:
        if not self._speech:
            return _SILENT, False
        speech = self._speech.popleft()
        if len(speech) > FRAME:
            self._speech.appendleft(speech[FRAME:])
            return speech[:FRAME], True
        self._last_spoken = self.microphone_began + (self._spoken + len(speech)) / HEARING_RATE
        return np.concatenate((speech, _SILENT[len(speech) :])), True

    # ── hearing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _see(self, participant: rtc.Participant) -> None:
        if participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT and participant.attributes.get(SESSION):
            self.session = participant.attributes[SESSION]
            self._agent.set()

    def _subscribed(self, track: rtc.Track, _: object, participant: rtc.RemoteParticipant) -> None:
        if participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT:
            self._tasks.append(asyncio.create_task(self._listen(track)))
            self._voice.set()

    async def _listen(self, track: rtc.Track) -> None:
        async for event in rtc.AudioStream(track, sample_rate=RATE, num_channels=1, frame_size_ms=10):
            pcm = np.frombuffer(event.frame.data, np.int16)
            if int(np.abs(pcm.astype(np.int32)).max()) > SILENCE:
                self.heard.append(Sounded(time.monotonic(), pcm))

    def _data(self, packet: rtc.DataPacket) -> None:
        if packet.topic not in ("antiphon.words", "transcripts"):
            return
        told = json.loads(packet.data)
        turn = str(told.get("segment_id", "")).rpartition("-agent-")[2]
        if not turn.isdigit():
            return
        if told["type"] == "words":
            self._note({"type": "sentence", "turn": int(turn), "text": told["text"]})
        elif told["type"] == "transcript":
            self._note({"type": "turn", "turn": int(turn), "how": "played", "heard": told["text"]})

    def _note(self, message: Message) -> None:
        self.messages.append((time.monotonic(), message))

    async def wait_for(
        self, condition: Callable[[Message], bool] | str, timeout: float, since: float = 0.0
    ) -> Message | None:
        """The first message after `since` (monotonic s) that fits a type or a condition; None after `timeout` s."""
        fits: Callable[[Any], bool] = condition if callable(condition) else lambda message: message["type"] == condition
        end = time.monotonic() + timeout
        while True:
            for when, message in self.messages:
                if when >= since and fits(message):
                    return message
            if time.monotonic() >= end:
                return None
            await asyncio.sleep(0.01)

    def first_sound_after(self, moment: float) -> float | None:
        """When the agent's track first sounded after `moment`."""
        return next((sound.start for sound in self.heard if sound.start >= moment), None)

    @property
    def silent_at(self) -> float:
        """When what was heard so far ended."""
        return self.heard[-1].start + 0.01 if self.heard else 0.0


_SILENT = np.zeros(FRAME, np.int16)


def livekit_of(stack: Stack) -> tuple[str, str, str]:
    """URL, key and secret of the LiveKit server a stack works with: its own, or the one LIVEKIT_URL names."""
    if stack.livekit is not None:
        return stack.livekit.url, stack.livekit.api_key, stack.livekit.api_secret
    settings = load()
    return settings.livekit_url, settings.livekit_api_key, settings.livekit_api_secret.get_secret_value()
