"""Warm transfers: who takes over is called, told, and joined with the caller. Real sockets; real phones on both ends."""

import asyncio
import re
from pathlib import Path

import numpy as np
import pytest

from ops.demo.script import line
from schemas.audio import Pcm
from schemas.events import ActionRequested
from tests.gateway.rooms.sip.baresip import RATES, Baresip
from tests.gateway.rooms.sip.conftest import LOOPBACK, Office, needs, office
from tests.gateway.rooms.sip.party import Party, sdp, status
from tests.gateway.rooms.sip.test_calls import answered
from tests.gateway.rooms.sip.test_machines import taken

ANNOUNCED = "A guest wants two pizzas."


async def hand_over(here: Office, session: str, to: str) -> None:
    """As the builtin tool asks for it."""
    arguments = {"to": to, "mode": "warm", "announce": ANNOUNCED}
    await here.gateway.bus.post(session, "transfer", ActionRequested(action="transfer", arguments=arguments))


async def failed(here: Office, session: str) -> str:
    """What the agent is told of it; the caller is back with it."""
    told = await here.event(session, lambda event: event.type == "message.received")
    call = here.phones.calls.of_session(session)
    assert call is not None
    assert call.room is not None
    assert not call.room.held
    return told.text  # type: ignore[union-attr]


