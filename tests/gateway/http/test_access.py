"""Who gets in: tokens, origins, hosts; and what somebody would try who has none."""

import asyncio
import logging
import time

import pytest

from gateway.http.server import PublicPort, Server
from gateway.sessions.house import House
from schemas.access.tokens import Grant, mint
from schemas.client import ErrorMessage, ReadyMessage
from schemas.clock import Now
from schemas.errors import SettingsError
from schemas.events import ParticipantJoined, SessionStarted
from schemas.log import MemoryBus
from schemas.process.clock import MonotonicClock
from schemas.process.hosts import host_names, is_ours
from tests.gateway.door import SECRET, START, closing, door, told
from tests.gateway.rig import LoudnessVad


def test_outside_needs_secret() -> None:
    """A gateway that can be reached from outside does not start without a token secret, nor with a short one."""
    house = House(MemoryBus(), MonotonicClock(), LoudnessVad(), "a")
    with pytest.raises(SettingsError, match="GATEWAY_TOKEN_SECRET"):
        Server(PublicPort("0.0.0.0", 0), house, ())
    with pytest.raises(SettingsError, match="32"):
        Server(PublicPort("0.0.0.0", 0, secret="short"), house, ())


async def test_token_claims() -> None:
    """A token's room, participant and agent hold, whatever the client asks for."""
    async with door(secret=SECRET) as gateway:
        client = await gateway.connect(f"/ws?token={mint(SECRET, Grant('lobby', 'ann', 'greeter'))}")
        await client.send_json(START | {"participant": "bob", "room": "cellar", "agent": "default"})
        ready = told(await client.receive_str(timeout=5))
        await asyncio.sleep(0.1)
        events = await gateway.bus.read(ready.session)
        started = next(event for event in events if isinstance(event, SessionStarted))
        joined = next(event for event in events if isinstance(event, ParticipantJoined))
        assert (started.room, started.agent.greeting, joined.participant) == ("lobby", "Good day.", "ann")


@pytest.mark.parametrize("token", ["", "garbage", "expired", "other secret"])
async def test_bad_token(token: str) -> None:
    """Where there is a secret nobody gets in without a good token, on loopback either: a reverse proxy may stand there."""
    value = {
        "expired": mint(SECRET, Grant(), -60),
        "other secret": mint("another secret of thirty-two characters", Grant()),
    }.get(token, token)
    async with door(secret=SECRET) as gateway:
        client = await gateway.connect("/ws", headers={"Authorization": f"Bearer {value}"} if value else {})
        await client.send_json(START)
        answer = told(await client.receive_str(timeout=5))
        assert (type(answer), answer.code) == (ErrorMessage, "token")
        assert (await closing(client))[1] == 1008
        headers = {"Authorization": f"Bearer {value}"} if value else {}
        async with gateway.http.post(gateway.url + "/join", headers=headers, json={"room": "lobby"}) as refused:
            assert refused.status == 401
        assert not gateway.engine.sessions


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "query"])
async def test_good_token(scheme: str) -> None:
    """A token is taken from the header, however its scheme is written, or from the query."""
    token = mint(SECRET, Grant())
    async with door(secret=SECRET) as gateway:
        if scheme == "query":
            client = await gateway.connect(f"/ws?token={token}")
        else:
            client = await gateway.connect(headers={"Authorization": f"{scheme} {token}"})
        await client.send_json(START)
        assert isinstance(told(await client.receive_str(timeout=5)), ReadyMessage)


async def test_what_a_token_does_not_allow() -> None:
    """`join` and `operator` are claims of their own: a client's token has neither, and one is not the other."""
    async with door(secret=SECRET) as gateway:

        async def joins(grant: Grant) -> int:
            headers = {"Authorization": f"Bearer {mint(SECRET, grant)}"}
            async with gateway.http.post(gateway.url + "/join", headers=headers, json={"room": "lobby"}) as answer:
                return answer.status

        no_livekit = 409  # as far as one gets here who is let in
        assert await joins(Grant()) == await joins(Grant(operator=True)) == 403
        assert await joins(Grant(join=True, room="cellar")) == await joins(Grant(join=True, agent="greeter")) == 403
        assert await joins(Grant(join=True)) == await joins(Grant(join=True, room="lobby")) == no_livekit


async def test_tokens_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Neither a good nor a bad token of a query string stands in any log, of ours or of a library."""
    caplog.set_level(logging.DEBUG)
    good, bad = mint(SECRET, Grant()), mint(SECRET, Grant(), -60)
    async with door(secret=SECRET) as gateway:
        for token in (good, bad):
            client = await gateway.connect(f"/ws?token={token}")
            await client.send_json(START)
            told(await client.receive_str(timeout=5))
            await client.close()
        async with gateway.http.get(f"{gateway.url}/ws?token={good}") as answer:
            assert answer.status == 400
            assert good not in await answer.text()
    assert caplog.records
    assert not [record for record in caplog.records if good in record.getMessage() or bad in record.getMessage()]


# ── by which name ────────────────────────────────────────────────────────────────────────────────────────────────────

STRANGERS = [
    *("rebound.example", "rebound.example:8765", "127.0.0.1.evil.example", "localhost.evil.example", "0.0.0.0:8765"),
    *("169.254.169.254", "evil@localhost", "localhost:80@evil.example", "[::]", "127.1", "localhost,evil.example", ""),
]
OURS = [
    *("127.0.0.1:8765", "localhost:8765", "LOCALHOST", "localhost.", "[::1]:8765", "127.0.0.2"),
    *("voice.lan", "Voice.Lan:80"),
]
ROUTES = [("GET", "/ws"), ("POST", "/join"), ("POST", "/calls"), ("DELETE", "/calls/x"), ("GET", "/nothing")]


async def test_rebound(caplog: pytest.LogCaptureFixture) -> None:
    """Without a secret no page that came by another name than this machine's gets an answer (DNS rebinding), on any route."""
    async with door(hosts="voice.lan") as gateway:
        for host in STRANGERS:
            for method, path in ROUTES:
                async with gateway.http.request(method, gateway.url + path, headers={"Host": host}) as answer:
                    assert answer.status == 403, (host, path)
                    assert (await answer.json())["error"]["message"] == "nobody answers by this name"
        assert not gateway.engine.sessions
    assert "GATEWAY_ALLOWED_HOSTS" in caplog.text


