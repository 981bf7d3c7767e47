"""The model that plays callers and judges: the LLM stage's own endpoint, or one of its own (SIMULATE_LLM_BASE_URL). And a
model by script, which answers for a real one where a test wants to know every word."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

from schemas.config.settings import Settings
from schemas.errors import Permanent, Transient
from workers.providers import CalledTool, ChatRequest, Delta, Llm, whole_answer
from workers.registry import provider

__all__ = ["Awaited", "Model", "Scripted", "model_settings", "reply_of"]

_WITHIN = 90.0
"""Seconds for all of an answer."""
_PATIENCE = 60.0
"""Seconds until its first token: nobody waits on a telephone."""
_ANSWER = 8_000
"""Characters of an answer from which no more is read."""
_TRIES = 3


def model_settings(settings: Settings) -> Settings:
    """Those of the LLM stage, with the endpoint and the model of who plays and judges."""
    shared = not settings.simulate_llm_base_url
    key = settings.simulate_llm_api_key
    if shared and not key.get_secret_value():
        key = settings.llm_api_key
    return settings.model_copy(
        update={
            "llm_base_url": settings.simulate_llm_base_url or settings.llm_base_url,
            "llm_model": settings.simulate_llm_model or settings.llm_model,
            "llm_api_key": key,
            "llm_provider": settings.llm_provider if shared else "openai",
            "llm_timeout": max(settings.llm_timeout, _PATIENCE),
        }
    )


class Model:
    """Asked for one text at a time; `llm` is closed with it."""

    def __init__(self, llm: Llm) -> None:
        self._llm = llm

    @classmethod
    def of(cls, settings: Settings) -> "Model":
        """Permanent: the settings can't be right."""
        return cls(provider("llm", "", model_settings(settings)))

    async def warm_up(self) -> None:
        """ProviderError: it does not answer, and which setting to look at."""
        await self._llm.warm_up()

    async def ask(
        self, messages: Sequence[Mapping[str, Any]], *, tokens: int, temperature: float = 0.2, seed: int = 7
    ) -> str:
        """Its answer, however long it raves cut. Transient, Permanent: it gave none."""
        request = ChatRequest(
            [dict(message) for message in messages], temperature=temperature, max_tokens=tokens, seed=seed
        )
        for tried in range(1, _TRIES + 1):
            try:
                return await self._once(request)
            except Transient:
                if tried == _TRIES:
                    raise
                await asyncio.sleep(0.5 * tried)
        raise AssertionError

    async def _once(self, request: ChatRequest) -> str:
        try:
            answer = await whole_answer(self._llm, request, most=_ANSWER, within=_WITHIN)
        except TimeoutError:
            raise Transient(
                f"no whole answer within {_WITHIN:g} s (SIMULATE_LLM_BASE_URL, LLM_BASE_URL)", "timeout"
            ) from None
        return answer[:_ANSWER].strip()

    async def aclose(self) -> None:
        await self._llm.aclose()


class Awaited(Llm):
    """A model that is opened with the first question: most tests ask none. `open_one`: gives it, warm."""

    def __init__(self, settings: Settings, open_one: Callable[[], AbstractAsyncContextManager[Llm]]) -> None:
        self.model = settings.llm_model
        self._open = open_one
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._llm: Llm | None = None

    async def warm_up(self) -> None:
        await self._opened()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        async with contextlib.aclosing((await self._opened()).stream(request)) as stream:
            async for delta in stream:
                yield delta

    async def _opened(self) -> Llm:
        async with self._opening:
            if self._llm is None:
                self._llm = await self._stack.enter_async_context(self._open())
                self.model = self._llm.model
            return self._llm

    async def aclose(self) -> None:
        await self._stack.aclose()


def reply_of(said: str | Mapping[str, Any]) -> Sequence[Delta]:
    """A reply of a script: a text, or the call of a tool: {"call": name, "arguments": {…}, "say": what is said before it}."""
    if isinstance(said, str):
        return [Delta(said), Delta(finish="stop")]
    called = CalledTool(said["call"], dict(said.get("arguments", {})))
    return [Delta(said.get("say", "")), Delta(finish="tool", calls=(called,))]


class Scripted(Llm):
    """Answers sessions that have a script by it, reply by reply; all others as `real` does. The same question gets the same
    answer, so that who asks again after a lost worker is told the same."""

    def __init__(self, settings: Settings, real: Llm) -> None:
        self.model = real.model
        self.prefills = False
        self._real = real
        self._scripts: dict[str, list[Sequence[Delta]]] = {}
        self._given: dict[tuple[str, str], Sequence[Delta]] = {}

    def script(self, session: str, replies: Sequence[Sequence[Delta]]) -> None:
        """What this session's next questions are answered with."""
        self._scripts.setdefault(session, []).extend(replies)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        script = self._scripts.get(request.session)
        if script is None:
            async with contextlib.aclosing(self._real.stream(request)) as stream:
                async for delta in stream:
                    yield delta
            return
        question = (request.session, json.dumps(request.messages, default=str))
        if question not in self._given:
            if not script:
                raise Permanent("the script of this conversation has no reply left", "script")
            self._given[question] = script.pop(0)
        for delta in self._given[question]:
            yield delta

    async def aclose(self) -> None:
        await self._real.aclose()
