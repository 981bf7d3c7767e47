"""A call from its first INVITE to its end, also where the wire loses, repeats and lies. Real sockets."""

import asyncio
import logging
import re
import time
from pathlib import Path

import numpy as np
import pytest

from gateway.main import start_gateway
from gateway.rooms.sip.codecs import FORMATS, codec
from gateway.rooms.sip.transfer import NotMoved, transfer
from ops.demo.script import line
from schemas.config.settings import Settings
from schemas.events import EndRequested
from tests.gateway.rooms.sip.conftest import LOOPBACK, Office, office
from tests.gateway.rooms.sip.party import Party, Sound, sdp, status


async def answered(here: Office, party: Party, user: str = "1") -> str:
    """A call, answered; its session."""
    assert status(await party.invite(user)) == "200 OK"
    return await here.session()


async def ended(here: Office, session: str, seconds: float = 10.0) -> str:
    event = await here.event(session, lambda event: event.type == "session.ended", seconds)
    return event.reason  # type: ignore[union-attr]


async def test_a_repeated_invite_is_one_call(tmp_path: Path) -> None:
    """An INVITE that is sent again, before and after its answer, gets the same answer and begins no second call."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        invite = party.message("INVITE", body=sdp(party.sound.port))
        for _ in range(3):
            party.send(invite)
        first = await party.response()
        party.send(invite)
        second = await party.response()
        party.learn(first)
        assert first.partition("To:")[2].split("\r\n")[0] == second.partition("To:")[2].split("\r\n")[0]
        assert len(here.phones.calls.by_id) == 1


async def test_an_invite_that_comes_by_two_ways(tmp_path: Path) -> None:
    """The same call by another way is a loop; one within a call that isn't here does not exist. The first goes on."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        assert status(await party.invite()) == "200 OK"
        tag, party.to_tag = party.to_tag, ""
        assert status(await party.invite()) == "482 Loop Detected"
        async with Party(here.phones.port) as other:
            other.to_tag = "gone"
            assert status(await other.invite()).startswith("481")
        party.to_tag = tag
        assert status(await party.bye()) == "200 OK"
        assert not here.phones._guests


async def test_the_answer_is_repeated_until_it_is_acknowledged(tmp_path: Path) -> None:
    """A 200 that nobody acknowledges is sent again, and no more once the ACK is there."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        party.send(party.message("INVITE", body=sdp(party.sound.port)))
        party.learn(await party.response())
        assert status(await party.response()) == "200 OK"
        party.send(party.message("ACK"))
        async with Party(here.phones.port) as other:  # whose answer is repeated by the same timers, all this time
            other.send(other.message("INVITE", body=sdp(other.sound.port)))
            other.learn(await other.response())
            for _ in range(3):
                assert status(await other.response()) == "200 OK"
        assert party.quiet()


async def test_a_caller_who_gives_up(tmp_path: Path) -> None:
    """CANCEL before the answer: 200 to it, 487 to the INVITE, and no session stays open."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        invite = party.message("INVITE", body=sdp(party.sound.port))
        branch = re.search(r"branch=([^;\s]+)", invite)
        assert branch is not None
        party.send(invite)
        party.send(party.message("CANCEL", branch=branch[1]))
        answers = {status(await party.response()), status(await party.response())}
        assert answers == {"200 OK", "487 Request Terminated"}
        for _ in range(100):
            if not here.gateway.engine.sessions and not here.phones.calls.by_id:
                return
            await asyncio.sleep(0.02)
        raise AssertionError("the call is still there")


