"""Who is let in, as what, and until when."""

import time
from email.utils import parsedate_to_datetime

import httpx2
import jwt
import pytest

from api.access import gate as gates
from api.access import tickets
from api.access.gate import KeyGate
from api.app import create_app
from api.house import House
from api.main import house_of
from schemas.access.keys import Role, public_half
from schemas.access.new_key import new_key
from schemas.access.tokens import Grant, mint
from schemas.config.settings import Settings
from schemas.errors import SettingsError
from schemas.log import MemoryBus

SECRET = "a-secret-of-at-least-thirty-two-characters"


async def made(house: House, role: Role, name: str = "ann") -> str:
    """A key, good at once."""
    key, shown = new_key(name, role, await house.bus.now())
    assert await house.bus.add_key(key)
    anew(house)
    return shown


def anew(house: House) -> None:
    """What takes a second elsewhere: the keys are read again."""
    house.gate._read = float("-inf")


def bearer(shown: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {shown}"}


async def test_on_loopback_without_keys_everybody_may_do_everything(client: httpx2.AsyncClient) -> None:
    """Development mode: no key, role admin, and /v1/me says so."""
    me = (await client.get("/v1/me")).json()
    assert (me["role"], me["development"]) == ("admin", True)


async def test_the_first_key_ends_development(client: httpx2.AsyncClient, house: House) -> None:
    """Once there is a key, nobody is let in without one."""
    shown = await made(house, "operator")
    answer = await client.get("/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (401, "key")
    assert answer.headers["www-authenticate"] == "Bearer"
    me = (await client.get("/v1/me", headers=bearer(shown))).json()
    assert (me["name"], me["role"], me["development"]) == ("ann", "operator", False)


async def test_the_last_key_opens_nothing(
    client: httpx2.AsyncClient, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Who had keys has a proxy in front, perhaps, behind which all are on loopback: without one nobody is let in, and the refusal
    says how one is made; nor is anybody by a process that begins then."""
    shown = await made(house, "admin")
    assert await house.bus.remove_key(public_half(shown))
    anew(house)
    later = house_of(house.settings, house.bus)
    later.waits_for = ""
    transport = httpx2.ASGITransport(create_app(later), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as of_later:
        for asked in (client, of_later):
            answer = await asked.get("/v1/me")
            assert (answer.status_code, answer.json()["code"]) == (401, "key")
            assert "antiphon key add NAME --role admin" in answer.json()["detail"]
    assert caplog.text.count("there is no key any more") == 2
    assert "API_DEVELOPMENT=true" in caplog.text
    another = await made(house, "admin")
    assert (await client.get("/v1/me", headers=bearer(another))).json()["development"] is False


@pytest.mark.parametrize("settings", [Settings(_env_file=None, api_development=True)])
async def test_development_can_be_asked_for_again(client: httpx2.AsyncClient, house: House) -> None:
    """API_DEVELOPMENT=true: while there is a key everybody needs one; without any nobody does."""
    shown = await made(house, "admin")
    assert (await client.get("/v1/me")).status_code == 401
    assert await house.bus.remove_key(public_half(shown))
    anew(house)
    assert (await client.get("/v1/me")).json()["development"] is True


@pytest.mark.parametrize("settings", [Settings(_env_file=None, gateway_token_secret=SECRET)])
async def test_with_a_secret_nobody_is_let_in_without_a_key(client: httpx2.AsyncClient) -> None:
    """Whoever has set GATEWAY_TOKEN_SECRET has a proxy in front, perhaps: loopback is nobody's proof."""
    assert (await client.get("/v1/me")).status_code == 401


@pytest.mark.parametrize("settings", [Settings(_env_file=None, gateway_token_secret=SECRET, api_anonymous="caller")])
async def test_anonymous_may_call_where_that_is_allowed(client: httpx2.AsyncClient) -> None:
    """API_ANONYMOUS=caller: who shows nothing is a caller and no more; who shows something wrong is refused."""
    assert (await client.get("/v1/me")).json()["role"] == "caller"
    answer = await client.get("/v1/keys")
    assert (answer.status_code, answer.json()["code"]) == (403, "role")
    assert (await client.get("/v1/me", headers=bearer("antiphon_00000000_" + "x" * 43))).status_code == 401


@pytest.mark.parametrize("role", ["caller", "operator"])
async def test_a_role_is_the_most_one_may(client: httpx2.AsyncClient, house: House, role: Role) -> None:
    """Keys are for admins."""
    shown = await made(house, role)
    assert (await client.get("/v1/keys", headers=bearer(shown))).status_code == 403
    assert (
        await client.post("/v1/keys", json={"name": "x", "role": "admin"}, headers=bearer(shown))
    ).status_code == 403
    assert (await client.get("/v1/audit", headers=bearer(shown))).status_code == 403


async def test_keys_are_replaced_without_a_gap(client: httpx2.AsyncClient, house: House) -> None:
    """Several keys of one name are good at once; a removed one is refused when the keys are next read, its tickets, too."""
    first = await made(house, "admin")
    ticket = (await client.post("/v1/login", json={"key": first})).json()["ticket"]
    answer = await client.post("/v1/keys", json={"name": "ann", "role": "admin"}, headers=bearer(first))
    assert answer.status_code == 201
    second = answer.json()["shown"]
    anew(house)
    for shown in (first, second, ticket):
        assert (await client.get("/v1/me", headers=bearer(shown))).json()["name"] == "ann"
    rows = (await client.get("/v1/keys", headers=bearer(second))).json()["keys"]
    assert [row["name"] for row in rows] == ["ann", "ann"]
    assert (await client.delete(f"/v1/keys/{rows[0]['id']}", headers=bearer(second))).status_code == 204
    anew(house)
    assert (await client.get("/v1/me", headers=bearer(second))).status_code == 200
    for shown in (first, ticket):
        assert (await client.get("/v1/me", headers=bearer(shown))).status_code == 401
    assert (await client.delete(f"/v1/keys/{rows[0]['id']}", headers=bearer(second))).status_code == 404


async def test_a_removed_key_is_refused_within_seconds() -> None:
    """The keys are read anew after a second, whoever removed one, and wherever."""
    bus, now = MemoryBus(), [0.0]
    gate = KeyGate(Settings(_env_file=None), bus, lambda: now[0])
    key, shown = new_key("ann", "caller", await bus.now())
    await bus.add_key(key)
    assert (await gate.login(shown)).who.name == "ann"
    await bus.remove_key(key.key)
    now[0] += 1.1
    with pytest.raises(Exception, match="no such key"):
        await gate.login(shown)


async def test_one_signs_in_with_a_key_made_a_moment_ago() -> None:
    """Who makes the first key in the browser is signed in with it at once, though the keys were read just before."""
    bus = MemoryBus()
    gate = KeyGate(Settings(_env_file=None), bus, lambda: 0.0)
    assert await gate.is_open()
    key, shown = new_key("ann", "admin", await bus.now())
    assert await bus.add_key(key)
    who = (await gate.login(shown)).who
    assert (who.name, await gate.is_open()) == ("ann", False)


async def test_what_the_log_keeps_is_no_key(house: House) -> None:
    """Neither the log nor the list of keys has what a bearer shows."""
    shown = await made(house, "admin")
    (kept,) = await house.bus.keys()
    assert shown.split("_", 2)[2] not in repr(kept)
    assert len(kept.hash) == 64


@pytest.mark.parametrize("change", ["", "x", "cut", "other", "case"])
async def test_a_key_that_is_not_whole_is_none(client: httpx2.AsyncClient, house: House, change: str) -> None:
    """One character more, less or other: refused, and the answer has nothing of it."""
    shown = await made(house, "admin")
    wrong = {
        "": "antiphon_", "x": shown + "x", "cut": shown[:-1], "other": shown[:-1] + ("a" if shown[-1] != "a" else "b"),
        "case": shown.upper(),
    }[change]  # fmt: skip
    answer = await client.get("/v1/me", headers=bearer(wrong))
    assert answer.status_code == 401
    assert shown[18:40] not in answer.text


async def test_what_is_neither_key_nor_ticket_is_told_so(client: httpx2.AsyncClient, house: House) -> None:
    """Not that its signature is wrong: it has none."""
    await made(house, "admin")
    answer = await client.get("/v1/me", headers=bearer("nonsense"))
    assert (answer.status_code, answer.json()["detail"].split(" (")[0]) == (401, "this is neither a key")


async def test_a_ticket_is_short_lived_and_renewable(client: httpx2.AsyncClient, house: House) -> None:
    """An hour; a new one for a good one; after a week the key is asked for."""
    signed = (await client.post("/v1/login", json={"key": await made(house, "operator")})).json()
    assert (signed["name"], signed["role"], signed["expires_in"]) == ("ann", "operator", 3600)
    again = (await client.post("/v1/login/renew", headers=bearer(signed["ticket"]))).json()
    assert (await client.get("/v1/me", headers=bearer(again["ticket"]))).json()["name"] == "ann"
    (key,) = await house.bus.keys()
    long_ago = tickets.Ticket(key.key, "operator", int(time.time()) - tickets.RENEWABLE_FOR + 60)
    old, seconds = tickets.mint(await house.gate._secret(), long_ago)
    assert seconds <= 60
    over = tickets.Ticket(key.key, "operator", int(time.time()) - tickets.RENEWABLE_FOR)
    with pytest.raises(Exception, match="show the key again"):
        tickets.mint(await house.gate._secret(), over)
    assert (await client.get("/v1/me", headers=bearer(old))).status_code == 200


@pytest.mark.parametrize("settings", [Settings(_env_file=None, gateway_token_secret=SECRET)])
async def test_foreign_and_forged_tickets_are_refused(client: httpx2.AsyncClient, house: House) -> None:
    """A gateway's token, another audience, another secret, `alg: none`, an expired one, a role it was not given: none is good."""
    await made(house, "operator")
    (key,) = await house.bus.keys()
    good = {"aud": "antiphon-api", "exp": int(time.time()) + 60, "key": key.key, "role": "operator", "since": 0}
    own = await house.gate._secret()
    wrong = [
        mint(SECRET, Grant(operator=True)),
        jwt.encode(good, SECRET, "HS256"),
        jwt.encode(good | {"aud": "antiphon-gateway"}, own, "HS256"),
        jwt.encode(good | {"exp": int(time.time()) - 60}, own, "HS256"),
        jwt.encode(good | {"role": "admin"}, own, "HS256"),
        jwt.encode(good | {"role": ["admin"]}, own, "HS256"),
        jwt.encode(good | {"key": "00000000"}, own, "HS256"),
        jwt.encode(good | {"key": None}, own, "HS256"),
        jwt.encode(good, "", "none"),
        jwt.encode(good, own, "HS512"),
        "ey", "x" * 5000, "ö",
    ]  # fmt: skip
    for one in wrong:
        shown = {b"Authorization": f"Bearer {one}".encode()}
        assert (await client.get("/v1/me", headers=shown)).status_code == 401
    assert (await client.get("/v1/me", headers=bearer(jwt.encode(good, own, "HS256")))).status_code == 200


async def test_a_ticket_in_an_address_opens_sound_and_nothing_else(client: httpx2.AsyncClient, house: House) -> None:
    """Logs and histories keep addresses: what stands there is a ticket of its own, which does nothing else."""
    key = await made(house, "admin")
    signed = (await client.post("/v1/login", json={"key": key})).json()
    wav = "/v1/sessions/nobody/audio.wav"
    assert (
        await client.get(wav, params={"ticket": signed["sound"]})
    ).status_code == 404  # let in: there is no such session
    for shown in (signed["ticket"], key):
        assert (await client.get(wav, params={"ticket": shown})).status_code == 401
    others = ("/v1/rooms/audio.wav", "/v1/agents/audio.wav", "/v1/sessions/audio.wav")  # called as if they were sound
    for place in ("/v1/me", "/v1/sessions", "/v1/sessions/nobody", *others):
        assert (await client.get(place, params={"ticket": signed["sound"]})).status_code == 401
    in_header = {"headers": bearer(signed["sound"])}
    for asked in (
        client.get(wav, **in_header),
        client.post("/v1/login/renew", **in_header),
        client.get("/v1/keys", **in_header),
    ):
        assert (await asked).status_code == 401
    assert (await client.post(wav, params={"ticket": signed["sound"]})).status_code in (401, 405)
    renewed = (await client.post("/v1/login/renew", headers=bearer(signed["ticket"]))).json()
    assert (await client.get(wav, params={"ticket": renewed["sound"]})).status_code == 404


async def test_neither_keys_nor_tickets_stand_in_the_log(
    client: httpx2.AsyncClient, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """What is shown, right or wrong, in whatever place, is written nowhere."""
    caplog.set_level("DEBUG")
    key = await made(house, "admin")
    ticket = (await client.post("/v1/login", json={"key": key})).json()["ticket"]
    for shown in (key, ticket, ticket[:-3], key[:-3]):
        await client.get("/v1/me", headers=bearer(shown))
        await client.get("/v1/me", params={"ticket": shown})
        await client.post("/v1/login", json={"key": shown})
    ours = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpx"))
    assert key[20:40] not in ours
    assert ticket[40:80] not in ours


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.1", "antiphon.example"])
async def test_an_api_that_lets_nobody_in_does_not_start(host: str) -> None:
    """On a public address, with neither a key nor a secret: one sentence that says what to do."""
    bus = MemoryBus()
    house = house_of(Settings(_env_file=None, api_host=host), bus)
    with pytest.raises(SettingsError, match="make a key first") as refused:
        await house.gate.check()
    assert "\n" not in str(refused.value)
    await made(house, "admin")
    await house.gate.check()
    await house_of(Settings(_env_file=None, api_host=host, gateway_token_secret=SECRET), MemoryBus()).gate.check()


async def test_development_is_said_loudly(caplog: pytest.LogCaptureFixture) -> None:
    """Once, when it begins; and that it has ended, when a key is there."""
    house = house_of(Settings(_env_file=None), MemoryBus())
    await house.gate.check()
    await house.gate.is_open()
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["DEVELOPMENT MODE"]
    await made(house, "admin")
    assert not await house.gate.is_open()
    assert "everybody needs one" in caplog.text


def test_a_short_secret_is_refused() -> None:
    """As the gateway does."""
    with pytest.raises(SettingsError, match="32"):
        gates.KeyGate(Settings(_env_file=None, gateway_token_secret="short"), MemoryBus())


async def test_tickets_go_by_the_logs_clock(settings: Settings) -> None:
    """An API whose machine is two hours behind hands out tickets that another one takes, as long as they are good and no longer;
    and what it answers is dated by the log."""
    bus = MemoryBus()
    key, shown = new_key("ann", "operator", await bus.now())
    await bus.add_key(key)
    right = await bus.now() / 1e6
    here = {"behind": right - 7_200, "ahead": right + 7_200}
    houses = {name: house_of(settings, bus) for name in here}
    for name, house in houses.items():
        house.waits_for = ""
        house.clock._here = lambda name=name: here[name]  # type: ignore[misc]
        await house.clock.look(bus)
    ticket = (await houses["behind"].gate.login(shown)).ticket
    transport = httpx2.ASGITransport(create_app(houses["ahead"]), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as asking:
        answer = await asking.get("/v1/me", headers=bearer(ticket))
        assert answer.status_code == 200
        assert abs(parsedate_to_datetime(answer.headers["date"]).timestamp() - right) < 60
        missing = (await asking.get("/ready")).json()["missing"]
        assert "a clock that agrees with the log's (this machine's is 2.0 h ahead: run NTP)" in missing
        here["ahead"] += tickets.GOOD_FOR + 60
        assert (await asking.get("/v1/me", headers=bearer(ticket))).status_code == 401
