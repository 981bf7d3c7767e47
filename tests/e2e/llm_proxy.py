"""An LLM endpoint between the workers and the real one: it remembers what the LLM was given, and misbehaves when told to.

Whose request it is says its `user`, an option of the agent's (`llm.options`): each caller of these tests has an agent of its own.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Literal

import aiohttp
from aiohttp import web

Mode = Literal["pass", "brief", "tale", "500", "hang", "half", "empty"]

_TALE = "A dragon was afraid of the dark. So it slept beside a lamp. And one night, the moon came to visit."
_SAID: dict[Mode, str] = {"brief": "Yes.", "tale": _TALE, "half": "I was just about to", "empty": ""}


class LlmProxy:
    """OpenAI-compatible at `url`. By user: `requests`, the bodies of all chat completions so far; `modes`, how it behaves now.

    `brief`: it says yes, at once, and nothing more; `tale`: three sentences, word by word, six seconds of speech.
    """

    def __init__(self) -> None:
        self.upstream: Callable[[], str] = lambda: ""
        self.modes: dict[str, Mode] = {}
        self.requests: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._http: aiohttp.ClientSession | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    async def start(self) -> None:
        self._http = aiohttp.ClientSession()
        app = web.Application()
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()
        if self._http:
            await self._http.close()

    def last(self, user: str) -> list[dict[str, Any]]:
        """The messages the LLM was given last for this user."""
        given: list[dict[str, Any]] = self.requests[user][-1]["messages"]
        return given

    def context_of_last(self, user: str) -> str:
        """The same as one text."""
        return "\n".join(str(message["content"]) for message in self.last(user))

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "smollm2-135m-instruct", "object": "model"}]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        user = body.get("user", "")
        self.requests[user].append(body)
        mode = self.modes.get(user, "pass")
        if mode == "500":
            return web.json_response({"error": {"message": "out of order"}}, status=500)
        if mode == "hang":
            await asyncio.sleep(60)
        if mode in _SAID:
            return await self._say(mode, request)
        assert self._http is not None
        async with self._http.post(f"{self.upstream()}/chat/completions", json=body) as answer:
            response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response

    async def _say(self, mode: Mode, request: web.Request) -> web.StreamResponse:
        """A word, a tale, half a sentence and a broken line, or a reply without a word."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        pieces = [f"{word} " for word in _TALE.split()] if mode == "tale" else [_SAID[mode]]
        for delta, finish in (
            *(({"role": "assistant", "content": piece}, None) for piece in pieces),
            ({}, None if mode == "half" else "stop"),
        ):
            chunk = {
                "id": "x",
                "object": "chat.completion.chunk",
                "created": 0,
                "model": "m",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
            }
            await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
            await asyncio.sleep(0.03 if mode == "tale" else 0)  # as a model does
        if mode == "half" and request.transport is not None:
            request.transport.abort()
        else:
            await response.write(b"data: [DONE]\n\n")
        return response