async def test_hanging_up_ends_the_session(tmp_path: Path) -> None:
    """BYE is answered, sound stops, the session ends as hung up, its ports are free again."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        session = await answered(here, party)
        assert status(await party.bye()) == "200 OK"
        assert await ended(here, session) == "hang_up"
        party.sound.take()
        await here.ticks(4)
        assert party.sound.count == 0


async def test_the_agent_hangs_up(tmp_path: Path) -> None:
    """A session that is asked to end sends the phone a BYE, again until it is answered."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        session = await answered(here, party)
        await here.gateway.bus.post(session, "r1", EndRequested(reason="done"))
        first = await party.request("BYE")
        again = await party.request("BYE")
        assert first == again
        party.reply(again)
        assert await ended(here, session) == "end_requested"


async def test_a_bye_of_somebody_else(tmp_path: Path) -> None:
    """A BYE with the right Call-ID and wrong tags ends nothing."""
    async with office(tmp_path) as here, Party(here.phones.port) as party, Party(here.phones.port) as other:
        await answered(here, party)
        other.call_id, other.to_tag, other.number = party.call_id, "guessed", 40
        assert status(await other.bye()).startswith("481")
        assert len(here.phones.calls.by_id) == 1


async def test_a_line_on_which_nothing_comes(tmp_path: Path) -> None:
    """A call without any sound is ended after the trunk's timeout, with a BYE."""
    async with office(tmp_path, trunks=LOOPBACK + "rtp_timeout = 1\n") as here, Party(here.phones.port) as party:
        session = await answered(here, party)
        await party.sound.speak(party.remote_port, 0.5)
        party.reply(await party.request("BYE"))
        assert await ended(here, session) == "client_gone"


async def test_keys_reach_the_log_and_the_agent(tmp_path: Path) -> None:
    """Keys as telephone events, each packet several times, and as INFO: each key once in the log; # tells the agent."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        session = await answered(here, party, "100")
        for event in (4, 2):
            stamp = party.sound._timestamp
            for number in range(6):
                party.sound._timestamp = stamp  # all packets of one key carry the time of its beginning
                payload = bytes((event, 0x8A if number > 2 else 0x0A, 0, 40 * min(number + 1, 4)))
                party.sound.send(party.remote_port, payload_type=101, payload=payload)
            party.sound._timestamp = stamp + 1600
        await here.event(session, lambda event: event.type == "dtmf.received" and event.digits == "2")
        party.send(
            party.message(
                "INFO", body="Signal= #\r\nDuration=160\r\n", headers="Content-Type: application/dtmf-relay\r\n"
            )
        )
        assert status(await party.response()) == "200 OK"
        told = await here.event(session, lambda event: event.type == "message.received")
        assert told.text == "(keys pressed on the phone: 4 2 #)"  # type: ignore[union-attr]
        keys = [event.digits for event in await here.gateway.bus.read(session) if event.type == "dtmf.received"]
        assert keys == ["4", "2", "#"]
        await here.event(session, lambda event: event.type == "playback.finished")


async def test_keys_go_out_as_events(tmp_path: Path) -> None:
    """Keys the gateway presses: one timestamp each, durations that grow, the end three times."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        session = await answered(here, party, "100")
        call = here.phones.calls.of_session(session)
        assert call is not None
        call.line.press("5#")
        await asyncio.sleep(0.8)
        events = [packet for packet in party.sound.take() if packet[1] & 0x7F == 101]
        stamps = list(dict.fromkeys(packet[4:8] for packet in events))
        assert [[packet[12] for packet in events if packet[4:8] == stamp] for stamp in stamps] == [[5] * 10, [11] * 10]
        assert [bool(packet[13] & 0x80) for packet in events[:10]] == [False] * 7 + [True] * 3
        durations = [int.from_bytes(packet[14:16], "big") for packet in events[:10]]
        assert durations == [160 * (n + 1) for n in range(8)] + [1280, 1280]


