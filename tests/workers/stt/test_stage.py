"""The stt stage on the log: what it appends and enqueues, what it drops, and that nobody spoils another's transcript."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from schemas.audio import AudioRef
from schemas.config.agent import AgentSpec
from schemas.config.settings import Settings
from schemas.errors import Permanent, Transient
from schemas.events import Event, SessionStarted, StageFailed, TranscriptFinal, TranscriptPartial, UtteranceCaptured
from schemas.jobs import LlmJob, SttJob
from schemas.log import MemoryBus
from workers._metrics import WorkerMetrics
from workers._work import TakenJob
from workers.providers import Hearing, Stt, Transcript
from workers.stt import SttStage
from workers.stt.completeness import Completeness
from workers.testing import ManualClock

SPEAKER = "ann"


class CountingStt(Stt):
    """Hears how many samples there are, and the first and the last of them. Less than ten are noise."""

    model = "counting"

    def __init__(self, error: Exception | None = None, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.error = error
        self.meanwhile = meanwhile
        self.asked: list[Sequence[Hearing]] = []
        self.closed = 0

    async def transcribe(self, batch: Sequence[Hearing]) -> list[Transcript]:
        self.asked.append(batch)
        self.meanwhile()
        if self.error is not None:
            raise self.error
        return [self._heard(hearing) for hearing in batch]

    async def aclose(self) -> None:
        self.closed += 1

    def _heard(self, hearing: Hearing) -> Transcript:
        pcm = hearing.pcm
        text = f" {len(pcm)} samples, {pcm[0]} to {pcm[-1]} \n" if len(pcm) >= 10 else " "
        return Transcript(text, hearing.language or "en", 0.9, end_of_turn=0.7 if hearing.end_of_turn else None)


class Log:
    """Sessions on a log in memory, each with one job, and a worker's hands."""

    def __init__(self) -> None:
        self.clock = ManualClock(100.0)
        self.bus = MemoryBus(clock=self.clock, lease=2.0)

    async def hear(self, session: str, *parts: Sequence[int], **job: Any) -> None:
        """Open `session` with an utterance of these stretches of samples and its job."""
        audio = []
        for number, part in enumerate(parts):
            pcm = np.array(part, "<i2").tobytes()
            key = await self.bus.put_blob(session, f"u1.{number}", pcm)
            audio.append(AudioRef(key=key, rate=16_000, samples=len(part)))
        await self.open(session, audio, **job)

    async def open(self, session: str, audio: list[AudioRef], **job: Any) -> None:
        job = {"id": "stt/u1", "turn": 1, "deadline": 3600.0, **job}
        asked = SttJob(session=session, utterance="u1", participant=SPEAKER, audio=audio, **job)
        started = SessionStarted(room="r", transport="memory", agent=AgentSpec(), gateway="g")
        captured = UtteranceCaptured(turn=1, utterance="u1", participant=SPEAKER, audio=audio, duration=1.0)
        await self.bus.open(session, "g", f"open {session}", [started, captured], [asked])

    async def take(self, count: int = 16) -> list[TakenJob]:
        taken = await self.bus.take("stt", 0, "worker", count)
        metrics = WorkerMetrics("stt")
        return [TakenJob(self.bus, "worker", d, taken.time, self.clock, metrics) for d in taken.deliveries]

    async def of(self, session: str) -> list[Event]:
        """What the stage appended."""
        return [e for e in await self.bus.read(session) if not isinstance(e, SessionStarted | UtteranceCaptured)]

    async def queued(self) -> tuple[int, int]:
        return await self.bus.queued("stt"), await self.bus.queued("llm")


@pytest.fixture
def log() -> Log:
    return Log()


def stage(provider: Stt, open_provider: Callable[[str], Stt] | None = None, **settings: Any) -> SttStage:
    return SttStage(provider, Settings(_env_file=None, **settings), open_provider)


def reply(session: str) -> LlmJob:
    return LlmJob(id="llm/1.0", session=session, turn=1, generation=0, deadline=3600.0)


