"""What can be wrong between a gateway and LiveKit: one clear sentence each, and no secret in it."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from livekit import api, rtc
from livekit.protocol import agent as pb
from livekit.protocol import models
from livekit.rtc.participant import PublishTrackError

from gateway.rooms.livekit._voice import VoiceTrack
from gateway.rooms.livekit._worker import AgentWorker, refused, too_old
from ops.stack.embedded.livekit import LiveKit
from ops.stack.system import free_port
from schemas.access.livekit import Access, access
from schemas.config.settings import Settings
from schemas.errors import SettingsError
from schemas.events import SessionEnded
from schemas.process.backoff import Backoff
from tests.gateway.rooms.livekit.site.conftest import Site, agents, session_of, until


class Idle:
    """A decider nobody asks anything."""

    def registered(self) -> None: ...

    def offered(self, job: pb.Job) -> pb.AvailabilityResponse:
        raise AssertionError

    def assigned(self, job: pb.Job, url: str, token: str) -> None:
        raise AssertionError

    def terminated(self, job: str) -> None:
        raise AssertionError

    def load(self) -> tuple[float, int]:
        return 0.0, 0


class Counted(Backoff):
    """`tries`: how often it was waited for the next."""

    tries = 0

    def __next__(self) -> float:
        self.tries += 1
        return super().__next__()


async def problem_of(entry: Access, tries: int = 1) -> str:
    """What a worker with this access finds wrong, after so many tries."""
    delays = Counted(0.05, 0.05)
    worker = AgentWorker(entry, "", Idle(), delays=delays)
    running = asyncio.create_task(worker.run())
    try:
        await until(lambda: worker.problem and delays.tries >= tries, "a problem")
        return worker.problem
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


SECRET = "a-secret-that-nobody-may-see-in-a-log"


async def test_a_wrong_key(shared_livekit: LiveKit) -> None:
    """The sentence names the setting."""
    said = await problem_of(Access(shared_livekit.url, "nobody", SECRET))
    assert "LIVEKIT_API_KEY" in said
    assert "knows no such key" in said


async def test_a_wrong_secret(shared_livekit: LiveKit, caplog: pytest.LogCaptureFixture) -> None:
    """The sentence names the setting, and holds neither the secret nor the token; it is logged once, however often it fails."""
    entry = Access(shared_livekit.url, shared_livekit.api_key, SECRET)
    with caplog.at_level(logging.DEBUG):
        said = await problem_of(entry, tries=4)
    assert "LIVEKIT_API_SECRET" in said
    assert "another secret" in said
    assert SECRET not in caplog.text + repr(entry)
    assert "eyJ" not in caplog.text
    assert caplog.text.count("another secret") == 1


async def test_nobody_there() -> None:
    """An address nobody listens on is named, and the setting."""
    said = await problem_of(Access(f"ws://127.0.0.1:{free_port()}", "key", SECRET))
    assert "can't be reached" in said
    assert "LIVEKIT_URL" in said


@pytest.fixture
async def stranger() -> AsyncIterator[str]:
    """A web server that is no LiveKit."""
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"ws://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_something_else_is_there(stranger: str) -> None:
    """A web server that is no LiveKit is told from one that can't be reached."""
    assert "no LiveKit server" in await problem_of(Access(stranger, "key", SECRET))


