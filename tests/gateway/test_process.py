"""Gateways as processes on a real log: killed, replaced, drained, and started wrongly."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis.asyncio

from ops.stack.embedded.valkey import Valkey
from ops.stack.system import free_port
from schemas.bus import Bus
from schemas.client import EndedMessage, ErrorMessage, ReadyMessage, SentenceMessage, TurnMessage, WordsMessage
from schemas.errors import BusError
from schemas.log import RedisBus
from tests.gateway.door import told, until
from tests.gateway.pools import Pools

pytestmark = pytest.mark.models  # each process loads the VAD


class Process:
    """One `antiphon gateway`. `url`: of its WebSocket."""

    def __init__(self, process: asyncio.subprocess.Process):
        self.process = process
        self.lines: list[str] = []
        self.url = ""

    async def ready(self) -> None:
        """Until it listens, or the test's time runs out."""
        assert self.process.stderr is not None
        while not self.url:
            line = (await self.process.stderr.readline()).decode()
            assert line, self.lines
            self.lines.append(line)
            if found := re.search(r"listening on (ws://\S+)", line):
                self.url = found[1]

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.process.returncode is None:
            self.process.send_signal(how)
        assert self.process.stderr is not None
        rest = await self.process.stderr.read()
        self.lines += rest.decode().splitlines(keepends=True)
        return await self.process.wait()


_spawned: list[Process] = []


async def spawn(**environment: str) -> Process:
    _spawned.append(
        Process(
            await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "ops.cli", "gateway"),
                env={**os.environ, "GATEWAY_PORT": "0", "DRAIN": "0", **environment},
                stderr=asyncio.subprocess.PIPE,
            )
        )
    )
    return _spawned[-1]


@pytest.fixture(autouse=True)
async def _none_is_left() -> AsyncIterator[None]:
    yield
    for process in _spawned:
        await process.end(signal.SIGKILL)
    _spawned.clear()


@asynccontextmanager
async def gateway(valkey: Valkey, **environment: str) -> AsyncIterator[Process]:
    process = await spawn(REDIS_URL=valkey.url, **environment)
    try:
        await process.ready()
        yield process
    finally:
        await process.end()


@asynccontextmanager
async def two_gateways(valkey: Valkey, **environment: str) -> AsyncIterator[tuple[Process, Process]]:
    """Started at once: most of a gateway's start is computing, and there is more than one core."""
    async with AsyncExitStack() as stack:
        starting = [stack.enter_async_context(gateway(valkey, **environment)) for _ in range(2)]
        one, two = await asyncio.gather(*starting)
        yield one, two


@pytest.fixture
async def log(valkey: Valkey) -> AsyncIterator[Bus]:
    bus = RedisBus(valkey.url)
    await bus.start()
    yield bus
    await bus.aclose()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def begin(http: aiohttp.ClientSession, url: str, **fields: Any) -> tuple[Any, Any]:
    client = await http.ws_connect(url)
    await client.send_json({"type": "start", "version": 1} | fields)
    return client, told(await client.receive_str(timeout=10))


async def wait_for(log: Bus, session: str, condition: Callable[[list[str]], bool], seconds: float = 10.0) -> list[str]:
    """The types of a session's events, once they fulfil `condition`."""
    end = asyncio.get_running_loop().time() + seconds
    while True:
        try:
            types = [event.type for event in await log.read(session)]
        except BusError:
            types = []
        if condition(types):
            return types
        assert asyncio.get_running_loop().time() < end, types
        await asyncio.sleep(0.05)


