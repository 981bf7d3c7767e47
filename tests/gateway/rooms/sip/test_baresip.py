"""A real phone of Debian's: it calls in, is called, presses keys, holds, is handed on, and dies."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from gateway.rooms.sip.transfer import transfer
from ops.demo.script import line
from schemas.audio import Pcm
from schemas.events import EndRequested
from tests.gateway.rooms.sip.baresip import RATES, Baresip
from tests.gateway.rooms.sip.conftest import LOOPBACK, Office, needs, office


@pytest.fixture(autouse=True)
def _baresip() -> None:
    needs("baresip")


def after(seconds: float, pcm: Pcm) -> Pcm:
    return np.concatenate((np.zeros(int(seconds * 16_000), np.int16), pcm))


def sounding(heard: Pcm, rate: int) -> float:
    """Seconds in which something sounds."""
    frames = heard[: len(heard) // (rate // 50) * (rate // 50)].reshape(-1, rate // 50)
    return float((np.abs(frames.astype(int)).max(axis=1) > 700).sum()) / 50


LINES = [("g711", "pcmu", "udp"), ("g711", "pcma", "tcp"), ("g722", "g722", "udp"), ("opus", "opus", "tcp")]


async def test_conversations(tmp_path: Path) -> None:
    """Four phones at once, each by a codec of its own: greeted, heard, answered; their hanging up ends the sessions."""
    async with office(tmp_path) as here:
        await asyncio.gather(*(converse(here, tmp_path / law, *one) for one in LINES for law in one[1:2]))


async def converse(here: Office, folder: Path, codec: str, law: str, transport: str) -> None:
    """A question is asked and answered."""
    only = law if codec == "g711" else ""
    async with Baresip(folder, after(1.2, line("capital")), codec, transport, user=law, law=only) as phone:
        await phone.dial(here.uri(transport=transport))
        await phone.event("CALL_ESTABLISHED")
        call = next(call for call in here.phones.calls.by_id.values() if call.guest.party.number == law)
        while call.session is None:  # or the test's time runs out
            await asyncio.sleep(0.01)
        session = call.session.name
        await here.event(session, lambda event: event.type == "transcript.final")
        await here.event(
            session, lambda event: event.type == "turn.ended" and event.how == "played" and event.turn != 1
        )
        assert sounding(phone.heard(), RATES[codec]) > 1.5  # the greeting and at least most of an answer
        await phone.command("hangup")
        ended = await here.event(session, lambda event: event.type == "session.ended")
        assert ended.reason == "hang_up"  # type: ignore[union-attr]
        assert call.guest.party.attributes["sip.codec"].lower() == law


async def test_a_caller_interrupts(tmp_path: Path) -> None:
    """Who speaks over the agent hears it fall silent, and the log says to the sample how much was heard."""
    async with (
        office(tmp_path, seconds=4.0) as here,
        Baresip(tmp_path / "phone", after(1.5, line("story"))) as phone,
    ):
        await phone.dial(here.uri())
        await phone.event("CALL_ESTABLISHED")
        session = await here.session()
        paused = await here.event(session, lambda event: event.type == "playback.paused")
        assert 0.5 < paused.position < 2.5  # type: ignore[union-attr]
        over = await here.event(session, lambda event: event.type == "turn.ended" and event.turn == 1)
        assert (over.how, over.reason) == ("interrupted", "barge_in")  # type: ignore[union-attr]
        sounded = sounding(phone.heard(), 8_000)
        assert sounded == pytest.approx(paused.position, abs=0.15)  # type: ignore[union-attr]


async def test_a_user_with_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A phone with the right password gets through, one with a wrong one doesn't."""
    monkeypatch.setenv("DESK_SECRET", "tulip")
    trunks = LOOPBACK + 'users = [{ name = "desk", secret = "DESK_SECRET" }]\n'
    async with (
        office(tmp_path, trunks=trunks) as here,
        Baresip(tmp_path / "right", np.zeros(100, np.int16), user="desk", password="tulip") as right,
        Baresip(tmp_path / "wrong", np.zeros(100, np.int16), user="desk", password="rose") as wrong,
    ):
        await right.dial(here.uri())
        await right.event("CALL_ESTABLISHED")
        await wrong.dial(here.uri())
        closed = await wrong.event("CALL_CLOSED")
        assert "40" in closed["param"] or "auth" in closed["param"].lower()
        assert len(here.gateway.engine.sessions) == 1


async def test_keys_and_hold(tmp_path: Path) -> None:
    """Keys pressed on the phone stand in the log; while it holds, its microphone is not heard; afterwards it is."""
    async with (
        office(tmp_path) as here,
        Baresip(tmp_path / "phone", after(2.5, np.concatenate([line("story")] * 4))) as phone,
    ):
        await phone.dial(here.uri("100"))
        await phone.event("CALL_ESTABLISHED")
        session = await here.session()
        await phone.command("sndcode", "7")
        key = await here.event(session, lambda event: event.type == "dtmf.received")
        assert key.digits == "7"  # type: ignore[union-attr]
        await phone.command("hold")
        for _ in range(150):
            if here.phones.calls.of_session(session).line.deaf:  # type: ignore[union-attr]
                break
            await asyncio.sleep(0.02)
        await here.ticks(88)
        assert "speech.started" not in await here.types(session)
        await phone.command("resume")
        await here.event(session, lambda event: event.type == "speech.started")


async def test_the_agent_calls_and_hands_on(tmp_path: Path) -> None:
    """A phone that is called answers, hears the greeting and the keys pressed; handed on, it is with somebody else."""
    async with (
        office(tmp_path) as here,
        Baresip(tmp_path / "ann", np.zeros(100, np.int16)) as ann,
        Baresip(tmp_path / "bob", np.zeros(100, np.int16)) as bob,
    ):
        session = await here.phones.dial(f"sip:caller@127.0.0.1:{ann.port};transport=tcp", "greeter", digits="12")
        await here.event(session, lambda event: event.type == "playback.finished")
        await ann.event("CALL_DTMF_END")
        assert [event["param"] for event in ann.events if event["type"] == "CALL_DTMF_START"] == ["1", "2"]
        call = here.phones.calls.of_session(session)
        assert call is not None
        await transfer(call, f"sip:caller@127.0.0.1:{bob.port}")
        ended = await here.event(session, lambda event: event.type == "session.ended")
        assert ended.reason == "transferred"  # type: ignore[union-attr]
        await bob.event("CALL_ESTABLISHED")


async def test_the_agent_hangs_up_and_a_phone_dies(tmp_path: Path) -> None:
    """One phone sees the agent's hanging up at once; one that dies without a word is given up; a third isn't disturbed."""
    async with (
        office(tmp_path, trunks=LOOPBACK + "rtp_timeout = 1\n") as here,
        Baresip(tmp_path / "first", np.zeros(100, np.int16)) as first,
        Baresip(tmp_path / "second", np.zeros(100, np.int16)) as second,
        Baresip(tmp_path / "third", np.zeros(100, np.int16)) as third,
    ):
        sessions = []
        for phone in (first, second, third):
            await phone.dial(here.uri())
            await phone.event("CALL_ESTABLISHED")
            sessions.append(await here.session())
        await here.gateway.bus.post(sessions[0], "r", EndRequested())
        await first.event("CALL_CLOSED", seconds=2.0)
        second.die()
        ended = await here.event(sessions[1], lambda event: event.type == "session.ended", 4.0)
        assert ended.reason == "client_gone"  # type: ignore[union-attr]
        assert list(here.gateway.engine.sessions) == [sessions[2]]
