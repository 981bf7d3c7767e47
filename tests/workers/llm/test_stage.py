"""What the LLM stage promises, on the in-memory log, in virtual time, through the real runtime and the real fold."""

import asyncio

import pytest

from schemas.errors import Permanent, Transient
from schemas.events import StageFailed
from tests.workers.llm.scripted import AGENT, STOP, ScriptedLlm, ask, llm_stage, reply_of, spoken
from tests.workers.runtime.pool import Line, Pool
from workers.providers import Delta
from workers.testing import LoopClock, virtually

LONG = ["Paris is the capital of France.", " It lies on the Seine.", " Go and see it."]
SENTENCES = [text.strip() for text in LONG]


def broken() -> Transient:
    return Transient("LLM_BASE_URL=x: the stream ended in the middle of the reply", "broken_stream")


@virtually
async def test_reply_goes_out_sentence_by_sentence() -> None:
    """Each sentence is in the log, with its TTS job, as soon as it is complete; then the end, with what it cost."""
    async with Pool() as pool:
        provider = ScriptedLlm([1.0, LONG[0], 1.0, LONG[1], 1.0, LONG[2], STOP])
        pool.start(llm_stage(provider))  # type: ignore[arg-type]
        await ask(pool.bus, "a")
        await asyncio.sleep(2.5)
        assert await reply_of(pool, "a") == (SENTENCES[:1], None)
        await asyncio.sleep(1)
        sentences, finished = await reply_of(pool, "a")
        assert sentences == SENTENCES
        assert finished is not None
        assert (finished.reason, finished.sentences, finished.model) == ("stop", 3, "scripted")
        assert finished.time_to_first_token == pytest.approx(1.0, abs=0.01)
        assert finished.took == pytest.approx(3.0, abs=0.01)
        assert (finished.turn, finished.generation, finished.usage.completion_tokens) == (1, 0, 5)
        assert provider.requests[0].messages == [
            {"role": "system", "content": AGENT.instructions},
            {"role": "user", "content": "What is the capital of France?"},
        ]


@virtually
@pytest.mark.parametrize(
    ("streamed", "said"),
    [
        (["Paris is the capital of France. ", "It lies on the"], ["Paris is the capital of France."]),
        (["Paris, where the river Seine ", "flows, is the"], ["Paris, where the river Seine flows,", "is the"]),
        (["The capital of"], ["The capital of"]),
    ],
)
async def test_a_sentence_that_max_tokens_cut_is_not_begun(streamed: list[str], said: list[str]) -> None:
    """After a whole sentence the torso of another is left out; when it is all there is, or ends what began, it is said."""
    async with Pool() as pool:
        pool.start(llm_stage(ScriptedLlm([*streamed, Delta(finish="length")])))  # type: ignore[arg-type]
        await ask(pool.bus, "a")
        await asyncio.sleep(1)
        sentences, finished = await reply_of(pool, "a")
        assert sentences == said
        assert finished is not None
        assert (finished.reason, finished.sentences) == ("length", len(said))
        assert [job.text for job in await spoken(pool)] == said


@virtually
async def test_tts_jobs_carry_the_agents_voice() -> None:
    """A sentence's TTS job has the agent's voice, speed, language and deadline, the reply's fence, and an id of its own."""
    async with Pool() as pool:
        pool.start(llm_stage(ScriptedLlm([*LONG, STOP])))  # type: ignore[arg-type]
        await ask(pool.bus, "a")
        await asyncio.sleep(1)
        jobs = await spoken(pool)
        assert [job.id for job in jobs] == ["tts/1.0.0", "tts/1.0.1", "tts/1.0.2"]
        assert [job.text for job in jobs] == SENTENCES
        assert {(job.voice, job.speed, job.language, job.generation, job.deadline) for job in jobs} == {
            ("v", 1.25, "de", 0, 15.0)
        }


@virtually
async def test_an_agent_without_sound_asks_for_none() -> None:
    """Its sentences are in the log, and no TTS job with them."""
    async with Pool() as pool:
        pool.start(llm_stage(ScriptedLlm([*LONG, STOP])))  # type: ignore[arg-type]
        await ask(pool.bus, "a", agent=AGENT.model_copy(update={"sound": False}))
        await asyncio.sleep(1)
        assert (await reply_of(pool, "a"))[0] == SENTENCES
        assert await spoken(pool) == []


@virtually
async def test_broken_stream_goes_on_by_prefill() -> None:
    """A stream that dies in half a sentence is continued from what was said; nothing is said twice."""
    async with Pool() as pool:
        provider = ScriptedLlm([LONG[0], " It lies", 0.5, broken()], [LONG[1], LONG[2], STOP])
        pool.start(llm_stage(provider))  # type: ignore[arg-type]
        await ask(pool.bus, "a")
        await asyncio.sleep(3)
        sentences, finished = await reply_of(pool, "a")
        assert sentences == SENTENCES
        assert finished is not None
        assert finished.reason == "stop"
        assert provider.requests[1].prefill == SENTENCES[0]
        assert len(await spoken(pool)) == 3


