"""Endpoints as people really have them: whatever one does, the caller hears the reply, and hears it once."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from schemas.audio import AudioRef
from schemas.bus import Publication
from schemas.config.agent import AgentSpec, LlmSpec
from schemas.config.settings import Settings
from schemas.events import (
    Event,
    ReplyFinished,
    ReplySentence,
    SessionStarted,
    StageExpired,
    StageFailed,
    TranscriptFinal,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.jobs import LlmJob, TtsJob
from schemas.log import MemoryBus
from tests.quirks import CHECKING, QUIRKS, SENTENCES, Quirk, context_of, refused
from tests.servers import Misbehaving
from workers.llm import LlmStage
from workers.llm._stream import Leavable
from workers.llm.openai import OpenAiLlm
from workers.providers import Delta
from workers.runtime import Worker, WorkerOptions


@dataclass(frozen=True)
class Heard:
    """`sentences`: in the log, in order, each with its TTS job; `failed`: code of what ended the job, "" if nothing did."""

    sentences: list[str]
    finished: ReplyFinished | None
    failed: str
    retries: list[str]
    message: str
    took: float

    @property
    def text(self) -> str:
        return " ".join(self.sentences)


async def heard(
    endpoint: Misbehaving,
    *,
    prefill: str = "off",
    agent: AgentSpec | None = None,
    past: int = 0,
    answered: bool = True,
    deadline: float = 15.0,
    provider: OpenAiLlm | None = None,
    stage: LlmStage | None = None,
    **values: Any,
) -> Heard:
    """What a session hears from the endpoint through worker, runtime and log. `past`: turns before, `answered` or not."""
    asked: dict[str, Any] = {"llm_base_url": endpoint.url, "llm_model": "m", "llm_prefill": prefill, **values}
    own = provider or OpenAiLlm(Settings(_env_file=None, **asked))
    bus = MemoryBus()
    stage = stage or LlmStage(own, Settings(_env_file=None))  # type: ignore[call-arg]
    stage._folds = None  # those of another log
    stage.warm_up = _nothing  # type: ignore[method-assign]
    worker = Worker(bus, stage, WorkerOptions())
    running = asyncio.create_task(worker.run())
    await _ask(bus, agent or AgentSpec(), past if answered else -past, deadline)
    began = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(20):
            while not _over(events := await bus.read("s")):
                await asyncio.sleep(0.01)
    finally:
        took = asyncio.get_running_loop().time() - began
        worker.stop()
        await running
        if provider is None:
            await own.aclose()
    jobs = [delivery.job for delivery in (await bus.take("tts", 0, "ear", 500)).deliveries]
    sentences = [event for event in events if isinstance(event, ReplySentence)]
    assert [event.index for event in sentences] == list(range(len(sentences)))
    assert [job.text for job in jobs if isinstance(job, TtsJob)] == [event.text for event in sentences]
    failures = [event for event in events if isinstance(event, StageFailed)]
    last = next((event for event in failures if not event.will_retry), None)
    return Heard(
        [event.text for event in sentences],
        next((event for event in events if isinstance(event, ReplyFinished)), None),
        last.code if last else "expired" if any(isinstance(event, StageExpired) for event in events) else "",
        [event.code for event in failures if event.will_retry],
        last.message if last else "",
        took,
    )


@pytest.fixture
def with_quirk(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Quirk], None]:
    """A quirk of the test's own, by a name."""
    return lambda name, quirk: monkeypatch.setitem(QUIRKS, name, quirk)


async def _nothing() -> None: ...


def _over(events: Sequence[Event]) -> bool:
    return any(
        isinstance(event, ReplyFinished | StageExpired) or (isinstance(event, StageFailed) and not event.will_retry)
        for event in events
    )