async def test_a_transcript_brings_the_reply(log: Log) -> None:
    """One commit appends what was said and enqueues what the job says follows it; its parts are heard as one sound."""
    await log.hear("s1", range(1, 9), range(9, 21), then=reply("s1"), language="de")
    log.clock.time += 0.5
    (work,) = await log.take()
    log.clock.time += 0.25
    await stage(CountingStt()).run([work])

    (event,) = await log.of("s1")
    assert isinstance(event, TranscriptFinal)
    assert (event.utterance, event.participant, event.turn) == ("u1", SPEAKER, 1)
    assert (event.text, event.language, event.confidence) == ("20 samples, 1 to 20", "de", 0.9)
    assert (event.end_of_turn, event.model) == (0.7, "counting")
    assert event.queued == pytest.approx(0.5)
    assert event.took == pytest.approx(0.25)
    assert event.cause == work.cause
    assert await log.queued() == (0, 1)


async def test_what_is_likely_is_told_the_provider(log: Log) -> None:
    """The job's key terms come with its sound."""
    await log.hear("s1", range(1, 21), keyterms=["hey pizza"])
    provider = CountingStt()
    await stage(provider).run(await log.take())
    assert [hearing.keyterms for batch in provider.asked for hearing in batch] == [["hey pizza"]]


async def test_no_words_no_reply(log: Log) -> None:
    """An empty transcript is appended, so that the gateway knows, and enqueues nothing."""
    await log.hear("s1", range(1, 5), then=reply("s1"))
    await stage(CountingStt()).run(await log.take())

    (event,) = await log.of("s1")
    assert isinstance(event, TranscriptFinal)
    assert event.text == ""
    assert await log.queued() == (0, 0)


async def test_no_sound_at_all(log: Log) -> None:
    """A job that refers to no sound is an utterance of nothing, not an error."""
    await log.open("s1", [])
    await stage(CountingStt()).run(await log.take())

    (event,) = await log.of("s1")
    assert isinstance(event, TranscriptFinal)
    assert event.text == ""


async def test_sessions_are_heard_together(log: Log) -> None:
    """Jobs of several sessions are one batch for the model; everyone gets their own words."""
    for number in range(5):
        await log.hear(f"s{number}", range(number, number + 20), end_of_turn=number != 2)
    provider = CountingStt()
    await stage(provider).run(await log.take())

    assert [len(batch) for batch in provider.asked] == [5]
    for number in range(5):
        (event,) = await log.of(f"s{number}")
        assert isinstance(event, TranscriptFinal)
        assert event.text == f"20 samples, {number} to {number + 19}"
        assert event.end_of_turn == (None if number == 2 else 0.7)


async def test_a_lost_blob_fails_alone(log: Log) -> None:
    """A sound that is no longer stored fails its own job, with a sentence; the others of the batch are heard."""
    await log.hear("s1", range(20))
    await log.open("s2", [AudioRef(key="{p00}:blob:s2/gone", rate=16_000, samples=9)], then=reply("s2"))
    await log.open("s3", [AudioRef(key="{p00}:blob:s3/fast", rate=48_000, samples=9)])
    works = await log.take()
    await stage(CountingStt()).run(works)

    assert isinstance((await log.of("s1"))[0], TranscriptFinal)
    (lost,) = await log.of("s2")
    assert isinstance(lost, StageFailed)
    assert (lost.code, lost.utterance, lost.will_retry) == ("blob_missing", "u1", False)
    assert "{p00}:blob:s2/gone" in lost.message
    (fast,) = await log.of("s3")
    assert isinstance(fast, StageFailed)
    assert fast.code == "bad_audio"
    assert "48000" in fast.message
    assert await log.queued() == (0, 0)
    assert all(work.left for work in works)


