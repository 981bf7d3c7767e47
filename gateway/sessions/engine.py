"""The tick: one loop hears for all sessions, lets time pass for all, and never waits for anything but the VAD.

Between two ticks one timer (for all sessions together) wakes the session whose next deadline or end of sentence comes
first, so that no decision waits for the tick.
"""

import asyncio
import heapq
import itertools
import logging
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from gateway.sessions.house import House
from gateway.sessions.lateness import Lateness
from gateway.sessions.session import Session
from gateway.sound.detector import FRAME
from gateway.sound.ring import Stream
from schemas.audio import HEARING_RATE, Pcm
from schemas.process.logging import SESSION
from schemas.process.tasks import Tasks

log = logging.getLogger("antiphon.gateway.engine")

TICK = FRAME / HEARING_RATE
"""Seconds: one frame of the VAD."""
_GLANCE = TICK / 4
_FEW = 8
"""Sessions up to which there is time to look between two ticks whether somebody's frame is whole: 12 ms sooner on average. More
of them share a batch, and their frames are whole at all times."""
_ROUNDS = 4
"""Frames of one participant taken in one tick: a burst is worked off at four times real time."""
_MUTED = 16
"""Amplitude (of 32768) of a frame that can't be speech."""
_LATE = 4 * TICK
"""Lateness from which the ticks missed are left out rather than made up for."""