async def test_on_hold_the_agent_has_no_ears_and_no_voice(tmp_path: Path) -> None:
    """A re-INVITE with sendonly is answered recvonly; music is not heard, nothing is said; sendrecv brings both back."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        session = await answered(here, party, "100")
        held = await party.invite("100", body=sdp(party.sound.port, direction="sendonly"))
        assert status(held) == "200 OK"
        assert "a=recvonly" in held
        music = line("capital")[::2]
        await party.sound.speak(party.remote_port, 0.8, music)
        assert "speech.started" not in await here.types(session)
        party.sound.take()
        await here.ticks(4)
        assert party.sound.count == 0
        back = await party.invite("100", body=sdp(party.sound.port))
        assert "a=sendrecv" in back
        await party.sound.speak(party.remote_port, 0.8, music)
        await here.event(session, lambda event: event.type == "speech.started")
        assert party.sound.count > 20


async def test_hold_has_its_own_limit(tmp_path: Path) -> None:
    """A phone on hold is waited for as long as limits.hold says, not as a client that is gone."""
    agents = tmp_path / "agents"
    agents.mkdir()
    (agents / "greeter.toml").write_text("[limits]\nclient_gone = 0.3\nhold = 1.2\n")
    async with office(tmp_path, agents=agents) as here, Party(here.phones.port) as party:
        session = await answered(here, party)
        began = time.monotonic()
        assert "200" in status(await party.invite(body=sdp(party.sound.port, direction="inactive")))
        assert await ended(here, session) == "limit"
        assert time.monotonic() - began > 1.0


async def test_sound_from_a_stranger(tmp_path: Path) -> None:
    """Packets from another port than the caller's are not heard, and nothing is sent there."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        session = await answered(here, party, "100")
        await party.sound.speak(party.remote_port, 0.2)
        stranger = await Sound().open()
        talking = asyncio.create_task(party.sound.speak(party.remote_port, 1.0))
        await stranger.speak(party.remote_port, 1.0, line("capital")[::2])
        await talking
        call = here.phones.calls.of_session(session)
        assert call is not None
        assert call.line.strangers >= 45
        assert stranger.count == 0
        assert "speech.started" not in await here.types(session)
        stranger.close()


async def test_an_offer_that_points_at_a_third_party(tmp_path: Path) -> None:
    """Sound is not sent to whom an SDP names, but to where the caller's own packets come from."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        victim = await Sound().open("127.0.0.3")
        answer = await party.invite(body=sdp(victim.port, "127.0.0.3"))
        assert status(answer) == "200 OK"
        await here.ticks(16)
        assert victim.count == 0
        await party.sound.speak(party.remote_port, 0.3)
        assert victim.count == 0
        assert party.sound.count > 5
        victim.close()


async def test_packets_lost_late_and_twice(tmp_path: Path) -> None:
    """With every tenth packet lost, some late and some twice, what is said is still heard as one utterance."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        session = await answered(here, party, "100")
        said = line("capital")[::2]
        pieces = [said[at : at + 160] for at in range(0, len(said) - 160, 160)] + [np.zeros(160, np.int16)] * 60
        for number, piece in enumerate(pieces):
            if number % 10 == 3:
                party.sound._sequence += 1  # this one is lost
                party.sound._timestamp += 160
            else:
                party.sound.send(party.remote_port, piece)
            if number % 7 == 0:  # the last one again
                party.sound._sequence -= 1
                party.sound._timestamp -= 160
                party.sound.send(party.remote_port, piece)
            await asyncio.sleep(0.02)
        await here.event(session, lambda event: event.type == "turn.committed" and event.why != "greeting")
        heard = [event for event in await here.gateway.bus.read(session) if event.type == "utterance.captured"]
        assert abs(heard[-1].duration - len(said) / 8_000) < 0.5
        call = here.phones.calls.of_session(session)
        assert call is not None
        assert call.line.reorder.lost >= len(said) // 1600 - 2


