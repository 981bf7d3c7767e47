"""The agent's voice: one published track, fed a little ahead of the ear."""

import asyncio
import logging
from collections import deque

import numpy as np
from livekit import rtc

from gateway.rooms.livekit._sdk import media
from gateway.sound.playout import Playout
from schemas.audio import Pcm
from schemas.clock import Clock

log = logging.getLogger("antiphon.gateway.livekit")

RATE = 24_000
"""Hz of what is published; WebRTC makes 48 kHz of it."""
_STEP = RATE // 100  # samples: the track is read 10 ms at a time; less than that would stay in its queue
_DEEP = 0.12
"""Seconds in the track's queue beyond which further sound may wait and go in one piece: each piece costs."""
_PIECE = 0.1
_LAST = 0.03
"""Seconds left in the track's queue when a remainder of less than 10 ms is filled up with silence."""
_QUEUE_MS = 1000
"""What the track's queue takes; playback keeps 0.2 s in it."""


class VoiceTrack:
    """Positions are reckoned by `clock`: what was pushed sounds from that moment on, sample after sample."""

    def __init__(self, clock: Clock):
        self._loop = asyncio.get_running_loop()
        self._source = rtc.AudioSource(RATE, 1, _QUEUE_MS)
        self._playout = Playout(clock, RATE)
        self._waiting: deque[Pcm] = deque()
        self._samples = 0  # in `_waiting`
        self._busy = False
        self._clear_again = False
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self.pushed = 0
        """Samples pushed so far, less what was taken back."""

    async def publish(self, participant: rtc.LocalParticipant) -> str:
        """Publish the track (again); answers its sid."""
        track = rtc.LocalAudioTrack.create_audio_track("agent", self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)
        return (await participant.publish_track(track, options)).sid

    # ── as the room's Protocol has it ────────────────────────────────────────────────────────────────────────────────

    def push(self, pcm: Pcm) -> None:
        if self._closed or not len(pcm):
            return
        self._playout.push(len(pcm))
        self.pushed += len(pcm)
        self._waiting.append(pcm)
        self._samples += len(pcm)
        if self._timer is None and not self._busy:
            self._timer = self._loop.call_later(0, self._flush)  # everything pushed in this tick goes in one piece

    def queued(self) -> float:
        return self._playout.queued()

    def clear(self) -> float:
        dropped = self._playout.clear()
        self.pushed -= round(dropped * RATE)
        self._waiting.clear()
        self._samples = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._closed:
            self._source.clear_queue()
            self._clear_again = self._busy  # what is on its way now must not sound either
        return dropped

    async def aclose(self) -> None:
        self.clear()
        self._closed = True
        await self._source.aclose()

    # ── the flow ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _flush(self) -> None:
        """Hand what waits to the track, in as few pieces as its queue allows."""
        self._timer = None
        if self._busy or self._closed or not self._samples:
            return
        inside = self._playout.queued() - self._samples / RATE  # seconds in the track's own queue
        if inside > _DEEP and self._samples < _PIECE * RATE:
            self._timer = self._loop.call_later(inside - _DEEP + 0.005, self._flush)
            return
        whole = self._samples // _STEP * _STEP
        if not whole:
            if inside > _LAST:
                self._timer = self._loop.call_later(inside - _LAST + 0.002, self._flush)
                return
            self._fill_up()
            whole = _STEP
        self._busy = True
        media().capture(self._source, self._next(whole), RATE, self._taken)

    def _fill_up(self) -> None:
        """The last few samples of a clip, made 10 ms by silence."""
        missing = _STEP - self._samples
        self._waiting.append(np.zeros(missing, np.int16))
        self._samples += missing
        self._playout.push(missing)
        self.pushed += missing

    def _next(self, samples: int) -> Pcm:
        pieces: list[Pcm] = []
        missing = samples
        while missing:
            piece = self._waiting.popleft()
            if len(piece) > missing:
                self._waiting.appendleft(piece[missing:])
                piece = piece[:missing]
            pieces.append(piece)
            missing -= len(piece)
        self._samples -= samples
        return np.concatenate(pieces)

    def _taken(self, error: str) -> None:
        self._busy = False
        if self._closed:
            return
        if error:
            log.warning("the voice track refuses sound: %s", error)
        if self._clear_again:
            self._clear_again = False
            self._source.clear_queue()
        if self._samples and self._timer is None:
            self._flush()
