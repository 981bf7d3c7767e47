"""Ears: one stream for every human, of the one track of theirs that is their voice.

Tracks are subscribed one by one: somebody's video, screen sound or nineteen tracks that never were their voice are not sent
to us.
"""

import logging
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from livekit import rtc

from gateway.inputs import Heard
from gateway.rooms.livekit._sdk import PRECONNECT, media
from schemas.audio import Pcm
from schemas.clock import Clock

log = logging.getLogger("antiphon.gateway.livekit")

PATIENCE = 2.0
"""Seconds for which live sound waits for that captured before the join."""
_VOICES = (rtc.TrackSource.SOURCE_MICROPHONE, rtc.TrackSource.SOURCE_UNKNOWN)
_BEFORE = 8  # people whose early sound may come before the news of them
_ASK_AGAIN = 1.0
"""Seconds after which a track is asked for again: while the SDK resumes a connection it drops such requests."""
_MISSED = 5.0
"""Seconds an open microphone may send nothing, not even silence, before another of theirs is tried, and that is told."""
_BACKLOG = 1000
"""Frames kept for a session that does not take them."""


@dataclass(slots=True)
class _Ear:
    """`sid`: of the track chosen; `handle`: of its stream once it is subscribed; `early`: sound from before the join; `until`:
    live frames wait for it so long (our clock)."""

    sid: str = ""
    publication: rtc.RemoteTrackPublication | None = None
    handle: int | None = None
    frames: deque[Pcm] = field(default_factory=deque)
    early: list[Pcm] = field(default_factory=list)
    until: float | None = None
    asked: float = 0.0  # when the track was last asked for
    missed: float | None = None  # when it was first, until it was heard, or told that it is not
    participant: rtc.RemoteParticipant | None = None
    dead: set[str] = field(default_factory=set)  # tracks of which nothing came


class Ears:
    def __init__(self, clock: Clock):
        self._clock = clock
        self._ears: dict[str, _Ear] = {}
        self._before: dict[str, Pcm] = {}

    @property
    def tracks(self) -> dict[str, str]:
        """The track each participant is heard by."""
        return {identity: ear.sid for identity, ear in self._ears.items() if ear.sid}

    @property
    def open(self) -> dict[str, str]:
        """Those of them whose sound comes in."""
        return {identity: ear.sid for identity, ear in self._ears.items() if ear.handle is not None}

    # ── tracks come and go ───────────────────────────────────────────────────────────────────────────────────────────

    def consider(self, participant: rtc.RemoteParticipant) -> None:
        """Something about this human's tracks changed: choose the one that is their voice."""
        ear = self._ears.setdefault(participant.identity, _Ear())
        if (before := self._before.pop(participant.identity, None)) is not None:
            ear.early.append(before)
        ear.participant = participant
        best = _voice_of(participant, ear.sid, ear.dead)
        if best is not None and best.sid == ear.sid:
            return
        self._drop(ear)
        if best is None:
            return
        ear.sid, ear.publication = best.sid, best
        if PRECONNECT in best.audio_features and not ear.early:
            ear.until = self._clock.now() + PATIENCE
        ear.missed = self._clock.now()
        if best.track is not None:
            self.subscribed(best.track, best, participant)
        else:
            self._ask(ear)

    def _ask(self, ear: _Ear) -> None:
        ear.asked = self._clock.now()
        if ear.publication is not None:
            ear.publication.set_subscribed(True)

    def subscribed(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None:
        ear = self._ears.get(participant.identity)
        if ear is None or ear.sid != publication.sid or ear.handle is not None:
            return
        ear.handle, ear.frames = media().hear(track)

    def early(self, identity: str, sid: str, pcm: Pcm) -> None:
        """Sound captured before the join: it goes ahead of the live frames, unless it comes too late."""
        ear = self._ears.get(identity)
        if ear is None:
            self._before[identity] = pcm  # they are not known to be here yet
            while len(self._before) > _BEFORE:
                del self._before[next(iter(self._before))]
            return
        if ear.sid in ("", sid) and (ear.until is not None or ear.handle is None):
            ear.early.append(pcm)
        elif len(pcm):
            log.warning("%s: %.1f s of sound from before the join came too late", identity, len(pcm) / 16_000)
        ear.until = None

    def gone(self, identity: str) -> None:
        ear = self._ears.pop(identity, None)
        if ear is not None:
            self._drop(ear)

    def _drop(self, ear: _Ear) -> None:
        """It stays subscribed: they may turn back to it, and of what is subscribed to a second time the SDK tells nothing."""
        if ear.handle is not None:
            media().cease(ear.handle)
        ear.sid, ear.publication, ear.handle, ear.frames, ear.until = "", None, None, deque(), None
        ear.missed = None

    def close(self) -> None:
        """The connection is gone, and all tracks with it."""
        for ear in self._ears.values():
            self._drop(ear)
        self._ears.clear()

    # ── sound ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def drain(self) -> Iterator[Heard]:
        """What was heard since the last call."""
        for identity, ear in self._ears.items():
            if ear.handle is None and ear.sid and self._clock.now() - ear.asked > _ASK_AGAIN:
                self._ask(ear)
            if ear.until is not None:
                if self._clock.now() < ear.until:
                    while len(ear.frames) > _BACKLOG:
                        ear.frames.popleft()
                    continue
                ear.until = None
            if ear.early:
                early, ear.early = ear.early, []
                for pcm in early:
                    yield Heard(identity, pcm)
            frames = ear.frames
            if ear.missed is not None:
                self._miss(identity, ear, ear.missed)
            while frames:
                yield Heard(identity, frames.popleft())

    def _miss(self, identity: str, ear: _Ear, since: float) -> None:
        """Once a track: that nothing comes of it."""
        if ear.frames:
            ear.missed = None
        elif ear.publication is not None and ear.publication.muted:
            ear.missed = self._clock.now()
        elif self._clock.now() - since > _MISSED:
            ear.missed = None
            why = (
                "it can't be subscribed to" if ear.handle is None else "it is subscribed to, and silent as a dead line"
            )
            log.warning("%s is not heard: no sound came of track %s within %.0f s; %s", identity, ear.sid, _MISSED, why)
            ear.dead.add(ear.sid)
            if ear.participant is not None:
                self.consider(ear.participant)


def _voice_of(participant: rtc.RemoteParticipant, current: str, dead: set[str]) -> rtc.RemoteTrackPublication | None:
    """The track that is this participant's voice: one that is not `dead`, an open microphone before a muted one, the one we have
    before a newer one."""
    voices = [
        publication
        for publication in participant.track_publications.values()
        if publication.kind == rtc.TrackKind.KIND_AUDIO and publication.source in _VOICES
    ]
    if not voices:
        return None
    microphone = rtc.TrackSource.SOURCE_MICROPHONE
    order = {publication.sid: number for number, publication in enumerate(voices)}
    return max(
        voices,
        key=lambda one: (
            one.sid not in dead,
            not one.muted,
            one.source == microphone,
            one.sid == current,
            order[one.sid],
        ),
    )