async def test_a_line_that_brings_the_agents_voice_back(tmp_path: Path) -> None:
    """The agent's own speech, 20 dB down and 120 ms later, does not interrupt it; with the gate open it would."""
    agents = tmp_path / "agents"
    agents.mkdir()
    for name, gate in (("closed", 15.0), ("open", 0.0)):
        text = f'greeting = "Good morning to you."\n[phone]\necho_gate = {gate}\n'
        (agents / f"{name}.toml").write_text(text)
    trunks = LOOPBACK.replace('"100"', '"closed" = "closed", "open" = "open", "100"')
    async with office(tmp_path, trunks=trunks, agents=agents, seconds=2.0, spoken=True) as here:
        closed, opened = await asyncio.gather(echoed(here, "closed"), echoed(here, "open"))
    assert "playback.finished" in closed
    assert "playback.paused" not in closed
    assert "playback.paused" in opened


async def echoed(here: Office, number: str) -> list[str]:
    """A call whose line brings back what it hears; what was logged by the time the greeting ends."""
    async with Party(here.phones.port) as party:
        assert status(await party.invite(number)) == "200 OK"
        call = here.phones.calls.by_id[party.call_id]
        while call.session is None:  # or the test's time runs out
            await asyncio.sleep(0.01)
        law, delay = codec(FORMATS["pcmu"]), []
        types: list[str] = []
        while not {"playback.finished", "playback.paused"} & set(types):
            sound = [packet[12:] for packet in party.sound.take() if packet[1] & 0x7F == 0 and len(packet) == 172]
            delay += [(law.decode(payload) // 10).astype(np.int16) for payload in sound]
            while len(delay) > 6:
                party.sound.send(party.remote_port, delay.pop(0))
            await asyncio.sleep(0.02)
            types = await here.types(call.session.name)
        return types


async def test_a_session_nobody_refreshes(tmp_path: Path) -> None:
    """An interval too short is told 422 with what is allowed; an accepted one is in the answer, and UPDATE refreshes it."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        short = await party.invite(headers="Supported: timer\r\nSession-Expires: 30\r\n")
        assert status(short).startswith("422")
        assert "Min-Se: 90" in short
        answer = await party.invite(headers="Supported: timer\r\nSession-Expires: 120;refresher=uac\r\n")
        assert "Session-Expires: 120;refresher=uac" in answer
        party.send(party.message("UPDATE", headers="Session-Expires: 120;refresher=uac\r\n"))
        assert status(await party.response()) == "200 OK"


async def test_a_phone_that_is_asked_for_an_offer(tmp_path: Path) -> None:
    """A re-INVITE without SDP is answered with ours; another codec within the call is refused, and the call goes on."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        await answered(here, party)
        empty = await party.invite(body="")
        assert "m=audio" in empty
        assert status(await party.invite(body=sdp(party.sound.port, types="8"))).startswith("488")
        broken = await party.invite(body=sdp(party.sound.port).replace("m=audio ", "m=audio 0x"))
        assert status(broken).split()[0] in ("400", "488")
        assert len(here.phones.calls.by_id) == 1


async def test_a_call_without_an_offer(tmp_path: Path) -> None:
    """An INVITE without SDP is answered with our offer; the ACK's answer settles the codec, and the conversation begins."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        party.send(party.message("INVITE"))
        answer = await party.response()
        assert "G722/8000" in answer
        assert "PCMU/8000" in answer
        assert not here.gateway.engine.sessions
        party.learn(answer)
        party.send(party.message("ACK", body=sdp(party.sound.port, types="8 101")))
        session = await here.session()
        joined = await here.event(session, lambda event: event.type == "participant.joined")
        assert joined.attributes["sip.codec"] == "PCMA"  # type: ignore[union-attr]
        await here.event(session, lambda event: event.type == "playback.started")
        assert status(await party.bye()) == "200 OK"
        assert await ended(here, session) == "hang_up"


@pytest.mark.parametrize(
    "body",
    [
        "",
        sdp(4000, types="18"),
        sdp(4000).replace("m=audio 4000", "m=audio 0x10"),
        sdp(4000) + "b=AS:many\r\n",
    ],
)
async def test_an_offer_of_ours_that_is_not_answered(
    tmp_path: Path, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    """An ACK without SDP, with SDP nobody can read or with no codec of ours is followed by a BYE; no session is begun."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        party.send(party.message("INVITE"))
        party.learn(await party.response())
        party.send(party.message("ACK", body=body))
        party.reply(await party.request("BYE"))
        assert not here.phones.calls.by_id
        assert not here.gateway.engine.sessions
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_caller_without_an_offer_who_gives_up(tmp_path: Path) -> None:
    """Who hangs up before their answer to our offer leaves nothing behind."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        party.send(party.message("INVITE"))
        party.learn(await party.response())
        assert status(await party.bye()) == "200 OK"
        while here.phones.calls.by_id:
            await asyncio.sleep(0.01)
        assert not here.gateway.engine.sessions


async def test_handing_on(tmp_path: Path) -> None:
    """A transfer that fails is told with its status and the call goes on; one whose end the caller keeps to itself is 202."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        session = await answered(here, party)
        call = here.phones.calls.of_session(session)
        assert call is not None
        moving = asyncio.create_task(transfer(call, "sip:bob@127.0.0.1"))
        refer = await party.request("REFER")
        assert "Refer-To: <sip:bob@127.0.0.1>" in refer
        party.reply(refer, "202 Accepted")
        headers = "Event: refer\r\nSubscription-State: terminated\r\nContent-Type: message/sipfrag\r\n"
        party.send(party.message("NOTIFY", body="SIP/2.0 486 Busy Here\r\n", headers=headers))
        with pytest.raises(NotMoved, match="486"):
            await moving
        assert call.id in here.phones.calls.by_id
        moving = asyncio.create_task(transfer(call, "sip:bob@127.0.0.1"))
        party.reply(await party.request("REFER"), "202 Accepted")
        party.send(party.message("BYE"))
        assert await moving == 202
        assert await ended(here, session) == "hang_up"


async def test_a_call_cannot_be_handed_on(tmp_path: Path) -> None:
    """A gateway that stops hangs its phones up and says so in the log: nobody could go on with their sound."""
    async with Party(0) as party:
        async with office(tmp_path) as here:
            party.gateway = here.phones.port
            session = await answered(here, party)
            bus = here.gateway.bus
        party.reply(await party.request("BYE"))
        last = (await bus.read(session))[-1]
        assert (last.type, last.reason) == ("session.ended", "gateway_lost")  # type: ignore[union-attr]


async def test_the_call_of_a_gateway_that_died(tmp_path: Path) -> None:
    """Another gateway ends its session in the log, once its lease has run out: the sound died with the process."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        session = await answered(here, party)
        here.gateway.reception.leases.adopting = False
        here.gateway.reception._tasks.cancel()  # it holds nothing any more, as after SIGKILL
        other = await start_gateway(Settings(gateway_port=0, _env_file=None), here.gateway.bus)  # type: ignore[call-arg]
        try:
            assert await ended(here, session) == "gateway_lost"
        finally:
            await other.aclose()


@pytest.mark.parametrize("method", ["REGISTER", "SUBSCRIBE", "MESSAGE", "PUBLISH", "NONSENSE"])
async def test_methods_that_are_not_for_us(tmp_path: Path, method: str) -> None:
    """They are told so, once, and nothing is kept."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        party.send(party.message(method))
        assert status(await party.response()).startswith("405")


async def test_a_caller_may_not_have_us_call(tmp_path: Path) -> None:
    """REFER from a caller is declined: an agent is no relay. OPTIONS is answered."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        await answered(here, party)
        party.send(party.message("REFER", headers="Refer-To: <sip:+4990012345@example.org>\r\n"))
        assert status(await party.response()).startswith("603")
        async with Party(here.phones.port) as other:
            other.send(other.message("OPTIONS"))
            assert status(await other.response()) == "200 OK"
