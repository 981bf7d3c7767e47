"""Gateways as processes on a real log: killed, replaced, drained, and started wrongly."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis.asyncio
from typer.testing import CliRunner

from ops import cli
from ops.stack.embedded.valkey import Valkey
from ops.stack.system import free_port
from schemas.bus import Bus
from schemas.client import EndedMessage, ErrorMessage, ReadyMessage, SentenceMessage, TurnMessage, WordsMessage
from schemas.errors import BusError
from schemas.log import RedisBus
from tests.gateway.door import told, until
from tests.gateway.pools import Pools
from tests.servers import BINARY, own_logging

__all__ = ["own_logging"]

pytestmark = pytest.mark.models  # each process loads the VAD


class Process:
    """One `antiphon gateway`, that says in `file` what it says. `url`: of its WebSocket."""

    def __init__(self, file: Path, **environment: str):
        self._file = file
        self._before = 0
        self.url = ""
        with file.open("wb") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ops.cli", "gateway"],
                env={**os.environ, "GATEWAY_PORT": "0", "DRAIN": "0", **environment},
                stderr=stderr,
            )

    @property
    def said(self) -> str:
        return self._file.read_bytes()[self._before :].decode()

    def forget(self) -> None:
        """What it has said until now."""
        self._before = self._file.stat().st_size

    async def ready(self) -> None:
        """Until it listens, or the test's time runs out."""
        while not self.url:
            over = self._process.poll() is not None
            if found := re.search(r"listening on (ws://\S+)\s", self.said):
                self.url = found[1]
            assert self.url or not over, self.said
            await asyncio.sleep(0.02)

    def signal(self, how: signal.Signals) -> None:
        self._process.send_signal(how)

    async def end(self) -> int:
        """Until it has ended, or the test's time runs out."""
        while (code := self._process.poll()) is None:
            await asyncio.sleep(0.02)
        return code

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    """A server for all tests here: a gateway lives through them."""
    server = Valkey(tmp_path_factory.mktemp("valkey"), binary=BINARY)
    asyncio.run(server.start())
    yield server
    asyncio.run(server.kill())


