"""Somebody who converses in a LiveKit room while its gateways are killed, and remembers what sounded, by which track and when."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from livekit import rtc

from gateway.rooms.livekit._names import SESSION_ATTRIBUTE
from gateway.rooms.livekit.access import Access
from ops.caller import Message, Pcm
from ops.livekit_caller import LiveKitCaller
from schemas.bus import Bus

_RATE = 16_000
_WINDOW_MS = 100
_LOUD = 300
"""Amplitude above which the agent sounds; its tones have 2000."""
HEARD = 3
"""Windows of a tone that make it heard: fewer may be an edge between two."""
_PATIENCE = 25.0  # seconds for a turn to end
_JUST_NOW = 0.3  # seconds


@dataclass(frozen=True, slots=True)
class Window:
    """A tenth of a second in which the agent sounded. `when`: monotonic seconds; `pitch`: Hz; `track`: by which it came."""

    when: float
    pitch: int
    track: str


class Guest(LiveKitCaller):
    """`converse` until `stop`."""

    def __init__(self, access: Access, bus: Bus, name: str, lines: Sequence[Pcm], seed: int):
        super().__init__(access, bus, participant=name, rate=_RATE, on_message=self._told_of)
        self.sounded: list[Window] = []
        self.sessions: set[str] = set()
        """Every session an agent in this room said it was of."""
        self.begins: list[tuple[float, int]] = []
        """When the first sentence of a reply began to play, and of which turn."""
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
                await self.send({"type": "message", "text": f"number {self._random.randint(1, 999)} please"})
            ended = await self.wait_for(lambda message: message["type"] == "turn", _PATIENCE, began)
            self.turns += ended is not None
            await asyncio.sleep(self._random.uniform(0.1, 0.5))

    def stop(self) -> None:
        self._stopping = True

    @property
    def tracks(self) -> frozenset[str]:
        return frozenset(window.track for window in self.sounded)

    @property
    def speaking_since(self) -> float | None:
        """When the reply that sounds just now began; None while none does."""
        now = time.monotonic()
        if not self.begins or not self.sounded or now - self.sounded[-1].when > _JUST_NOW:
            return None
        return self.begins[-1][0]

    def pitches(self, after: float, until: float, *, but_by: frozenset[str] = frozenset()) -> set[int]:
        """Of what was heard in that time, by other tracks than these."""
        heard = [one for one in self.sounded if after < one.when <= until and one.track not in but_by]
        counted = Counter(one.pitch for one in heard)
        return {pitch for pitch, count in counted.items() if count >= HEARD}

    def first_by_another(self, known: frozenset[str], after: float) -> float | None:
        """When a track that is none of `known` sounded first."""
        return next((one.when for one in self.sounded if one.when > after and one.track not in known), None)

    def at_once(self) -> list[str]:
        """Where an agent's old track sounded again after its new one had."""
        found, newest = [], ""
        left: set[str] = set()
        for window in self.sounded:
            if window.track in left:
                found.append(f"{self.session}: two agents sounded: track {window.track} again after {newest}")
                left.discard(window.track)  # one line is enough
            elif window.track != newest:
                left |= {newest} - {""}
                newest = window.track
        return found

    def _told_of(self, message: Message) -> None:
        if message["type"] == "sentence" and message.get("index") == 0:
            self.begins.append((time.monotonic(), message["turn"]))

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
                    self.sounded.append(Window(time.monotonic(), pitch, track.sid))
        finally:
            await stream.aclose()
