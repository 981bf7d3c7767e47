"""The public port itself: half-open connections, slow ones, nonsense, and a gigabyte; by a real socket."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from api.access import door
from api.house import House
from api.main import listen, server_of
from schemas.config.settings import Settings

HEAD = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = b"POST /v1/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, data: bytes) -> None:
        self.writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    async def ended(self) -> bytes:
        """What came until the other side closed."""
        told = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(10):
                while chunk := await self.reader.read(65_536):
                    told += chunk
        return told

    async def status(self) -> int:
        """Of the next answer."""
        async with asyncio.timeout(10):
            return int((await self.reader.readuntil(b"\r\n")).split(b" ")[1])


class Port:
    """The served API."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.lines: list[Line] = []

    async def line(self, said: bytes = b"") -> Line:
        made = Line(*await asyncio.open_connection("127.0.0.1", self.port))
        self.lines.append(made)
        if said:
            await made.say(said)
        return made


@asynccontextmanager
async def served(house: House) -> AsyncIterator[Port]:
    with listen(house.settings) as bound:
        server = server_of(house)
        serving = asyncio.ensure_future(server.serve([bound]))
        port = Port(bound.getsockname()[1])
        try:
            while not server.started:
                await asyncio.sleep(0.01)
            yield port
        finally:
            for line in port.lines:
                line.writer.close()
            server.should_exit = True
            await serving


def settled(**given: object) -> list[Settings]:
    return [Settings(_env_file=None, api_port=0, **given)]  # type: ignore[arg-type]  # as in an environment


def problem(told: bytes) -> dict[str, object]:
    head, _, body = told.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    found: dict[str, object] = json.loads(body)
    return found


@pytest.mark.parametrize("said", [b"", b"GET /hea", HEAD + b"X: ", POST + b"Content-Length: 10\r\n\r\n{"])
@pytest.mark.parametrize(
    "settings", [*settled(api_connections=40), *settled(api_connections_per_address=40)], ids=["all", "one address"]
)
async def test_half_open_connections_lock_nobody_out(house: House, said: bytes) -> None:
    """However many say nothing, or half of something: who asks is answered."""
    async with served(house) as port:
        for _ in range(120):
            await port.line(said)
        await asyncio.sleep(0.05)
        assert house.figures.registry.get_sample_value("antiphon_api_connections") <= 40  # type: ignore[operator]
        asking = await port.line(HEAD + b"\r\n")
        assert await asking.status() == 200


