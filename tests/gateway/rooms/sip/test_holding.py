"""Hold that the agent asks for: the phone is told by a re-INVITE, neither hears the other, and is taken back. Real sockets, real
phones."""

import asyncio
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ops.demo.script import line
from schemas.events import ActionRequested
from tests.gateway.rooms.sip.baresip import Baresip
from tests.gateway.rooms.sip.conftest import Office, needs, office
from tests.gateway.rooms.sip.party import Party, sdp, status
from tests.gateway.rooms.sip.test_calls import answered
from tests.gateway.rooms.sip.test_linphone import linphone
from tests.gateway.rooms.sip.test_machines import taken


async def hold(here: Office, session: str, on: bool = True) -> None:
    """As a tool asks for it."""
    await here.gateway.bus.post(session, f"hold-{on}", ActionRequested(action="hold", arguments={"on": on}))


def agreed(party: Party, invite: str, direction: str) -> None:
    party.reply(
        invite, "200 OK", f"Contact: <sip:ann@127.0.0.1:{party.port}>\r\n", sdp(party.sound.port, direction=direction)
    )


async def a_call(here: Office, party: Party, way: str) -> str:
    if way == "in":
        return await answered(here, party, "100")
    dialling = asyncio.create_task(here.phones.dial(f"sip:ann@127.0.0.1:{party.port}", "plain"))
    await taken(party, await party.request("INVITE"))
    return await dialling


@pytest.mark.parametrize("way", ["in", "out"])
async def test_a_phone_is_held_and_taken_back(tmp_path: Path, way: str) -> None:
    """It is offered sendonly, is sent silence and not heard; then sendrecv, and is heard again. Each answer is acknowledged with
    the number of its INVITE."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        session = await a_call(here, party, way)
        await hold(here, session)
        invite = await party.request("INVITE")
        assert "a=sendonly" in invite
        assert re.search(r"(?m)^o=antiphon \d+ 2 ", invite)
        agreed(party, invite, "recvonly")
        number = re.search(r"(?m)^CSeq: (\d+) INVITE", invite)
        assert number is not None
        assert f"CSeq: {number[1]} ACK" in await party.request("ACK")
        await party.sound.speak(party.remote_port, 0.8, line("capital")[::2])
        assert "speech.started" not in await here.types(session)
        party.sound.take()
        await here.ticks(8)
        assert party.sound.count > 5  # a line on which nothing comes is forgotten by routers
        await hold(here, session, on=False)
        invite = await party.request("INVITE")
        assert "a=sendrecv" in invite
        agreed(party, invite, "sendrecv")
        await party.request("ACK")
        await party.sound.speak(party.remote_port, 0.8, line("capital")[::2])
        await here.event(session, lambda event: event.type == "speech.started")


async def test_both_hold(tmp_path: Path) -> None:
    """A phone that holds while it is held is answered inactive; who takes back first is still held by the other."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        session = await answered(here, party, "100")
        await hold(here, session)
        agreed(party, await party.request("INVITE"), "recvonly")
        await party.request("ACK")
        assert "a=inactive" in await party.invite("100", body=sdp(party.sound.port, direction="sendonly"))
        await hold(here, session, on=False)
        invite = await party.request("INVITE")
        assert "a=sendrecv" in invite
        agreed(party, invite, "sendonly")
        await party.request("ACK")
        room = here.phones.calls.by_id[party.call_id].room
        assert room is not None
        assert room.held
        assert "a=sendrecv" in await party.invite("100", body=sdp(party.sound.port))
        assert not room.held


async def test_two_offers_meet(tmp_path: Path) -> None:
    """Theirs is told 491 while ours is open; ours, told 491, is made again. One that is refused changes nothing of the call."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        session = await answered(here, party, "100")
        await hold(here, session)
        invite = await party.request("INVITE")
        assert status(await party.invite("100")).startswith("491")
        party.reply(invite, "491 Request Pending")
        await party.request("ACK")
        invite = await party.request("INVITE")
        party.reply(invite, "488 Not Acceptable Here")
        await party.request("ACK")
        call = here.phones.calls.by_id[party.call_id]
        assert call.room is not None
        assert call.room.held
        assert status(await party.bye()) == "200 OK"


async def test_a_phone_that_knows_of_no_call(tmp_path: Path) -> None:
    """481 to the offer: the session is over, as for any client that is gone."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        session = await answered(here, party, "100")
        await hold(here, session)
        party.reply(await party.request("INVITE"), "481 Call/Transaction Does Not Exist")
        ended = await here.event(session, lambda event: event.type == "session.ended")
        assert ended.reason == "client_gone"  # type: ignore[union-attr]


async def test_baresip_is_held(tmp_path: Path) -> None:
    """A real phone: it stops sending while it is held, and is heard when it is taken back."""
    needs("baresip")
    said = np.concatenate([np.zeros(16_000, np.int16), np.resize(line("story"), 16_000 * 60)])
    async with office(tmp_path) as here, Baresip(tmp_path / "phone", said) as phone:
        await phone.dial(here.uri("100"))
        await phone.event("CALL_ESTABLISHED")
        session = await here.session()
        call = here.phones.calls.of_session(session)
        assert call is not None
        await hold(here, session)
        while call.line.heard_at + 0.5 > here.gateway.house.clock.now():  # or the test's time runs out
            await asyncio.sleep(0.05)
        before = (await here.types(session)).count("speech.started")
        await here.ticks(30)
        assert (await here.types(session)).count("speech.started") == before
        await hold(here, session, on=False)
        while (await here.types(session)).count("speech.started") == before:
            await asyncio.sleep(0.05)


async def test_linphone_is_held(tmp_path: Path) -> None:
    """Another: it knows that it is paused, and that it is back."""
    needs("linphonec")
    home = tmp_path / "home"
    home.mkdir()
    # What is asked for is done when all is said: of somebody who speaks on and on, after 20 s, each time.
    said = np.concatenate((np.zeros(20_000, np.int16), line("capital"), np.zeros(16_000 * 60, np.int16)))
    soundfile.write(home / "in.wav", said, 16_000, "PCM_16")
    async with office(tmp_path) as here, linphone(home, home / "in.wav", home / "out.wav") as type_in:
        await type_in(f"call {here.uri('100')}")
        session = await here.session()
        await here.event(session, lambda event: event.type == "speech.started", 15)
        call = here.phones.calls.of_session(session)
        assert call is not None
        await hold(here, session)
        while call.terms is None or call.terms.direction != "recvonly":
            await asyncio.sleep(0.05)
        await hold(here, session, on=False)
        while call.terms.direction != "sendrecv":
            await asyncio.sleep(0.05)
        await type_in("terminate")
        ended = await here.event(session, lambda event: event.type == "session.ended")
        assert ended.reason == "hang_up"  # type: ignore[union-attr]
