"""Any OpenAI-compatible chat endpoint: llama.cpp, vLLM, Ollama, OpenAI, Azure, Nebius, …"""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai
from openai import AsyncOpenAI

from schemas.errors import Permanent, ProviderError, Transient
from schemas.events import Usage
from schemas.settings import Settings
from workers.providers import ChatRequest, Delta

log = logging.getLogger("antiphon.llm")

_CONNECT = 3.0  # seconds
_BETWEEN = 5.0  # seconds between two tokens: longer, and the stream is dead
_FINISH = {"stop": "stop", "length": "length", "tool_calls": "tool", "function_call": "tool", "content_filter": "stop"}


class OpenAiLlm:
    """Streams chat completions. An agent's `llm.options` go into the request as they are (`extra_body`)."""

    def __init__(self, settings: Settings):
        self.model = settings.llm_model
        self.prefills = settings.llm_prefill
        self._patience = settings.llm_timeout
        url = urlsplit(settings.llm_base_url)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise Permanent(
                f"LLM_BASE_URL={_public(settings.llm_base_url)}: expected a URL such as http://127.0.0.1:8081/v1",
                "bad_url",
            )
        self._where = f"LLM_BASE_URL={_public(settings.llm_base_url)}"
        # llama.cpp closes the connection behind a streamed answer without announcing it; whoever reuses it at once gets
        # an error instead of an answer. A new one costs nothing there, and a handshake only behind https.
        kept = 20 if url.scheme == "https" else 0
        self._client = AsyncOpenAI(
            base_url=settings.llm_base_url,
            api_key=settings.llm_api_key.get_secret_value() or "none",
            max_retries=0,
            http_client=openai.DefaultAsyncHttpxClient(
                limits=httpx2.Limits(max_connections=200, max_keepalive_connections=kept),
                timeout=httpx2.Timeout(self._patience, connect=_CONNECT),
            ),
        )

    async def warm_up(self) -> None:
        """Look for the model and ask for one token: a cold endpoint loads it now, not in a call."""
        try:
            names = [model.id async for model in await self._client.models.list()]
            if names and self.model not in names:
                log.warning("LLM_MODEL=%s is not among those of %s: %s", self.model, self._where, ", ".join(names[:5]))
        except openai.APIStatusError as error:
            log.debug("no list of models: %s", error.status_code)  # not every endpoint has one
        except openai.APIError as error:
            raise self._explained(error) from None
        request = ChatRequest([{"role": "user", "content": "Hello"}], max_tokens=1, temperature=0.0)
        async for _ in self.stream(request):
            pass

    async def stream(self, request: ChatRequest) -> AsyncIterator[Delta]:
        now = asyncio.get_running_loop().time
        until = now() + self._patience
        finish = None
        try:
            async with asyncio.timeout_at(until):
                chunks = await self._client.chat.completions.create(**self._body(request))
            async with chunks:
                while True:
                    async with asyncio.timeout_at(until):  # never around a yield: it would strike whoever reads us
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        break
                    delta = _delta(chunk)
                    if delta.text or delta.finish:
                        until = now() + _BETWEEN
                    finish = delta.finish or finish
                    yield delta
        except TimeoutError:
            if finish is None:
                raise Transient(
                    f"{self._where}: no first token within {self._patience:g} s (LLM_TIMEOUT), or {_BETWEEN:g} s without one",
                    "timeout",
                ) from None
        except (openai.APIError, httpx2.HTTPError) as error:
            if finish is None:
                raise self._explained(error) from None
        if finish is None:
            raise Transient(f"{self._where}: the stream ended in the middle of the reply", "broken_stream")

    async def aclose(self) -> None:
        await self._client.close()

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        messages = list(request.messages)
        if request.prefill:
            # llama.cpp goes on by itself; vLLM wants options = {continue_final_message = true, add_generation_prompt = false}
            messages.append({"role": "assistant", "content": request.prefill.rstrip()})
        body: dict[str, Any] = {
            "model": request.model or self.model,
            "messages": messages,
            "temperature": request.temperature,
            "max_tokens": request.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if request.seed is not None:
            body["seed"] = request.seed
        if request.tools:
            body["tools"] = request.tools
        if request.options:
            options = dict(request.options)
            if not request.prefill:
                for name in ("continue_final_message", "add_generation_prompt"):
                    options.pop(name, None)
            body["extra_body"] = options
        return body

    def _explained(self, error: Exception) -> ProviderError:
        """Which setting to change, and whether it may pass by itself. Never what a refused key looked like."""
        if isinstance(error, openai.APITimeoutError | httpx2.TimeoutException):
            return Transient(f"{self._where}: no answer within {self._patience:g} s (LLM_TIMEOUT)", "timeout")
        if isinstance(error, openai.APIStatusError):
            return self._refused(error.status_code, str(error.message))
        refused = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
        if isinstance(refused, httpx2.ConnectError):
            return Transient(f"{self._where}: cannot be reached; start the endpoint, or correct the URL", "connect")
        return Transient(f"{self._where}: the stream broke ({type(error).__name__})", "broken_stream")

    def _refused(self, status: int, said: str) -> ProviderError:
        said = " ".join(said.split())[:200]
        if self._client.api_key:
            said = said.replace(self._client.api_key, "…")
        if status in (401, 403):
            return Permanent(
                f"{self._where} answers {status}: LLM_API_KEY is missing, wrong, or may not use the model", "refused"
            )
        if status == 404:
            return Permanent(
                f"{self._where} answers 404: no such path, or LLM_MODEL={self.model} is not known there ({said})",
                "model_missing",
            )
        if status in (408, 409, 425, 429) or status >= 500:
            return Transient(f"{self._where} answers {status}: {said}", "bad_status")
        return Permanent(f"{self._where} answers {status}: {said}", "bad_request")


def _delta(chunk: Any) -> Delta:
    """One chunk of a stream. The last may carry the usage and no choice."""
    usage = None
    if chunk.usage:
        usage = Usage(prompt_tokens=chunk.usage.prompt_tokens, completion_tokens=chunk.usage.completion_tokens)
    if not chunk.choices:
        return Delta(usage=usage)
    choice = chunk.choices[0]
    finish: Any = _FINISH.get(choice.finish_reason, "stop") if choice.finish_reason else None
    return Delta((choice.delta.content or "") if choice.delta else "", finish, usage)


def _public(url: str) -> str:
    """A URL without the user and password it may hold."""
    parts = urlsplit(url)
    return url.replace(f"{parts.username}:{parts.password}@", "") if parts.password else url