@pytest.mark.parametrize("settings", settled(api_connections_per_address=3))
async def test_those_who_are_busy_stay(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection too many from one address is refused in words while the others are being answered."""
    going_on = asyncio.Event()

    async def slow(*_: object) -> bool:
        await going_on.wait()
        return True

    monkeypatch.setattr(house.gate, "is_open", slow)
    async with served(house) as port:
        asking = [await port.line(b"GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n") for _ in range(3)]
        await asyncio.sleep(0.1)
        told = await (await port.line(HEAD + b"\r\n")).ended()
        assert told.startswith(b"HTTP/1.1 503")
        assert problem(told)["code"] == "too_many"
        going_on.set()
        assert [await line.status() for line in asking] == [200, 200, 200]


@pytest.mark.parametrize("settings", settled())
async def test_a_head_comes_in_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slow-loris: half a head, or one that trickles, is told so and closed; a connection that says nothing is closed."""
    monkeypatch.setattr(door, "FIRST_WITHIN", 0.3)
    async with served(house) as port:
        assert await (await port.line()).ended() == b""
        assert problem(await (await port.line(HEAD)).ended())["status"] == 408
        trickling = await port.line(HEAD)

        async def trickle() -> None:
            while True:
                await trickling.say(b"X: y\r\n")
                await asyncio.sleep(0.05)

        saying = asyncio.ensure_future(trickle())
        assert (await trickling.ended()).startswith(b"HTTP/1.1 408")
        saying.cancel()
        second = await port.line(HEAD + b"\r\n" + HEAD)
        told = await second.ended()
        assert told.count(b"HTTP/1.1 ") == 2
        assert b"HTTP/1.1 408" in told


@pytest.mark.parametrize("settings", settled())
async def test_a_gigabyte_is_refused_before_it_comes(house: House) -> None:
    """The refusal comes for the head, the connection is closed, and what is sent all the same goes nowhere."""
    async with served(house) as port:
        line = await port.line(POST + b"Content-Length: 1073741824\r\n\r\n" + b"x" * 100_000)
        told = await line.ended()
        assert told.startswith(b"HTTP/1.1 413")
        assert problem(told)["code"] == "too_large"
        waiting = await port.line(POST + b"Content-Length: 1073741824\r\nExpect: 100-continue\r\n\r\n")
        assert (await waiting.ended()).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("settings", settled())
@pytest.mark.parametrize(
    "said",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 10_000,
        b"GET /v1/me?ticket=secret" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        POST + b"Content-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer secret\x00\r\n\r\n",
    ],
)
async def test_nonsense_is_answered_as_a_problem_and_leaves_no_log(
    house: House, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """400 in our own form; neither a traceback nor what was shown stands in the log."""
    async with served(house) as port:
        told = await (await port.line(said)).ended()
        assert told.startswith(b"HTTP/1.1 400")
        assert problem(told)["code"] == "http"
    assert "secret" not in caplog.text
    assert "Traceback" not in caplog.text
    assert not [
        record for record in caplog.records if record.name.startswith("uvicorn") and record.levelname == "ERROR"
    ]


@contextmanager
def turns_of_the_loop() -> Iterator[Callable[[], int]]:
    """How many others had meanwhile."""
    turns = 0

    async def turning() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.ensure_future(turning())
    try:
        yield lambda: turns
    finally:
        counting.cancel()


@pytest.mark.parametrize("settings", settled())
async def test_a_body_in_crumbs_stops_nobody(house: House) -> None:
    """A body in thousands of parts of a byte is read a little at a time: the loop turns between."""
    crumbs = b"".join(b"1\r\n \r\n" for _ in range(60_000))
    async with served(house) as port:
        line = await port.line(POST + b"Transfer-Encoding: chunked\r\n\r\n")
        with turns_of_the_loop() as turns:
            await line.say(crumbs + b"2\r\n{}\r\n0\r\n\r\n")
            assert await line.status() == 422
        assert turns() > len(crumbs) / door._AT_ONCE


@pytest.mark.parametrize("settings", settled())
async def test_many_bodies_in_crumbs_stop_nobody(house: House) -> None:
    """However many send such bodies at once: between two turns of the loop a little of one of them is read, not of each."""
    crumbs, many = b"".join(b"1\r\n \r\n" for _ in range(10_000)), 8
    async with served(house) as port:
        lines = [await port.line(POST + b"Transfer-Encoding: chunked\r\n\r\n") for _ in range(many)]
        with turns_of_the_loop() as turns:
            await asyncio.gather(*(line.say(crumbs + b"2\r\n{}\r\n0\r\n\r\n") for line in lines))
            assert {await line.status() for line in lines} == {422}
        assert turns() > many * len(crumbs) / door._CRUMBS


@pytest.mark.parametrize("settings", settled())
@pytest.mark.parametrize(
    "sent",
    [
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + (b"1;" + b"x" * 12_000 + b"\r\na\r\n") * 400,
        POST + b"Content-Length: 1073741824\r\n\r\n" + b"x" * 5_000_000,
        (HEAD + b"\r\n") * 60_000,
    ],
    ids=["chunks with long names", "a gigabyte", "requests"],
)
async def test_who_sends_faster_than_is_read_waits(house: House, sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a flood no more is held than a socket gives at once."""
    most = 0

    class Watched(door.Visitor):
        def data_received(self, data: bytes) -> None:
            nonlocal most
            super().data_received(data)
            most = max(most, len(self._unread))

    monkeypatch.setattr(door, "Visitor", Watched)
    async with served(house) as port:
        sending = asyncio.ensure_future((await port.line()).say(sent))
        await asyncio.wait([sending], timeout=1)
        asking = await port.line(HEAD + b"\r\n")
        assert await asking.status() == 200
        sending.cancel()
        assert 0 < most <= 262_144  # as much as asyncio takes of a socket at once


@pytest.mark.parametrize("settings", settled())
async def test_who_does_not_read_is_left(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that nobody takes holds no place for ever."""
    monkeypatch.setattr(door, "READ_WITHIN", 0.2)
    async with served(house) as port:
        line = await port.line()
        line.writer.transport.pause_reading()  # type: ignore[attr-defined]  # asyncio's sockets can
        count = lambda: house.figures.registry.get_sample_value("antiphon_api_connections")  # noqa: E731
        asked = b"GET /v1/openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 200
        await asyncio.wait({asyncio.ensure_future(line.say(asked))}, timeout=1)
        async with asyncio.timeout(20):
            while count():
                await asyncio.sleep(0.05)


@pytest.mark.parametrize("settings", settled())
async def test_a_body_of_two_lengths_is_refused(house: House) -> None:
    """Content-Length and chunks in one request: a proxy may have taken the one, so nothing of the connection is read on."""
    smuggled = HEAD + b"\r\n"
    async with served(house) as port:
        body = b"0\r\n\r\n" + smuggled
        head = POST + b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n" % len(body)
        told = await (await port.line(head + body)).ended()
        assert told.startswith(b"HTTP/1.1 400")
        assert told.count(b"HTTP/1.1 ") == 1
        assert problem(told)["code"] == "length"


@pytest.mark.parametrize("settings", settled())
async def test_a_websocket_is_told_where_it_belongs(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """The API has none: it is answered like any request, without a word in the log."""
    async with served(house) as port:
        line = await port.line(
            b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert await line.status() == 404
    assert "upgrade" not in caplog.text.lower()


class Watched:
    """Visitors of which it is seen that they heard the end of what a client sends; answers wait for that, by `slow`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._heard_all = heard_all = asyncio.Event()
        self._going_on = asyncio.Event()

        class Visitor(door.Visitor):
            def eof_received(self) -> bool:
                heard_all.set()
                return super().eof_received()

        monkeypatch.setattr(door, "Visitor", Visitor)

    async def slow(self, *_: object, **__: object) -> None:
        await self._going_on.wait()

    async def end_of(self, line: "Line") -> bytes:
        """Shut the sending half while the answer is on its way; what comes until the end."""
        line.writer.write_eof()
        async with asyncio.timeout(10):
            await self._heard_all.wait()
        self._going_on.set()
        return await line.ended()


ASKED = b"GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize("settings", settled())
@pytest.mark.parametrize("said", [ASKED, POST + b"Content-Length: 2\r\n\r\n{}"])
async def test_who_has_said_all_is_answered(house: House, said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client may shut its sending half after the request, as `nc -N` does: it has the answer whole, then the end."""
    watched = Watched(monkeypatch)
    monkeypatch.setattr(house.limits, "spend", watched.slow)
    async with served(house) as port:
        line = await port.line(said)
        told = await watched.end_of(line)
        assert told.count(b"HTTP/1.1 ") == 1
        assert told.endswith(b"}")


@pytest.mark.parametrize("settings", settled())
async def test_who_has_asked_several_things_has_every_answer(house: House) -> None:
    """All that was sent before the sending half was shut is answered, one after the other."""
    async with served(house) as port:
        line = await port.line(ASKED * 20)
        line.writer.write_eof()
        told = await line.ended()
        assert told.count(b"HTTP/1.1 ") == 20
        assert told.endswith(b"}")


@pytest.mark.parametrize("settings", settled())
@pytest.mark.parametrize("said", [b"", b"GET /hea", HEAD, POST + b"Content-Length: 10\r\n\r\n{"])
async def test_who_shuts_off_half_a_request_holds_no_place(house: House, said: bytes) -> None:
    """Nothing more can come of it: the connection is closed, not waited for."""
    async with served(house) as port:
        line = await port.line(said)
        line.writer.write_eof()
        told = await line.ended()
        assert told == b"" or told.startswith(b"HTTP/1.1 400")
        while house.figures.registry.get_sample_value("antiphon_api_connections"):
            await asyncio.sleep(0)


@pytest.mark.parametrize("settings", settled())
async def test_a_stream_ends_with_what_its_reader_sends(house: House) -> None:
    """A reader that leaves and one that shuts its sending half can't be told apart: neither is told events for ever."""
    house.waits_for = ""
    stream = HEAD.replace(b"/health", b"/v1/queues/stream") + b"\r\n"
    async with served(house) as port:
        line = await port.line(stream)
        async with asyncio.timeout(10):
            await line.reader.readuntil(b"event: queues")
        line.writer.write_eof()
        await line.ended()
        while len(house.streams):
            await asyncio.sleep(0)


@pytest.mark.parametrize("settings", settled())
async def test_after_a_stream_who_has_said_all_is_answered(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the connection of a stream that was dismissed, as on any other."""
    watched = Watched(monkeypatch)
    house.waits_for = ""
    async with served(house) as port:
        line = await port.line(HEAD.replace(b"/health", b"/v1/queues/stream") + b"\r\n")
        async with asyncio.timeout(10):
            await line.reader.readuntil(b"event: queues")
            house.streams.dismiss()
            await line.reader.readuntil(b"\r\n0\r\n\r\n")
        monkeypatch.setattr(house.limits, "spend", watched.slow)
        await line.say(ASKED)
        told = await watched.end_of(line)
        assert told.count(b"HTTP/1.1 ") == 1