async def test_made_up_names_silence_the_log_for_a_moment_only(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks by many names fills no disk; who is refused minutes later is told of again."""
    async with door() as gateway:
        for number in range(100):
            await gateway.http.get(gateway.url + "/ws", headers={"Host": f"{number}.example"})
        assert caplog.text.count("a request was refused") <= 30
        monkeypatch.setattr(MonotonicClock, "now", lambda _: Now(time.monotonic() + 60))
        await gateway.http.get(gateway.url + "/ws", headers={"Host": "voice.lan"})
    assert "'voice.lan'" in caplog.text


async def test_own_names() -> None:
    """Loopback's names and addresses are answered, with any port, and so are the hosts that are allowed."""
    async with door(hosts="voice.lan, other.example:1") as gateway:
        for host in OURS:
            client = await gateway.connect(headers={"Host": host})
            await client.send_json(START)
            assert isinstance(told(await client.receive_str(timeout=5)), ReadyMessage), host
            await client.close()


@pytest.mark.parametrize(("host", "ours"), [("voice.lan:1", True), ("voice.lan", False), ("voice.lan:2", False)])
def test_an_allowed_port(host: str, ours: bool) -> None:
    """A host allowed with a port is allowed with that port."""
    assert is_ours([host], host_names("voice.lan:1")) is ours
    assert not is_ours([host, host], host_names("voice.lan:1"))


async def test_with_a_secret_any_name_will_do() -> None:
    """Where tokens are asked for, a reverse proxy may hand on whatever name it was asked for by."""
    async with door(secret=SECRET) as gateway:
        client = await gateway.connect(f"/ws?token={mint(SECRET, Grant())}", headers={"Host": "voice.example"})
        await client.send_json(START)
        assert isinstance(told(await client.receive_str(timeout=5)), ReadyMessage)


# ── from which page ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("origin", "let_in"),
    [
        ("https://app.example", True),
        (None, True),
        ("own", True),
        ("https://evil.example", False),
        ("http://app.example", False),  # another scheme
        ("https://app.example:8443", False),  # another port
        ("https://app.example.evil.example", False),
        ("http://127.0.0.1", False),
        ("http://127.0.0.1:1", False),
        ("null", False),
        ("file://", False),
        ("ws://own", False),
        ("https://[", False),
    ],
)
async def test_origin(origin: str | None, let_in: bool) -> None:
    """Pages of unknown origins may not connect; those allowed, the gateway's own, and clients without one may."""
    async with door(origins="https://app.example, https://other.example") as gateway:
        own = {"own": gateway.url, "ws://own": gateway.url.replace("http", "ws")}
        headers = {"Origin": own.get(origin, origin)} if origin else {}
        client = await gateway.connect(headers=headers)
        await client.send_json(START)
        answer = told(await client.receive_str(timeout=5))
        assert isinstance(answer, ReadyMessage) is let_in
        async with gateway.http.post(gateway.url + "/join", headers=headers, json={"room": "lobby"}) as joined:
            assert joined.status == (409 if let_in else 401)
            assert not [name for name in joined.headers if name.lower().startswith("access-control")]


async def test_no_origin_and_no_host() -> None:
    """The origin `null` is not the gateway's own, even to a client that names no host."""
    async with door(secret=SECRET) as gateway:
        client = await gateway.connect(f"/ws?token={mint(SECRET, Grant())}", headers={"Host": "", "Origin": "null"})
        await client.send_json(START)
        assert told(await client.receive_str(timeout=5)).code == "origin"


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 401), ("same-site", 401), ("same-origin", 409), ("none", 409)]
)
async def test_fetched_from_elsewhere(site: str, status: int) -> None:
    """A page of another site whose browser hides its origin may not connect either."""
    async with door() as gateway:
        headers = {"Sec-Fetch-Site": site}
        async with gateway.http.post(gateway.url + "/join", headers=headers, json={"room": "lobby"}) as answer:
            assert answer.status == status


async def test_no_page_may_ask_before() -> None:
    """A preflight of another site's page is not answered with leave."""
    async with door(origins="https://app.example") as gateway:
        headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        async with gateway.http.options(gateway.url + "/join", headers=headers) as answer:
            assert answer.status == 405
            assert not [name for name in answer.headers if name.lower().startswith("access-control")]