class Engine:
    """`threaded`: the VAD computes beside the event loop (tests in virtual time compute on it). `late`: how long
    after they were due the last 4096 ticks began, seconds."""

    def __init__(self, house: House, *, threaded: bool = True):
        self.house = house
        self.sessions: dict[str, Session] = {}
        self.late: deque[float] = deque(maxlen=4096)
        self.broken: set[str] = set()
        """Sessions an error of ours ended: to take them over would only repeat it."""
        self._lateness = Lateness(TICK)
        self._frames = np.zeros((64, FRAME), np.int16)
        self._thread = ThreadPoolExecutor(1, "vad") if threaded else None
        self._tasks = Tasks()
        self._soon: list[tuple[float, int, Session]] = []
        """Sessions that may have something to do before the next tick, the next one first (a heap)."""
        self._count = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = float("inf")
        house.waken = self._waken
        house.ended = self._ended

    async def start(self) -> None:
        """Warm the VAD up and begin to tick."""
        self.house.vad.warm_up()
        self._tasks.spawn(self._run(), "tick")

    async def aclose(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        await self._tasks.aclose()
        if self._thread is not None:
            self._thread.shutdown()

    def add(self, session: Session) -> None:
        self.sessions[session.name] = session
        session.entered()
        self._waken(session)

    def _ended(self, session: Session) -> None:
        if session.broken:
            self.broken.add(session.name)
        if self.sessions.get(session.name) is session:
            del self.sessions[session.name]

    # ── the loop ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _run(self) -> None:
        now = self.house.clock.now
        due: float = now()
        while True:
            due += TICK
            await self._hurry(due)
            await self._glance(due)
            if (wait := due - now()) > 0:
                await asyncio.sleep(wait)
            began = now()
            late = max(0.0, began - due)
            self.late.append(late)
            self.house.metrics.lateness.observe(late)
            self._lateness.begins(began)
            if late > _LATE:
                if told := self._lateness.told(began, late, len(self.sessions)):
                    log.warning("%s", told)
                due = began
            try:
                await self.tick()
            except Exception:
                log.exception("a tick failed")
            ended = now()
            self._lateness.ended(ended)
            self.house.metrics.tick.observe(ended - began)

    async def tick(self) -> None:
        """One tick of all sessions."""
        sessions = list(self.sessions.values())
        await self._turn(sessions, _ROUNDS)
        self._soon.clear()
        for session in sessions:
            self._waken(session)
        self.house.metrics.participants.set(sum(len(session.streams) for session in sessions))

    async def _turn(self, sessions: list[Session], rounds: int) -> None:
        for session in sessions:
            _guard(session, session.listen)
        for _ in range(rounds):
            if not await self._hear(sessions):
                break
        for session in sessions:
            _guard(session, session.advance)

    async def _hear(self, sessions: Iterable[Session]) -> bool:
        """One frame of everybody who has one goes through the VAD; the edges go to turn-taking."""
        batch: list[tuple[Session, Stream]] = [
            (session, stream) for session in sessions for stream in session.streams.values() if stream.waiting >= FRAME
        ]
        if not batch:
            return False
        if len(batch) > len(self._frames):
            self._frames = np.zeros((2 * len(batch), FRAME), np.int16)
        for row, (_, stream) in enumerate(batch):
            self._frames[row] = stream.next_frame()
        frames = self._frames[: len(batch)]
        awake = [row for row, quiet in enumerate(_quiet(frames)) if not batch[row][1].sleeps(quiet)]
        probabilities = [0.0] * len(batch)
        if awake:
            slots = [batch[row][1].slot for row in awake]
            frames = frames if len(awake) == len(batch) else frames[awake]
            for row, probability in zip(awake, await self._listen(slots, frames), strict=True):
                probabilities[row] = probability
        levels: list[float] = np.abs(self._frames[: len(batch)]).mean(axis=1).tolist()
        for (session, stream), probability, level in zip(batch, probabilities, levels, strict=True):
            tone = stream.tone()
            for edge in (*stream.decide(probability, level), *((tone,) if tone is not None else ())):
                if stream.detector.participant in session.streams:
                    _guard(session, lambda: session.feed(edge))  # noqa: B023 (called at once)
        return True

    async def _listen(self, slots: list[int], frames: Pcm) -> list[float]:
        began = self.house.clock.now()
        if self._thread is None:
            probabilities = self.house.vad.run(slots, frames)
        else:
            loop = asyncio.get_running_loop()
            probabilities = await loop.run_in_executor(self._thread, self.house.vad.run, slots, frames)
        self.house.metrics.vad.observe(self.house.clock.now() - began)
        return probabilities

    async def _hurry(self, until: float) -> None:
        """Rooms that run as fast as they go get the time that is left until the next tick, unless they wait for workers."""
        while self.house.clock.now() < until - 0.004:
            quick = [session for session in self.sessions.values() if session.hurries and not session.busy]
            if not quick:
                return
            try:
                await self._turn(quick, 1)
            except Exception:
                log.exception("a room that hurries failed")
                return
            await asyncio.sleep(0)  # what the log has for them comes in between

    async def _glance(self, until: float) -> None:
        """Hear frames that are whole before the next tick, if there are few who could have one."""
        while len(self.sessions) <= _FEW and self.house.clock.now() < until - 1.5 * _GLANCE:
            sessions = [session for session in self.sessions.values() if not session.hurries]
            if not sessions:
                return
            await asyncio.sleep(_GLANCE)
            for session in sessions:
                _guard(session, session.listen)
            try:
                await self._hear(sessions)
            except Exception:
                log.exception("hearing failed")

    # ── the one timer ────────────────────────────────────────────────────────────────────────────────────────────────

    def _waken(self, session: Session) -> None:
        now, at = self.house.clock.now(), session.wakes_at()
        if at < now + TICK and not session.hurries and not session.over.is_set():
            heapq.heappush(self._soon, (at, next(self._count), session))
            self._set_timer(now)

    def _set_timer(self, now: float) -> None:
        """For the first of them, if it isn't set for an earlier moment."""
        if self._soon and (at := self._soon[0][0]) < self._timer_at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = at
            self._timer = asyncio.get_running_loop().call_later(max(0.0, at - now), self._rung)

    def _rung(self) -> None:
        """Somebody's time has come."""
        self._timer, self._timer_at = None, float("inf")
        now = self.house.clock.now() + 0.0005
        while self._soon and self._soon[0][0] <= now:
            _, _, session = heapq.heappop(self._soon)
            if session.wakes_at() <= now:
                _guard(session, session.advance)
            if session.wakes_at() > now:  # else it waits for something: the tick will look again
                self._waken(session)
        self._set_timer(now)


def _quiet(frames: Pcm) -> list[bool]:
    """Which frames hold less than any microphone's own noise: muted, on hold, or filled in."""
    return (np.maximum(frames.max(axis=1), -(frames.min(axis=1) + 1)) <= _MUTED).tolist()  # type: ignore[no-any-return]


def _guard(session: Session, work: Callable[[], None]) -> None:
    before = SESSION.set(session.name)
    try:
        work()
    except Exception as error:
        session.fail(error)
    finally:
        SESSION.reset(before)