async def test_a_broken_provider_is_the_runtimes_affair(log: Log) -> None:
    """What the provider raises goes up as it is, and no job is ended: the runtime tries each alone."""
    for number in range(2):
        await log.hear(f"s{number}", range(20))
    works = await log.take()
    with pytest.raises(Transient, match="the line broke"):
        await stage(CountingStt(Transient("the line broke", "connect"))).run(works)

    assert [work.left for work in works] == ["", ""]
    await stage(CountingStt()).run(works)
    assert [work.left for work in works] == ["done", "done"]


async def test_one_provider_fails_the_others_finish(log: Log) -> None:
    """Jobs of a provider that works are finished although another's fails."""
    await log.hear("s1", range(20), provider="broken")
    await log.hear("s2", range(20))
    works = await log.take()
    opened: list[str] = []

    def open_provider(name: str) -> Stt:
        opened.append(name)
        return CountingStt(Permanent("no such line", "refused"))

    handler = stage(CountingStt(), open_provider)
    for _ in range(2):
        with pytest.raises(Permanent, match="no such line"):
            await handler.run([work for work in works if not work.left])

    assert [work.left for work in works] == ["", "done"]
    assert opened == ["broken"], "a provider is opened once"
    await handler.aclose()


async def test_an_agents_model_is_obeyed_or_refused(log: Log) -> None:
    """A provider that takes them gets the agent's model and options, and the log names that model; of one that doesn't each such
    job fails with a sentence, and the others of its batch are heard."""

    class Obeying(CountingStt):
        takes_options = True

    asked = {"model": "large", "options": {"prompt": "Antiphon"}}
    await log.hear("s1", range(20), **asked)
    await log.hear("s2", range(20))
    obeying = Obeying()
    await stage(obeying).run(await log.take())
    assert [(hearing.model, hearing.options) for (batch) in obeying.asked for hearing in batch] == [
        ("large", {"prompt": "Antiphon"}),
        ("", {}),
    ]
    assert [(await log.of(name))[0].model for name in ("s1", "s2")] == ["large", "counting"]  # type: ignore[union-attr]

    await log.hear("s3", range(20), **asked)
    await log.hear("s4", range(20))
    deaf = CountingStt()
    await stage(deaf).run(await log.take())
    (failed,), (heard,) = await log.of("s3"), await log.of("s4")
    assert isinstance(failed, StageFailed)
    assert (failed.code, failed.will_retry) == ("options", False)
    assert 'stt.model = "large": the provider faster-whisper takes model from' in failed.message
    assert heard.type == "transcript.final"
    assert [len(batch) for batch in deaf.asked] == [1]


async def test_a_short_answer_is_an_error(log: Log) -> None:
    """A provider that loses an utterance is found out: no transcript is given to the wrong one."""

    class Forgetful(CountingStt):
        async def transcribe(self, batch: Sequence[Hearing]) -> list[Transcript]:
            return (await super().transcribe(batch))[:-1]

    for number in range(2):
        await log.hear(f"s{number}", range(20))
    with pytest.raises(Permanent, match="expected 2 transcripts, got 1"):
        await stage(Forgetful()).run(await log.take())
    assert await log.of("s0") == []


async def test_void_jobs_are_left(log: Log) -> None:
    """A job that became void is neither heard nor committed; one that becomes void meanwhile is not committed."""
    for number in range(3):
        await log.hear(f"s{number}", range(20))
    works = await log.take()
    works[0].cancelled.set()
    provider = CountingStt(meanwhile=works[1].cancelled.set)
    await stage(provider).run(works)

    assert [len(batch) for batch in provider.asked] == [2]
    assert [await log.of(f"s{number}") for number in range(2)] == [[], []]
    assert isinstance((await log.of("s2"))[0], TranscriptFinal)


async def test_a_hint_is_a_partial(log: Log) -> None:
    """While the pool is idle a partial job appends a partial transcript: no end of turn, nothing enqueued."""
    await log.hear("s1", range(20), id="stt/u1.1", partial=True)
    provider = CountingStt()
    await stage(provider).run(await log.take())

    (event,) = await log.of("s1")
    assert isinstance(event, TranscriptPartial)
    assert (event.utterance, event.text) == ("u1", "20 samples, 0 to 19")
    ((hearing,),) = provider.asked
    assert (hearing.partial, hearing.end_of_turn) == (True, False)


