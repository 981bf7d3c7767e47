"""Calls of ours, registrations, and the desk where operators ask for them."""

import asyncio
import re
from pathlib import Path

import aiohttp
import pytest

from gateway.rooms.sip.dialing import NotDialled
from ops.commands import phone as commands
from schemas.access.tokens import Grant, mint
from tests.gateway.rooms.sip.conftest import LOOPBACK, Office, office
from tests.gateway.rooms.sip.party import Party, sdp, status


async def taken(party: Party, invite: str) -> None:
    """Answer a call of the gateway."""
    body = sdp(party.sound.port, types="8 101")
    party.reply(invite, "200 OK", f"Contact: <sip:ann@127.0.0.1:{party.port}>\r\n", body, to_tag="theirs")
    ack = await party.request("ACK")
    assert f"sip:ann@127.0.0.1:{party.port}" in ack.split("\r\n")[0]
    found = re.search(r"m=audio (\d+)", invite)
    assert found is not None
    party.remote_port = int(found[1])


async def test_who_is_called_speaks_with_the_agent(tmp_path: Path) -> None:
    """A call of ours is offered all we speak, acknowledged, greeted, and ended by either side."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        dialling = asyncio.create_task(here.phones.dial(f"sip:ann@127.0.0.1:{party.port}", "greeter"))
        invite = await party.request("INVITE")
        assert "PCMA/8000" in invite
        assert "telephone-event/8000" in invite
        party.reply(invite, "180 Ringing", to_tag="theirs")
        await taken(party, invite)
        session = await dialling
        await here.event(session, lambda event: event.type == "playback.finished")
        assert party.sound.count > 20
        began = (await here.gateway.bus.read(session))[0]
        assert began.agent.greeting  # type: ignore[union-attr]
        call = here.phones.calls.of_session(session)
        assert call is not None
        assert call.session is not None
        call.session.hang_up("end_requested")
        bye = await party.request("BYE")
        party.reply(bye)


@pytest.mark.parametrize(
    ("answer", "code", "said"), [("486 Busy Here", 486, "486 Busy Here"), ("603 Decline", 603, "603 Decline")]
)
async def test_who_does_not_want_to(tmp_path: Path, answer: str, code: int, said: str) -> None:
    """A refusal is acknowledged and told to whoever had us dial; nothing is left of the call."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        dialling = asyncio.create_task(here.phones.dial(f"sip:ann@127.0.0.1:{party.port}"))
        party.reply(await party.request("INVITE"), answer, to_tag="theirs")
        await party.request("ACK")
        with pytest.raises(NotDialled, match=said) as error:
            await dialling
        assert error.value.status == code
        assert not here.phones.calls.by_id


async def test_nobody_takes_it(tmp_path: Path) -> None:
    """After the time given the call is cancelled."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        dialling = asyncio.create_task(here.phones.dial(f"sip:ann@127.0.0.1:{party.port}", wait=0.5))
        invite = await party.request("INVITE")
        party.reply(invite, "180 Ringing", to_tag="theirs")
        with pytest.raises(NotDialled, match="nobody answered within"):
            await dialling
        cancel = await party.request("CANCEL")
        branches = [re.search(r"branch=([^;\s]+)", text) for text in (invite, cancel)]
        assert branches[0] is not None
        assert branches[1] is not None
        assert branches[0][1] == branches[1][1]
        party.reply(cancel)
        party.reply(invite, "487 Request Terminated", to_tag="theirs")
        await party.request("ACK")
        assert not here.phones.calls.by_id


async def test_an_answer_that_comes_too_late(tmp_path: Path) -> None:
    """Who takes a call just as it is given up is acknowledged and hung up."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        dialling = asyncio.create_task(here.phones.dial(f"sip:ann@127.0.0.1:{party.port}", wait=0.3))
        invite = await party.request("INVITE")
        with pytest.raises(NotDialled):
            await dialling
        party.reply(await party.request("CANCEL"))
        contact = f"Contact: <sip:ann@127.0.0.1:{party.port}>\r\n"
        party.reply(invite, "200 OK", contact, sdp(party.sound.port), to_tag="late")
        assert "CSeq: 1 ACK" in await party.request("ACK")
        party.reply(await party.request("BYE"))


