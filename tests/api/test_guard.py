"""What every request passes: hosts, pages, limits, bodies; what every answer carries; what is recorded, and what is counted."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx2
import pytest
from starlette.types import ASGIApp, Message

from api import openapi
from api.access import body
from api.access.limits import Limits
from api.app import create_app
from api.house import House
from api.main import house_of
from api.problems import Problem
from schemas.access.allowance import Allowance
from schemas.config.settings import Settings
from schemas.errors import BusUnavailable, SettingsError
from schemas.log import MemoryBus
from tests.api.access.test_gate import SECRET, bearer, made

NEW = {"name": "x", "role": "caller"}


def settled(**given: object) -> list[Settings]:
    return [Settings(_env_file=None, **given)]  # type: ignore[arg-type]  # as it is written in an environment


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "10.0.0.1", "a, localhost"]
)
@pytest.mark.parametrize("path", ["/", "/v1/me", "/health", "/metrics", "/v1/openapi.json"])
async def test_in_development_it_is_asked_for_by_its_own_names(
    client: httpx2.AsyncClient, host: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A page whose name points at 127.0.0.1 (DNS rebinding) reads nothing, on any route."""
    answer = await client.get(path, headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (403, "host")
    assert answer.json()["detail"] == "nobody answers by this name"
    assert "API_ALLOWED_HOSTS" in caplog.text


async def test_made_up_names_silence_the_log_for_a_moment_only(
    client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks by many names fills no disk; who is refused minutes later is told of again."""
    for number in range(200):
        await client.get("/v1/me", headers={"Host": f"{number}.example"})
    assert caplog.text.count("a request was refused") <= 30
    later = time.monotonic_ns() + 60 * 10**9
    monkeypatch.setattr(time, "monotonic_ns", lambda: later)
    await client.get("/v1/me", headers={"Host": "voice.lan"})
    assert "'voice.lan'" in caplog.text


@pytest.mark.parametrize("settings", settled(api_allowed_hosts="box.lan"))
async def test_other_names_can_be_allowed(client: httpx2.AsyncClient) -> None:
    """API_ALLOWED_HOSTS; and loopback's own in every writing."""
    for host in ("box.lan", "BOX.lan:8080", "localhost:8080", "127.0.0.1", "[::1]:8080"):
        assert (await client.get("/v1/me", headers={"Host": host})).status_code == 200


async def test_with_keys_any_name_will_do(client: httpx2.AsyncClient, house: House) -> None:
    """A name opens nothing then."""
    shown = await made(house, "caller")
    answer = await client.get("/v1/me", headers=bearer(shown) | {"Host": "voice.example.com"})
    assert answer.status_code == 200


@pytest.mark.parametrize("settings", settled(api_development=True))
async def test_when_the_last_key_is_gone_other_names_open_nothing(client: httpx2.AsyncClient, house: House) -> None:
    """Not even the first who asks after that, before anybody knows."""
    clock = 0.0
    house.gate._now = lambda: clock
    shown = await made(house, "admin")
    elsewhere = {"Host": "evil.example", "Origin": "http://evil.example"}
    assert (await client.get("/v1/me", headers=bearer(shown) | elsewhere)).status_code == 200
    await house.bus.remove_key(shown.split("_")[1])
    clock += 5.0
    answer = await client.post("/v1/keys", json=NEW, headers=elsewhere)
    assert (answer.status_code, answer.json()["code"]) == (403, "host")
    assert await house.bus.keys() == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": ""}, {"Origin": "http://127.0.0.1:3000"},
        {"Origin": "https://127.0.0.1:8080@evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
    ],
)  # fmt: skip
async def test_pages_of_others_change_nothing(
    client: httpx2.AsyncClient, house: House, headers: dict[str, str]
) -> None:
    """A page in the developer's own browser that posts to loopback is refused; and no answer tells it anything (no CORS)."""
    answer = await client.post("/v1/keys", json=NEW, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "origin")
    assert await house.bus.keys() == []
    looked = await client.get("/v1/me", headers=headers)
    assert not any(name.startswith("access-control") for name in looked.headers)
    assert looked.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize("settings", settled(api_anonymous="caller", gateway_token_secret=SECRET))
async def test_who_asks_in_vain_does_not_fill_the_log(
    client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """Why a stranger got nothing stands in the log, unless they ask for it without end."""
    caplog.set_level("INFO", "antiphon.api")
    for _ in range(100):
        assert (await client.post("/v1/ws/ticket", json={"agent": "nobody"})).status_code == 403
    assert 1 <= caplog.text.count("no agent 'nobody' can be chosen here; choose one of: default") <= 30


async def test_our_own_page_may(client: httpx2.AsyncClient) -> None:
    """Its own origin, or a program that is no browser."""
    own = {"Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}
    assert (await client.post("/v1/keys", json=NEW, headers=own)).status_code == 201


@pytest.mark.parametrize("settings", settled(api_allowed_origins="https://app.example, https://other.example/"))
async def test_origins_that_are_allowed_may_ask(client: httpx2.AsyncClient) -> None:
    """They read answers, refusals too, and may ask beforehand; others still may not."""
    origin = {"Origin": "https://app.example"}
    looked_at = {
        field["name"]
        for methods in openapi.document()["paths"].values()
        for operation in methods.values()
        for field in operation.get("parameters", ())
        if field["in"] == "header"
    }
    assert "idempotency-key" in looked_at
    headers = ",".join(["authorization", "content-type", *looked_at])
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": headers}
    before = await client.options("/v1/login", headers=origin | asked)
    assert (before.status_code, before.headers["access-control-allow-origin"]) == (200, "https://app.example")
    answer = await client.post("/v1/login", json={"key": "no"}, headers=origin)
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, "https://app.example")
    assert "access-control-allow-credentials" not in answer.headers
    foreign = await client.post("/v1/login", json={"key": "no"}, headers={"Origin": "https://evil.example"})
    assert foreign.status_code == 403
    assert "access-control-allow-origin" not in foreign.headers


ASKED = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
"""What a browser asks before it lets a page ask."""


@pytest.mark.parametrize("settings", settled(api_allowed_origins="https://app.example", api_requests_per_minute=60))
async def test_what_is_asked_beforehand_is_counted(client: httpx2.AsyncClient, house: House) -> None:
    """Nobody shows a key for it, and nobody may ask it more often than all else; the page may read that."""
    await made(house, "admin")
    asking = {"Origin": "https://app.example", **ASKED}
    answers = [await client.options("/v1/login", headers=asking) for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert [answer.status_code for answer in answers].count(200) <= 12
    assert {answer.headers["access-control-allow-origin"] for answer in answers} == {"https://app.example"}
    assert "retry-after" in answers[-1].headers
    assert answers[0].headers["access-control-max-age"] == "600"
    assert answers[0].headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("settings", settled(api_allowed_origins="https://app.example"))
@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"Origin": "https://evil.example"}, 403, "origin"),
        ({"Origin": "https://app.example", "Host": "evil.example"}, 403, "host"),
        ({"Origin": "https://app.example", "Access-Control-Request-Method": "PATCH"}, 400, "beforehand"),
        ({"Origin": "https://app.example", "Access-Control-Request-Headers": "x-mine"}, 400, "beforehand"),
    ],
)
async def test_what_is_asked_beforehand_in_vain(
    client: httpx2.AsyncClient, headers: dict[str, str], status: int, code: str
) -> None:
    """By pages of others, by another name, for what no page may: said as every refusal is, and no page of others reads it."""
    answer = await client.options("/v1/login", headers=ASKED | headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    ours = headers["Origin"] == "https://app.example"
    assert ("access-control-allow-origin" in answer.headers) == ours
    assert "access-control-allow-methods" not in answer.headers


async def test_every_answer_carries_its_headers(client: httpx2.AsyncClient, house: House) -> None:
    """Whether it is one of ours, an error of ours, or nothing at all."""
    fine, missing = await client.get("/v1/me"), await client.get("/v1/nothing")

    async def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    house.gate.is_open = broken  # type: ignore[method-assign,assignment]
    for answer, status in ((fine, 200), (missing, 404), (await client.get("/v1/me"), 500)):
        assert answer.status_code == status
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        assert answer.headers["cache-control"] == "no-store"
    assert "a bug" not in (await client.get("/v1/me")).text


@pytest.mark.parametrize("settings", settled(api_public_url="https://voice.example.com"))
async def test_behind_tls_browsers_are_told_to_stay_there(client: httpx2.AsyncClient) -> None:
    """Where API_PUBLIC_URL says https."""
    assert "max-age" in (await client.get("/health")).headers["strict-transport-security"]


async def test_a_large_body_is_not_read(client: httpx2.AsyncClient) -> None:
    """A gigabyte that is announced is refused at once; one that is not, when it has become too large."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 1 << 30:
            sent += 65_536
            yield b"x" * 65_536

    answer = await client.post("/v1/login", content=endless(), headers={"Content-Length": str(1 << 30)})
    assert (answer.status_code, answer.json()["code"], sent) == (413, "too_large", 0)
    assert answer.headers["connection"] == "close"
    answer = await client.post("/v1/login", content=endless(), headers={"Transfer-Encoding": "chunked"})
    assert answer.status_code == 413
    assert sent <= 2 * body.LARGEST_BODY


async def test_a_body_comes_in_time(client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """What trickles is refused."""
    monkeypatch.setattr(body, "BODY_WITHIN", 0.05)

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(30)
        yield b"}"

    answer = await client.post("/v1/login", content=never(), headers={"Transfer-Encoding": "chunked"})
    assert (answer.status_code, answer.json()["code"]) == (408, "slow")


async def _status(app: ASGIApp, address: str) -> int:
    """What one GET of /v1/me is answered, asked as a server asks: a client would take most of the time."""
    said: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            said.append(message["status"])

    headers = [(b"host", b"127.0.0.1:8080")]
    place = {"path": "/v1/me", "raw_path": b"/v1/me", "query_string": b"", "root_path": "", "scheme": "http"}
    ends = {"client": (address, 5), "server": ("127.0.0.1", 8080), "state": {}, "asgi": {"version": "3.0"}}
    await app(
        {"type": "http", "http_version": "1.1", "method": "GET", "headers": headers, **place, **ends}, receive, send
    )
    return said[0]


@pytest.mark.parametrize("settings", settled(api_requests_per_minute=60))
async def test_a_burst_is_told_to_wait_and_harms_nobody(house: House, settings: Settings) -> None:
    """Of a burst of one address ten are answered, and one more a second; the log is not asked about the rest; another address
    has its own."""
    asked: list[str] = []
    spend = house.bus.spend

    async def counted(who: str, *given: float) -> float:
        asked.append(who)
        return await spend(who, *given)  # type: ignore[arg-type]

    house.bus.spend = counted  # type: ignore[method-assign,assignment]
    app = create_app(house)

    def of(address: str) -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(app, client=(address, 5), raise_app_exceptions=False)
        return httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080")

    async with of("10.0.0.1") as loud, of("10.0.0.2") as other:
        began = time.monotonic()
        answers = [await _status(app, "10.0.0.1") for _ in range(10_000)]
        seconds = time.monotonic() - began
        assert set(answers) == {200, 429}
        assert answers.count(429) >= 9_980 - seconds
        for refused in [await loud.get("/v1/me") for _ in range(3)]:  # one may be let in meanwhile
            if refused.status_code == 429:
                assert refused.json()["code"] == "too_many"
                assert int(refused.headers["retry-after"]) >= 1
                break
        else:
            pytest.fail("nobody was refused")
        assert len(asked) < 25 + 2 * seconds  # for each that is answered, and for the first one after it that is not
        assert (await other.get("/v1/me")).status_code == 200
        assert (await loud.get("/health")).status_code == 200


@pytest.mark.parametrize("settings", settled(api_requests_per_minute=60))
async def test_limits_are_a_keys_too(client: httpx2.AsyncClient, house: House) -> None:
    """One key from many addresses is one key."""
    shown = await made(house, "caller")
    app = create_app(house)
    told = []
    for number in range(30):
        transport = httpx2.ASGITransport(app, client=(f"10.0.1.{number}", 5), raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as asking:
            told.append((await asking.get("/v1/me", headers=bearer(shown))).status_code)
    assert set(told) == {200, 429}
    assert told.count(200) <= 12


@pytest.mark.parametrize("where", ["header", "login"])
@pytest.mark.parametrize("settings", settled(api_requests_per_minute=600))
async def test_guesses_cost_more(client: httpx2.AsyncClient, house: House, where: str) -> None:
    """Who shows wrong keys is soon told to wait."""
    await made(house, "caller")
    wrong = "antiphon_00000000_" + "x" * 43

    async def guess() -> httpx2.Response:
        if where == "login":
            return await client.post("/v1/login", json={"key": wrong})
        return await client.get("/v1/me", headers=bearer(wrong))

    told = [(await guess()).status_code for _ in range(100)]
    assert set(told) == {401, 429}
    assert told.count(401) < 50


@pytest.mark.parametrize("settings", settled(api_requests_per_minute=60, api_proxies="10.9.0.0/16"))
async def test_addresses_are_the_proxys_word_only_if_it_is_ours(house: House) -> None:
    """X-Forwarded-For of a proxy in API_PROXIES counts; of anybody else it is not read."""
    app = create_app(house)

    async def asked(peer: str, forwarded: str) -> int:
        transport = httpx2.ASGITransport(app, client=(peer, 5), raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as asking:
            return (await asking.get("/v1/me", headers={"X-Forwarded-For": forwarded})).status_code

    assert {await asked("10.9.0.1", f"192.0.2.{number}, 10.9.3.3") for number in range(30)} == {200}
    assert 429 in {await asked("203.0.113.9", f"192.0.2.{number}") for number in range(30)}


def test_proxies_that_are_none_are_named() -> None:
    """At the start, not at the first request."""
    house = house_of(Settings(_env_file=None, api_proxies="nginx"), MemoryBus())
    with pytest.raises(SettingsError, match="API_PROXIES=nginx"):
        create_app(house).build_middleware_stack()


async def test_limits_hold_without_a_log() -> None:
    """While the log is away each process counts for itself."""

    class Away(MemoryBus):
        async def spend(self, *_: object) -> float:
            raise BusUnavailable("gone")

    limits = Limits(60, Away(), lambda: 0.0)
    for _ in range(10):
        await limits.spend("address 10.0.0.1")
    with pytest.raises(Problem, match="a minute"):
        await limits.spend("address 10.0.0.1")


async def test_a_page_that_opens_waits_for_the_log_once() -> None:
    """Of a dozen requests in a row the log is asked about two, and is told of all; what it did not take is owed until it does."""
    costs: list[float] = []
    full, now = False, 0.0

    class Counting(MemoryBus):
        async def spend(self, who: str, allowance: Allowance, cost: float = 1.0) -> float:
            costs.append(cost)
            return 5.0 if full else 0.0

    limits = Limits(3000, Counting(), lambda: now)
    for _ in range(12):
        await limits.spend("address 10.0.0.1")
    assert costs == [1.0, 11.0]
    for _ in range(10):
        await limits.spend("address 10.0.0.1")
    await limits.spend("address 10.0.0.2")
    assert costs == [1.0, 11.0, 1.0]
    full = True
    with pytest.raises(Problem, match="a minute"):
        await limits.spend("address 10.0.0.1")
    full, now = False, 5.1
    await limits.spend("address 10.0.0.1")
    assert costs[3:] == [11.0, 11.0]
    now = 6.0
    await limits.spend("address 10.0.0.1")
    assert costs[5:] == [1.0]


async def test_operators_deeds_are_recorded(client: httpx2.AsyncClient, house: House) -> None:
    """Who, what, to what, when, with what came of it; a look is no deed, nor what callers do or are refused; no secrets."""
    admin = await made(house, "admin", "ann")
    added = (await client.post("/v1/keys", json=NEW, headers=bearer(admin))).json()
    await client.get("/v1/keys", headers=bearer(admin))
    await client.post("/v1/login", json={"key": admin})
    await client.delete("/v1/keys/00000000", headers=bearer(admin))
    await client.post("/v1/keys", json=NEW, headers=bearer(await made(house, "operator", "bob")))
    await client.post("/v1/keys", json=NEW, headers=bearer(await made(house, "caller", "eve")))
    answer = await client.get("/v1/audit", headers=bearer(admin))
    rows = answer.json()["deeds"]
    told = [(row["who"], row["action"], row["about"], row["status"]) for row in rows]
    assert told == [
        ("bob", "POST /v1/keys", "", 403),
        ("ann", "DELETE /v1/keys/{key}", "key=00000000", 404),
        ("ann", "POST /v1/keys", f"key={added['key']['id']} name=x role=caller", 201),
    ]
    assert rows[0]["address"] == "127.0.0.1"
    assert admin.split("_", 2)[2] not in answer.text
    assert added["shown"].split("_", 2)[2] not in answer.text
    page = (await client.get("/v1/audit", params={"limit": 2}, headers=bearer(admin))).json()
    rest = (await client.get("/v1/audit", params={"cursor": page["next"]}, headers=bearer(admin))).json()
    assert [row["status"] for row in page["deeds"] + rest["deeds"]] == [403, 404, 201]


@pytest.mark.parametrize("cursor", ["0-0", "١-١", "9999999999999999999-1", "18446744073709551615-0", "1-1\n"])
async def test_a_cursor_of_the_record_that_is_none(client: httpx2.AsyncClient, house: House, cursor: str) -> None:
    """Is refused as that: what the log could not look for is not asked of it."""
    answer = await client.get("/v1/audit", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "query.cursor")


async def test_deeds_name_sessions_and_no_numbers(client: httpx2.AsyncClient, house: House) -> None:
    """Phone numbers are shortened in the record, as in every log of a process."""
    await client.post("/v1/sessions/sip-+4930555123/end")
    (deed,) = await house.bus.deeds()
    assert deed.action == "POST /v1/sessions/{session}/end"
    assert "30555" not in deed.session
    assert deed.session.startswith("sip-+49…23")


@pytest.mark.parametrize("settings", [Settings(_env_file=None, api_requests_per_minute=120)])
async def test_an_operator_cannot_flood_the_record(client: httpx2.AsyncClient, house: House) -> None:
    """What one does costs ten times what a look costs: a burst is refused, not done and not recorded; others' deeds are there."""
    flooding, other = await made(house, "operator", "bob"), await made(house, "operator")
    await client.post("/v1/sessions/kept/end", headers=bearer(other))
    answers = [
        (await client.post(f"/v1/sessions/s{number}/end", headers=bearer(flooding))).status_code for number in range(6)
    ]
    refused = answers.count(429)
    assert set(answers) == {404, 429}
    assert [deed.status for deed in await house.bus.deeds(1000)] == [404] * (7 - refused)
    assert (await client.post("/v1/sessions/s/end", headers=bearer(other))).status_code == 404


@pytest.mark.parametrize("settings", settled(api_requests_per_minute=120))
async def test_in_development_an_address_cannot_flood_the_record(house: House) -> None:
    """Where nobody shows a key a deed costs its address ten looks: a burst is refused, and not recorded; others may act."""
    app = create_app(house)

    def of(address: str) -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(app, client=(address, 5), raise_app_exceptions=False)
        return httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080")

    async with of("127.0.0.1") as flooding, of("127.0.0.2") as other:
        answers = [(await flooding.post(f"/v1/sessions/s{number}/end")).status_code for number in range(6)]
        refused = answers.count(429)
        assert set(answers) == {404, 429}
        assert len(await house.bus.deeds(1000)) == 6 - refused
        assert (await other.post("/v1/sessions/s/end")).status_code == 404


async def test_a_record_that_cant_be_kept_is_logged(
    client: httpx2.AsyncClient, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """A deed leaves its trace, if not in the log then in the process'."""

    async def away(*_: object) -> None:
        raise BusUnavailable("gone")

    house.bus.record = away  # type: ignore[method-assign,assignment]
    assert (await client.post("/v1/keys", json=NEW)).status_code == 201
    assert "this machine, POST /v1/keys" in caplog.text


@pytest.mark.parametrize("settings", settled(gateway_token_secret=SECRET))
async def test_figures_are_for_operators(client: httpx2.AsyncClient, house: House) -> None:
    """Counted by route, never by what a path names."""
    assert (await client.get("/metrics")).status_code == 401
    assert (await client.get("/metrics", headers=bearer(await made(house, "caller")))).status_code == 403
    shown = await made(house, "operator")
    await client.get("/v1/nothing/private", headers=bearer(shown))
    await client.delete("/v1/keys/00000000", headers=bearer(shown))
    told = (await client.get("/metrics", headers=bearer(shown))).text
    assert 'antiphon_api_requests_total{method="DELETE",route="/v1/keys/{key}",status="403"} 1.0' in told
    assert 'route="none",status="404"' in told
    assert "private" not in told
