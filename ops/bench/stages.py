"""`antiphon bench stages`: one job of each stage alone, on the real models, queueing excluded.

Each stage's own worker takes jobs from a log in memory, one at a time, every job another sound, question or sentence; the
times are those the stages put into their events. STT: ten seconds of recorded speech. LLM: the first token of a first
answer. TTS: the whole clip of a sentence of about ten words; beside it the first sound, and a short clause and a long
sentence. An LLM server is started when LLM_BASE_URL names none.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from ops.bench import machine, models
from ops.bench._warm import warm
from ops.bench.figures import milliseconds
from ops.people.recordings import packaged
from ops.stack.llm_endpoint import reachable_llm
from schemas.audio import HEARING_RATE, AudioRef
from schemas.config.agent import AgentSpec
from schemas.config.settings import Settings, load
from schemas.errors import AntiphonError
from schemas.events import (
    ClipReady,
    Event,
    ReplyFinished,
    SessionStarted,
    Stage,
    StageExpired,
    StageFailed,
    TranscriptFinal,
    TurnCommitted,
    UtteranceCaptured,
)
from schemas.jobs import Job, LlmJob, SttJob, TtsJob
from schemas.log import MemoryBus
from workers.main import stage_handler
from workers.runtime import Worker

_CLAUSE = "Sure, let me {}."
_SENTENCE = "I can {} for you before the end of the week."
_LONG = (
    "If you would like me to {}, please tell me your full name and the number on the letter, "
    "and then I will call you back tomorrow."
)
_DOINGS = (
    "check that", "look again", "find it", "ask them", "open it", "send it", "call her", "read it", "fix that",
    "move it", "print it", "book it", "cancel that", "change it", "explain that", "try again", "write that", "pay it",
    "order one", "save it", "count them", "repeat that", "copy it", "share it",
)  # fmt: skip
_QUESTIONS = (
    "where the museum is", "what to cook tonight", "how to sleep better", "why the sky is blue", "who wrote Hamlet",
    "when trains run", "what a dragon eats", "how to boil an egg", "where to buy shoes", "what rain is made of",
    "how far the moon is", "which tea to drink", "how to tie a knot", "what bees do in winter", "why leaves fall",
    "how to greet a king", "what makes bread rise", "where rivers begin", "how clocks work", "what cats dream of",
    "why we yawn", "how to write a letter", "what music is for", "which way is north",
)  # fmt: skip
_WARM = 2
"""Jobs of each kind before the clock counts."""


async def bench(settings: Settings | None = None, jobs: int = 24) -> dict[str, Any]:
    """Medians over `jobs` (up to 24) of each kind, milliseconds: `stt_10s_ms llm_first_token_ms tts_sentence_ms`, and what
    explains them."""
    settings = settings or load()
    figures: dict[str, Any] = {}
    async with _stage("stt", settings) as alone:
        figures |= await _stt(alone, jobs)
    async with reachable_llm(settings) as reachable, _stage("llm", reachable) as alone:
        figures |= await _llm(alone, jobs)
    async with _stage("tts", settings) as alone:
        figures |= await _tts(alone, jobs)
    return (
        {key: figures.pop(key) for key in ("stt_10s_ms", "llm_first_token_ms", "tts_sentence_ms")}
        | figures
        | models(settings)
        | machine()
    )


async def _stt(alone: "_Alone", jobs: int) -> dict[str, Any]:
    took: list[float] = []
    for number in range(jobs + _WARM):
        start = 1.2 + 1.2 * number
        pcm = packaged("two_cities", start, start + 10.0)
        (heard,) = [e for e in await alone.run(_hear(pcm.tobytes())) if isinstance(e, TranscriptFinal)]
        took.append(heard.took)
    return _spread("stt_10s", took)


async def _llm(alone: "_Alone", jobs: int) -> dict[str, Any]:
    first: list[float] = []
    whole: list[float] = []
    for question in ("what day it is", "what is new", *_QUESTIONS[:jobs]):
        (said,) = [e for e in await alone.run(_ask(f"Can you tell me {question}?")) if isinstance(e, ReplyFinished)]
        first.append(said.time_to_first_token or said.took)
        whole.append(said.took)
    return _spread("llm_first_token", first) | {"llm_reply_ms": milliseconds(whole[_WARM:], 50)}


async def _tts(alone: "_Alone", jobs: int) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name, pattern in (("sentence", _SENTENCE), ("clause", _CLAUSE), ("long", _LONG)):
        first: list[float] = []
        whole: list[float] = []
        speed: list[float] = []
        for doing in ("do it now", "do it then", *_DOINGS[:jobs]):
            text = pattern.format(doing)
            clips = [e for e in await alone.run(_speak(text)) if isinstance(e, ClipReady)]
            first.append(clips[0].took)
            whole.append(clips[-1].took)
            speed.append(clips[-1].took / sum(clip.duration for clip in clips))
        figures |= _spread(f"tts_{name}", whole)
        figures[f"tts_{name}_first_sound_ms"] = milliseconds(first[_WARM:], 50)
        figures[f"tts_{name}_real_time_factor"] = round(sorted(speed)[len(speed) // 2], 3)
    return figures


def _spread(name: str, took: Sequence[float]) -> dict[str, Any]:
    return {f"{name}_ms": milliseconds(took[_WARM:], 50), f"{name}_p95_ms": milliseconds(took[_WARM:], 95)}


# ── one worker, one job at a time ────────────────────────────────────────────────────────────────────────────────────


class _Alone:
    """A worker of one stage on a log in memory. Every job has a session of its own."""

    def __init__(self, stage: Stage) -> None:
        self.bus = MemoryBus()
        self._stage = stage
        self._sessions = 0
        self._inbox: dict[int, str] = {0: "0"}

    async def run(self, prepared: "_Prepared") -> list[Event]:
        """Open a session with `prepared` in it and wait for the end of its job; answers the session's events."""
        self._sessions += 1
        session = f"bench-{self._stage}-{self._sessions}"
        started = SessionStarted(room="bench", transport="memory", agent=AgentSpec(), gateway="bench")
        events, job = await prepared(self.bus, session)
        await self.bus.open(session, "bench", session, [started, *events], [job])
        while True:
            entries, self._inbox = await self.bus.inbox("bench", self._inbox, 30.0)
            for entry in entries:
                event = entry.event
                if isinstance(event, StageFailed | StageExpired):
                    raise AntiphonError(f"bench stages: {self._stage}: {event.message}")
            if not entries:
                raise AntiphonError(f"bench stages: the {self._stage} worker did not answer within 30 s")
            if any(_ends(entry.event) for entry in entries):
                return await self.bus.read(session)


