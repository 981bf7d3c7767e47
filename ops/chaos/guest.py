"""Somebody who converses in a LiveKit room while its gateways are killed, and remembers what sounded, by which track and when."""

import asyncio
import random
import time
from collections.abc import Sequence
from typing import Final

import numpy as np
from livekit import rtc

from gateway.rooms.livekit.names import SESSION_ATTRIBUTE
from ops.chaos.sounds import Sounds, Window
from ops.people.livekit_caller import CallerBus, LiveKitCaller
from schemas.access.livekit import Access
from schemas.audio import Pcm
from schemas.client import SentenceMessage, ToClient, TurnMessage, TypedMessage

_RATE: Final = 16_000
_WINDOW_MS = 100
_LOUD = 300
"""Amplitude above which the agent sounds; its tones have 2000."""
_PATIENCE = 25.0  # seconds for a turn to end
_JUST_NOW = 0.3  # seconds


class Guest(LiveKitCaller):
    """`converse` until `stop`."""

    def __init__(self, access: Access, bus: CallerBus, name: str, lines: Sequence[Pcm], seed: int):
        super().__init__(access, bus, participant=name, rate=_RATE, on_message=self._told_of)
        self.sounds = Sounds()
        self.sessions: set[str] = set()
        """Every session an agent in this room said it was of."""
        self.turns = 0
        self._lines = lines
        self._random = random.Random(seed)
        self._stopping = False

    async def converse(self) -> None:
        """Say or type something, wait until its turn has ended, and so on."""
        while not self._stopping and not self.ended.is_set():
            began = time.monotonic()
            if self._random.random() < 0.3:
                await self.speak(self._random.choice(self._lines))
            else:
                await self.send(TypedMessage(type="message", text=f"number {self._random.randint(1, 999)} please"))
            ended = await self.wait_for(TurnMessage, _PATIENCE, began)
            self.turns += ended is not None
            await asyncio.sleep(self._random.uniform(0.1, 0.5))

    def stop(self) -> None:
        self._stopping = True

    @property
    def speaking_since(self) -> float | None:
        """When the reply that sounds just now began; None while none does."""
        begins, windows = self.sounds.begins, self.sounds.windows
        if not begins or not windows or time.monotonic() - windows[-1].when > _JUST_NOW:
            return None
        return begins[-1][0]

    def _told_of(self, message: ToClient) -> None:
        if isinstance(message, SentenceMessage) and message.index == 0:
            self.sounds.begins.append((time.monotonic(), message.turn))

    def _look(self, participant: rtc.RemoteParticipant) -> None:
        super()._look(participant)
        if participant.kind == rtc.ParticipantKind.PARTICIPANT_KIND_AGENT:
            self.sessions |= {participant.attributes.get(SESSION_ATTRIBUTE, "")} - {""}

    async def _listen_to(self, track: rtc.RemoteAudioTrack) -> None:
        stream = rtc.AudioStream(track, sample_rate=_RATE, num_channels=1, frame_size_ms=_WINDOW_MS)
        try:
            async for event in stream:
                pcm = np.frombuffer(event.frame.data, np.int16)
                if int(np.abs(pcm.astype(np.int32)).max(initial=0)) > _LOUD:
                    pitch = 50 * round(int(np.argmax(np.abs(np.fft.rfft(pcm)))) * _RATE / len(pcm) / 50)
                    self.sounds.windows.append(Window(time.monotonic(), pitch, track.sid))
        finally:
            await stream.aclose()
