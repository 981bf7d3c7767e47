"""What the agent says, on its way out: the clips of one sentence, pushed a little ahead of the ear, with exact positions."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import soxr

from gateway.room import Room, WordsAhead
from gateway.sound.backdrop import Backdrop
from gateway.sound.tap import Tap
from gateway.turn_taking import Played
from schemas.audio import AudioRef, Pcm
from schemas.client import MOST_SHAPES, Shape, TimedWord
from schemas.events import ClipReady, Viseme, Word
from schemas.process.tasks import Tasks

log = logging.getLogger("antiphon.gateway.playback")

Fetch = Callable[[str], Awaitable[bytes | None]]

LEAD = 0.2
"""Seconds of sound given to the room ahead of the ear: enough for a late tick, little enough to be taken back."""
_LONG = 1.0
"""Seconds of sound from which resampling leaves the event loop."""
_SAME = 0.02
"""Seconds: a position this near to where the sentence was paused means just there."""
Key = tuple[int, int, int]
"""(turn, generation, index): one sentence of one reply."""


@dataclass(slots=True)
class _Part:
    """One part of a sentence's sound. `pcm`: at the room's rate, None until it is fetched."""

    number: int
    audio: AudioRef
    words: Sequence[Word] = ()
    visemes: Sequence[Viseme] = ()
    pcm: Pcm | None = None


class Sound:
    """One sentence: its parts in order, fetched and resampled as they come. `final`: no further part will come.

    Turn-taking keeps the same list (`Sentence.clips`), for what it decides. Ours is ahead of it: a clip is fetched the moment it
    is ready, long before it is decided that it sounds, and `play` finds it by its key."""

    def __init__(self, rate: int, fetch: Fetch, arrived: Callable[[], None], tasks: Tasks):
        self.parts: list[_Part] = []
        self.present = 0
        """Samples that are here."""
        self.final = False
        self._rate = rate
        self._fetch = fetch
        self._arrived, self._tasks = arrived, tasks
        self._wanted: deque[_Part] = deque()
        self._task: asyncio.Task[None] | None = None
        self._resampler: soxr.ResampleStream | None = None

    def add(self, audio: AudioRef, last: bool, words: Sequence[Word] = (), visemes: Sequence[Viseme] = ()) -> None:
        """A further part; a key known already is not added again."""
        if any(part.audio.key == audio.key for part in self.parts):
            self.final = self.final or last
            return
        part = _Part(len(self.parts), audio, words, visemes)
        self.parts.append(part)
        self._wanted.append(part)
        self.final = self.final or last
        if self._task is None or self._task.done():
            self._task = self._tasks.spawn(self._load(), "fetch clips")

    @property
    def ready(self) -> bool:
        """All parts known are here."""
        return not self._wanted

    def forget(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _load(self) -> None:
        while self._wanted:
            part = self._wanted[0]
            data = await self._fetch(part.audio.key)
            if data is None:
                log.warning("the sound %s is gone; it is left out", part.audio.key)
            pcm = np.frombuffer(data or b"", np.int16)
            last = self.final and part is self.parts[-1]
            if len(pcm) > _LONG * part.audio.rate and part.audio.rate != self._rate:
                part.pcm = await asyncio.to_thread(self._fit, pcm, part.audio.rate, last)
            else:
                part.pcm = self._fit(pcm, part.audio.rate, last)
            self.present += len(part.pcm)
            self._wanted.popleft()
            self._arrived()

    def _fit(self, pcm: Pcm, rate: int, last: bool) -> Pcm:
        """At the room's rate. One filter runs over all parts, so that their joints cannot be heard."""
        if rate == self._rate or not len(pcm):
            return pcm
        if self._resampler is None and last:
            return soxr.resample(pcm, rate, self._rate)  # type: ignore[no-any-return]
        if self._resampler is None:
            self._resampler = soxr.ResampleStream(rate, self._rate, 1, dtype="int16")
        return self._resampler.resample_chunk(pcm, last)  # type: ignore[no-any-return]


