"""Who may call, and what everybody else is told. SIP as it is on the wire, real sockets."""

import asyncio
from pathlib import Path

import pytest

from tests.sip.conftest import LOOPBACK, Office, office
from tests.sip.party import Party, sdp, status


async def test_nobody_may_call_where_no_trunk_says_so(tmp_path: Path) -> None:
    """Without a trunk an INVITE is told 403 once in a while, and nothing is begun."""
    async with office(tmp_path, trunks="") as here, Party(here.phones.port) as party:
        assert status(await party.invite()) == "403 Forbidden: no trunk names 127.0.0.1"
        assert not here.gateway.engine.sessions


async def test_an_address_no_trunk_names_is_forbidden(tmp_path: Path) -> None:
    """Another address than the trunk's is told 403, the trunk's own is answered."""
    async with (
        office(tmp_path) as here,
        Party(here.phones.port, "127.0.0.2") as stranger,
        Party(here.phones.port) as friend,
    ):
        assert status(await stranger.invite()).startswith("403")
        assert status(await friend.invite()) == "200 OK"


async def test_a_number_no_trunk_has(tmp_path: Path) -> None:
    """A number without an agent is not found, and the answer names it."""
    trunks = LOOPBACK.replace('"*" = "greeter", ', "")
    async with office(tmp_path, trunks=trunks) as here, Party(here.phones.port) as party:
        assert status(await party.invite("4711")) == "404 Not Found: no agent answers 4711"


async def test_an_agent_that_is_not_there(tmp_path: Path) -> None:
    """A number whose agent has no file is refused with a reason, and its caller hears of it."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        answer = status(await party.invite("unknown"))
        assert answer.startswith("503 Service Unavailable: no agent 'nobody' here")


async def test_a_full_trunk_is_busy(tmp_path: Path) -> None:
    """The call beyond a trunk's lines is told 486; when one has hung up, the next is answered."""
    trunks = LOOPBACK + "calls = 1\n"
    async with (
        office(tmp_path, trunks=trunks) as here,
        Party(here.phones.port) as first,
        Party(here.phones.port) as second,
    ):
        assert status(await first.invite()) == "200 OK"
        assert status(await second.invite()) == "486 Busy Here: all 1 lines of this trunk are taken"
        assert status(await first.bye()) == "200 OK"
        await _no_calls(here)
        async with Party(here.phones.port) as third:
            assert status(await third.invite()) == "200 OK"


async def _no_calls(here: Office) -> None:
    for _ in range(250):
        if not here.phones.calls.by_id:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"still there: {here.phones.calls.by_id}")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (sdp(4000, types="18 3"), "no codec in common: offered G729, GSM, spoken here"),
        (sdp(4000).replace("m=audio", "m=video"), "no audio in their SDP"),
        (sdp(4000).replace("RTP/AVP", "RTP/SAVP"), "audio by RTP/SAVP to port 4000"),
    ],
)
async def test_no_codec_in_common(tmp_path: Path, body: str, reason: str) -> None:
    """An offer with nothing to speak by is told 488 and what was missing; no session is begun."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        answer = status(await party.invite(body=body))
        assert answer.startswith("488 Not Acceptable Here: ")
        assert reason in answer
        assert not here.gateway.engine.sessions
        await _no_calls(here)


async def test_more_calls_a_second_than_a_trunk_allows(tmp_path: Path) -> None:
    """A burst of INVITEs beyond the rate is told 503 with when to come again; calls under way go on."""
    trunks = LOOPBACK.replace("calls_per_second = 100", "calls_per_second = 1")
    async with office(tmp_path, trunks=trunks) as here, Party(here.phones.port) as friend:
        assert status(await friend.invite()) == "200 OK"
        answers = []
        for _ in range(5):
            async with Party(here.phones.port) as party:
                answers.append(await party.invite())
        refused = [answer for answer in answers if status(answer).startswith("503")]
        assert len(refused) >= 2
        assert "Retry-After: 2" in refused[0]
        assert status(await friend.bye()) == "200 OK"


async def test_a_gateway_that_shuts_down_takes_no_calls(tmp_path: Path) -> None:
    """While it drains, callers are told 503."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        here.gateway.reception.draining = True
        assert status(await party.invite()) == "503 Service Unavailable: shutting down"


async def test_a_log_that_does_not_answer(tmp_path: Path) -> None:
    """With the log away callers are told 503 rather than left ringing."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        here.gateway.reception.leases.connected = False
        assert status(await party.invite()) == "503 Service Unavailable: the log does not answer"


USERS = LOOPBACK + 'users = [{ name = "ann", secret = "ANNS_SECRET" }]\nalgorithm = "{algorithm}"\n'


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_a_user_answers_for_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, algorithm: str) -> None:
    """Where a trunk names users, a caller with the secret is let in; a wrong one and a repeated answer are not."""
    from aiosipua.auth import SipDigestAuth, build_credentials
    from aiosipua.headers import parse_auth, stringify_auth

    monkeypatch.setenv("ANNS_SECRET", "correct horse")

    def answer(challenge: str, secret: str) -> str:
        line = next(line for line in challenge.split("\r\n") if line.startswith("WWW-Authenticate"))
        asked = parse_auth(line.partition(": ")[2])
        assert asked.params["algorithm"] == algorithm
        made = build_credentials(SipDigestAuth("ann", secret), asked, "INVITE", "sip:1@127.0.0.1")
        assert made is not None
        return f"Authorization: {stringify_auth(made)}\r\n"

    trunks = USERS.replace("{algorithm}", algorithm)
    async with office(tmp_path, trunks=trunks) as here, Party(here.phones.port) as party:
        challenge = await party.invite()
        assert status(challenge) == "401 Unauthorized"
        wrong = await party.invite(headers=answer(challenge, "wrong"))
        assert status(wrong) == "401 Unauthorized"
        right = answer(wrong, "correct horse")
        assert status(await party.invite(headers=right)) == "200 OK"
        async with Party(here.phones.port) as thief:
            again = await thief.invite(headers=right)
            assert status(again) == "401 Unauthorized"
            assert "stale=true" in again


async def test_the_log_knows_who_called(tmp_path: Path) -> None:
    """The caller's number, name and trunk stand in the session's log; control characters and lengths do not."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        assert status(await party.invite("100")) == "200 OK"
        session = await here.session()
        joined = await here.event(session, lambda event: event.type == "participant.joined")
        assert (joined.participant, joined.kind, joined.name) == ("+49301234", "sip", "Ann Other")  # type: ignore[union-attr]
        attributes = joined.attributes  # type: ignore[union-attr]
        assert attributes["sip.trunkPhoneNumber"] == "100"
        assert attributes["sip.trunk"] == "loopback"
        assert attributes["sip.codec"] == "PCMU"
        began = (await here.gateway.bus.read(session))[0]
        assert (began.transport, began.room, began.agent.name) == ("sip", "loopback/100", "default")  # type: ignore[union-attr]
