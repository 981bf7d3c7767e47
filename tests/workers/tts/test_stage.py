"""The tts stage on the log: what it appends, and that a clip is never begun twice."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

import numpy as np
import pytest

from schemas.audio import Pcm
from schemas.bus import Outcome, Publication
from schemas.config.agent import AgentSpec
from schemas.config.settings import Settings
from schemas.errors import Permanent, Transient
from schemas.events import ClipReady, SessionStarted, Viseme, Word
from schemas.jobs import TtsJob
from schemas.log import MemoryBus
from workers._metrics import WorkerMetrics
from workers._work import TakenJob
from workers.providers import Sound, Speaking, Tts
from workers.testing import ManualClock
from workers.tts import TtsStage
from workers.tts.piper import PiperTts

RATE = 1000
SESSION = "s1"
JOB = TtsJob(id="tts/1.0.0", session=SESSION, turn=1, generation=0, index=0, text="one two three", deadline=3600)
PHRASE = TtsJob(id="tts/fallback", session=SESSION, index=0, text="Sorry.", phrase="fallback", deadline=3600)
WHOLE = np.arange(1, 2501, dtype=np.int16)
WORDS = [("one", 0.0, 0.6), ("two", 0.9, 1.4), ("three", 1.6, 2.4)]


class CutTts(Tts):
    """Says WHOLE in parts of the given lengths; `breaks_after` parts it fails once."""

    model = "cut"

    def __init__(self, *lengths: int, breaks_after: int | None = None) -> None:
        self.lengths = lengths
        self.breaks_after = breaks_after
        self.asked: list[Speaking] = []
        self.given = 0
        self.closed = 0

    async def synthesize(self, request: Speaking) -> AsyncGenerator[Sound, None]:
        self.asked.append(request)
        at = 0
        try:
            for number, length in enumerate(self.lengths):
                if number == self.breaks_after:
                    self.breaks_after = None
                    raise Transient("the line broke", "connection")
                self.given += 1
                yield self._part(at, at + length)
                at += length
        finally:
            self.closed += 1

    def _part(self, low: int, high: int) -> Sound:
        def moved(second: float) -> float:
            return second - low / RATE

        words = [Word(text=t, start=moved(a), end=moved(b)) for t, a, b in WORDS if low <= a * RATE < high]
        visemes = [Viseme(shape="aa", start=0, end=(high - low) / RATE)]
        return Sound(WHOLE[low:high], RATE, high == len(WHOLE), words, visemes)


class Bench:
    """One session on a log in memory, its jobs, and workers that take them."""

    def __init__(self) -> None:
        self.clock = ManualClock(100.0)
        self.bus = MemoryBus(clock=self.clock, lease=2.0)
        self.epoch = 0
        self.operations = 0

    async def open(self, *jobs: TtsJob) -> None:
        started = SessionStarted(room="r", transport="memory", agent=AgentSpec(), gateway="g")
        claimed = await self.bus.open(SESSION, "g", "request-1", [started], jobs)
        self.epoch = claimed.epoch

    async def publish(self, *jobs: TtsJob, raises: int | None = None) -> None:
        self.operations += 1
        reply = await self.bus.publish(SESSION, self.epoch, Publication(self.operations, jobs=jobs, raises=raises))
        assert reply.outcome is Outcome.OK

    async def take(self, consumer: str) -> TakenJob:
        taken = await self.bus.take("tts", 0, consumer, 1)
        (delivery,) = taken.deliveries
        return TakenJob(self.bus, consumer, delivery, taken.time, self.clock, WorkerMetrics("tts"))

    async def clips(self) -> list[ClipReady]:
        return [event for event in await self.bus.read(SESSION) if isinstance(event, ClipReady)]

    async def sound(self) -> Pcm:
        blobs = [await self.bus.get_blob(clip.audio.key) for clip in await self.clips()]
        assert None not in blobs
        return np.frombuffer(b"".join(blob for blob in blobs if blob is not None), "<i2")

    async def words(self) -> list[tuple[str, float, float]]:
        """The words of the log on the clip's time line."""
        words, at = [], 0.0
        for clip in await self.clips():
            words += [(w.text, round(w.start + at, 6), round(w.end + at, 6)) for w in clip.words]
            at += clip.duration
        return words


class Killed(BaseException):
    """As SIGKILL: nothing of the worker runs on."""


