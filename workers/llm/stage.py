"""The LLM stage: fold the log, ask the provider, and commit the reply sentence by sentence, each with its TTS job."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal
from weakref import WeakSet

from schemas.agent import AgentSpec
from schemas.bus import Seen
from schemas.errors import Permanent, Transient
from schemas.events import Event, ReplyFinished, ReplySentence, Stage, Usage
from schemas.fold import SessionState
from schemas.folding import Folds
from schemas.jobs import LlmJob, TtsJob
from schemas.sentences import Piece, SentenceSplitter, ends_sentence
from schemas.settings import Settings
from workers import registry
from workers._stage import Work
from workers.llm._resume import Diverged, Repeat
from workers.llm._stream import Reading
from workers.providers import ChatRequest, Delta, Llm

log = logging.getLogger("antiphon.llm")

_SLOTS = 16


class LlmStage:
    """Answers turns. Each costs one read of what the log gained since the session's last turn, not of the whole session."""

    stage: Stage = "llm"
    batch = 1

    def __init__(self, provider: Llm, settings: Settings):
        self.slots = settings.worker_slots or _SLOTS
        self._own = provider
        self._others: dict[str, Llm] = {}
        self._settings = settings
        self._folds: Folds | None = None
        self._silent: WeakSet[Work] = WeakSet()

    async def warm_up(self) -> None:
        await self._own.warm_up()

    async def aclose(self) -> None:
        for provider in (self._own, *self._others.values()):
            await provider.aclose()

    async def run(self, works: Sequence[Work]) -> None:
        for work in works:
            await self._answer(work)

    async def _answer(self, work: Work) -> None:
        job = work.job
        assert isinstance(job, LlmJob)
        self._folds = self._folds or Folds(work.bus)
        state = await self._folds.folded(job.session, job.answers, job.id)
        work.seen = Seen(state.seq, state.at)
        provider = self._provider(state.agent)
        said = [sentence.text for sentence in state.said(job.turn or 0, job.generation)]
        reply = _Reply(work, job, state.agent, provider.model, said, _sentences(state, job) - len(said))
        request = self._request(work, state, provider, reply)
        try:
            await reply.follow(provider, request)
        except Diverged:
            await reply.finish("cut")
            return
        if work.cancelled.is_set() or reply.said:
            return
        again = work in self._silent
        self._silent.add(work)
        message = (
            f"the LLM ({reply.model}) answered nothing; try another LLM_MODEL, or shorten the agent's instructions"
        )
        raise Permanent(message, "empty") if again else Transient(message, "empty")

    def _request(self, work: Work, state: SessionState, provider: Llm, reply: "_Reply") -> ChatRequest:
        job, spec = reply.job, state.agent.llm
        again = work in self._silent and not reply.said  # the same seed would be silent again
        return ChatRequest(
            messages=state.messages(job.turn or 0, job.generation),
            model=spec.model,
            temperature=spec.temperature,
            max_tokens=spec.max_tokens,
            seed=spec.seed + 1 if again and spec.seed is not None else spec.seed,
            prefill=" ".join(reply.said) if provider.prefills else "",
            options=spec.options,
        )

    def _provider(self, agent: AgentSpec) -> Llm:
        """The agent's own provider, or the worker's."""
        name = agent.llm.provider
        if name in ("", self._settings.llm_provider):
            return self._own
        if name not in self._others:
            self._others[name] = registry.provider("llm", name, self._settings)
        return self._others[name]


@dataclass
class _Reply:
    """One reply under way. `said`: the sentences in the log, those of earlier attempts among them, since the last tool call;
    `before`: how many there were before that."""

    work: Work
    job: LlmJob
    agent: AgentSpec
    model: str
    said: list[str]
    before: int = 0
    time_to_first_token: float | None = None
    usage: Usage = field(default_factory=Usage)

    def __post_init__(self) -> None:
        self.model = self.agent.llm.model or self.model

    async def follow(self, provider: Llm, request: ChatRequest) -> None:
        """Say what streams in, to the end. Returns with nothing `said` if there was nothing; Diverged; ProviderError."""
        asked = self.work.elapsed()
        repeat = Repeat([] if provider.prefills else self.said)
        splitter = SentenceSplitter(begun=bool(request.prefill))
        finish: Literal["stop", "length", "tool"] | None = None
        async with Reading(provider.stream(request), self.work.cancelled) as deltas:
            async for delta in deltas:
                if delta.text and self.time_to_first_token is None:
                    self.time_to_first_token = self.work.elapsed() - asked
                for piece in splitter.feed(delta.text):
                    await self._say(piece, repeat)
                self._count(delta)
                finish = delta.finish or finish
        if self.work.cancelled.is_set():
            return
        rest = [piece for piece in splitter.flush() if piece.text and repeat.is_new(piece.text)]
        if repeat.pending:
            raise Diverged
        if finish == "length" and self.said and ends_sentence(self.said[-1]):
            rest = [
                piece for piece in rest if ends_sentence(piece.text)
            ]  # max_tokens cut the last sentence: better not begun
        if self.said or rest or finish == "tool":
            await self.finish(finish or "stop", [piece.text for piece in rest])

    def _count(self, delta: Delta) -> None:
        if delta.usage:
            self.usage = delta.usage

    async def _say(self, piece: Piece, repeat: Repeat) -> None:
        if piece.text and repeat.is_new(piece.text) and not self.work.cancelled.is_set():
            sentence, job = self._sentence(piece.text)
            await self.work.step([sentence], [job])

    def _sentence(self, text: str) -> tuple[ReplySentence, TtsJob]:
        index, job, agent = self.before + len(self.said), self.job, self.agent
        self.said.append(text)
        sentence = ReplySentence(index=index, text=text, took=self.work.elapsed(), queued=self.work.queued)
        return sentence, TtsJob(
            id=f"tts/{job.turn}.{job.generation}.{index}",
            session=job.session,
            turn=job.turn,
            generation=job.generation,
            deadline=agent.limits.tts_deadline,
            trace=job.trace,
            index=index,
            text=text,
            voice=agent.voice.name,
            speed=agent.voice.speed,
            provider=agent.tts.provider,
        )

    async def finish(self, reason: Literal["stop", "length", "tool", "cut"], rest: Sequence[str] = ()) -> None:
        """The last commit: what is left to say, and that this was all."""
        spoken = [self._sentence(text) for text in rest]
        finished = ReplyFinished(
            sentences=self.before + len(self.said),
            reason=reason,
            usage=self.usage,
            time_to_first_token=self.time_to_first_token,
            took=self.work.elapsed(),
            queued=self.work.queued,
            model=self.model,
        )
        events: list[Event] = [*(sentence for sentence, _ in spoken), finished]
        await self.work.finish(events, [job for _, job in spoken])


def _sentences(state: SessionState, job: LlmJob) -> int:
    """How many sentences the reply has so far, those before a tool call among them."""
    turn = state.turns.get(job.turn or 0)
    reply = turn.reply if turn else None
    return len(reply.sentences) if reply and reply.generation == job.generation else 0