@pytest.mark.parametrize("load", ["waited", "full batch", "queue", "deadline"])
async def test_hints_go_first(log: Log, load: str) -> None:
    """A partial is dropped without an event when it waited, when the batch is full, when a batch more is queued, or when
    its deadline passed; the utterances beside it are heard."""
    await log.hear("s1", range(20), id="stt/u1.1", partial=True, deadline=1.0)
    others = {"full batch": 3, "queue": 8}.get(load, 1)
    for number in range(others):
        await log.hear(f"t{number}", range(20))
    log.clock.time += {"waited": 0.5}.get(load, 0.0)
    works = await log.take(2 if load == "queue" else 16)
    log.clock.time += {"deadline": 1.5}.get(load, 0.0)
    provider = CountingStt()
    await stage(provider, worker_batch=4).run(works)

    assert await log.of("s1") == []
    assert [work.left for work in works] == ["done"] * len(works)
    assert sum(len(batch) for batch in provider.asked) == len(works) - 1
    assert isinstance((await log.of("t0"))[0], TranscriptFinal)


async def test_hints_beside_utterances(log: Log) -> None:
    """A partial in a small batch is heard along with it."""
    await log.hear("s1", range(20), id="stt/u1.1", partial=True)
    await log.hear("s2", range(20))
    await stage(CountingStt()).run(await log.take())

    assert isinstance((await log.of("s1"))[0], TranscriptPartial)
    assert isinstance((await log.of("s2"))[0], TranscriptFinal)


async def test_a_lost_job_appends_nothing(log: Log) -> None:
    """A worker whose job was taken over computes in vain: the other's transcript is the only one."""
    await log.hear("s1", range(20), then=reply("s1"))
    (mine,) = await log.take()
    log.clock.time += 3.0
    taken = await log.bus.take("stt", 0, "other", 1)
    other = TakenJob(log.bus, "other", taken.deliveries[0], taken.time, log.clock, WorkerMetrics("stt"))
    await stage(CountingStt()).run([mine])
    await stage(CountingStt()).run([other])

    (event,) = await log.of("s1")
    assert event.by == "other"
    assert mine.left == "lost"
    assert await log.queued() == (0, 1)


def test_settings_size_the_stage() -> None:
    """WORKER_BATCH and WORKER_SLOTS are obeyed; by default a batch is eight, and a lone utterance finds a second slot."""
    default, asked = stage(CountingStt()), stage(CountingStt(), worker_batch=3, worker_slots=5)

    assert (default.batch, default.slots) == (8, 2)
    assert (asked.batch, asked.slots) == (3, 5)


async def test_closing_closes_all(log: Log) -> None:
    """Every provider that was opened is closed."""
    own, other = CountingStt(), CountingStt()
    handler = stage(own, lambda name: other)
    await log.hear("s1", range(20), provider="other")
    await handler.run(await log.take())
    await handler.aclose()

    assert (own.closed, other.closed) == (1, 1)
    assert len(other.asked) == 1