def dies_after(work: TakenJob, steps: int) -> TakenJob:
    """`work` in a process that is killed right after its n-th step was committed."""
    step, count = work.step, 0

    async def dying(*args: object, **kwargs: object) -> Outcome:
        nonlocal count
        outcome = await step(*args, **kwargs)  # type: ignore[arg-type]
        count += 1
        if count == steps:
            raise Killed
        return outcome

    work.step = dying  # type: ignore[method-assign]
    return work


def stage(provider: Tts, **settings: object) -> TtsStage:
    return TtsStage(provider, Settings(_env_file=None, **settings))  # type: ignore[arg-type]


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_each_part_is_one_step(bench: Bench) -> None:
    """Every part becomes one clip.ready with its sound beside the log, the last ends the job."""
    await bench.open(JOB)
    bench.clock.time += 0.5
    work = await bench.take("a")
    bench.clock.time += 0.25

    await stage(CutTts(300, 700, 1500)).run([work])

    clips = await bench.clips()
    assert [(clip.part, clip.last, clip.duration) for clip in clips] == [
        (0, False, 0.3),
        (1, False, 0.7),
        (2, True, 1.5),
    ]
    assert np.array_equal(await bench.sound(), WHOLE)
    assert await bench.words() == WORDS
    assert all((clip.index, clip.turn, clip.generation, clip.text) == (0, 1, 0, JOB.text) for clip in clips)
    assert all(clip.cause is not None and clip.cause.job == JOB.id for clip in clips)
    assert all((clip.queued, clip.took) == (0.5, 0.25) for clip in clips)
    assert [(clip.audio.rate, clip.audio.samples) for clip in clips] == [(RATE, 300), (RATE, 700), (RATE, 1500)]
    assert await bench.bus.queued("tts") == 0


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("again", [(300, 700, 1500), (1000, 1500), (299, 2, 2199), (2500,)])
async def test_a_killed_clip_is_continued(bench: Bench, steps: int, again: Sequence[int]) -> None:
    """Whoever takes over a clip appends what follows the sound that is there, however its own synthesis is cut."""
    await bench.open(JOB)
    work = dies_after(await bench.take("a"), steps)
    with pytest.raises(Killed):
        await stage(CutTts(300, 700, 1500)).run([work])
    bench.clock.time += 3

    await stage(CutTts(*again)).run([await bench.take("b")])

    assert np.array_equal(await bench.sound(), WHOLE)
    assert await bench.words() == WORDS
    clips = await bench.clips()
    assert [clip.part for clip in clips] == list(range(len(clips)))
    assert [clip.last for clip in clips] == [False] * (len(clips) - 1) + [True]
    assert clips[-1].cause is not None
    assert clips[-1].cause.attempt == 2


async def test_a_broken_line_does_not_say_it_twice(bench: Bench) -> None:
    """A retry in the same process goes on behind the parts that were committed."""
    await bench.open(JOB)
    work = await bench.take("a")
    handler = stage(CutTts(300, 700, 1500, breaks_after=2))
    with pytest.raises(Transient):
        await handler.run([work])
    await work.will_retry("connection", "the line broke")

    await handler.run([work])

    assert np.array_equal(await bench.sound(), WHOLE)
    assert [clip.part for clip in await bench.clips()] == [0, 1, 2]


async def test_a_barge_in_ends_the_clip(bench: Bench) -> None:
    """Once the generation has risen no part is appended, and the provider is left at once."""
    await bench.open()
    await bench.publish(JOB)
    provider = CutTts(300, 700, 500, 1000)
    work = await bench.take("a")
    step = work.step

    async def interrupted(*args: object) -> Outcome:
        if provider.given == 2:
            await bench.publish(raises=1)
        return await step(*args)  # type: ignore[arg-type]

    work.step = interrupted  # type: ignore[assignment,method-assign]
    await stage(provider).run([work])

    assert [clip.part for clip in await bench.clips()] == [0]
    assert (provider.given, provider.closed) == (2, 1)
    assert work.left == "stale"
    assert await bench.bus.queued("tts") == 0


async def test_a_void_job_commits_nothing(bench: Bench) -> None:
    """A job cancelled while its first part was computed leaves nothing in the log."""
    await bench.open(JOB)
    work = await bench.take("a")
    work.cancelled.set()

    await stage(CutTts(2500)).run([work])

    assert await bench.clips() == []