@pytest.fixture(scope="module")
def started(valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    process = Process(tmp_path_factory.mktemp("gateway") / "said", REDIS_URL=valkey.url)
    yield process
    process.kill()


@pytest.fixture
async def survivor(started: Process) -> Process:
    """A gateway that no test here ends: its start is most of what a test would take."""
    await started.ready()
    started.forget()
    return started


@pytest.fixture
def spawn(valkey: Valkey, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """One more gateway, which does not outlive its test."""
    spawned: list[Process] = []

    def spawn(**environment: str) -> Process:
        spawned.append(Process(tmp_path / f"said-{len(spawned)}", REDIS_URL=valkey.url, **environment))
        return spawned[-1]

    yield spawn
    for process in spawned:
        process.kill()


@pytest.fixture
async def other(started: Process, spawn: Callable[..., Process]) -> Process:
    """Beside the survivor, until its test is over. Asked for before it, they load at once: there is more than one core."""
    process = spawn()
    await process.ready()
    return process


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


async def test_killed_in_mid_reply(survivor: Process, other: Process, log: Bus, http: aiohttp.ClientSession) -> None:
    """After SIGKILL of its gateway a client goes on at another one; a started sentence is skipped, later ones are played."""
    async with Pools(log, says=["The first one.", "The second one."], seconds=3):
        client, ready = await begin(http, other.url, rate=16_000)
        await client.send_json({"type": "message", "text": "hello"})
        await until(client, WordsMessage, 15)
        other.kill()
        again, resumed = await begin(http, survivor.url, session=ready.session, ticket=ready.ticket, rate=16_000)
        assert resumed.resumed
        assert (await until(again, SentenceMessage, 15)).text == "The second one."
        turn = await until(again, TurnMessage, 15)
        assert turn.how == "played"
        types = [event.type for event in await log.read(ready.session)]
        assert types.count("playback.started") == 2
        assert types.count("turn.ended") == 1
        await again.send_json({"type": "hang_up"})
        await until(again, EndedMessage, 15)


@pytest.mark.usefixtures("survivor")
async def test_orphan(spawn: Callable[..., Process], log: Bus, http: aiohttp.ClientSession, tmp_path: Path) -> None:
    """A session whose gateway and client are both gone is claimed, its turn ended and closed when the client's time is over."""
    (tmp_path / "default.toml").write_text("[limits]\nclient_gone = 2.0\n")
    first = spawn(AGENTS=str(tmp_path / "default.toml"))
    await first.ready()
    client, ready = await begin(http, first.url)
    await client.send_json({"type": "message", "text": "hello"})
    await wait_for(log, ready.session, lambda types: "turn.committed" in types)
    first.kill()
    types = await wait_for(log, ready.session, lambda types: types[-1:] == ["session.ended"], 15)
    assert types.count("turn.ended") == 1
    assert types.count("session.resumed") == 1
    assert (await log.read(ready.session))[-1].reason == "client_gone"  # type: ignore[union-attr]


@pytest.mark.usefixtures("other")
async def test_log_restarted(valkey: Valkey, survivor: Process, log: Bus, http: aiohttp.ClientSession) -> None:
    """When the log's server is killed and comes back, the sessions of a living gateway go on, not one is taken over."""
    async with Pools(log, seconds=0.3) as pools:
        client, ready = await begin(http, survivor.url)
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
async def test_log_that_takes_nothing(
    trouble: str, valkey: Valkey, survivor: Process, log: Bus, http: aiohttp.ClientSession
) -> None:
    """While the log's server is full or read-only a new caller is told to try again, the operator is told the setting, and
    whoever was there before is answered once it takes writes again."""
    raw = redis.asyncio.Redis.from_url(valkey.url)
    async with Pools(log, seconds=0.3) as pools:
        client, _ = await begin(http, survivor.url)
        await pools.__aexit__()
        if trouble == "full":
            await raw.config_set("maxmemory", "1mb")
        else:
            await raw.replicaof("127.0.0.1", free_port())  # type: ignore[no-untyped-call]
        _, refusal = await begin(http, survivor.url)
        assert (type(refusal), refusal.code, refusal.fatal) == (ErrorMessage, "log", True)
        assert "try again" in refusal.message
        await client.send_json({"type": "message", "text": "hello"})
        await asyncio.sleep(0.5)
        await raw.config_set("maxmemory", "0")
        await raw.replicaof("NO", "ONE")  # type: ignore[no-untyped-call]
        await pools.__aenter__()
        assert (await until(client, TurnMessage, 15)).how == "played"
        _, welcome = await begin(http, survivor.url)
        assert isinstance(welcome, ReadyMessage)
    assert ("maxmemory" if trouble == "full" else "REDIS_URL") in survivor.said
    assert "Traceback" not in survivor.said
    await raw.aclose()


async def test_a_session_of_the_future(
    valkey: Valkey, other: Process, survivor: Process, log: Bus, http: aiohttp.ClientSession
) -> None:
    """Who comes back to a session that a newer version has written in is told that it is over, the gateway's lines what to do,
    and others go on."""
    raw = redis.asyncio.Redis.from_url(valkey.url)
    async with Pools(log, seconds=0.3):
        client, ready = await begin(http, other.url)
        name = ready.session
        await wait_for(log, name, lambda types: "participant.joined" in types and types.count("clip.ready") == 3)
        seq = (await log.info(name)).seq + 1  # type: ignore[union-attr]
        await raw.xadd(f"{{p00}}:ev:{name}", {"t": "dream.begun", "at": 1, "b": b"\x80"}, id=f"{seq}-0")
        await raw.hset(f"{{p00}}:s:{name}", "seq", seq)  # type: ignore[misc]
        await client.close()
        other.kill()
        _, refusal = await begin(http, survivor.url, session=name, ticket=ready.ticket)
        assert isinstance(refusal, ErrorMessage)
        assert (refusal.code, refusal.message) == ("over", f"session {name} can't be gone on with; begin a new one")
        ((_, last),) = await raw.xrevrange(f"{{p00}}:ev:{name}", count=1)
        assert last[b"t"] == b"session.ended"
        anew, _ = await begin(http, survivor.url)
        await anew.send_json({"type": "message", "text": "hello"})
        assert (await until(anew, TurnMessage, 15)).how == "played"
    assert "update this program" in survivor.said
    await raw.aclose()


async def test_sigterm(spawn: Callable[..., Process], log: Bus, http: aiohttp.ClientSession) -> None:
    """SIGTERM lets the calls under way finish, takes no new ones meanwhile, and then ends with 0."""
    process = spawn(DRAIN="10")
    await process.ready()
    async with Pools(log, seconds=1.0):
        client, _ = await begin(http, process.url)
        await client.send_json({"type": "message", "text": "hello"})
        await until(client, SentenceMessage, 15)
        process.signal(signal.SIGTERM)
        await asyncio.sleep(0.2)
        assert (await begin(http, process.url))[1].code == "draining"
        assert (await until(client, TurnMessage, 15)).how == "played"
        await client.send_json({"type": "hang_up"})
        await until(client, EndedMessage, 15)
        assert await process.end() == 0


@pytest.mark.usefixtures("own_logging")
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
def test_wrong_setting(
    valkey: Valkey,
    log: Bus,
    environment: dict[str, str],
    sentence: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A wrong setting ends the command with one sentence that names it, and no traceback; below, so does its process."""
    (tmp_path / "typo.toml").write_text("[turn_taking]\ncomit_max = 3.0\n")
    monkeypatch.chdir(tmp_path)
    given = {"REDIS_URL": valkey.url, "GATEWAY_PORT": "0", "DRAIN": "0", **environment}
    result = CliRunner().invoke(cli.app, ["gateway"], env=given)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code != 0
    assert sentence in result.stderr
    assert "Traceback" not in result.output


async def test_port_taken(survivor: Process, spawn: Callable[..., Process]) -> None:
    """A port that is taken is one sentence that names the setting."""
    port = survivor.url.split(":")[2].split("/")[0]
    process = spawn(GATEWAY_PORT=port)
    assert await process.end() != 0
    assert f"GATEWAY_PORT={port}" in process.said
    assert "Traceback" not in process.said
