"""Who is answered and never says so: such calls take nobody's place, cost little and are over soon."""

import asyncio
import secrets
from pathlib import Path

import pytest

from gateway.rooms.sip import unacknowledged
from gateway.rooms.sip.calls import Calls
from gateway.rooms.sip.line import Line
from tests.gateway.rooms.sip.conftest import LOOPBACK, Office, office
from tests.gateway.rooms.sip.party import Party, sdp, status


async def silent(party: Party, calls: int) -> list[str]:
    """So many INVITEs that are answered 200 and never acknowledged; their Call-IDs."""
    names = []
    for number in range(calls):
        party.call_id, party.tag = secrets.token_hex(6), secrets.token_hex(3)
        names.append(party.call_id)
        party.send(party.message("INVITE", body=sdp(party.sound.port, party.host), number=number + 1))
    waiting = set(names)
    while waiting:
        text = await party.response()
        waiting -= {name for name in waiting if name in text}
        assert status(text) == "200 OK"
    return names


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.6"])
async def test_they_take_nobodys_line(tmp_path: Path, host: str) -> None:
    """After more such calls than the trunk and the gateway have lines, a caller from there or elsewhere is answered."""
    trunks = LOOPBACK.replace('"127.0.0.1"', '"127.0.0.0/8"') + "calls = 1\n"
    async with office(tmp_path, trunks=trunks) as here, Party(here.phones.port, host) as attacker:
        here.phones.screening.most = 1
        await silent(attacker, 30)
        assert not here.gateway.engine.sessions
        async with Party(here.phones.port) as party:
            assert status(await party.invite()) == "200 OK"
            session = await here.session()
            await here.event(session, lambda event: event.type == "playback.started")
            async with Party(here.phones.port) as other:
                assert status(await other.invite()) == "486 Busy Here: all 1 lines of this trunk are taken"


async def test_nothing_is_kept_or_said_for_them(tmp_path: Path) -> None:
    """Until the ACK no session stands in the log, no speech is asked for and no sound is sent."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        await silent(party, 1)
        await here.ticks(10)
        assert not [*await here.gateway.bus.sessions(), *await here.gateway.bus.closed()]
        assert not here.pools.jobs
        assert party.sound.count == 0


async def test_they_are_over_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the time for an ACK the call is hung up, its ports are free and nothing is left; a late ACK brings nothing back."""
    monkeypatch.setattr(unacknowledged, "WITHIN", 0.3)
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        party.send(party.message("INVITE", body=sdp(party.sound.port)))
        party.learn(await party.response())
        party.reply(await party.request("BYE"))
        assert not here.phones.calls.by_id
        party.send(party.message("ACK"))
        await here.ticks(4)
        assert not here.phones.calls.by_id
        assert not here.gateway.engine.sessions
        assert here.phones.metrics.unacknowledged._value.get() == 1


async def test_their_number_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one address, of one trunk and of the gateway no more wait than each may have: the oldest make room."""
    monkeypatch.setattr(unacknowledged, "AT_ONCE", 0.0)
    trunks = LOOPBACK.replace('"127.0.0.1"', '"127.0.0.0/8"')
    async with office(tmp_path, trunks=trunks) as here, Party(here.phones.port) as first:
        names = await silent(first, 15)
        await _waiting(here, unacknowledged.OF_ADDRESS)
        assert set(here.phones.calls.by_id) == set(names[5:])
        for last in range(2, 6):
            async with Party(here.phones.port, f"127.0.0.{last}") as other:
                await silent(other, 10)
        await _waiting(here, unacknowledged.OF_TRUNK)


async def _waiting(here: Office, calls: int) -> None:
    while len(here.phones.calls.unacknowledged) != calls or len(here.phones.calls.by_id) != calls:
        await asyncio.sleep(0.01)  # or the test's time runs out


async def test_a_rush_of_phones_that_are_there(tmp_path: Path) -> None:
    """Twenty-five phones of one address that call at once and acknowledge when they are answered all have their call."""
    async with office(tmp_path) as here:
        parties = [await Party(here.phones.port).__aenter__() for _ in range(25)]
        answers = await asyncio.gather(*(party.invite("100") for party in parties))
        assert {status(answer) for answer in answers} == {"200 OK"}
        while here.phones.calls.busy(None) < 25:
            await asyncio.sleep(0.01)
        for party in parties:
            assert status(await party.bye()) == "200 OK"
            await party.__aexit__()


async def test_a_gateway_that_answers_late_gives_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody acknowledges before they are answered: what we take for that is not theirs."""
    open_line, behind = Calls.open_line, asyncio.Event()

    async def late(calls: Calls, line: Line) -> None:
        await behind.wait()
        await open_line(calls, line)

    monkeypatch.setattr(Calls, "open_line", late)
    monkeypatch.setattr(unacknowledged, "AT_ONCE", 0.2)
    async with office(tmp_path) as here:
        parties = [await Party(here.phones.port).__aenter__() for _ in range(12)]
        asked = [asyncio.ensure_future(party.invite("100")) for party in parties[:-1]]
        while len(here.phones.calls.by_id) < len(asked):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        asked.append(asyncio.ensure_future(parties[-1].invite("100")))
        while len(here.phones.calls.by_id) < len(asked):
            await asyncio.sleep(0.01)
        behind.set()
        assert {status(answer) for answer in await asyncio.gather(*asked)} == {"200 OK"}
        while here.phones.calls.busy(None) < len(parties):
            await asyncio.sleep(0.01)
        for party in parties:
            assert status(await party.bye()) == "200 OK"
            await party.__aexit__()


async def test_the_last_line_is_taken_meanwhile(tmp_path: Path) -> None:
    """Of two who are answered for the last line, who acknowledges first has it, and the other is hung up."""
    async with (
        office(tmp_path, trunks=LOOPBACK + "calls = 1\n") as here,
        Party(here.phones.port) as first,
        Party(here.phones.port) as second,
    ):
        for party in (first, second):
            party.send(party.message("INVITE", body=sdp(party.sound.port)))
            party.learn(await party.response())
        first.send(first.message("ACK"))
        await here.session()
        second.send(second.message("ACK"))
        second.reply(await second.request("BYE"))
        assert len(here.phones.calls.by_id) == 1


async def test_who_hangs_up_without_an_ack(tmp_path: Path) -> None:
    """A BYE before the ACK is answered, and leaves nothing behind."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        party.send(party.message("INVITE", body=sdp(party.sound.port)))
        party.learn(await party.response())
        assert status(await party.bye()) == "200 OK"
        await _waiting(here, 0)
        assert not here.gateway.engine.sessions


async def test_hold_before_the_ack(tmp_path: Path) -> None:
    """What an offer said last, before the ACK came, holds when the session begins."""
    async with office(tmp_path) as here, Party(here.phones.port) as party:
        party.send(party.message("INVITE", body=sdp(party.sound.port)))
        party.learn(await party.response())
        party.send(party.message("UPDATE", body=sdp(party.sound.port, direction="sendonly")))
        assert "a=recvonly" in await party.response()
        party.send(party.message("ACK", number=1))
        await here.session()
        call = here.phones.calls.by_id[party.call_id]
        while call.room is None or not call.room._attached:
            await asyncio.sleep(0.01)
        assert call.line.mute