async def test_a_fixed_phrase_is_spoken_once(bench: Bench) -> None:
    """A phrase carries its name and no turn; in the next session it comes from memory, as one part, timed the same."""
    await bench.open(PHRASE)
    provider = CutTts(300, 700, 1500)
    handler = stage(provider)
    await handler.run([await bench.take("a")])
    first, words = await bench.clips(), await bench.words()
    other = Bench()
    await other.open(PHRASE)

    await handler.run([await other.take("a")])

    (clip,) = await other.clips()
    assert len(provider.asked) == 1
    assert {(c.phrase, c.turn, c.generation) for c in (*first, clip)} == {("fallback", None, None)}
    assert (clip.last, clip.duration) == (True, 2.5)
    assert np.array_equal(await other.sound(), WHOLE)
    assert await other.words() == words
    assert [v.end for v in clip.visemes] == [0.3, 1.0, 2.5]


async def test_a_phrase_of_sessions_that_begin_together_is_made_once(bench: Bench) -> None:
    """Two jobs in hand at once: the second waits for the sound of the first."""
    provider = CutTts(300, 700, 1500)
    handler = stage(provider)
    other = Bench()
    await bench.open(PHRASE)
    await other.open(PHRASE)

    await asyncio.gather(handler.run([await bench.take("a")]), handler.run([await other.take("a")]))

    assert len(provider.asked) == 1
    for one in (bench, other):
        assert np.array_equal(await one.sound(), WHOLE)


async def test_a_phrase_waits_for_no_other(bench: Bench) -> None:
    """While the sound of one is being made, another is, too, and one that is there already is given at once."""

    class SlowForOne(CutTts):
        asked_for, may_go_on = asyncio.Event(), asyncio.Event()

        async def synthesize(self, request: Speaking) -> AsyncGenerator[Sound, None]:
            if request.text == "One moment.":
                self.asked_for.set()
                await self.may_go_on.wait()
            async for sound in super().synthesize(request):
                yield sound

    provider = SlowForOne(2500)
    handler = stage(provider)
    filler = PHRASE.model_copy(update={"id": "tts/filler", "text": "One moment.", "phrase": "filler"})
    await bench.open(filler)
    slow = asyncio.create_task(handler.run([await bench.take("a")]))
    await provider.asked_for.wait()
    for _ in range(2):  # made, then known
        other = Bench()
        await other.open(PHRASE)
        await handler.run([await other.take("a")])
        assert len(await other.clips()) == 1
    assert not slow.done()
    provider.may_go_on.set()
    await slow
    assert [asked.text for asked in provider.asked] == ["Sorry.", "One moment."]
    assert len(await bench.clips()) == 1


async def test_a_greeting_is_remembered_the_second_time(bench: Bench) -> None:
    """An ordinary text is kept when it is asked for twice: greetings are, answers are not."""
    provider = CutTts(2500)
    handler = stage(provider)
    for number in range(4):
        job = JOB.model_copy(update={"id": f"tts/{number}"})
        await (bench.open(job) if number == 0 else bench.publish(job))
        await handler.run([await bench.take("a")])

    assert len(provider.asked) == 2
    assert len(await bench.clips()) == 4


async def test_what_every_session_says_is_stored_once(bench: Bench) -> None:
    """Phrases of all sessions, and what is said again and again, lie in the log once; an answer is its session's own."""
    provider = CutTts(2500)
    handler = stage(provider)
    await bench.open(PHRASE)
    await handler.run([await bench.take("a")])
    for number in range(50):
        session = f"s{number + 2}"
        started = SessionStarted(room="r", transport="memory", agent=AgentSpec(), gateway="g")
        await bench.bus.open(session, "g", "1", [started], [PHRASE.model_copy(update={"session": session})])
        await handler.run([await bench.take("a")])
    assert len(bench.bus.blobs) == 1

    for number in range(6):  # spoken, kept, remembered
        await bench.publish(JOB.model_copy(update={"id": f"tts/{number}", "text": "Good day."}))
        await handler.run([await bench.take("a")])
    assert len({clip.audio.key for clip in (await bench.clips())[1:]}) == 3
    assert (await bench.sound()).tobytes() == WHOLE.tobytes() * 7