@virtually
async def test_without_prefill_the_same_beginning_is_skipped() -> None:
    """Where the provider cannot continue, the same seed is asked again and what was said is skipped."""
    async with Pool() as pool:
        provider = ScriptedLlm([LONG[0], " It lies", broken()], [*LONG, STOP], prefills=False)
        pool.start(llm_stage(provider))  # type: ignore[arg-type]
        await ask(pool.bus, "a")
        await asyncio.sleep(3)
        sentences, finished = await reply_of(pool, "a")
        assert sentences == SENTENCES
        assert finished is not None
        assert finished.reason == "stop"
        assert [request.seed for request in provider.requests] == [7, 7]
        assert [request.session for request in provider.requests] == ["a", "a"]
        assert not any(request.prefill for request in provider.requests)


@pytest.mark.parametrize("second", [["Lyon is the capital, I believe. Or not.", STOP], ["Paris.", STOP]])
@virtually
async def test_without_prefill_another_beginning_ends_the_reply(second: list[object]) -> None:
    """Where the reply begins otherwise (or ends sooner), it ends with what was said: reason cut."""
    async with Pool() as pool:
        first = [LONG[0], LONG[1], " Go", broken()]
        provider = ScriptedLlm(first, second, prefills=False)  # type: ignore[arg-type]
        pool.start(llm_stage(provider))  # type: ignore[arg-type]
        await ask(pool.bus, "a")
        await asyncio.sleep(3)
        sentences, finished = await reply_of(pool, "a")
        assert sentences == SENTENCES[:2]
        assert finished is not None
        assert (finished.reason, finished.sentences) == ("cut", 2)


@virtually
async def test_redelivered_job_says_nothing_twice() -> None:
    """When the worker dies after two sentences, the next one says the third; each is in the log once, with one TTS job."""
    async with Pool() as pool:
        first = ScriptedLlm([LONG[0], LONG[1], " Go", 60.0])
        second = ScriptedLlm([LONG[2], STOP])
        pool.start(llm_stage(first))  # type: ignore[arg-type]
        await ask(pool.bus, "a")
        await asyncio.sleep(1)
        pool.start(llm_stage(second))  # type: ignore[arg-type]
        await asyncio.sleep(0.1)
        pool.tasks[0].cancel()
        await asyncio.sleep(5)
        sentences, finished = await reply_of(pool, "a")
        assert sentences == SENTENCES
        assert finished is not None
        assert finished.cause is not None
        assert finished.cause.attempt == 2
        assert second.requests[0].prefill == " ".join(SENTENCES[:2])
        assert len(await spoken(pool)) == 3


@virtually
async def test_lost_answers_say_nothing_twice() -> None:
    """A connection that breaks after each commit and before its answer changes nothing in the log."""
    async with Pool() as pool:
        line = Line(pool.bus)
        line.deaf = 3
        pool.start(llm_stage(ScriptedLlm([*LONG, STOP])), line)  # type: ignore[arg-type]
        await ask(pool.bus, "a")
        await asyncio.sleep(3)
        assert (await reply_of(pool, "a"))[0] == SENTENCES
        assert len(await spoken(pool)) == 3


@virtually
async def test_barge_in_closes_the_stream() -> None:
    """When the generation rises the stream is closed within a renewal and nothing more is appended."""
    async with Pool() as pool:
        provider = ScriptedLlm([LONG[0], LONG[1], 60.0, LONG[2], STOP])
        pool.start(llm_stage(provider))  # type: ignore[arg-type]
        await ask(pool.bus, "a")
        await asyncio.sleep(1)
        pool._operations["a"] = 1
        before = LoopClock().now()
        await pool.publish("a", raises=1)
        while not provider.closed:
            await asyncio.sleep(0.05)
        assert LoopClock().now() - before <= 0.55
        await asyncio.sleep(1)
        assert (await reply_of(pool, "a")) == (SENTENCES[:1], None)
        assert not await pool.events("a", "stage.failed")


@virtually
async def test_silence_is_asked_again_once() -> None:
    """An empty reply is asked for again, with another seed; a second one ends the job as `empty`."""
    async with Pool() as pool:
        provider = ScriptedLlm([STOP], ["🎉", STOP])
        pool.start(llm_stage(provider))  # type: ignore[arg-type]
        await ask(pool.bus, "a")
        await asyncio.sleep(3)
        assert [request.seed for request in provider.requests] == [7, 8]
        failures = [event for event in await pool.events("a") if isinstance(event, StageFailed)]
        assert [(event.code, event.will_retry) for event in failures] == [("empty", True), ("empty", False)]
        assert "LLM_MODEL" in failures[-1].message


@virtually
async def test_refused_request_fails_at_once() -> None:
    """A request the endpoint refuses is asked once."""
    async with Pool() as pool:
        provider = ScriptedLlm([Permanent("LLM_BASE_URL=x answers 401: LLM_API_KEY is missing", "refused")])
        pool.start(llm_stage(provider))  # type: ignore[arg-type]
        await ask(pool.bus, "a")
        await asyncio.sleep(3)
        assert len(provider.requests) == 1
        (failed,) = await pool.events("a", "stage.failed")
        assert isinstance(failed, StageFailed)
        assert (failed.code, failed.will_retry) == ("refused", False)


@virtually
async def test_sixteen_replies_at_once() -> None:
    """One worker answers as many sessions at once as it has slots."""
    async with Pool() as pool:
        pool.start(llm_stage(ScriptedLlm([1.0, *LONG, STOP])))  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        for number in range(16):
            await ask(pool.bus, f"s{number}")
        await asyncio.sleep(1.5)
        for number in range(16):
            assert (await reply_of(pool, f"s{number}"))[0] == SENTENCES
