"""The LLM stage: fold the log, ask the provider, and commit the reply sentence by sentence, each with its TTS job."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from schemas.bus import Seen
from schemas.config import values
from schemas.config.settings import Settings
from schemas.errors import Permanent, Transient
from schemas.events import Stage
from schemas.jobs import HookJob, LlmJob
from schemas.process.tasks import Tasks
from schemas.session import chat
from schemas.session.cache import Folds
from schemas.session.fold import SessionState
from workers import registry
from workers._stage import Work
from workers.llm._finding import Finding
from workers.llm._fitting import shorter, size, trimmed, without_tools
from workers.llm._hooks import ReplyHooks, run_hook
from workers.llm._reply import AnswerEnd, ReplyUnderWay
from workers.llm._resume import Diverged
from workers.llm._rounds import Next, Rounds, wanted
from workers.llm._summarizing import Summarizing
from workers.providers import ChatRequest, Llm
from workers.registry import Opened
from workers.tools import Toolboxes

log = logging.getLogger("antiphon.llm")

_SLOTS = 16
_ROOM = 4
"""Times max_tokens that are asked for after a reasoning that used them up."""
_MISSED = 1_000
"""Missing values that are told of."""
_PERHAPS = 1_000
"""Characters of a refused chat, from which its length may be why, whatever the endpoint says."""


class LlmStage:
    """Answers turns. Each costs one read of what the log gained since the session's last turn, not of the whole session."""

    stage: Stage = "llm"
    batch = 1

    def __init__(self, provider: Llm, settings: Settings):
        self.slots = settings.worker_slots or _SLOTS
        self._providers = Opened(provider, settings.llm_provider, lambda name: registry.provider("llm", name, settings))
        self._summarizing = Summarizing(settings)
        self._folds: Folds | None = None
        self._silent: WeakKeyDictionary[Work, bool] = WeakKeyDictionary()
        """Jobs answered with nothing so far, and whether reasoning took all there was."""
        self._missed: set[tuple[str, str]] = set()
        """Values that were told to be missing, by agent."""
        self._boxes = Toolboxes(settings)
        self._finding = Finding(self._boxes.libraries)
        self._afterwards = Tasks()
        """Tools that work on, though their reply is void."""
        self._fits: dict[str, int] = {}
        """Characters of chat that fitted where more did not, by model."""

    async def warm_up(self) -> None:
        await self._providers.own.warm_up()

    async def aclose(self) -> None:
        await self._summarizing.aclose()
        await self._afterwards.aclose()
        await self._boxes.aclose()
        await self._providers.aclose()

    async def run(self, works: Sequence[Work]) -> None:
        for work in works:
            self._folds = self._folds or Folds(work.bus)
            if isinstance(work.job, HookJob):  # asks no model
                await run_hook(work, work.job, self._folds, self._boxes, self._afterwards)
            else:
                self._summarizing.begins()
                await self._answer(work, self._folds)

    async def _answer(self, work: Work, folds: Folds) -> None:
        job = work.job
        assert isinstance(job, LlmJob)
        state = await folds.folded(job.session, job.answers, job.id)
        work.seen = Seen(state.seq, state.at)
        work.provider = state.agent.llm.provider
        provider = self._providers.named(work.provider)
        said = [sentence.text for sentence in chat.said(state, job.turn, job.generation)]
        reply = ReplyUnderWay(work, job, state.agent, provider.model, said, _sentences(state, job) - len(said))
        box = await self._boxes.of(state.agent)

        async def latest() -> SessionState:
            return await folds.folded(job.session)

        rounds = Rounds(work, job, state, box, reply, self._afterwards, latest)
        hooks = ReplyHooks(work, job, rounds, reply, self._boxes, self._afterwards)
        comes: Next = await hooks.begin()
        if comes == "ask" and job.committed:
            comes = await rounds.take_up()
        agent = state.agent
        while comes == "ask" and not work.cancelled.is_set():
            if rounds.state is not state:
                reply.said = [sentence.text for sentence in chat.said(rounds.state, job.turn, job.generation)]
                reply.before = _sentences(rounds.state, job) - len(reply.said)
            while rounds.state.agent is not agent:  # in another step, or another one
                agent = rounds.state.agent
                box = await self._boxes.of(agent)
                rounds.take(box)
                provider = self._providers.named(agent.llm.provider)
                reply.speak_as(agent, provider.model)
                if await hooks.enter() == "left":
                    return
            found = await self._finding.fits(rounds.state, job.turn, job.generation)
            if found is not None and not await rounds.tell(found):
                return
            tools = box.definitions() if rounds.left else []
            try:
                end = await self._ask(reply, provider, self._request(work, rounds.state, provider, reply, tools))
            except Diverged:
                await reply.finish("cut")
                return
            if work.cancelled.is_set():
                return
            if end.finish != "tool":
                await self._end(work, reply, end)
                self._summarizing.consider(work.bus, job.session, rounds.state, provider)
                return
            if not job.committed:
                await reply.finish("tool", end.rest, wanted(end.calls))
                return
            await reply.say(end.rest)
            comes = await rounds.run(end.calls)
        if comes in ("pool", "stop", "silent") and not work.cancelled.is_set():
            await reply.finish("tool" if comes == "pool" else "silent" if comes == "silent" else "stop")

    async def _end(self, work: Work, reply: ReplyUnderWay, end: AnswerEnd) -> None:
        if not (end.rest or reply.said or reply.before):
            raise self._said_nothing(work, reply, end)
        await reply.finish("cut" if end.finish == "filter" else end.finish, end.rest)

    async def _ask(self, reply: ReplyUnderWay, provider: Llm, request: ChatRequest) -> AnswerEnd:
        """The reply's end, whatever it takes: an older turn less, or a word that there are no tools."""
        end = await self._fitting(reply, provider, request, again=not provider.prefills)
        if end.finish != "tool" or (request.tools and end.calls) or reply.work.cancelled.is_set():
            return end
        await reply.say(end.rest)
        before = len(reply.said)
        log.info("%s called a tool that there is not, or can't be made out: asked again without", reply.model)
        second = replace(request, messages=without_tools(request.messages, reply.said), prefill="", tools=[])
        end = await self._fitting(reply, provider, second, again=False)
        if end.finish != "tool":
            return end
        if len(reply.said) == before and not end.rest:
            raise Permanent(
                f"the LLM ({reply.model}) calls a tool instead of answering, and the agent has none; "
                "say so in the agent's instructions, or try another LLM_MODEL",
                "tool",
            )
        return replace(end, finish="stop")

    async def _fitting(self, reply: ReplyUnderWay, provider: Llm, request: ChatRequest, *, again: bool) -> AnswerEnd:
        """Follow the answer; while the endpoint finds the chat too long, without the older half of it."""
        known = self._fits.get(reply.model)
        messages = trimmed(request.messages, known) if known else list(request.messages)
        shortened = False
        while True:
            try:
                end = await reply.follow(provider, replace(request, messages=messages), again=again)
            except Permanent as error:
                perhaps = error.code == "bad_request" and size(messages) > _PERHAPS
                less = shorter(messages) if error.code == "context" or perhaps else None
                if less is None and error.code != "context":
                    raise
                if less is None:
                    raise Permanent(
                        f"{error}: the agent's instructions and the question alone are too long for LLM_MODEL={reply.model}; "
                        "shorten the instructions, or serve the model with a longer context",
                        "context",
                    ) from None
                messages, shortened = less, True
                log.warning("%s: the chat is too long; asked again with %d characters", reply.model, size(messages))
                continue
            if end.finish == "length" and not (end.rest or end.thought or reply.said) and (less := shorter(messages)):
                messages, shortened = less, True  # the chat alone filled the context
                continue
            if shortened and (end.rest or reply.said):
                self._fits[reply.model] = size(
                    messages
                )  # only what was seen to fit: it may have been refused for what it says
            return end

    def _request(
        self, work: Work, state: SessionState, provider: Llm, reply: ReplyUnderWay, tools: list[dict[str, Any]]
    ) -> ChatRequest:
        job, spec = reply.job, state.agent.llm
        silent = self._silent.get(work)
        again = silent is not None and not reply.said  # the same seed would be silent again
        self._tell_missing(state, job)
        return ChatRequest(
            messages=chat.messages(state, job.turn, job.generation, session=job.session),
            model=spec.model,
            temperature=spec.temperature,
            max_tokens=spec.max_tokens * (_ROOM if again and silent else 1),
            seed=spec.seed + 1 if again and spec.seed is not None else spec.seed,
            prefill=" ".join(reply.said) if provider.prefills else "",
            tools=tools,
            options=spec.options,
            session=job.session,
        )

    def _tell_missing(self, state: SessionState, job: LlmJob) -> None:
        """Values the instructions name and this call has not: once a process, however many calls have none."""
        for name in values.missing(chat.instructions(state), chat.values_of(state, job.turn, job.session)):
            if (key := (state.agent.name, name)) not in self._missed and len(self._missed) < _MISSED:
                self._missed.add(key)
                log.warning(
                    "agent %s: no {{%s}} in this call: the LLM is told %r; write {{%s | something}} for another word",
                    state.agent.name, name, values.UNKNOWN, name, extra={"session": job.session},
                )  # fmt: skip

    def _said_nothing(self, work: Work, reply: ReplyUnderWay, end: AnswerEnd) -> Exception:
        if end.finish == "filter":
            return Permanent(f"the LLM ({reply.model}): a content filter let nothing of the answer through", "filter")
        again = work in self._silent
        self._silent[work] = end.thought and end.finish == "length"
        message = (
            f"the LLM ({reply.model}) answered nothing; try another LLM_MODEL, or shorten the agent's instructions"
        )
        if self._silent[work]:
            message = (
                f"the LLM ({reply.model}) spent all of max_tokens on reasoning; raise llm.max_tokens of the agent, or "
                "switch reasoning off in its llm.options"
            )
        return Permanent(message, "empty") if again else Transient(message, "empty")


def _sentences(state: SessionState, job: LlmJob) -> int:
    """How many sentences the reply has so far, those before a tool call among them."""
    turn = state.turns.get(job.turn)
    reply = turn.reply if turn else None
    return len(reply.sentences) if reply and reply.generation == job.generation else 0
