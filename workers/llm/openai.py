"""Any OpenAI-compatible chat endpoint: llama.cpp, vLLM, Ollama, OpenAI, Azure, Nebius, … and what they do in their own way
(docs/endpoints.md)."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from typing import Any

import httpx2

from schemas.config.settings import Settings
from schemas.errors import Permanent, ProviderError, Transient
from schemas.events import Usage
from schemas.text.clean import well_formed
from workers._answers import json_value, opened
from workers._http import TROUBLE, Base, explained
from workers._refusals import Endpoint, error_event
from workers.llm import _learning
from workers.llm._calls import Pieces
from workers.llm._chunks import Chunk, Finish, chunk
from workers.llm._reasoning import Hidden, Shown
from workers.llm._request import Habits, body_of, headers_of
from workers.llm._sse import EventStream, NotAStream
from workers.llm._written import Written
from workers.providers import CalledTool, ChatRequest, Delta, Llm

log = logging.getLogger("antiphon.llm")

_SUCH_AS = "http://127.0.0.1:8081/v1"
_BETWEEN = 5.0  # seconds between two signs of life, once the reply has begun: longer, and the stream is dead
_GRACE = 0.2  # seconds that the usage may come after the end
_SPARE = 0.5  # seconds beyond LLM_TIMEOUT for what sends signs of life and no answer
_END = 0.05  # seconds that the end of a body may take behind its last event
_PROBES = 2.0  # seconds for what else is asked while warming up


class OpenAiLlm(Llm):
    """Streams chat completions. An agent's `llm.options` go into the request as they are."""

    def __init__(self, settings: Settings, *, keeps: bool | None = None):
        """`keeps`: whether connections are used again; None: behind https only."""
        self.model = settings.llm_model
        self.prefills = settings.llm_prefill == "on"
        self._prefill = settings.llm_prefill
        self._patience = settings.llm_timeout
        base = Base("LLM", settings.llm_base_url, settings.llm_api_key, model=self.model, example=_SUCH_AS)
        self._endpoint = base.endpoint
        self._habits: dict[str, Habits] = {}
        # llama.cpp closes the connection behind a streamed answer without announcing it; whoever reuses it at once gets
        # an error instead of an answer. A new one costs nothing there, and a handshake only behind https.
        self._keeps = base.secure if keeps is None else keeps
        kept = 20 if self._keeps else 0
        self._client = base.client(connections=200, kept=kept)

    @staticmethod
    def named_by(settings: Settings) -> tuple[str, str]:
        return "LLM_BASE_URL", settings.llm_base_url

    @staticmethod
    def answers_within(settings: Settings) -> tuple[str, float]:
        return "LLM_TIMEOUT", settings.llm_timeout

    async def warm_up(self) -> None:
        """Ask something short: a cold endpoint loads its model now, not in a call, and its habits are known. ProviderError:
        what it did instead of answering, within LLM_TIMEOUT and half a second whatever that was."""
        bound = self._patience + _SPARE
        try:
            async with asyncio.timeout(bound):
                await _learning.first_answer(self)
        except TimeoutError:
            raise Transient(
                f"{self._endpoint.where}: no whole answer within {bound:g} s (LLM_TIMEOUT)", "timeout"
            ) from None
        with contextlib.suppress(TimeoutError):  # what isn't known by then isn't made use of
            async with asyncio.timeout(_PROBES):
                await self._learn()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        habits = self._habits_of(request.model)
        hidden = Hidden(held=habits.unopened and not request.prefill)
        text = _ShownText(hidden, Written(request.tools, request.messages, looks=not request.verbatim))
        finish: Finish = "stop"
        usage: Usage | None = None
        async with contextlib.aclosing(self._chunks(request, habits)) as chunks:
            async for each in chunks:
                delta = text.feed(each)
                habits.unopened = habits.unopened or hidden.unopened
                finish = each.finish or finish
                usage = _more(usage, each.usage)
                if delta.text or delta.thought or delta.forget:
                    yield delta
        last = text.flush()
        if last.text or last.forget:
            yield last
        yield Delta(finish="tool" if text.called else finish, usage=usage, calls=text.calls() if text.called else ())

    async def aclose(self) -> None:
        await self._client.close()

    # ── one request ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _chunks(self, request: ChatRequest, habits: Habits) -> AsyncGenerator[Chunk]:
        """What is streamed, to its end: a finish and a moment for the usage, `[DONE]`, or a clean end behind text."""
        now = asyncio.get_running_loop().time
        until = now() + self._patience
        events = _Events()
        response: httpx2.Response | None = None
        pause = self._patience
        try:
            async with asyncio.timeout_at(until):
                response = await self._open(request, habits)
            body = response.aiter_bytes()
            while not events.over:
                try:
                    async with asyncio.timeout_at(until):  # never around a yield: it would strike whoever reads us
                        piece = await anext(body, None)
                    found = events.feed(piece)
                except (TimeoutError, *TROUBLE):
                    if events.finished:
                        break
                    raise
                for each in found:
                    if each.error is not None and not events.finished:
                        raise error_event(self._endpoint, each.error)
                    pause = min(_BETWEEN, self._patience) if each.text else pause
                    yield each
                # whatever came is a sign of life
                until = min(until, now() + _GRACE) if events.finished else now() + pause
            if self._keeps:
                await _to_the_end(body)
        except NotAStream as error:
            raise _unlike(self._endpoint, "a stream of chat completions", str(error)) from None
        except TROUBLE as error:
            within = f"within {self._patience:g} s (LLM_TIMEOUT), or {_BETWEEN:g} s in mid-reply without a sign of life"
            raise explained(error, self._endpoint, within) from None
        finally:
            if response is not None:
                with contextlib.suppress(Exception):
                    await response.aclose()
        events.check(self._endpoint)

    async def _open(self, request: ChatRequest, habits: Habits) -> httpx2.Response:
        """The answer to the request, asked once more without what this endpoint turns out not to know."""
        while True:
            body = body_of(request, self.model, habits)
            asked: Any = self._client.chat.completions.with_streaming_response
            try:
                return await opened(
                    asked.create(
                        model=body["model"],
                        messages=body["messages"],
                        stream=True,
                        extra_body=body,
                        extra_headers=headers_of(request),
                    )
                )
            except Permanent as error:
                if error.code != "bad_request" or not habits.learn(body, str(error)):
                    raise self._about(request, error) from None

    def _about(self, request: ChatRequest, error: ProviderError) -> ProviderError:
        if error.code != "bad_request" or not request.prefill:
            return error
        self.prefills = False  # it may well be the assistant's message at the end; the reply is asked for anew
        return Transient(f"{error}; it does not seem to continue a reply (LLM_PREFILL=off)", "no_prefill")

    # ── learning ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _habits_of(self, model: str) -> Habits:
        return self._habits.setdefault(model or self.model, Habits())

    async def _learn(self) -> None:
        known = await _learning.models(self._client)
        if known.names and self.model not in known.names:
            log.warning("LLM_MODEL=%s is not among those of %s: %s", self.model, self._endpoint.where, known.shown())
        if self._prefill == "auto":
            habits = self._habits_of("")
            habits.continuing = dict(_learning.CONTINUING) if "vllm" in known.owners else {}
            # llama.cpp is known to; where a model's template forbids it, it refuses, and then it is off
            self.prefills = "llamacpp" in known.owners or await _learning.continues(self)
            log.info(
                "%s %s a reply it is given", self._endpoint.where, "continues" if self.prefills else "does not continue"
            )