class Reading(Completeness):
    """Finds every text as complete as it is long, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str]] = []
        self.loaded = 0
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def warm_up(self) -> None:
        self.loaded += 1

    def reads(self, language: str) -> bool:
        return language == "en"

    async def judge(self, text: str, language: str) -> float | None:
        self.asked.append((text, language))
        await self.goes_on.wait()
        return len(text) / 100 if text and self.reads(language) else None


def reads(
    provider: Stt | None = None, open_provider: Callable[[str], Stt] | None = None, **settings: Any
) -> tuple[SttStage, Reading]:
    reading = Reading()
    return SttStage(provider or CountingStt(), Settings(_env_file=None, **settings), open_provider, reading), reading


async def test_a_transcript_tells_how_complete_its_words_are(log: Log) -> None:
    """For whoever asks, by the words in their language; beside nothing said nobody is asked."""
    await log.hear("s1", range(20), language="en", complete=True)
    await log.hear("s2", range(20))
    await log.hear("s3", range(5), complete=True)
    handler, reading = reads()
    await handler.run(await log.take())

    told = {session: (await log.of(session))[0] for session in ("s1", "s2", "s3")}
    assert {session: getattr(event, "complete", 1) for session, event in told.items()} == {
        "s1": 0.19, "s2": None, "s3": None,
    }  # fmt: skip
    assert reading.asked == [("20 samples, 0 to 19", "en")]


async def test_a_full_batch_is_not_read_again(log: Log) -> None:
    """Others wait: the transcripts come first, with the melody of all at once."""
    for number in range(3):
        await log.hear(f"s{number}", range(20), language="en", complete=True)
    handler, reading = reads(worker_batch=3)
    await handler.run(await log.take())

    assert reading.asked == []
    assert [getattr((await log.of(f"s{number}"))[0], "end_of_turn", 1) for number in range(3)] == [0.7] * 3


class Asking(CountingStt):
    """Hears a question in twenty samples, and the beginning of something in any other number."""

    def _heard(self, hearing: Hearing) -> Transcript:
        return Transcript("Is it raining?" if len(hearing.pcm) == 20 else "It rains and", "en")


async def test_what_is_over_by_its_words_is_not_read_again(log: Log) -> None:
    """A question needs no second opinion, and its reply does not wait for those that others in its batch need."""
    await log.hear("s1", range(20), complete=True)
    await log.hear("s2", range(30), complete=True)
    handler, reading = reads(Asking())
    reading.goes_on.clear()
    running = asyncio.create_task(handler.run(await log.take()))
    async with asyncio.timeout(10):
        while not await log.of("s1"):
            await asyncio.sleep(0)
    assert await log.of("s2") == []
    reading.goes_on.set()
    await running

    assert len(await log.of("s2")) == 1
    assert reading.asked == [("It rains and", "en")]


async def test_where_the_words_are_read_nobody_judges_the_melody(log: Log) -> None:
    """It tells nothing more, and takes as long; of other languages, and for whoever doesn't ask, it is judged."""
    await log.hear("s1", range(20), language="en", complete=True)
    await log.hear("s2", range(20), language="de", complete=True)
    await log.hear("s3", range(20), language="en")
    handler, _ = reads()
    await handler.run(await log.take())

    judged = {session: getattr((await log.of(session))[0], "end_of_turn", 1) for session in ("s1", "s2", "s3")}
    assert judged == {"s1": None, "s2": 0.7, "s3": 0.7}


async def test_a_hint_is_not_read_again(log: Log) -> None:
    """Somebody speaks on: how complete it is so far is nothing to go by."""
    await log.hear("s1", range(20), partial=True, complete=True, id="stt/u1.p1")
    handler, reading = reads()
    await handler.run(await log.take())

    assert reading.asked == []


async def test_what_a_provider_hears_is_not_read_again_if_it_says_so(log: Log) -> None:
    """`read_again`, also of one that only a job names: the melody is judged, as if nobody could read."""
    other = CountingStt()
    other.read_again = False
    await log.hear("s1", range(20), language="en", complete=True, provider="other")
    handler, reading = reads(open_provider=lambda name: other)
    await handler.run(await log.take())

    (event,) = await log.of("s1")
    assert isinstance(event, TranscriptFinal)
    assert (event.complete, event.end_of_turn, reading.asked) == (None, 0.7, [])


async def test_a_worker_loads_what_reads_unless_nobody_wants_it() -> None:
    """STT_COMPLETE=false, or a provider that needs none, saves its memory."""
    silent = CountingStt()
    silent.read_again = False
    loaded = []
    for provider, wanted in ((CountingStt(), True), (CountingStt(), False), (silent, True)):
        handler, reading = reads(provider, stt_complete=wanted)
        await handler.warm_up()
        loaded.append(reading.loaded)
    assert loaded == [1, 0, 0]
