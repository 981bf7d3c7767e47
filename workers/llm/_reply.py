"""One reply under way: what streams in becomes sentences in the log, each said once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from schemas.bus import Outcome
from schemas.config.agent import AgentSpec
from schemas.errors import ProviderError
from schemas.events import Event, FinishReason, ReplyFinished, ReplySentence, ToolWanted, Usage
from schemas.jobs import LlmJob, TtsJob
from schemas.text.clean import well_formed
from schemas.text.sentences import Piece, SentenceSplitter, ends_sentence
from schemas.text.tokens import tokens
from workers._stage import Work
from workers.llm._resume import Diverged, Overlap, Repeat
from workers.llm._stream import Leavable
from workers.providers import CalledTool, ChatRequest, Delta, Llm

__all__ = ["AnswerEnd", "ReplyUnderWay"]

_ENDLESS = 4
"""Times max_tokens, beyond which a stream is cut: its endpoint counts no tokens."""


@dataclass(frozen=True, slots=True)
class AnswerEnd:
    """How an answer ended. `rest`: what is left to say; `thought`: there was reasoning; `calls`: the tools it wants called."""

    finish: Literal["stop", "length", "tool", "filter"] = "stop"
    rest: tuple[str, ...] = ()
    thought: bool = False
    calls: tuple[CalledTool, ...] = ()


@dataclass
class ReplyUnderWay:
    """`said`: the sentences in the log, those of earlier attempts among them, since the last tool call; `before`: how many there
    were before that."""

    work: Work
    job: LlmJob
    agent: AgentSpec
    model: str
    said: list[str]
    before: int = 0
    time_to_first_token: float | None = None
    usage: Usage = field(default_factory=Usage)
    written: Callable[[Sequence[Event]], None] = lambda events: None
    """Told each event of this reply that stands in the log."""

    def __post_init__(self) -> None:
        self.speak_as(self.agent, self.model)

    def speak_as(self, agent: AgentSpec, model: str) -> None:
        """In its voice, from here on. `model`: its provider's own."""
        self.agent, self.model = agent, agent.llm.model or model

    async def follow(self, provider: Llm, request: ChatRequest, *, again: bool) -> AnswerEnd:
        """Say what streams in, but for what is left at its end. `again`: it is asked for as a whole, and what was said comes
        first. Diverged: it doesn't; ProviderError."""
        asked = self.work.elapsed()
        sentences = _NewSentences(self.said, again=again, begun=bool(self.said) and not again)
        finish: Literal["stop", "length", "tool", "filter"] = "stop"
        thought = False
        calls: tuple[CalledTool, ...] = ()
        most = _ENDLESS * request.max_tokens
        try:
            async with Leavable(provider.stream(request), self.work.cancelled) as deltas:
                async for delta in deltas:
                    thought = thought or delta.thought
                    if delta.text and self.time_to_first_token is None:
                        self.time_to_first_token = self.work.elapsed() - asked
                    for text in sentences.feed(delta):
                        await self._step(text)
                    self.usage = delta.usage or self.usage
                    finish = delta.finish or finish
                    calls = delta.calls or calls
                    if sentences.tokens > most:
                        finish = "length"
                        break
        except ProviderError:
            for text in sentences.broken():
                await self._step(text)
            raise
        if self.work.cancelled.is_set():
            return AnswerEnd()
        return AnswerEnd(finish, tuple(self._rest(sentences, finish)), thought, calls)

    def _rest(self, sentences: "_NewSentences", finish: str) -> list[str]:
        if finish == "filter":
            return sentences.broken()
        rest = sentences.flush()
        if finish == "length" and self.said and ends_sentence(self.said[-1]):
            rest = [text for text in rest if ends_sentence(text)]  # max_tokens cut the last sentence: better not begun
        return rest

    async def say(self, texts: Sequence[str]) -> None:
        for text in texts:
            await self._step(text)

    async def _step(self, text: str) -> None:
        if not self.work.cancelled.is_set():
            sentence, jobs = self._sentence(text)
            if await self.work.step([sentence], jobs) in (Outcome.OK, Outcome.DUP):
                self.written([sentence])

    def another_round(self) -> None:
        """What comes now is said after a tool."""
        self.before += len(self.said)
        self.said = []

    def _sentence(self, text: str) -> tuple[ReplySentence, list[TtsJob]]:
        """With the job that speaks it, where it is to be spoken."""
        index, job = self.before + len(self.said), self.job
        text = well_formed(text)
        self.said.append(text)
        sentence = ReplySentence(index=index, text=text, took=self.work.elapsed(), queued=self.work.queued)
        if not self.agent.sound:
            return sentence, []
        return sentence, [TtsJob.sentence(self.agent, job.session, job.turn, job.generation, index, text, job.trace)]

    async def finish(self, reason: FinishReason, rest: Sequence[str] = (), calls: Sequence[ToolWanted] = ()) -> None:
        """The last commit: what is left to say, and that this was all; `calls`: what is to be called then."""
        spoken = [self._sentence(text) for text in rest]
        finished = ReplyFinished(
            sentences=self.before + len(self.said),
            reason=reason,
            calls=list(calls),
            usage=self.usage,
            time_to_first_token=self.time_to_first_token,
            took=self.work.elapsed(),
            queued=self.work.queued,
            model=self.model,
        )
        events: list[Event] = [*(sentence for sentence, _ in spoken), finished]
        await self.work.finish(events, [job for _, jobs in spoken for job in jobs])


class _NewSentences:
    """From deltas to the sentences that are new. `tokens`: of all text so far, a guess."""

    def __init__(self, said: Sequence[str], *, again: bool, begun: bool):
        self.tokens = 0.0
        self._said = list(said)
        self._begun = begun
        self._again = again
        self._begin()

    def _begin(self) -> None:
        self._splitter = SentenceSplitter(begun=self._begun)
        self._repeat = Repeat(self._said if self._again else [])
        self._overlap = Overlap([] if self._again else self._said)

    def feed(self, delta: Delta) -> list[str]:
        """Diverged: asked for again, it is another reply."""
        if delta.forget:
            self._begin()
        self.tokens += tokens(delta.text)
        return self._new(self._splitter.feed(self._overlap.feed(delta.text)))

    def flush(self) -> list[str]:
        """The rest: it has ended."""
        rest = self._new([*self._splitter.feed(self._overlap.flush()), *self._splitter.flush()])
        if self._repeat.pending:
            raise Diverged
        return rest

    def broken(self) -> list[str]:
        """What of the rest is a whole sentence: no more will come, or not by this way."""
        try:
            return self._new(self._splitter.whole())
        except Diverged:
            return []

    def _new(self, pieces: Sequence[Piece]) -> list[str]:
        return [piece.text for piece in pieces if piece.text and self._repeat.is_new(piece.text)]