async def test_two_phones_take_one_call(tmp_path: Path) -> None:
    """A call of ours that rings at two phones is had with the one that takes it; the other is acknowledged and hung up once."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        dialling = asyncio.create_task(here.phones.dial(f"sip:ann@127.0.0.1:{party.port}", wait=5))
        invite = await party.request("INVITE")
        contact, body = f"Contact: <sip:ann@127.0.0.1:{party.port}>\r\n", sdp(party.sound.port)
        party.reply(invite, "180 Ringing", contact, to_tag="first")
        for _ in range(2):  # the second time because our ACK may have got lost
            party.reply(invite, "200 OK", contact, body, to_tag="second")
            assert ";tag=second" in await party.request("ACK")
        await dialling
        for kinds in (["ACK", "BYE"], ["ACK"]):
            party.reply(invite, "200 OK", contact, body, to_tag="first")
            for kind in kinds:
                asked = await party.request(kind)
                assert ";tag=first" in asked
        party.reply(asked.replace("ACK", "BYE"))
        assert len(here.phones.calls.by_id) == 1


@pytest.mark.parametrize("lie", ["nothing", "branch", "call-id", "from", "cseq", "host"])
async def test_an_answer_to_what_we_never_sent(tmp_path: Path, lie: str) -> None:
    """A made-up 200 to an INVITE is neither acknowledged nor hung up, and is not taken for the answer of who is called."""
    trunks = LOOPBACK.replace('"127.0.0.1"', '"10.0.0.1", "127.0.0.2", "127.0.0.1"')
    monkey = pytest.MonkeyPatch()
    monkey.setattr("gateway.rooms.sip.transactions.is_here", lambda _: False)
    async with office(tmp_path, trunks=trunks) as here, Party(here.phones.port) as party:
        contact = f"Contact: <sip:ann@127.0.0.1:{party.port}>\r\n"
        if lie == "nothing":
            via = f"SIP/2.0/UDP 127.0.0.1:{here.phones.port};branch=z9hG4bKmadeup"
            invite = (
                f"INVITE sip:x@y SIP/2.0\r\nVia: {via}\r\nFrom: <sip:a@127.0.0.1>;tag=a\r\nTo: <sip:b@127.0.0.1>\r\n"
                "Call-ID: never\r\nCSeq: 1 INVITE\r\n\r\n"
            )
            party.reply(invite, "200 OK", contact, sdp(party.sound.port), to_tag="made-up")
            await here.ticks(6)
            assert party.quiet()
            monkey.undo()
            return
        dialling = asyncio.create_task(here.phones.dial(f"sip:ann@127.0.0.1:{party.port}", wait=5))
        invite = await party.request("INVITE")
        party.reply(invite, "100 Trying")
        lies = {
            "branch": ("z9hG4bK", "z9hG4bKx"), "call-id": ("Call-ID: ", "Call-ID: x"), "from": (";tag=", ";tag=x"),
            "cseq": ("1 INVITE", "2 INVITE"), "host": ("", ""),
        }  # fmt: skip
        async with Party(here.phones.port, "127.0.0.2") as other:
            liar = other if lie == "host" else party
            liar.reply(invite.replace(*lies[lie], 1), "200 OK", contact, sdp(party.sound.port), to_tag="made-up")
            await here.ticks(6)
            assert liar.quiet()
            assert not dialling.done()
        await taken(party, invite)
        await dialling
    monkey.undo()


async def test_a_call_of_ours_takes_a_line_too(tmp_path: Path) -> None:
    """An operator can't ring more people at once than the trunk has lines."""
    async with office(tmp_path, trunks=LOOPBACK + "calls = 1\n") as here, Party(here.phones.port) as party:
        assert status(await party.invite()) == "200 OK"
        await here.session()
        with pytest.raises(NotDialled, match="all 1 lines") as error:
            await here.phones.dial(f"sip:ann@127.0.0.1:{party.port}")
        assert error.value.status == 486


