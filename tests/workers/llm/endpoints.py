"""Chat endpoints for tests: the embedded server as a process, and one that misbehaves as asked."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
from aiohttp import web

from ops.system import free_port

_START = 30.0


@pytest.fixture(scope="session")
def embedded() -> Iterator[str]:
    """The base URL of `antiphon llm-server` with the packaged model, one for all tests."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "ops.cli", "llm-server", "--port", str(port)], stdout=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + _START
        while True:
            with contextlib.suppress(OSError):
                if urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).status == 200:
                    break
            assert process.poll() is None, "the LLM server ended while starting"
            assert time.monotonic() < end, "the LLM server was not ready in time"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        assert process.wait(10) == 0


class Misbehaving:
    """An endpoint with one fault: a status, `hang`, `half` (dies in mid-sentence), `stall`, `empty`, `no_end`, `tool`."""

    def __init__(self) -> None:
        self.fault: str | int = ""
        self.bodies: list[dict[str, object]] = []
        self.disconnected = asyncio.Event()
        self.url = ""

    async def chat(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        if isinstance(self.fault, int):
            return web.json_response({"error": {"message": "no, sk-secret-key", "type": "x"}}, status=self.fault)
        if self.fault == "hang":
            await self._until_gone()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        pieces = [] if self.fault == "empty" else ["Paris is", " the capital", " of France."]
        for piece in pieces:
            await response.write(_chunk(piece))
            if self.fault == "half":
                assert request.transport is not None
                request.transport.close()
                return response
            if self.fault == "stall":
                await self._until_gone()
        if self.fault != "no_end":
            await response.write(_chunk("", "tool_calls" if self.fault == "tool" else "stop"))
            await response.write(b"data: [DONE]\n\n")
        return response

    async def models(self, _: web.Request) -> web.Response:
        return web.json_response(
            {"object": "list", "data": [{"id": "m", "object": "model", "created": 0, "owned_by": "t"}]}
        )

    async def _until_gone(self) -> None:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            self.disconnected.set()
            raise


def _chunk(text: str, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


@pytest.fixture
async def misbehaving() -> AsyncIterator[Misbehaving]:
    endpoint = Misbehaving()
    app = web.Application()
    app.router.add_post("/v1/chat/completions", endpoint.chat)
    app.router.add_get("/v1/models", endpoint.models)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield endpoint
    await runner.cleanup()


async def healthy(base_url: str) -> bool:
    async with aiohttp.ClientSession() as http, http.get(base_url.removesuffix("/v1") + "/health") as answer:
        return answer.status == 200