@pytest.fixture
async def old_server() -> AsyncIterator[str]:
    """The agent protocol as an old server speaks it."""

    async def agent(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive()
        info = models.ServerInfo(version="1.7.2")
        answer = pb.ServerMessage(register=pb.RegisterWorkerResponse(worker_id="AW_old", server_info=info))
        await socket.send_bytes(answer.SerializeToString())
        await socket.receive()
        return socket

    app = web.Application()
    app.router.add_get("/agent", agent)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"ws://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_an_old_server(old_server: str) -> None:
    """A server that is too old is told its version and the one needed."""
    said = await problem_of(Access(old_server, "key", SECRET))
    assert "version 1.7.2" in said
    assert "1.8 or later" in said


@pytest.mark.parametrize(("version", "old"), [("1.7.9", True), ("1.8.0", False), ("1.13.5", False), ("main", False)])
def test_which_versions_are_too_old(version: str, old: bool) -> None:
    """1.13 is younger than 1.8; what can't be read is let pass, and so is LiveKit Cloud."""
    assert too_old(version, models.ServerInfo.Standard) is old
    assert not too_old(version, models.ServerInfo.Cloud)


def test_a_wrong_clock() -> None:
    """A clock that is off is told from a wrong key, with by how much and which way."""
    said = "invalid token: eyJhb.eyJpc.abc, error: token has invalid claims: token is not valid yet"
    date = "Sat, 21 Nov 2026 07:27:45 GMT"
    server = 1795246065.0
    assert "clock is 300 s ahead of the server's" in str(refused("ws://x", said, date, server + 300))
    assert "clock is 200 s behind the server's" in str(refused("ws://x", said, date, server - 200))
    assert "eyJ" not in str(refused("ws://x", said, date, server))


async def test_a_skewed_clock_is_refused_by_the_real_server(
    shared_livekit: LiveKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's own refusal of a token from the future is understood."""

    class Ahead(Access):
        def worker_token(self) -> str:
            import jwt

            now = int(time.time()) + 300
            claims = {"iss": self.api_key, "nbf": now, "exp": now + 60, "video": {"agent": True}}
            return jwt.encode(claims, self.api_secret, algorithm="HS256")

    said = await problem_of(Ahead(shared_livekit.url, shared_livekit.api_key, shared_livekit.api_secret))
    assert "not valid yet" in said
    assert "clock" in said


def test_half_a_configuration() -> None:
    """A URL without its key and secret says which are missing."""
    with pytest.raises(SettingsError, match="LIVEKIT_API_KEY and LIVEKIT_API_SECRET"):
        access(Settings(_env_file=None, livekit_url="ws://127.0.0.1:7880"))  # type: ignore[call-arg]


def test_tokens_allow_no_more_than_their_errand() -> None:
    """A worker's token joins no room; an agent's is for one room and administrates nothing."""
    entry = Access("ws://127.0.0.1:7880", "key", SECRET)
    verify = api.TokenVerifier("key", SECRET).verify
    worker = verify(entry.worker_token()).video
    assert worker is not None
    assert worker.agent
    assert not worker.room_join
    agent = verify(entry.agent_token("lobby", "agent-1")).video
    assert agent is not None
    assert (agent.room_join, agent.room) == (True, "lobby")
    assert agent.can_publish_sources == ["microphone"]
    assert not any((agent.room_admin, agent.room_create, agent.room_list, agent.hidden))


async def test_the_gateway_says_why_it_is_not_ready(mortal: Site) -> None:
    """A gateway that LiveKit refuses is not ready and says why; one that had been ready stays so when LiveKit goes."""
    site = mortal
    gateway = await site.gateway(ready=False, livekit_api_secret=SECRET)
    assert gateway.livekit is not None
    await until(lambda: "LIVEKIT_API_SECRET" in gateway.livekit.obstacle, "the reason")
    other = await site.gateway()
    assert other.livekit is not None
    assert other.livekit.obstacle == ""
    await site.livekit.kill()
    await until(lambda: other.livekit.worker.problem, "it notices")
    assert other.livekit.obstacle == ""


async def test_a_named_room(site: Site) -> None:
    """A gateway can be sent into a room, once; a room that is not there is named."""
    gateway = await site.gateway(livekit_agent_name="helper")  # nobody asks for it
    ann = await site.person("lobby")
    assert gateway.livekit is not None
    session = await gateway.livekit.join("lobby")
    await until(lambda: session_of(ann) == session, "the agent")
    with pytest.raises(Exception, match="has its agent already"):
        await gateway.livekit.join("lobby")
    with pytest.raises(Exception, match="no room 'attic'"):
        await gateway.livekit.join("attic")


async def test_somebody_comes_in_under_the_agents_identity(site: Site) -> None:
    """Who calls themselves as the agent does puts it out for a moment: it comes back, puts them out, and the session goes on."""
    await site.gateway()
    ann = await site.person("lobby")
    session = await until(lambda: session_of(ann), "the agent")
    (agent,) = agents(ann)
    eve = await site.person("lobby", agent.identity)
    await until(lambda: not eve.isconnected(), "the imitator's end")
    await until(lambda: session_of(ann) == session, "the agent again")
    assert [one.identity for one in agents(ann)] == [agent.identity]
    assert not [event for event in await site.events(session) if isinstance(event, SessionEnded)]


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What connections say in turn when the agent's voice is to be published on them; then they take it."""
    says: list[str] = []
    publish = VoiceTrack.publish

    async def refuse(voice: VoiceTrack, participant: rtc.LocalParticipant) -> str:
        if says:
            raise PublishTrackError(says.pop())
        return await publish(voice, participant)

    monkeypatch.setattr(VoiceTrack, "publish", refuse)
    return says


async def test_a_connection_that_does_not_take_the_voice(site: Site, refusing: list[str]) -> None:
    """It is left for another, as where the server went away just then: the session goes on, and is heard."""
    refusing.extend(["engine is closed"] * 2)
    gateway = await site.gateway()
    ann = await site.person("lobby")
    await until(lambda: any(agent.track_publications for agent in agents(ann)), "the agent's voice")
    assert not refusing
    assert list(gateway.engine.sessions) == [session_of(ann)]
    assert [info.session for info in await gateway.bus.sessions()] == [session_of(ann)]


async def test_no_connection_takes_the_voice(site: Site, refusing: list[str]) -> None:
    """Who may not publish does not try for ever: the session ends, and says that it was an error."""
    refusing.extend(["not allowed"] * 3)
    gateway = await site.gateway()
    ann = await site.person("lobby")
    session = await until(lambda: session_of(ann), "the agent")
    await until(lambda: not gateway.engine.sessions, "the end")
    assert not refusing
    end = (await site.events(session))[-1]
    assert isinstance(end, SessionEnded)
    assert end.reason == "error"