async def test_a_call_that_is_repeated_until_it_is_heard(tmp_path: Path) -> None:
    """An INVITE of ours that gets lost is sent again."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        dialling = asyncio.create_task(here.phones.dial(f"sip:ann@127.0.0.1:{party.port}"))
        assert await party.request("INVITE") == await party.request("INVITE")
        party.reply(await party.request("INVITE", 5.0), "486 Busy Here", to_tag="theirs")
        with pytest.raises(NotDialled):
            await dialling


async def test_whom_we_do_not_call(tmp_path: Path) -> None:
    """An address in no trunk, a number no trunk dials, an agent or trunk that isn't there: each in a sentence."""
    async with office(tmp_path) as here:
        for to, options, said in (
            ("sip:x@127.0.0.77", {}, "127.0.0.77 is in no trunk's addresses"),
            ("+4930123", {}, "no trunk dials numbers"),
            ("sip:x@127.0.0.1", {"trunk": "none"}, "no trunk is called 'none'; there is loopback"),
            ("sip:x@127.0.0.1", {"agent": "none"}, "no agent 'none' here"),
        ):
            with pytest.raises(NotDialled, match=re.escape(said)):
                await here.phones.dial(to, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "to",
    [
        "sip:x@169.254.169.254", "sip:x@[::ffff:169.254.169.254]", "sip:x@0x7f000002", "sip:x@2130706434", "sip:x@0",
        "sip:x@127.0.0.1;maddr=169.254.169.254", "sip:x@127.0.0.1:22", "sip:x@127.0.0.1:99999", "sip:x@127.0.0.1:0",
        "sips:x@127.0.0.1", "sip:x@127.0.0.1;transport=tls", "sip:x@127.0.0.1;transport=ws", "sip:x@127.0.0.1?Route=evil",
        "sip:x@127.0.0.1\r\nRoute: <sip:evil>", "sip:x@127.0.0.1%0d%0aRoute:y", "sip:x@127.0.0.1;a=b\nVia: x",
        "sip:x\x00@127.0.0.1", "sip:@127.0.0.1", "sip:", "sip:x@", "sip:x@y@127.0.0.1", "sip:\ud800@127.0.0.1",
        "+49@evil.example", "+49;phone-context=x",
        "http://127.0.0.1:6379/", "file:///etc/passwd", "<sip:x@127.0.0.1>", "sip:x@127.0.0.1,sip:y@10.0.0.1", "x" * 300,
    ],
)  # fmt: skip
async def test_whom_nobody_can_have_us_call(tmp_path: Path, to: str) -> None:
    """Not an address outside the trunks, however it is written, nor one that says more than an address; nothing is sent."""
    async with office(tmp_path) as here:
        sent: list[object] = []
        for side in here.phones.sides:
            side.wire._write = lambda data, where: sent.append(where)  # type: ignore[method-assign]
        with pytest.raises(NotDialled) as error:
            await here.phones.dial(to)
        assert error.value.status in (403, 404, 416, 503)
        code, text = await ask(here, "POST", "/calls", {"to": to})
        assert code in (400, 502), text
        assert not sent


async def test_nobody_is_rung_whom_no_worker_would_answer(tmp_path: Path) -> None:
    """Where workers are needed: the operator is told which are missing, and no telephone rings."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        reception = here.gateway.reception
        reception.needs_workers = True
        reception.pools.told = lambda: ["no tts worker for 9 s"]  # type: ignore[method-assign]
        sent: list[object] = []
        for side in here.phones.sides:
            side.wire._write = lambda data, where: sent.append(where)  # type: ignore[method-assign]
        with pytest.raises(NotDialled, match="no tts worker for 9 s") as error:
            await here.phones.dial(f"sip:ann@127.0.0.1:{party.port}")
        assert error.value.status == 503
        assert not sent


PROVIDER = """
[[trunk]]
name = "provider"
numbers = {{ "+4930555" = "greeter" }}
calls_per_second = 50

[trunk.registration]
server = "127.0.0.1:{port}"
user = "bot"
secret = "BOTS_SECRET"

