"""What a caller, somebody between or somebody beside may try, and what comes of it. Real sockets."""

import asyncio
import re
import secrets
import struct
from pathlib import Path

import pytest
from aiosipua.session_timer import watchdog_delay

from gateway.rooms.sip import transactions
from tests.gateway.rooms.sip.conftest import LOOPBACK, Office, office
from tests.gateway.rooms.sip.party import Party, Sound, sdp, status

ANYWHERE = LOOPBACK.replace('"127.0.0.1"', '"127.0.0.0/8"')


async def answered(here: Office, party: Party, user: str = "100", **more: str) -> str:
    assert status(await party.invite(user, **more)) == "200 OK"
    return await here.session()


async def goes_on(here: Office, party: Party) -> None:
    """The call is as well as ever: it hears and is ended by its own BYE."""
    party.sound.take()
    while party.sound.count < 5:  # or the test's time runs out
        await asyncio.sleep(0.01)
    party.number = max(party.number, 50)
    assert status(await party.bye()) == "200 OK"


def held_back(here: Office, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Calls that come now ring until this is set."""
    answer = asyncio.Event()
    opened = here.phones.calls.open_line

    async def slowly(line: object) -> None:
        await answer.wait()
        await opened(line)  # type: ignore[arg-type]

    monkeypatch.setattr(here.phones.calls, "open_line", slowly)
    return answer


# ── somebody else's call ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("lie", ["host", "tag", "branch", "number", "call"])
async def test_a_cancel_of_somebody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    """A CANCEL from another machine, or with another tag, branch, number or Call-ID, ends nothing."""
    async with office(tmp_path, trunks=ANYWHERE) as here, Party(here.phones.port) as party, Party(
        here.phones.port, "127.0.0.5"
    ) as other:  # fmt: skip
        ringing = held_back(here, monkeypatch)
        party.send(party.message("INVITE", "100", sdp(party.sound.port)))
        branch = party._branch
        assert "180 Ringing" in [status(await party.response(final=False)) for _ in range(2)]
        liar = other if lie == "host" else party
        true = (party.call_id, party.tag)
        liar.call_id, liar.tag = ("x" if lie == "call" else true[0]), ("x" if lie == "tag" else true[1])
        number = 2 if lie == "number" else 1
        liar.send(liar.message("CANCEL", "100", branch="z9hG4bKother" if lie == "branch" else branch, number=number))
        assert status(await liar.response()).startswith("481")
        party.call_id, party.tag = true
        ringing.set()
        party.learn(await party.response())
        party.send(party.message("ACK", "100"))
        await here.session()
        await goes_on(here, party)


async def test_a_cancel_that_comes_too_late(tmp_path: Path) -> None:
    """After the answer a CANCEL is answered and changes nothing (RFC 3261 §9.2)."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        await answered(here, party)
        party.send(party.message("INVITE", "100", sdp(party.sound.port)))
        branch = party._branch
        party.learn(await party.response())
        party.send(party.message("CANCEL", "100", branch=branch))
        assert status(await party.response()) in ("200 OK", "481 Call/Transaction Does Not Exist")
        party.send(party.message("ACK", "100"))
        await goes_on(here, party)


@pytest.mark.parametrize("method", ["BYE", "INFO", "UPDATE", "INVITE", "NOTIFY", "PRACK"])
async def test_requests_from_the_past(tmp_path: Path, method: str) -> None:
    """A request within a call whose number is no higher than the last one's is refused: nothing is played again."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        session = await answered(here, party)
        party.number = 1
        kind = "Content-Type: application/dtmf-relay\r\nEvent: refer\r\n"
        party.send(party.message(method, "100", "Signal=5\r\n", kind, number=1))
        assert status(await party.response()).startswith("500")
        await goes_on(here, party)
        assert "dtmf.received" not in await here.types(session)


@pytest.mark.parametrize("method", ["BYE", "INFO", "UPDATE", "INVITE", "NOTIFY", "PRACK", "ACK"])
async def test_guessed_tags(tmp_path: Path, method: str) -> None:
    """Who knows the Call-ID and guesses the tags gets 481, or nothing, and the call goes on."""
    async with office(tmp_path, trunks=ANYWHERE) as here, Party(here.phones.port) as party:
        session = await answered(here, party)
        for tag, to_tag in ((party.tag, "refused"), ("", party.to_tag), (party.to_tag, party.tag), (party.tag, "")):
            async with Party(here.phones.port, "127.0.0.5") as other:
                other.call_id, other.tag, other.to_tag = party.call_id, tag, to_tag
                other.send(
                    other.message(method, "100", "Signal=5\r\n", "Content-Type: application/dtmf-relay\r\n", number=99)
                )
                if method != "ACK":
                    assert status(await other.response()).startswith(("481", "482"))
        await goes_on(here, party)
        assert "dtmf.received" not in await here.types(session)


async def test_the_same_call_id_from_elsewhere(tmp_path: Path) -> None:
    """Who begins a call with the Call-ID of somebody else's gets 482, and neither hears nor ends it."""
    async with office(tmp_path, trunks=ANYWHERE) as here, Party(here.phones.port) as party, Party(
        here.phones.port, "127.0.0.5"
    ) as other:  # fmt: skip
        await answered(here, party)
        other.call_id = party.call_id
        assert status(await other.invite("100")).startswith("482")
        await goes_on(here, party)


@pytest.mark.parametrize("method", ["invite", "Invite", "cancel", "refer", "bye"])
async def test_methods_are_written_as_they_are(tmp_path: Path, method: str) -> None:
    """A method in other letters is another method, and none of ours: it gets nobody past the door."""
    async with office(tmp_path, trunks=ANYWHERE) as here, Party(here.phones.port) as party, Party(
        here.phones.port, "127.0.0.5"
    ) as other:  # fmt: skip
        party.send(party.message("INVITE", "100", sdp(party.sound.port)))
        branch = party._branch
        party.learn(await party.response())
        party.send(party.message("ACK", "100"))
        await here.session()
        other.send(other.message(method, "100", sdp(other.sound.port), branch=branch))
        assert status(await other.response()) == "405 Method Not Allowed"
        assert len(here.phones.sides[0].uas._calls) == 1
        await goes_on(here, party)


async def test_an_offer_within_a_call_that_is_not_answered_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An INVITE within a call that still rings, by its own caller or by the other wire, is no second call past the door."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        ringing = held_back(here, monkeypatch)
        party.send(party.message("INVITE", "100", sdp(party.sound.port)))
        said = ""
        while not said.startswith("SIP/2.0 180"):
            said = await party.response(final=False)
        tag = re.search(r"(?im)^To:.*;tag=([^\s;]+)", said)
        assert tag is not None
        for guess, told in ((tag[1], "491 Request Pending"), ("guessed", "481 Call/Transaction Does Not Exist")):
            party.to_tag = guess
            party.send(party.message("INVITE", "100", sdp(party.sound.port)))
            assert status(await party.response()) == told
        ringing.set()
        party.to_tag = ""
        party.learn(await party.response())
        party.send(party.message("ACK", "100", number=1))
        await here.session()
        reader, writer = await asyncio.open_connection("127.0.0.1", here.phones.port)
        writer.write(party.message("INVITE", "100", sdp(party.sound.port)).replace("2.0/UDP", "2.0/TCP").encode())
        assert (await reader.readuntil(b"\r\n")).startswith(b"SIP/2.0 488 Not Acceptable Here: this call goes by UDP")
        writer.close()
        assert len(here.phones.calls.by_id) == 1
        await goes_on(here, party)


# ── where things are sent ────────────────────────────────────────────────────────────────────────────────────────────


async def test_addresses_in_a_message_are_not_believed(tmp_path: Path) -> None:
    """Whatever Via, Contact, Record-Route and Route name, answers and requests of ours go to where the message came from."""
    async with office(tmp_path, trunks=ANYWHERE) as here, Party(here.phones.port) as party:
        victim = await Sound().open("127.0.0.7")
        there = f"127.0.0.7:{victim.port}"
        message = party.message(
            "INVITE", "100", sdp(party.sound.port),
            f"Record-Route: <sip:{there};lr>\r\nRoute: <sip:{there};lr>\r\nVia: SIP/2.0/UDP {there};branch=z9hG4bKb\r\n",
        )  # fmt: skip
        message = message.replace(
            f"UDP 127.0.0.1:{party.port}", f"UDP {there};received=127.0.0.7;rport={victim.port}", 1
        )
        message = message.replace(";rport\r\n", "\r\n", 1).replace(
            f"<sip:ann@127.0.0.1:{party.port}>", f"<sip:ann@{there}>"
        )
        party.send(message)
        answer = await party.response()
        assert status(answer) == "200 OK"
        party.learn(answer)
        party.send(party.message("ACK", "100"))
        session = await here.session()
        call = here.phones.calls.of_session(session)
        assert call is not None
        assert call.session is not None
        call.session.hang_up("end_requested")
        party.reply(await party.request("BYE"))
        assert victim.count == 0
        victim.close()


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
async def test_sound_cannot_be_turned_on_somebody_else(tmp_path: Path, method: str) -> None:
    """A new offer within a call that names another machine gets our answer, and that machine gets nothing."""
    async with office(tmp_path, trunks=ANYWHERE) as here, Party(here.phones.port) as party:
        await answered(here, party)
        victim = await Sound().open("127.0.0.7")
        party.send(party.message(method, "100", sdp(victim.port, "127.0.0.7")))
        assert status(await party.response()) == "200 OK"
        if method == "INVITE":
            party.send(party.message("ACK", "100"))
        await here.ticks(10)
        assert victim.count == 0
        await party.sound.speak(party.remote_port, 0.1)
        await goes_on(here, party)
        assert victim.count == 0
        victim.close()


async def test_a_goodbye_by_rtcp(tmp_path: Path) -> None:
    """RTCP BYE and junk, of the party or of a stranger, end nothing: only the signalling does."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        await answered(here, party)
        await party.sound.speak(party.remote_port, 0.1)
        stranger = await Sound().open()
        goodbye = struct.pack("!BBHI", 0x81, 203, 1, party.sound.source)
        for sound in (stranger, party.sound):
            assert sound._transport is not None
            for data in (goodbye, goodbye[:5], b"\x81\xcb" + b"\xff" * 400, secrets.token_bytes(200)):
                sound._transport.sendto(data, ("127.0.0.1", party.remote_port + 1))
                sound._transport.sendto(data, ("127.0.0.1", party.remote_port))
        await goes_on(here, party)
        stranger.close()


# ── more than there should be ────────────────────────────────────────────────────────────────────────────────────────


async def test_keys_without_end(tmp_path: Path) -> None:
    """Keys pressed by a machine, each ended with #, are no more messages to the agent than a person would send."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        session = await answered(here, party)
        for number in range(150):
            party.send(party.message("INFO", "100", "Signal=#\r\n" * 20, "Content-Type: application/dtmf-relay\r\n"))
            party.sound._timestamp += 1_600
            party.sound.send(party.remote_port, payload_type=101, payload=bytes((11, 0x8A, 0, 160)))
            if number % 10 == 9:
                await asyncio.sleep(0.02)
        for _ in range(150):
            assert status(await party.response()) == "200 OK"
        types = await here.types(session)
        assert 0 < types.count("message.received") <= 6
        assert types.count("dtmf.received") <= 100
        await goes_on(here, party)


@pytest.mark.parametrize(
    ("extra", "verdict"),
    [
        ("a=candidate:1 1 UDP 1 10.0.0.1 9 typ host\r\n" * 50 + "a=ice-ufrag:x\r\na=ice-pwd:y\r\na=rtcp-mux\r\n", "200 OK"),
        ("a=fmtp:0 " + "x" * 5_000 + "\r\n", "200 OK"),
        ("m=video 9 RTP/AVP 96\r\n" * 10, "200 OK"),
        ("m=audio 9 RTP/AVP 0\r\n" * 400, "488 Not Acceptable Here: 401 streams in their SDP, at most 16 are read"),
        ("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\na=fingerprint:sha-256 00\r\na=setup:actpass\r\n", "200 OK"),
    ],
)  # fmt: skip
async def test_long_offers(tmp_path: Path, extra: str, verdict: str) -> None:
    """Lines for browsers and long ones are passed over; an offer of more streams than anybody has is refused."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        assert status(await party.invite("100", sdp(party.sound.port) + extra)) == verdict


async def test_a_call_without_max_forwards(tmp_path: Path) -> None:
    """An INVITE without Max-Forwards, or with none left, is for us and is answered."""
    async with office(tmp_path) as here:
        for new in ("", "Max-Forwards: 0\r\n", "Max-Forwards: nonsense\r\n"):
            async with Party(here.phones.port) as party:
                party.send(party.message("INVITE", "100", sdp(party.sound.port)).replace("Max-Forwards: 70\r\n", new))
                assert status(await party.response()) == "200 OK"


async def test_what_is_kept_for_repeats_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of long requests fills no memory: old answers are forgotten; a call that began before is not disturbed by it."""
    monkeypatch.setattr(transactions, "_MOST_BYTES", 50_000)
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        invite = party.message("INVITE", "100", sdp(party.sound.port))
        party.send(invite)
        party.learn(await party.response())
        party.send(party.message("ACK", "100"))
        await here.session()
        async with Party(here.phones.port) as other:
            for _ in range(60):
                other.send(other.message("OPTIONS", headers=f"Via: SIP/2.0/UDP x;y={'z' * 5_000}\r\n"))
                assert status(await other.response()) == "200 OK"
        kept = here.phones.sides[0].wire.transactions
        assert kept._bytes <= 60_000
        assert kept._bytes == sum(len(one.reply or b"") for one in kept._came.values())
        party.send(invite)  # the network brings it once more, and nothing is left of its transaction
        await here.ticks(4)
        assert party.quiet()
        await goes_on(here, party)


@pytest.mark.parametrize(
    ("said", "granted"),
    [
        ("99999999999999999999", 1800),
        ("86400;refresher=uas", 1800),
        ("120;refresher=uac", 120),
        ("7200\r\nMin-SE: 3600", 3600),
    ],
)
async def test_a_call_cannot_put_off_its_end(tmp_path: Path, said: str, granted: int) -> None:
    """However long a caller wants to give no sign of life, the trunk's own limit is the longest (or what their proxies need)."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        answer = await party.invite("100", headers=f"Supported: timer\r\nSession-Expires: {said}\r\n")
        found = re.search(r"Session-Expires: (\d+)", answer)
        assert found is not None
        assert int(found[1]) == granted
        assert 0 < watchdog_delay(granted) < 86_400
        await here.session()
        await goes_on(here, party)


async def test_a_refusal_is_no_flood(tmp_path: Path) -> None:
    """Who is turned away is told so once for each time they ask, though they never acknowledge it."""
    async with (
        office(tmp_path, trunks=LOOPBACK.replace('"*" = "greeter", ', "")) as here,
        Party(here.phones.port) as party,
    ):
        invite = party.message("INVITE", "4711", sdp(party.sound.port))
        for _ in range(2):
            party.send(invite)
            assert status(await party.response()).startswith("404")
        await here.ticks(25)
        assert party.quiet()


# ── providers ────────────────────────────────────────────────────────────────────────────────────────────────────────

REGISTERED = """
[[trunk]]
name = "provider"
numbers = {{ "*" = "greeter" }}

[trunk.registration]
server = "127.0.0.1:{port}"
user = "bot"
"""


@pytest.mark.parametrize("lie", ["branch", "call-id", "from", "cseq"])
async def test_a_registration_nobody_granted(tmp_path: Path, lie: str) -> None:
    """A made-up answer to REGISTER, neither success nor failure, is believed."""
    lies = {
        "branch": ("z9hG4bK", "z9hG4bKx"),
        "call-id": ("Call-ID: ", "Call-ID: x"),
        "from": (";tag=", ";tag=x"),
        "cseq": ("1 REG", "2 REG"),
    }
    async with Party(0) as provider, office(tmp_path, trunks=REGISTERED.format(port=provider.port)) as here:
        provider.gateway = here.phones.port
        asked = await provider.request("REGISTER")
        made_up = asked.replace(*lies[lie], 1)
        for said in ("200 OK", "403 Forbidden"):
            provider.reply(made_up, said, "Expires: 300\r\n")
        await here.ticks(6)
        assert not here.phones.registrars[0].registered
        assert not here.phones.registrars[0]._news.is_set()
        provider.reply(asked, "200 OK", "Expires: 300\r\n")
        while not here.phones.registrars[0].registered:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("expires", ["0", "-5", "1", "99999999999999999999"])
async def test_a_registration_good_for_no_time(tmp_path: Path, expires: str) -> None:
    """A server that grants nothing, or for ever, is asked again neither at once, over and over, nor never."""
    async with Party(0) as provider, office(tmp_path, trunks=REGISTERED.format(port=provider.port)) as here:
        provider.gateway = here.phones.port
        provider.reply(await provider.request("REGISTER"), "200 OK", f"Expires: {expires}\r\n")
        while not here.phones.registrars[0].registered:
            await asyncio.sleep(0.01)
        await here.ticks(10)
        assert provider.quiet()
        registration = here.phones.registrars[0]._registration
        assert registration is not None
        assert 30 <= registration.granted_expires <= 86_400