def _ends(event: Event) -> bool:
    """Whether a job said its last word (what stood in the session before has no cause)."""
    if event.cause is None:
        return False
    return isinstance(event, TranscriptFinal | ReplyFinished) or (isinstance(event, ClipReady) and event.last)


class _Prepared:
    """What stands in a session's log before its one job, and the job."""

    def __init__(self, events: Sequence[Event], job: Job, pcm: bytes = b"") -> None:
        self._events, self._job, self._pcm = events, job, pcm

    async def __call__(self, bus: MemoryBus, session: str) -> tuple[list[Event], Job]:
        job, events = self._job.model_copy(update={"session": session}), list(self._events)
        if isinstance(job, SttJob):
            key = await bus.put_blob(session, "speech", self._pcm)
            audio = [AudioRef(key=key, rate=HEARING_RATE, samples=len(self._pcm) // 2)]
            job = job.model_copy(update={"audio": audio})
            events = [e.model_copy(update={"audio": audio}) for e in events]
        return events, job


def _hear(pcm: bytes) -> _Prepared:
    job = SttJob(id="stt/u1", session="", turn=1, utterance="u1", participant="caller", audio=[], language="en")
    captured = UtteranceCaptured(turn=1, utterance="u1", participant="caller", audio=[], duration=10.0)
    return _Prepared([captured], job, pcm)


def _ask(text: str) -> _Prepared:
    events: list[Event] = [
        UtteranceCaptured(turn=1, utterance="u1", participant="caller", audio=[], duration=1.0),
        TranscriptFinal(turn=1, utterance="u1", participant="caller", text=text),
        TurnCommitted(turn=1, why="end_of_turn"),
    ]
    return _Prepared(events, LlmJob(id="llm/1.0", session="", turn=1, generation=0, committed=True))


def _speak(text: str) -> _Prepared:
    return _Prepared([], TtsJob(id="tts/1.0.0", session="", turn=1, generation=0, index=0, text=text))


@asynccontextmanager
async def _stage(stage: Stage, settings: Settings) -> AsyncIterator[_Alone]:
    """A warm worker of `stage`, stopped afterwards."""
    alone = _Alone(stage)
    handler = stage_handler(stage, settings)
    async with contextlib.aclosing(handler), warm(Worker(alone.bus, handler)):
        yield alone