[trunk.outbound]
server = "127.0.0.1:{port}"
user = "bot"
secret = "BOTS_SECRET"
caller = "sip:+4930555@provider.example"
"""
CHALLENGE = 'WWW-Authenticate: Digest realm="p", nonce="n1", algorithm=MD5, qop="auth"\r\n'


async def test_at_home_at_a_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Registered with a password, called by its number, dialling out with the same password, unregistered at the end."""
    monkeypatch.setenv("BOTS_SECRET", "secret of the bot")
    async with Party(0) as provider:
        async with office(tmp_path, trunks=PROVIDER.format(port=provider.port)) as here:
            provider.gateway = here.phones.port
            first = await provider.request("REGISTER")
            provider.reply(first, "401 Unauthorized", CHALLENGE)
            second = await provider.request("REGISTER")
            assert 'username="bot"' in second
            assert "secret of the bot" not in second
            contact = re.search(r"Contact: (<[^>]+>)", second)
            assert contact is not None
            provider.reply(second, "200 OK", f"Contact: {contact[1]};expires=300\r\n")
            for _ in range(100):
                if here.phones.registrars[0].registered:
                    break
                await asyncio.sleep(0.02)
            assert here.phones.registrars[0].registered

            provider.send(provider.message("INVITE", "+4930555", sdp(provider.sound.port)))
            answer = await provider.response()
            assert status(answer) == "200 OK"
            provider.learn(answer)
            provider.send(provider.message("ACK", "+4930555"))
            assert status(await provider.bye()) == "200 OK"

            dialling = asyncio.create_task(here.phones.dial("tel:+49(40)9-99"))
            invite = await provider.request("INVITE")
            assert invite.startswith("INVITE sip:+4940999@127.0.0.1 ")
            assert "From: <sip:+4930555@provider.example>" in invite
            provider.reply(invite, "401 Unauthorized", CHALLENGE, to_tag="x")
            again = await provider.request("INVITE")
            assert 'username="bot"' in again
            provider.reply(again, "404 Not Found", to_tag="y")
            with pytest.raises(NotDialled, match="404 Not Found"):
                await dialling
        gone = await provider.request("REGISTER")
        assert "Expires: 0" in gone


# ── the desk ─────────────────────────────────────────────────────────────────────────────────────────────────────────

SECRET = "x" * 40


async def ask(here: Office, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as client:
        url = f"http://127.0.0.1:{here.gateway.server.port}{path}"
        async with client.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.text()


async def test_operators_ask_by_http(tmp_path: Path) -> None:
    """Dialling, keys and hanging up by HTTP; nonsense is told so; a web page may not ask at all."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        target = f"sip:ann@127.0.0.1:{party.port}"
        asked = asyncio.create_task(ask(here, "POST", "/calls", {"to": target, "agent": "greeter"}))
        await taken(party, await party.request("INVITE"))
        code, text = await asked
        assert code == 200
        session = re.search(r"sip-\w+", text)
        assert session is not None
        assert (await ask(here, "POST", f"/calls/{session[0]}/keys", {"digits": "1"}))[0] == 200
        assert (await ask(here, "DELETE", f"/calls/{session[0]}"))[0] == 200
        party.reply(await party.request("BYE"))
        assert (await ask(here, "POST", "/calls/none/transfer", {"to": "sip:x@y"}))[0] == 502
        assert (await ask(here, "POST", "/calls", {"to": "a b"}))[0] == 400
        assert (await ask(here, "POST", "/calls", {"to": target}, Origin="http://127.0.0.1"))[0] == 403


@pytest.mark.parametrize(
    "to",
    [
        "bob",
        "+4930123",
        "sip:bob@x>\r\nX: y",
        "sip:b ob@x",
        "http://x",
        "tel:+49;x=<",
        "sip:bob@x\x07",
        "javascript:1",
    ],
)
async def test_where_a_phone_can_be_sent(tmp_path: Path, to: str) -> None:
    """A transfer names one address, with a scheme and nothing around it; anything else is told so."""
    async with office(tmp_path) as here:
        code, text = await ask(here, "POST", "/calls/none/transfer", {"to": to})
        assert code == 400, text
        assert "expected sip:user@host or tel:number" in text


async def test_with_a_secret_an_operators_token_is_needed(tmp_path: Path) -> None:
    """A client's token may speak, not dial; an operator's may."""
    async with office(tmp_path, secret=SECRET) as here:
        body = {"to": "sip:x@127.0.0.77"}
        assert (await ask(here, "POST", "/calls", body))[0] == 401
        client = mint(SECRET, Grant(agent="greeter"))
        assert (await ask(here, "POST", "/calls", body, Authorization=f"Bearer {client}"))[0] == 403
        operator = mint(SECRET, Grant(operator=True))
        assert (await ask(here, "POST", "/calls", body, Authorization=f"Bearer {operator}"))[0] == 502


async def test_the_command_says_what_went_wrong(tmp_path: Path) -> None:
    """`antiphon phone dial` hands on the gateway's sentence."""
    async with office(tmp_path) as here:
        with pytest.raises(commands.NotDone, match="is in no trunk's addresses"):
            await commands.ring(
                "sip:x@127.0.0.77", "", "", "", 5.0, f"ws://127.0.0.1:{here.gateway.server.port}/ws", True
            )