@dataclass(slots=True)
class _Now:
    """The sentence being played. `pushed`: samples of it given to the room and not taken back; `held`: paused by decision."""

    turn: int
    index: int
    key: Key
    sound: Sound
    pushed: int = 0
    held: bool = False
    announced: set[int] = field(default_factory=set)
    reported: float = -1.0


class Playback:
    """Plays what turn-taking decides into one room.

    `fetch`: key → PCM; `woken`: called when sound that was waited for has arrived.
    """

    def __init__(self, room: Room | Backdrop, fetch: Fetch, woken: Callable[[], None]):
        self._room = room
        self._fetch = fetch
        self._woken = woken
        self._tasks = Tasks()
        self._sounds: dict[Key, Sound] = {}
        self._phrases: dict[str, Sound] = {}
        self._now: _Now | None = None
        self._hushed = False
        self._given = 0
        self.tap: Tap | None = None
        """Of who listens in; None while nobody does."""

    # ── what comes ───────────────────────────────────────────────────────────────────────────────────────────────────

    def prepare(self, clip: ClipReady) -> None:
        """A clip is ready: fetch it now, so that no fetch is on the way when it is to sound."""
        if clip.phrase is not None:
            self._phrase(clip.phrase).add(clip.audio, clip.last, clip.words, clip.visemes)
        elif clip.turn is not None and clip.generation is not None:
            sound = self._sound((clip.turn, clip.generation, clip.index))
            sound.add(clip.audio, clip.last, clip.words, clip.visemes)
            self.pump()

    def forget(self, turn: int, below: int | None = None) -> None:
        """Drop the sounds of `turn` (`below`: of its generations under this one)."""
        for key in [k for k in self._sounds if k[0] == turn and (below is None or k[1] < below)]:
            if self._now is None or self._now.key != key:
                self._sounds.pop(key).forget()

    def _sound(self, key: Key) -> Sound:
        if key not in self._sounds:
            self._sounds[key] = Sound(self._room.rate, self._fetch, self._arrived, self._tasks)
        return self._sounds[key]

    def _phrase(self, name: str) -> Sound:
        if name not in self._phrases:
            self._phrases[name] = Sound(self._room.rate, self._fetch, self._arrived, self._tasks)
        return self._phrases[name]

    def _arrived(self) -> None:
        self.pump()
        self._woken()

    # ── what is decided ──────────────────────────────────────────────────────────────────────────────────────────────

    def play(
        self, turn: int, generation: int, index: int, clips: Sequence[AudioRef], last: bool, phrase: str | None
    ) -> None:
        key = (turn, generation, index)
        sound = self._phrase(phrase) if phrase is not None else self._sound(key)
        for clip in clips:
            sound.add(clip, last and clip is clips[-1])
        sound.final = sound.final or last
        self._now = _Now(turn, index, key, sound)
        self.pump()

    def pause(self) -> None:
        """Silence within this frame; what was not heard is kept."""
        if self._now is not None:
            self._take_back(self._now)
            self._now.held = True

    def resume(self, position: float) -> None:
        """Go on at `position` seconds of the sentence: where it stopped, which we know to the sample."""
        if self._now is not None:
            wanted = round(position * self._room.rate)
            if abs(wanted - self._now.pushed) > _SAME * self._room.rate:
                self._now.pushed = min(wanted, self._now.sound.present)
            self._now.held = False
            self._now.announced.clear()
            self.pump()

    def no_more_parts(self, key: Key) -> None:
        if key in self._sounds:
            self._sounds[key].final = True

    def stop(self, turn: int) -> None:
        """Silence now; forget the sound of `turn`."""
        if self._now is not None and self._now.turn == turn:
            self._take_back(self._now)
            self._now = None
        self.forget(turn)

    def hush(self) -> None:
        """Silence because the session may not be ours any more; `unhush` goes on at the sample where it stopped."""
        if not self._hushed:
            self._hushed = True
            if self._now is not None:
                self._take_back(self._now)

    def unhush(self) -> None:
        if self._hushed:
            self._hushed = False
            self.pump()

    def close(self) -> None:
        self._clear()
        self._now = None
        for sound in (*self._sounds.values(), *self._phrases.values()):
            sound.forget()

    @property
    def given(self) -> float:
        """Seconds of sound that the room was given and did not give back."""
        return max(0, self._given) / self._room.rate

    @property
    def hushed(self) -> bool:
        return self._hushed

    # ── the flow ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def pump(self) -> None:
        """Keep the room `LEAD` seconds ahead of the ear."""
        now = self._now
        if now is None or now.held or self._hushed:
            return
        rate = self._room.rate
        wanted = round((LEAD - self._room.queued()) * rate)
        begin = 0
        for part in now.sound.parts:
            if part.pcm is None or wanted <= 0:
                return
            end = begin + len(part.pcm)
            if now.pushed < end:
                if part.number not in now.announced:
                    self._announce(now, part, begin)
                chunk = part.pcm[now.pushed - begin : now.pushed - begin + wanted]
                if self.tap is not None:
                    self.tap.pushed(chunk, self._room.ahead())
                self._room.push(chunk)
                self._given += len(chunk)
                now.pushed += len(chunk)
                wanted -= len(chunk)
            begin = end

    def _announce(self, now: _Now, part: _Part, begin: int) -> None:
        now.announced.add(part.number)
        if part.words:
            words, rest, shapes = _timed(part.words), _rest(now.sound, part), _shapes(part.visemes)
            whole, offset = now.sound.final, begin - now.pushed
            self._room.send(WordsAhead(now.turn, now.index, part.number, offset, words, rest, whole, shapes))

    def _take_back(self, now: _Now) -> None:
        if now.held or not now.pushed:
            return
        dropped = min(round(self._clear() * self._room.rate), now.pushed)
        now.pushed -= dropped
        now.announced.clear()  # what follows lies elsewhere in the stream now

    def _clear(self) -> float:
        if self.tap is not None:
            self.tap.cleared()
        taken_back = self._room.clear()
        self._given -= round(taken_back * self._room.rate)
        return taken_back

    def _heard(self, now: _Now) -> int:
        """Samples of the sentence that have sounded."""
        if now.held or self._hushed:
            return now.pushed
        return max(0, now.pushed - round(self._room.queued() * self._room.rate))

    def report(self) -> Played | None:
        """Where the sentence is, if that is news; once with `finished`, after which nothing is being played."""
        now = self._now
        if now is None or self._hushed:
            return None
        position = self._heard(now) / self._room.rate
        finished = self.finished
        if finished:
            self._now = None
            self._sounds.pop(now.key, None)
        elif position - now.reported < 0.005:
            return None
        now.reported = position
        return Played(now.turn, now.index, position, finished)

    def ends_in(self) -> float | None:
        """Seconds until all of the sentence has sounded, None when that can't be told yet or nothing sounds."""
        now = self._now
        if now is None or now.held or self._hushed or not now.sound.final or not now.sound.ready:
            return None
        return (now.sound.present - now.pushed) / self._room.rate + self._room.queued()

    @property
    def finished(self) -> bool:
        """All of the sentence has sounded."""
        ends = self.ends_in()
        return ends is not None and ends * self._room.rate < 0.5

    @property
    def sounding(self) -> bool:
        return self._now is not None and not self._now.held and not self._hushed


def _rest(sound: Sound, part: _Part) -> tuple[TimedWord, ...]:
    """Words of the parts behind `part` as far as they are known, in seconds from its first sample."""
    rest: list[TimedWord] = []
    begin = part.audio.duration
    for further in sound.parts[part.number + 1 :]:
        rest += _timed(further.words, begin)
        begin += further.audio.duration
    return tuple(rest)


def _timed(words: Sequence[Word], begin: float = 0.0) -> tuple[TimedWord, ...]:
    return tuple((word.text, round(begin + word.start, 3), round(begin + word.end, 3)) for word in words)


def _shapes(visemes: Sequence[Viseme]) -> tuple[Shape, ...]:
    """They cover their clip without a gap, so the end of each is enough."""
    return tuple((viseme.shape, round(viseme.end, 3)) for viseme in visemes[:MOST_SHAPES])
