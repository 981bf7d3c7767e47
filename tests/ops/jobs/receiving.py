"""Somebody who is told by webhooks, and answers as a test wants."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

KEY = bytes(range(32))
SECRET = f"whsec_{base64.b64encode(KEY).decode()}"


@dataclass
class Receiver:
    """`statuses`: of the next answers, then 204; `told`: bodies of what was signed right, `ids`: theirs."""

    url: str = ""
    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    told: list[dict[str, Any]] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    forged: int = 0
    before: Callable[[], Awaitable[object]] | None = None

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if self.before is not None:
            await self.before()
        if not signed(request.headers, body):
            self.forged += 1
            return web.Response(status=401)
        self.told.append(json.loads(body))
        self.ids.append(request.headers["webhook-id"])
        status = self.statuses.pop(0) if self.statuses else 204
        return web.Response(status=status, headers=self.headers)


def signed(headers: Any, body: bytes) -> bool:
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    mine = "v1," + base64.b64encode(hmac.digest(KEY, text, hashlib.sha256)).decode()
    return any(hmac.compare_digest(mine, one) for one in headers["webhook-signature"].split())


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """Where it listens."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server = site._server
    assert server is not None
    port = server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    async with serving(receiver.answer) as address:
        receiver.url = f"{address}/hook"
        yield receiver
