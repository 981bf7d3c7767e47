"""An LLM that says what the test tells it, and a session in which somebody asked something."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from schemas.audio import AudioRef
from schemas.bus import Publication
from schemas.config.agent import AgentSpec, LlmSpec
from schemas.config.conversation import VoiceSpec
from schemas.config.settings import Settings
from schemas.events import ReplyFinished, ReplySentence, SessionStarted, TranscriptFinal, Usage, UtteranceCaptured
from schemas.jobs import LlmJob, TtsJob
from schemas.log import MemoryBus
from tests.workers.runtime.pool import Pool
from workers.llm import LlmStage
from workers.providers import ChatRequest, Delta, Llm

Item = str | float | Exception | Delta
AGENT = AgentSpec(language="de", voice=VoiceSpec(name="v", speed=1.25), llm=LlmSpec(seed=7))
STOP = Delta(finish="stop", usage=Usage(prompt_tokens=9, completion_tokens=5))


class ScriptedLlm(Llm):
    """`scripts`: one per request, the last for all further ones. Text is streamed, numbers are waited for, errors raised."""

    model = "scripted"

    def __init__(self, *scripts: Sequence[Item], prefills: bool = True):
        self.prefills = prefills
        self.requests: list[ChatRequest] = []
        self.closed = 0
        self._scripts = list(scripts)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        self.requests.append(request)
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        try:
            for item in script:
                if isinstance(item, float):
                    await asyncio.sleep(item)
                elif isinstance(item, Exception):
                    raise item
                else:
                    yield Delta(item) if isinstance(item, str) else item
        finally:
            self.closed += 1


def llm_stage(provider: ScriptedLlm) -> LlmStage:
    return LlmStage(provider, Settings(_env_file=None))  # type: ignore[call-arg]


async def ask(
    bus: MemoryBus, session: str, text: str = "What is the capital of France?", agent: AgentSpec = AGENT
) -> None:
    """A session in which somebody said `text`, with the LLM job that answers it."""
    started = SessionStarted(room="r", transport="memory", agent=agent, gateway="gw")
    await bus.open(session, "gw", f"open {session}", [started])
    audio = [AudioRef(key="k", rate=16_000, samples=16_000)]
    events = [
        UtteranceCaptured(turn=1, utterance="u1", participant="p", audio=audio, duration=1.0),
        TranscriptFinal(turn=1, utterance="u1", participant="p", text=text),
    ]
    job = LlmJob(id="llm/1.0", session=session, turn=1, generation=0, deadline=20.0)
    await bus.publish(session, 1, Publication(1, events, [job]))


async def reply_of(pool: Pool, session: str) -> tuple[list[str], ReplyFinished | None]:
    """The sentences in the log, in order, and the end."""
    events: list[Any] = await pool.bus.read(session)
    sentences = [event for event in events if isinstance(event, ReplySentence)]
    assert [event.index for event in sentences] == list(range(len(sentences)))
    finished = [event for event in events if isinstance(event, ReplyFinished)]
    assert len(finished) <= 1
    return [event.text for event in sentences], finished[0] if finished else None


async def spoken(pool: Pool) -> list[TtsJob]:
    """The TTS jobs waiting in the log."""
    taken = await pool.bus.take("tts", 0, "ear", 100)
    return [delivery.job for delivery in taken.deliveries if isinstance(delivery.job, TtsJob)]