async def _to_the_end(body: AsyncIterator[bytes]) -> None:
    """A connection is kept only if its answer was read to the end: that is on its way, or else isn't worth a wait."""
    with contextlib.suppress(TimeoutError, *TROUBLE):
        async with asyncio.timeout(_END):
            while await anext(body, None) is not None:
                pass


class _Events:
    """The events of one body. `finished`: the reply is whole; `over`: nothing more is to be read."""

    def __init__(self) -> None:
        self.finished = self.over = False
        self._stream = EventStream()
        self._understood = self._done = self._pieces = False
        self._strange = ""

    def feed(self, piece: bytes | None) -> list[Chunk]:
        chunks = []
        for data in self._stream.end() if piece is None else self._stream.feed(piece):
            if data.strip() == "[DONE]":
                self._done = self.over = True
                break
            each = chunk(json_value(data))
            if each.whole and self._pieces:
                each = replace(each, text="", calls=())  # the message once more, behind all its pieces
            self._pieces = self._pieces or (bool(each.text or each.calls) and not each.whole)
            self._understood = self._understood or each.understood
            self._strange = self._strange or ("" if each.understood else data)
            self.finished = self.finished or each.finish is not None
            chunks.append(each)
            if each.finish is not None and each.usage is not None:
                self.over = True
                break
        self.over = self.over or piece is None
        return chunks

    def check(self, endpoint: Endpoint) -> None:
        """ProviderError: it ended, and none of it was part of a reply."""
        if self._understood or self._done:
            return
        if self._strange:
            raise _unlike(endpoint, "chat completions", self._strange)
        raise Transient(f"{endpoint.where}: the stream ended without a word", "empty_stream")


def _unlike(endpoint: Endpoint, expected: str, begins: str) -> Permanent:
    return Permanent(
        f"{endpoint.where}: expected {expected}, got “{endpoint.safe(begins)}”; "
        f"is it the base URL of an OpenAI-compatible API, such as {_SUCH_AS}?",
        "bad_answer",
    )


class _ShownText:
    """The text of chunks, without what is hidden in it; halves of one character joined. `called`: a tool."""

    def __init__(self, hidden: Hidden, written: Written):
        self.called = False
        self._hidden, self._written = hidden, written
        self._pieces = Pieces()
        self._half = ""

    def feed(self, each: Chunk) -> Delta:
        text = self._half + each.text
        self._half = text[-1] if text and "\ud800" <= text[-1] <= "\udbff" else ""
        shown = self._hidden.feed(well_formed(text[: len(text) - len(self._half)]))
        self.called = self.called or each.called or each.finish == "tool"
        self._pieces.add(each.calls)
        return Delta(self._said(shown), thought=shown.thought or each.thought, forget=shown.forget)

    def flush(self) -> Delta:
        left = self._hidden.feed(well_formed(self._half)) if self._half else Shown()
        said = self._said(left)
        rest = self._hidden.flush()
        more = self._said(rest) + self._written.flush()
        self.called = self.called or self._written.called
        return Delta(more if rest.forget else said + more, forget=left.forget or rest.forget)

    def calls(self) -> tuple[CalledTool, ...]:
        """As the endpoint gave them; else what the model wrote."""
        return self._pieces.calls() or self._written.calls(self._hidden.written)

    def _said(self, shown: Shown) -> str:
        if shown.forget:
            self._written.forget()
        self.called = self.called or shown.called
        return self._written.feed(shown.text)


def _more(one: Usage | None, other: Usage | None) -> Usage | None:
    """Some tell it in every chunk, some only in the last, some with nothing in it."""
    if one is None or other is None:
        return one or other
    return Usage(
        prompt_tokens=max(one.prompt_tokens, other.prompt_tokens),
        completion_tokens=max(one.completion_tokens, other.completion_tokens),
    )
