"""Real servers for tests. `from tests.servers import valkey` is not needed: `tests/conftest.py` lends the fixture.

python -m tests.servers "no finish" 8099        # a chat endpoint that misbehaves so, to be tried by hand
"""

import asyncio
import contextlib
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

from ops.stack.embedded.livekit import LiveKit, LiveKitServerError, find_binary
from ops.stack.embedded.valkey import Valkey
from tests.quirks import MODELS, QUIRKS, Answer, refused

BINARY = os.environ.get("TEST_REDIS_SERVER") or None
"""Another redis-server or valkey-server to run the tests on, e.g. /usr/bin/redis-server."""


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[Valkey]:
    """A real server of one's own: `.url`, `stop()`, `kill()`, and `start()` again on the same folder and port."""
    server = Valkey(tmp_path / "valkey", binary=BINARY)
    await server.start()
    try:
        yield server
    finally:
        await server.kill()  # nobody wants what it would write down, and it would not end in the middle of that


@pytest.fixture
async def livekit(tmp_path: Path, valkey: Valkey) -> AsyncIterator[LiveKit]:
    """A real LiveKit server of one's own, backed by `valkey`: `.url`, `.api_key`, `.api_secret`, `kill()`, `start()`.

    Where there is no server the test is skipped with the reason; where CI is set, it fails.
    """
    server = LiveKit(tmp_path / "livekit", valkey.url, binary=livekit_binary())
    await server.start()
    try:
        yield server
    finally:
        await server.kill()  # it would wait for whoever is still in a room


def livekit_binary() -> str:
    """The LiveKit server to run the tests on; without one they are skipped with the reason, or fail where CI is set."""
    try:
        return os.environ.get("TEST_LIVEKIT_SERVER") or find_binary()
    except LiveKitServerError as error:
        unable(str(error))


@pytest.fixture
def own_logging() -> Iterator[None]:
    """For tests that run processes' mains in this one: each sets up the log of its process."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], level = before
    root.setLevel(level)
    logging.captureWarnings(False)


def unable(why: str) -> NoReturn:
    """Skip, with the reason; where CI is set, fail."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def shared_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A real server for all tests that neither kill nor configure it. Whoever lends it to a test empties it first."""
    server = Valkey(tmp_path_factory.mktemp("valkey"), appendfsync=None, binary=BINARY)
    asyncio.run(server.start())
    yield server
    asyncio.run(server.kill())


@pytest.fixture(scope="session")
def shared_livekit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveKit]:
    """A real LiveKit server for all tests that don't kill it, with a Valkey of its own: to empty that would end it."""
    folder, binary = tmp_path_factory.mktemp("livekit"), livekit_binary()
    behind = Valkey(folder / "valkey", appendfsync=None, binary=BINARY)
    asyncio.run(behind.start())
    server = LiveKit(folder / "livekit", behind.url, binary=binary)
    asyncio.run(server.start())
    yield server
    asyncio.run(server.kill())
    asyncio.run(behind.kill())


ODDITIES = ("hang", "page", "page not found", "endless noise", "no http", "hangs up")
"""Quirks of what is no endpoint at all: whatever a setting may name by mistake does one of these to whoever asks."""


class Misbehaving:
    """An endpoint of chat, of transcriptions and of speech with one fault. `deaf`: to all that asks, in whichever protocol.

    `fault`: a name of `QUIRKS`, or a status; `models`: a name of `MODELS`, or a name of `QUIRKS`. `bodies`: of the requests of
    chat; `heads`: of all. `disconnected`: a client has left a request that hung.
    """

    def __init__(self, fault: str | int = "", *, deaf: bool = False) -> None:
        self.fault = fault
        self._deaf = deaf
        self.models = ""
        self.bodies: list[dict[str, Any]] = []
        self.heads: list[str] = []
        self.disconnected = asyncio.Event()
        self.sound = b"\x10\x20" * 24_000
        self.place = self.url = ""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.place = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self.url = f"http://{self.place}/v1"

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                if self._deaf:
                    await reader.read(1000)
                    await self._send(QUIRKS[str(self.fault)]({}, 0), reader, writer)
                    return
                first = await reader.readexactly(1)
                if not first.isalpha():  # TLS
                    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    await writer.drain()
                    return
                head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = next((line for line in head.lower().splitlines() if line.startswith("content-length:")), "0:0")
                body = await reader.readexactly(int(length.partition(":")[2]))
                self.heads.append(head)
                await self._send(self._answer(head, body), reader, writer)
        finally:
            writer.close()

    def _answer(self, head: str, body: bytes) -> Answer:
        path = head.split(" ", 2)[1].partition("?")[0]
        if path.endswith("/models"):
            if self.models in QUIRKS and self.models not in MODELS:
                return QUIRKS[self.models]({}, 0)
            return Answer([json.dumps(MODELS[self.models]).encode()], kind="application/json")
        number = len(self.bodies)
        asked: dict[str, Any] = json.loads(body) if body[:1] == b"{" else {}
        self.bodies.append(asked)
        if isinstance(self.fault, int):
            return refused(self.fault, "no, sk-secret-key")
        if self.fault == "":
            if path.endswith("/transcriptions"):
                return Answer([b'{"text": "hello"}'], kind="application/json")
            if path.endswith("/speech"):
                return Answer([self.sound], kind="audio/pcm")
        return QUIRKS[self.fault](asked, number)

    async def _send(self, answer: Answer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not answer.raw:
            fields = {"Content-Type": answer.kind, "Connection": "close", **answer.headers}
            fields |= {"Transfer-Encoding": "chunked"} if answer.chunked else {}
            writer.write(f"HTTP/1.1 {answer.status} X\r\n".encode())
            writer.write("".join(f"{name}: {value}\r\n" for name, value in fields.items()).encode() + b"\r\n")
        for step in answer.steps:
            if isinstance(step, float):
                await asyncio.sleep(step)
            elif step == "break":
                await writer.drain()
                writer.transport.abort()
                return
            elif step == "hang":
                await writer.drain()
                await reader.read()
                self.disconnected.set()
                return
            elif isinstance(step, bytes) and step:
                framed = answer.chunked and not answer.raw
                writer.write(b"%x\r\n%s\r\n" % (len(step), step) if framed else step)
                await writer.drain()
        if answer.chunked and not answer.raw:
            writer.write(b"0\r\n\r\n")
        await writer.drain()


@pytest.fixture
async def misbehaving() -> AsyncIterator[Misbehaving]:
    """An endpoint that misbehaves as `fault` says."""
    endpoint = Misbehaving()
    await endpoint.start()
    yield endpoint
    await endpoint.stop()


@asynccontextmanager
async def odd_server(how: str) -> AsyncIterator[str]:
    """host:port of something that is no endpoint: it does `how`, one of ODDITIES, whatever it is asked."""
    server = Misbehaving(how, deaf=True)
    await server.start()
    try:
        yield server.place
    finally:
        await server.stop()


async def _by_hand(fault: str, port: int) -> None:
    endpoint = Misbehaving(fault)
    await endpoint.start(port)
    print(f"LLM_BASE_URL={endpoint.url}  ({fault or 'as it should be'})", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_by_hand(sys.argv[1], int(sys.argv[2])))