async def _ask(bus: MemoryBus, agent: AgentSpec, past: int, deadline: float) -> None:
    started = SessionStarted(room="r", transport="memory", agent=agent, gateway="gw")
    await bus.open("s", "gw", "open", [started])
    answered, past = past > 0, abs(past)
    for turn in range(1, past + 2):
        audio = [AudioRef(key="k", rate=16_000, samples=16_000)]
        events: list[Event] = [
            UtteranceCaptured(turn=turn, utterance=f"u{turn}", participant="p", audio=audio, duration=1.0),
            TranscriptFinal(
                turn=turn, utterance=f"u{turn}", participant="p", text=f"Question number {turn}, " + "x" * 60
            ),
        ]
        if turn <= past and answered:
            events.append(TurnCommitted(turn=turn, why="silence"))
            events.append(TurnEnded(turn=turn, how="played", reason="finished", heard=f"Answer number {turn}."))
        job = LlmJob(id=f"llm/{turn}.0", session="s", turn=turn, generation=0, deadline=deadline)
        await bus.publish("s", 1, Publication(turn, events, [job] if turn > past else []))


@pytest.mark.parametrize(
    "fault",
    [
        "", "no finish", "no done", "neither", "neither, closed", "finish, then nothing", "finish again and again",
        "empty finish", "finish in capitals", "last line open",
        "tool", "tool, finish stop", "tool in the text",
        "unseen events", "odd frames", "byte by byte", "carriage returns", "plain text type", "one json", "json lines",
        "think", "thinking", "reasoning", "think in the middle", "unopened think", "channels", "reasoning_content",
        "thinking parts", "only reasoning", "usage null", "usage of nulls", "usage without", "usage odd", "usage absurd",
        "usage everywhere", "parts", "nulls", "messages", "breaks, starts anew", "breaks, goes on",
        "breaks, repeats the last", "breaks behind the last", "refuses prefill", "error behind a sentence",
        "busy for ms", "no seed", "no stream_options", "no max_tokens", "no user",
    ],
)  # fmt: skip
@pytest.mark.parametrize("prefill", ["off", "on"])
async def test_the_reply_is_heard_once(misbehaving: Misbehaving, fault: str, prefill: str) -> None:
    """Whatever the endpoint does in its own way, its reply is said whole and once, and the log says how it ended."""
    misbehaving.fault = fault
    reply = await heard(misbehaving, prefill=prefill)
    assert reply.text == " ".join(SENTENCES), reply
    assert reply.finished is not None
    assert reply.finished.reason == "stop"


@pytest.mark.parametrize("fault", ["finish, then nothing", "usage of nulls", "", "long pings"])
async def test_the_last_sentence_does_not_wait_for_the_connection(misbehaving: Misbehaving, fault: str) -> None:
    """The finish ends the reading, whatever the connection does behind it; reasoning and pings keep it waiting before."""
    misbehaving.fault = fault
    reply = await heard(misbehaving, llm_timeout=0.5)
    assert reply.sentences == SENTENCES
    assert not reply.retries


@pytest.mark.parametrize(
    ("fault", "prompt", "completion"),
    [("usage odd", 12, 7), ("usage everywhere", 9, 4), ("usage absurd", 0, 0), ("usage of nulls", 0, 0)],
)
async def test_what_it_used_is_known_or_nought(
    misbehaving: Misbehaving, fault: str, prompt: int, completion: int
) -> None:
    """Counts are taken however they are written, and are 0 where there are none."""
    misbehaving.fault = fault
    finished = (await heard(misbehaving)).finished
    assert finished is not None
    assert (finished.usage.prompt_tokens, finished.usage.completion_tokens) == (prompt, completion)


async def test_halves_of_a_character_are_joined(misbehaving: Misbehaving) -> None:
    """Two halves in two deltas are one character; a half that stays alone is U+FFFD, and the reply goes on."""
    misbehaving.fault = "half characters"
    reply = await heard(misbehaving)
    assert reply.text == "Paris is the capital \ufffdof France. It lies on the Seine."


async def test_a_refusal_is_spoken(misbehaving: Misbehaving) -> None:
    """What an endpoint says instead of an answer, in the field it has for that, is the answer."""
    misbehaving.fault = "refusal"
    assert (await heard(misbehaving)).text == "I can't help with that."


