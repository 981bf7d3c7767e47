"""Somebody who reads server-sent events, straight from the application."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from api.app import create_app
from api.house import House


@dataclass(frozen=True, slots=True)
class Heard:
    """One message; a comment has no kind."""

    kind: str
    data: Any
    id: str = ""


class Listening:
    """`takes`: whether it reads what is sent, as long as it is set; `status` and `body` of an answer that is no stream."""

    def __init__(self) -> None:
        self.takes = asyncio.Event()
        self.takes.set()
        self.leaves = asyncio.Event()
        self.status = 0
        self.body = b""
        self.headers: dict[str, str] = {}
        self.sent = 0
        self.ended = False
        self._texts: asyncio.Queue[str] = asyncio.Queue()

    async def send(self, part: Any) -> None:
        if part["type"] == "http.response.start":
            self.status = part["status"]
            self.headers = {name.decode(): value.decode() for name, value in part["headers"]}
            return
        self.body += part.get("body", b"")
        await self.takes.wait()
        text = part.get("body", b"").decode(errors="replace")
        self.sent += len(text)
        for one in text.split("\n\n"):
            if one:
                self._texts.put_nowait(one)
        if not part.get("more_body", False):
            self.ended = True

    async def receive(self) -> Any:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def next(self, *kinds: str) -> Heard:
        """The next message of such a kind."""
        while True:
            async with asyncio.timeout(5):
                heard = _parsed(await self._texts.get())
            if heard.kind in kinds:
                return heard


def _parsed(text: str) -> Heard:
    fields = dict(line.split(": ", 1) for line in text.split("\n") if not line.startswith(":"))
    data = json.loads(fields["data"]) if "data" in fields else None
    return Heard(fields.get("event", ""), data, fields.get("id", ""))


@asynccontextmanager
async def listening(house: House, path: str, **headers: str) -> AsyncIterator[Listening]:
    """Somebody reads `path`, and leaves at the end."""
    reader = Listening()
    app = create_app(house)
    target, _, query = path.partition("?")
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
        "path": target, "raw_path": target.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(b"host", b"127.0.0.1:8080")] + [(n.replace("_", "-").encode(), v.encode()) for n, v in headers.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8080),
    }  # fmt: skip
    serving = asyncio.create_task(app(scope, reader.receive, reader.send))
    try:
        yield reader
    finally:
        reader.leaves.set()
        reader.takes.set()
        async with asyncio.timeout(5):
            await serving
