"""An LLM endpoint between the workers and the real one: it remembers what the LLM was given, and misbehaves when told to."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Literal

import aiohttp
from aiohttp import web

Mode = Literal["pass", "500", "hang", "half", "empty"]


class LlmProxy:
    """OpenAI-compatible at `url`. `requests`: the bodies of all chat completions so far; `mode`: how it behaves now."""

    def __init__(self) -> None:
        self.upstream: Callable[[], str] = lambda: ""
        self.mode: Mode = "pass"
        self.requests: list[dict[str, Any]] = []
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

    def context_of_last(self) -> str:
        """Everything the LLM was given last, as one text."""
        return "\n".join(str(message["content"]) for message in self.requests[-1]["messages"])

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "smollm2-135m-instruct", "object": "model"}]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        if self.mode == "500":
            return web.json_response({"error": {"message": "out of order"}}, status=500)
        if self.mode == "hang":
            await asyncio.sleep(60)
        if self.mode in ("half", "empty"):
            return await self._cut_short(request)
        assert self._http is not None
        async with self._http.post(f"{self.upstream()}/chat/completions", json=body) as answer:
            response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.content_type})
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response

    async def _cut_short(self, request: web.Request) -> web.StreamResponse:
        """Half a sentence and a broken line, or a reply without a word."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        said = "I was just about to" if self.mode == "half" else ""
        for delta, finish in (
            ({"role": "assistant", "content": said}, None),
            ({}, "stop" if self.mode == "empty" else None),
        ):
            chunk = {
                "id": "x",
                "object": "chat.completion.chunk",
                "created": 0,
                "model": "m",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
            }
            await response.write(f"data: {json.dumps(chunk)}\n\n".encode())
        if self.mode == "half" and request.transport is not None:
            request.transport.abort()
        else:
            await response.write(b"data: [DONE]\n\n")
        return response