@pytest.mark.parametrize("prefill", ["off", "on"])
async def test_words_before_a_tool_call_are_said_once(misbehaving: Misbehaving, prefill: str) -> None:
    """What came before the call is said, then one further request answers; more requests there are none."""
    misbehaving.fault = "text and tool"
    reply = await heard(misbehaving, prefill=prefill)
    assert reply.sentences == [CHECKING, *SENTENCES]
    assert len(misbehaving.bodies) == 2
    assert not any("tools" in body for body in misbehaving.bodies)
    assert CHECKING in str(misbehaving.bodies[1]["messages"])


async def test_a_model_that_only_calls_tools_is_given_up(misbehaving: Misbehaving) -> None:
    """After the second call without a word the job fails, once, and says what to change."""
    misbehaving.fault = "always a tool"
    reply = await heard(misbehaving)
    assert (reply.sentences, reply.failed, reply.retries) == ([CHECKING], "tool", [])
    assert len(misbehaving.bodies) == 2
    assert "instructions" in reply.message


@pytest.mark.parametrize(("fault", "before"), [("unopened think", ""), ("unopened think of sentences", "Okay.")])
async def test_reasoning_that_nobody_opened(misbehaving: Misbehaving, fault: str, before: str) -> None:
    """What isn't said yet when the end of a reasoning comes is dropped; the next reply of that model is held until it comes."""
    misbehaving.fault = fault
    settings = Settings(_env_file=None, llm_base_url=misbehaving.url, llm_model="m", llm_prefill="off")  # type: ignore[call-arg]
    provider = OpenAiLlm(settings)
    first = await heard(misbehaving, provider=provider)
    second = await heard(misbehaving, provider=provider)
    assert first.text.endswith(" ".join(SENTENCES))
    assert before in first.text
    assert second.sentences == SENTENCES
    misbehaving.fault = ""
    assert (await heard(misbehaving, provider=provider)).text == " ".join(SENTENCES)
    await provider.aclose()


async def test_warming_up_learns_of_it(misbehaving: Misbehaving) -> None:
    """A model that does so when first asked is known by its first call: nothing of its reasoning is ever said."""
    misbehaving.fault = "unopened think of sentences"
    settings = Settings(_env_file=None, llm_base_url=misbehaving.url, llm_model="m")  # type: ignore[call-arg]
    provider = OpenAiLlm(settings)
    await provider.warm_up()
    assert (await heard(misbehaving, provider=provider)).sentences == SENTENCES
    await provider.aclose()


@pytest.mark.parametrize("fault", ["filter", "filter at once"])
async def test_a_content_filter(misbehaving: Misbehaving, fault: str) -> None:
    """Of what a filter cuts off, whole sentences are said; if there are none, the job fails without another try."""
    misbehaving.fault = fault
    reply = await heard(misbehaving)
    assert reply.sentences == (SENTENCES[:1] if fault == "filter" else [])
    assert (reply.failed, reply.retries) == ("" if fault == "filter" else "filter", [])
    assert reply.finished is None or reply.finished.reason == "cut"


@pytest.mark.parametrize("fault", ["quota", "payment"])
async def test_nothing_left_to_spend(misbehaving: Misbehaving, fault: str) -> None:
    """An exhausted account is asked once, and the message says whose it is."""
    misbehaving.fault = fault
    reply = await heard(misbehaving)
    assert (reply.failed, len(misbehaving.bodies)) == ("quota", 1)
    assert "LLM_API_KEY" in reply.message


async def test_retry_after_is_honoured(misbehaving: Misbehaving) -> None:
    """An endpoint that asks for a second is asked again after it, not before; beyond the deadline it isn't."""
    misbehaving.fault = "busy for a second"
    reply = await heard(misbehaving)
    assert reply.sentences == SENTENCES
    assert reply.took >= 1.0
    assert len(misbehaving.bodies) == 2
    misbehaving.bodies.clear()
    hasty = await heard(misbehaving, deadline=0.9)
    assert (hasty.failed, len(misbehaving.bodies)) == ("bad_status", 1)


async def test_an_endless_stream_is_cut(misbehaving: Misbehaving) -> None:
    """An endpoint that counts no tokens is cut at four times max_tokens, and the log says so."""
    misbehaving.fault = "endless"
    reply = await heard(misbehaving, agent=AgentSpec(llm=LlmSpec(max_tokens=20)))
    assert reply.finished is not None
    assert reply.finished.reason == "length"
    assert 200 < len(reply.text) < 500
    assert reply.text.endswith(".")


