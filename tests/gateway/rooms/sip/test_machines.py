"""Calls of ours that a machine takes, over real SIP and RTP: a made voice, a tone, the real detector of speech. What is said is
known to the pools.
"""

import asyncio
import re
from pathlib import Path

import numpy as np
import pytest
import soxr

from ops.demo.script import line
from schemas.audio import HEARING_RATE, Pcm
from schemas.events import CalleeDetected, Event
from tests.gateway.rooms.sip.conftest import office
from tests.gateway.rooms.sip.party import Party, sdp

MESSAGE = "Your pizza is ready."


def agents(folder: Path, machine: str) -> Path:
    made = folder / "agents"
    made.mkdir()
    (made / "caller.toml").write_text(
        f'greeting = "Good day."\n[phone]\nmachine = "{machine}"\nmachine_message = "{MESSAGE}"\n'
    )
    return made


def voice(seconds: float) -> Pcm:
    """So much of a made voice, at a phone's rate."""
    spoken = line("story")
    return soxr.resample(np.resize(spoken, round(seconds * HEARING_RATE)), HEARING_RATE, 8000)


def tone(seconds: float = 0.4) -> Pcm:
    time = np.arange(round(seconds * 8000)) / 8000
    return np.round(6000 * np.sin(2 * np.pi * 1000 * time)).astype(np.int16)


def silence(seconds: float) -> Pcm:
    return np.zeros(round(seconds * 8000), np.int16)


async def taken(party: Party, invite: str) -> None:
    """Answer a call of the gateway, in µ-law."""
    party.reply(
        invite, "200 OK", f"Contact: <sip:ann@127.0.0.1:{party.port}>\r\n", sdp(party.sound.port), to_tag="theirs"
    )
    await party.request("ACK")
    found = re.search(r"m=audio (\d+)", invite)
    assert found is not None
    party.remote_port = int(found[1])


def detected(event: Event) -> bool:
    return isinstance(event, CalleeDetected)


@pytest.mark.parametrize("machine", ["message", "hang_up"])
async def test_a_machine_is_found_by_its_words(tmp_path: Path, machine: str) -> None:
    """It gets the message after its tone, and is hung up; or is hung up at once."""
    hears = ("Hi, please leave a message after the tone.",)
    async with (
        office(tmp_path, agents=agents(tmp_path, machine), hears=hears) as here,
        Party(here.phones.port) as party,
    ):
        dialling = asyncio.create_task(here.phones.dial(f"sip:ann@127.0.0.1:{party.port}", "caller"))
        await taken(party, await party.request("INVITE"))
        session = await dialling
        greets = np.concatenate((silence(0.3), voice(2.0), silence(0.4), tone(), silence(8.0)))
        speaking = asyncio.create_task(party.sound.speak(party.remote_port, 11.0, greets))
        found = await here.event(session, detected)
        assert isinstance(found, CalleeDetected)
        assert (found.callee, found.why) == ("machine", "words")
        party.reply(await party.request("BYE", 12.0))
        ended = await here.event(session, lambda event: event.type == "session.ended")
        assert ended.reason == "machine"  # type: ignore[union-attr]
        log = await here.gateway.bus.read(session)
        said = [event.text for event in log if event.type == "reply.sentence"]  # type: ignore[union-attr]
        assert said == ([MESSAGE] if machine == "message" else [])
        speaking.cancel()


async def test_a_machine_is_found_by_its_tone(tmp_path: Path) -> None:
    """Though nobody understood a word; the tone is told with its pitch in what was decided from."""
    async with (
        office(tmp_path, agents=agents(tmp_path, "hang_up"), hears=("",)) as here,
        Party(here.phones.port) as party,
    ):
        dialling = asyncio.create_task(here.phones.dial(f"sip:ann@127.0.0.1:{party.port}", "caller"))
        await taken(party, await party.request("INVITE"))
        session = await dialling
        speaking = asyncio.create_task(
            party.sound.speak(party.remote_port, 4.0, np.concatenate((silence(0.5), tone(), silence(3.0))))
        )
        found = await here.event(session, detected)
        assert isinstance(found, CalleeDetected)
        assert (found.callee, found.why) == ("machine", "tone")
        party.reply(await party.request("BYE"))
        speaking.cancel()


async def test_a_person_is_greeted(tmp_path: Path) -> None:
    """After a word; nobody hangs up."""
    async with (
        office(tmp_path, agents=agents(tmp_path, "message"), hears=("Hello?",)) as here,
        Party(here.phones.port) as party,
    ):
        dialling = asyncio.create_task(here.phones.dial(f"sip:ann@127.0.0.1:{party.port}", "caller"))
        await taken(party, await party.request("INVITE"))
        session = await dialling
        says = np.concatenate((silence(0.4), voice(0.9), silence(6.0)))
        speaking = asyncio.create_task(party.sound.speak(party.remote_port, 7.0, says))
        found = await here.event(session, detected)
        assert isinstance(found, CalleeDetected)
        assert (found.callee, found.why) == ("human", "short")
        await here.event(session, lambda event: event.type == "playback.started")
        assert "session.ended" not in await here.types(session)
        speaking.cancel()