async def test_killed_in_mid_reply(valkey: Valkey, log: Bus, http: aiohttp.ClientSession) -> None:
    """After SIGKILL of its gateway a client goes on at another one; a started sentence is skipped, later ones are played."""
    pools = Pools(log, says=["The first one.", "The second one."], seconds=3)
    async with pools, two_gateways(valkey) as (first, second):
        client, ready = await begin(http, first.url, rate=16_000)
        await client.send_json({"type": "message", "text": "hello"})
        await until(client, WordsMessage, 15)
        await first.end(signal.SIGKILL)
        again, resumed = await begin(http, second.url, session=ready.session, ticket=ready.ticket, rate=16_000)
        assert resumed.resumed
        assert (await until(again, SentenceMessage, 15)).text == "The second one."
        turn = await until(again, TurnMessage, 15)
        assert turn.how == "played"
        types = [event.type for event in await log.read(ready.session)]
        assert types.count("playback.started") == 2
        assert types.count("turn.ended") == 1
        await again.send_json({"type": "hang_up"})
        await until(again, EndedMessage, 15)


async def test_orphan(valkey: Valkey, log: Bus, http: aiohttp.ClientSession, tmp_path: Path) -> None:
    """A session whose gateway and client are both gone is claimed, its turn ended and closed when the client's time is over."""
    (tmp_path / "default.toml").write_text("[limits]\nclient_gone = 2.0\n")
    async with two_gateways(valkey, AGENTS=str(tmp_path)) as (first, _):
        client, ready = await begin(http, first.url)
        await client.send_json({"type": "message", "text": "hello"})
        await wait_for(log, ready.session, lambda types: "turn.committed" in types)
        await first.end(signal.SIGKILL)
        types = await wait_for(log, ready.session, lambda types: types[-1:] == ["session.ended"], 15)
        assert types.count("turn.ended") == 1
        assert types.count("session.resumed") == 1
        assert (await log.read(ready.session))[-1].reason == "client_gone"  # type: ignore[union-attr]


async def test_log_restarted(valkey: Valkey, log: Bus, http: aiohttp.ClientSession) -> None:
    """When the log's server is killed and comes back, the sessions of a living gateway go on, not one is taken over."""
    async with Pools(log, seconds=0.3) as pools, two_gateways(valkey) as (one, _):
        client, ready = await begin(http, one.url)
        await client.send_json({"type": "message", "text": "hello"})
        await until(client, TurnMessage, 15)
        await pools.__aexit__()
        await valkey.kill()
        await asyncio.sleep(2.5)
        await valkey.start()
        await pools.__aenter__()
        await client.send_json({"type": "message", "text": "and now?"})
        assert (await until(client, TurnMessage, 15)).how == "played"
        assert "session.resumed" not in [event.type for event in await log.read(ready.session)]
        await client.send_json({"type": "hang_up"})
        await until(client, EndedMessage, 15)


@pytest.mark.parametrize("trouble", ["full", "read-only"])
async def test_log_that_takes_nothing(trouble: str, valkey: Valkey, log: Bus, http: aiohttp.ClientSession) -> None:
    """While the log's server is full or read-only a new caller is told to try again, the operator is told the setting, and
    whoever was there before is answered once it takes writes again."""
    raw = redis.asyncio.Redis.from_url(valkey.url)
    async with Pools(log, seconds=0.3) as pools, gateway(valkey) as one:
        client, _ = await begin(http, one.url)
        await pools.__aexit__()
        if trouble == "full":
            await raw.config_set("maxmemory", "1mb")
        else:
            await raw.replicaof("127.0.0.1", free_port())  # type: ignore[no-untyped-call]
        _, refusal = await begin(http, one.url)
        assert (type(refusal), refusal.code, refusal.fatal) == (ErrorMessage, "log", True)
        assert "try again" in refusal.message
        await client.send_json({"type": "message", "text": "hello"})
        await asyncio.sleep(0.5)
        await raw.config_set("maxmemory", "0")
        await raw.replicaof("NO", "ONE")  # type: ignore[no-untyped-call]
        await pools.__aenter__()
        assert (await until(client, TurnMessage, 15)).how == "played"
        _, welcome = await begin(http, one.url)
        assert isinstance(welcome, ReadyMessage)
    said = "".join(one.lines)
    assert ("maxmemory" if trouble == "full" else "REDIS_URL") in said
    assert "Traceback" not in said
    await raw.aclose()