async def test_no_more_is_read_ahead_than_anybody_needs() -> None:
    """An endpoint that has always more to send does not keep the process, whose leases run, from all else."""
    read = 0

    async def flood() -> AsyncGenerator[Delta]:
        nonlocal read
        while True:
            read += 1
            yield Delta("Round and round it goes. ")

    async with Leavable(flood(), asyncio.Event()) as deltas:
        assert (await anext(deltas)).text
        assert read < 1000


async def test_signs_of_life_end_at_the_deadline(misbehaving: Misbehaving) -> None:
    """Pings keep a request waiting, but not beyond the job's deadline."""
    misbehaving.fault = "endless pings"
    reply = await heard(misbehaving, deadline=1.0, llm_timeout=0.3)
    assert (reply.sentences, reply.failed) == ([], "expired")


REFUSALS = {
    "openai": refused(
        400,
        "This model's maximum context length is 512 tokens. However, your messages resulted in 900 tokens.",
        "context_length_exceeded",
    ),
    "llama.cpp": refused(
        400, "the request exceeds the available context size (512 tokens)", "exceed_context_size_error"
    ),
    "vllm": refused(
        400,
        "'max_tokens' or 'max_completion_tokens' is too large: 200. This model's maximum context length is 512 tokens",
    ),
    "llama-cpp-python": refused(500, "Requested tokens (900) exceed context window of 512"),
    "anthropic": refused(400, "prompt is too long: 210000 tokens > 200000 maximum"),
    "groq": refused(413, "Request too large for model", "tokens"),
    "gemini": refused(400, "The input token count (900) exceeds the maximum number of tokens allowed (512)."),
    "mistral": refused(422, "Prompt contains 900 tokens, too large for model with 512 maximum context length"),
    "tgi": refused(422, "`inputs` tokens + `max_new_tokens` must be <= 512. Given: 900 `inputs` tokens"),
    "somebody": refused(400, "Bad Request"),
}


@pytest.mark.parametrize("wording", REFUSALS)
async def test_the_oldest_turns_go_until_it_fits(
    misbehaving: Misbehaving, wording: str, with_quirk: Callable[[str, Quirk], None]
) -> None:
    """A chat that is too long, in whosever words, loses its oldest turns; the next question is not refused first."""
    with_quirk("small", context_of(1200, REFUSALS[wording]))
    misbehaving.fault = "small"
    settings = Settings(_env_file=None, llm_base_url=misbehaving.url, llm_model="m", llm_prefill="off")  # type: ignore[call-arg]
    provider = OpenAiLlm(settings)
    assert (await heard(misbehaving, past=24, provider=provider)).sentences == SENTENCES
    asked = misbehaving.bodies[-1]["messages"]
    assert (asked[0]["role"], asked[1]["role"]) == ("system", "user")
    assert "Question number 25," in asked[-1]["content"]
    await provider.aclose()


async def test_instructions_alone_too_long(misbehaving: Misbehaving, with_quirk: Callable[[str, Quirk], None]) -> None:
    """Where not even the instructions fit, the job fails once, with what to shorten."""
    with_quirk("tiny", context_of(300, REFUSALS["openai"]))
    misbehaving.fault = "tiny"
    reply = await heard(misbehaving, agent=AgentSpec(instructions="Be brief. " * 100), past=3)
    assert (reply.failed, reply.retries) == ("context", [])
    assert "instructions" in reply.message


async def test_unanswered_questions_go_too(misbehaving: Misbehaving, with_quirk: Callable[[str, Quirk], None]) -> None:
    """Questions that were never answered stand before the last one in one message: the older of them go as well."""
    with_quirk("small", context_of(900, REFUSALS["openai"]))
    misbehaving.fault = "small"
    assert (await heard(misbehaving, past=20, answered=False)).sentences == SENTENCES
    assert "Question number 21," in misbehaving.bodies[-1]["messages"][-1]["content"]