async def test_a_job_may_name_its_provider(bench: Bench) -> None:
    """A job's own provider is opened once and gets its voice, speed and language; the worker's stays unasked."""
    own, other = CutTts(2500), CutTts(2500)
    opened: list[str] = []

    def open_provider(name: str) -> Tts:
        opened.append(name)
        return other

    handler = TtsStage(own, Settings(_env_file=None), open_provider)  # type: ignore[call-arg]
    for number, text in enumerate(("one", "two")):
        update = {
            "id": f"tts/{number}",
            "provider": "mine",
            "voice": "nova",
            "speed": 1.25,
            "language": "fr",
            "text": text,
        }
        job = JOB.model_copy(update=update)
        await (bench.open(job) if number == 0 else bench.publish(job))
        await handler.run([await bench.take("a")])

    assert opened == ["mine"]
    assert other.asked == [Speaking("one", "nova", 1.25, "fr"), Speaking("two", "nova", 1.25, "fr")]
    assert own.asked == []
    assert {clip.model for clip in await bench.clips()} == {"nova"}


async def test_an_agents_model_is_obeyed_or_refused(bench: Bench) -> None:
    """A provider that takes them gets the agent's model and options, and what it spoke with others is not played for them; one
    that doesn't refuses the job in a sentence."""

    class Obeying(CutTts):
        takes_options = True

    obeying = Obeying(2500)
    handler = stage(obeying)
    slowly = {"model": "large", "options": {"instructions": "Slowly."}}
    phrases = [PHRASE, PHRASE.model_copy(update={"id": "tts/a"} | slowly)]
    refused = JOB.model_copy(update={"model": "large"})
    await bench.open(*phrases, refused)
    for _ in phrases:
        await handler.run([await bench.take("a")])
    assert [(asked.model, asked.options) for asked in obeying.asked] == [("", {}), ("large", slowly["options"])]
    assert [clip.model for clip in await bench.clips()] == ["cut", "large"]

    with pytest.raises(
        Permanent, match=r'tts.model = "large": the provider piper takes model from the worker'
    ) as error:
        await stage(CutTts(2500)).run([await bench.take("a")])
    assert error.value.code == "options"


async def test_a_provider_that_forgets_the_end_is_told(bench: Bench) -> None:
    """Sound that ends without a last part fails the job with a sentence naming the provider."""
    await bench.open(JOB)
    work = await bench.take("a")

    with pytest.raises(Permanent, match="TTS_PROVIDER=piper: the sound of a sentence ended without a last part"):
        await stage(CutTts(300, 700)).run([work])


async def test_slots_follow_the_settings() -> None:
    """WORKER_SLOTS decides how many sentences are spoken at once; a job is never batched."""
    assert (stage(CutTts()).slots, stage(CutTts(), worker_slots=7).slots, stage(CutTts()).batch) == (2, 7, 1)


@pytest.mark.models
async def test_the_real_voice_is_continued_to_the_sample(bench: Bench, piper: PiperTts) -> None:
    """A worker killed in mid-sentence: the next one's sound joins the first one's as if nothing had been."""
    job = JOB.model_copy(update={"text": "The next train to London leaves at half past nine in the morning."})
    await bench.open(job)
    with pytest.raises(Killed):
        await stage(piper).run([dies_after(await bench.take("a"), 1)])
    bench.clock.time += 3
    await stage(piper).run([await bench.take("b")])
    undisturbed = Bench()
    await undisturbed.open(job)
    await stage(piper).run([await undisturbed.take("a")])

    assert len(await bench.clips()) > 2
    assert np.array_equal(await bench.sound(), await undisturbed.sound())
    assert await bench.words() == await undisturbed.words()
    assert [text for text, _, _ in await bench.words()] == job.text.split()


@pytest.mark.models
async def test_an_empty_sentence_is_an_empty_clip(bench: Bench, piper: PiperTts) -> None:
    """A sentence with nothing to say (an emoji) is a clip of no samples: its turn of the queue passes in silence."""
    await bench.open(JOB.model_copy(update={"text": "🙂"}))

    await stage(piper).run([await bench.take("a")])

    (clip,) = await bench.clips()
    assert (clip.last, clip.duration, clip.audio.samples) == (True, 0.0, 0)
    assert await bench.bus.get_blob(clip.audio.key) == b""