async def test_a_session_of_the_future(valkey: Valkey, log: Bus, http: aiohttp.ClientSession) -> None:
    """Who comes back to a session that a newer version has written in is told that it is over, the gateway's lines what to do,
    and others go on."""
    raw = redis.asyncio.Redis.from_url(valkey.url)
    async with Pools(log, seconds=0.3), two_gateways(valkey) as (one, two):
        client, ready = await begin(http, two.url)
        name = ready.session
        await wait_for(log, name, lambda types: "participant.joined" in types and types.count("clip.ready") == 3)
        seq = (await log.info(name)).seq + 1  # type: ignore[union-attr]
        await raw.xadd(f"{{p00}}:ev:{name}", {"t": "dream.begun", "at": 1, "b": b"\x80"}, id=f"{seq}-0")
        await raw.hset(f"{{p00}}:s:{name}", "seq", seq)  # type: ignore[misc]
        await client.close()
        await two.end(signal.SIGKILL)
        _, refusal = await begin(http, one.url, session=name, ticket=ready.ticket)
        assert isinstance(refusal, ErrorMessage)
        assert (refusal.code, refusal.message) == ("over", f"session {name} can't be gone on with; begin a new one")
        ((_, last),) = await raw.xrevrange(f"{{p00}}:ev:{name}", count=1)
        assert last[b"t"] == b"session.ended"
        other, _ = await begin(http, one.url)
        await other.send_json({"type": "message", "text": "hello"})
        assert (await until(other, TurnMessage, 15)).how == "played"
    assert "update this program" in "".join(one.lines)
    await raw.aclose()


async def test_sigterm(valkey: Valkey, log: Bus, http: aiohttp.ClientSession) -> None:
    """SIGTERM lets the calls under way finish, takes no new ones meanwhile, and then ends with 0."""
    process = await spawn(REDIS_URL=valkey.url, DRAIN="10")
    await process.ready()
    async with Pools(log, seconds=1.0):
        client, _ = await begin(http, process.url)
        await client.send_json({"type": "message", "text": "hello"})
        await until(client, SentenceMessage, 15)
        process.process.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.2)
        assert (await begin(http, process.url))[1].code == "draining"
        assert (await until(client, TurnMessage, 15)).how == "played"
        await client.send_json({"type": "hang_up"})
        await until(client, EndedMessage, 15)
        assert await process.process.wait() == 0
    await process.end()


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"GATEWAY_HOST": "0.0.0.0"}, "GATEWAY_TOKEN_SECRET"),
        ({"AGENTS": "nowhere"}, "AGENTS=nowhere"),
        ({"GATEWAY_PORT": "99999"}, "GATEWAY_PORT"),
        (
            {"AGENTS": "typo.toml"},
            'typo.toml, line 2: unknown key "comit_max" in [turn_taking]; did you mean "commit_max"?',
        ),
        ({"PARTITIONS": "4"}, "was made with 1; leave PARTITIONS unset or set it to 1"),
    ],
)
async def test_wrong_setting(
    valkey: Valkey,
    log: Bus,
    environment: dict[str, str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A wrong setting ends the process with one sentence that names it, and no traceback."""
    (tmp_path / "typo.toml").write_text("[turn_taking]\ncomit_max = 3.0\n")
    monkeypatch.chdir(tmp_path)
    process = await spawn(REDIS_URL=valkey.url, **environment)
    assert await process.end(signal.SIGCONT) != 0
    said = "".join(process.lines)
    assert sentence in said
    assert "Traceback" not in said


async def test_port_taken(valkey: Valkey) -> None:
    """A port that is taken is one sentence that names the setting."""
    async with gateway(valkey) as first:
        port = first.url.split(":")[2].split("/")[0]
        process = await spawn(REDIS_URL=valkey.url, GATEWAY_PORT=port)
        assert await process.end(signal.SIGCONT) != 0
        assert f"GATEWAY_PORT={port}" in "".join(process.lines)