def loud(pcm: Pcm, rate: int, tone: int) -> float:
    """Seconds in which there is sound that is not of this pitch."""
    frame = rate // 50
    frames = pcm[: len(pcm) // frame * frame].reshape(-1, frame).astype(float)
    spectra = np.abs(np.fft.rfft(frames * np.hanning(frame)))
    at = round(tone / 50)
    off = spectra.copy()
    off[:, max(0, at - 2) : at + 3] = 0
    voiced = (off.max(1) > 3 * spectra[:, max(0, at - 2) : at + 3].max(1)) & (np.abs(frames).max(1) > 1_000)
    return float(voiced.sum() / 50)


def without_tones(pcm: Pcm) -> Pcm:
    """Speech at 16 kHz with nothing near the pitch of the announcement and of the ringing: all that is heard of it counts."""
    spectrum = np.fft.rfft(pcm)
    hertz = np.fft.rfftfreq(len(pcm), 1 / 16_000)
    spectrum[(hertz > 200) & (hertz < 600)] = 0
    left = np.fft.irfft(spectrum, len(pcm))
    made: Pcm = (left * (25_000 / np.abs(left).max())).astype(np.int16)
    return made


@pytest.mark.parametrize(("caller", "taker"), [("g711", "g711"), ("g722", "g711"), ("g711", "opus")])
async def test_two_phones_are_put_through(tmp_path: Path, caller: str, taker: str) -> None:
    """Whoever takes over hears the announcement, the caller that it rings; then each hears the other, whatever their codecs; who
    hangs up ends it for both, and no session has it any more."""
    needs("baresip")
    says = without_tones(np.resize(line("story"), 16_000 * 60))
    async with (
        office(tmp_path) as here,
        Baresip(tmp_path / "ann", says, codec=caller) as ann,
        Baresip(tmp_path / "bob", says, codec=taker) as bob,
    ):
        await ann.dial(here.uri("100"))
        await ann.event("CALL_ESTABLISHED")
        session = await here.session()
        await hand_over(here, session, f"sip:caller@127.0.0.1:{bob.port}")
        await bob.event("CALL_ESTABLISHED", 30)
        other = await here.session()
        spoken = await here.event(other, lambda event: event.type == "reply.sentence")
        assert spoken.text == ANNOUNCED  # type: ignore[union-attr]
        assert not ann_hears_bob(ann, caller)
        for one in (session, other):
            ended = await here.event(one, lambda event: event.type == "session.ended", 20)
            assert ended.reason == "transferred"  # type: ignore[union-attr]
        assert "playback.finished" in await here.types(other)
        began = (await here.gateway.bus.read(other))[0]
        assert began.metadata == {"transfer_of": session}  # type: ignore[union-attr]
        for _ in range(300):
            if loud(bob.heard(), RATES[taker], 440) > 1.5 and ann_hears_bob(ann, caller):
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError("they do not hear each other")
        await ann.command("sndcode", "7")
        await bob.event("CALL_DTMF_START")
        await bob.command("hangup")
        await ann.event("CALL_CLOSED")
        assert not here.phones.calls.by_id
        assert not here.phones.calls.metronome.lines


def ann_hears_bob(ann: Baresip, codec: str) -> bool:
    return loud(ann.heard(), RATES[codec], 425) > 1.5


async def test_who_is_to_take_over_is_busy(tmp_path: Path) -> None:
    """The caller is back with the agent, which is told why."""
    async with office(tmp_path) as here, Party(here.phones.port) as party, Party(here.phones.port) as bob:
        session = await answered(here, party, "100")
        await hand_over(here, session, f"sip:bob@127.0.0.1:{bob.port}")
        invite = await bob.request("INVITE")
        bob.reply(invite, "180 Ringing", to_tag="theirs")
        room = here.phones.calls.by_id[party.call_id].room
        assert room is not None
        assert room.held
        bob.reply(invite, "486 Busy Here", to_tag="theirs")
        assert "486 Busy Here" in await failed(here, session)
        assert status(await party.bye()) == "200 OK"


async def test_who_takes_over_hangs_up_again(tmp_path: Path) -> None:
    """While they are told: the caller is back with the agent, and is not hung up on."""
    async with office(tmp_path, seconds=3.0) as here, Party(here.phones.port) as party, Party(here.phones.port) as bob:
        session = await answered(here, party, "100")
        await hand_over(here, session, f"sip:bob@127.0.0.1:{bob.port}")
        invite = await bob.request("INVITE")
        await taken(bob, invite)
        other = await here.session()
        await here.event(other, lambda event: event.type == "playback.started")
        bob.call_id = re.search(r"(?m)^Call-ID: (\S+)", invite)[1]  # type: ignore[index]
        ours = re.search(r"(?m)^From: .*;tag=(\S+)", invite)
        assert ours is not None
        bob.tag, bob.to_tag, bob.number = "theirs", ours[1], 10
        assert status(await bob.bye()) == "200 OK"
        assert "hung up" in await failed(here, session)


async def test_the_caller_does_not_wait(tmp_path: Path) -> None:
    """Who hangs up while it rings: nobody else is rung for them."""
    async with office(tmp_path) as here, Party(here.phones.port) as party, Party(here.phones.port) as bob:
        session = await answered(here, party, "100")
        await hand_over(here, session, f"sip:bob@127.0.0.1:{bob.port}")
        invite = await bob.request("INVITE")
        bob.reply(invite, "180 Ringing", to_tag="theirs")
        assert status(await party.bye()) == "200 OK"
        bob.reply(await bob.request("CANCEL"))
        bob.reply(invite, "487 Request Terminated", to_tag="theirs")
        ended = await here.event(session, lambda event: event.type == "session.ended")
        assert ended.reason == "hang_up"  # type: ignore[union-attr]


async def test_a_line_that_goes_silent(tmp_path: Path) -> None:
    """Of two that were joined, one from whom nothing comes any more is given up, with the other."""
    trunks = LOOPBACK + "rtp_timeout = 3\n"
    async with (
        office(tmp_path, trunks=trunks) as here,
        Party(here.phones.port) as party,
        Party(here.phones.port) as bob,
    ):
        session = await answered(here, party, "100")
        talking = asyncio.create_task(party.sound.speak(party.remote_port, 60.0))
        await hand_over(here, session, f"sip:bob@127.0.0.1:{bob.port}")
        await taken(bob, await bob.request("INVITE"))
        speaking = asyncio.create_task(bob.sound.speak(bob.remote_port, 60.0))
        await here.event(session, lambda event: event.type == "session.ended")
        held = await party.invite("100", body=sdp(party.sound.port, direction="sendonly"))
        assert "a=recvonly" in held
        speaking.cancel()
        party.reply(await party.request("BYE"))
        bob.reply(await bob.request("BYE"))
        talking.cancel()


async def test_nobody_may_be_called(tmp_path: Path) -> None:
    """Where no trunk has who takes over, the phone is sent there by itself, as without an announcement."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        session = await answered(here, party, "100")
        await hand_over(here, session, "sip:bob@192.0.2.1")
        refer = await party.request("REFER")
        assert "Refer-To: <sip:bob@192.0.2.1>" in refer
        party.reply(refer, "603 Decline")
        assert "603" in await failed(here, session)
