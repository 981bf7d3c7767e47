"""A session's figures, and its two lines in the process' log."""

import logging
from typing import Any, Literal

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import GatewayMetrics
from gateway.rooms.memory.room import MemoryRoom
from gateway.sessions.session import Session
from gateway.sessions.tally import Tally
from gateway.turn_taking import Play, SpeechEdge
from schemas.client import TurnMessage
from schemas.clock import Micros, Now
from schemas.config.agent import AgentSpec
from schemas.events import (
    ParticipantJoined,
    SayRequested,
    SessionStarted,
    TranscriptFinal,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.log import MemoryBus
from schemas.process.figures import OTHER
from tests.gateway.pools import Pools
from tests.gateway.rig import rig, silence, speak
from workers.testing import LoopClock, ManualClock, virtually


def figures(metrics: GatewayMetrics) -> dict[str, float]:
    """The sums of all series, by name and the values of their labels."""
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        " ".join([sample.name, *(f"{name}={value}" for name, value in sorted(sample.labels.items()))]): sample.value
        for family in families
        for sample in family.samples
    }


def said(caplog: pytest.LogCaptureFixture, message: str) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.getMessage() == message]


def answers(tally: Tally, turn: int, seconds: float) -> None:
    """Its reply begins to sound so long after the speech."""
    tally.speech(SpeechEdge("ann", "stop", 0, 0), Now(0.0))
    tally.sounds(Play(turn, 1, 0, (), last=True), Now(seconds))


@virtually
async def test_a_call_is_counted_for_its_agent(caplog: pytest.LogCaptureFixture) -> None:
    """Who answered, how its turns ended, how long each part took, what was spoken; and the log has two lines of it."""
    caplog.set_level(logging.INFO, "antiphon.gateway")
    log = MemoryBus()
    async with rig(log) as gateway, Pools(log, says=["I hear you."], seconds=1.0):
        session, room = await gateway.open(AgentSpec(name="desk"))
        await speak(room, 0.5)
        await silence(room, 4.0)
        told = figures(gateway.house.metrics)
        assert told["antiphon_gateway_sessions agent=desk transport=memory"] == 1
        assert told["antiphon_gateway_turns_total agent=desk how=played reason=finished"] == 1
        assert told["antiphon_gateway_spoken_seconds_total agent=desk"] == pytest.approx(1.0, abs=0.01)
        assert 0.5 <= told["antiphon_gateway_captured_seconds_total agent=desk"] < 1.5
        assert told["antiphon_gateway_voice_to_voice_seconds_count agent=desk"] == 1
        for part in ("end_of_turn", "stt", "tts", "first_sound"):
            assert told[f"antiphon_gateway_turn_part_seconds_count agent=desk part={part}"] == 1
        session.hang_up("hang_up")
        await silence(room, 0.5)
    told = figures(gateway.house.metrics)
    assert told["antiphon_gateway_sessions agent=desk transport=memory"] == 0
    assert told["antiphon_gateway_session_seconds_count agent=desk"] == 1
    assert told["antiphon_gateway_sessions_ended_total reason=hang_up"] == 1
    assert not [name for name in told if "_created" in name]
    [began], [ended] = said(caplog, "session began"), said(caplog, "session ended")
    assert (began["agent"], began["caller"], began["transport"]) == ("desk", "caller", "memory")
    assert (ended["agent"], ended["caller"], ended["reason"], ended["turns"]) == ("desk", "caller", "hang_up", 1)
    assert 4.0 < ended["seconds"] < 6.0
    assert 0.0 < ended["worst_s"] < 3.0


@virtually
async def test_a_call_that_nobody_answered_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """What it waited for never came: neither the greeting nor the apology is an answer, and no worst one is made up."""
    caplog.set_level(logging.INFO, "antiphon.gateway")
    log = MemoryBus()
    async with rig(log) as gateway, Pools(log, failing=["llm"], seconds=0.5):
        session, room = await gateway.open(AgentSpec(name="desk", greeting="Hello."))
        await silence(room, 2.0)
        await speak(room, 0.5)
        await silence(room, 4.0)
        session.hang_up("hang_up")
        await silence(room, 0.5)
        assert any(event.type == "playback.started" for event in await gateway.log())
    told = figures(gateway.house.metrics)
    assert told.get("antiphon_gateway_voice_to_voice_seconds_count agent=desk", 0.0) == 0.0
    [ended] = said(caplog, "session ended")
    assert ended["answered"] == "never"
    assert "worst_s" not in ended


@pytest.mark.parametrize(
    ("words", "why", "never"), [(None, "", True), ("Hello?", "", True), ("", "", False), ("", "text", True)]
)
def test_who_asked_nothing_was_not_left_without_an_answer(
    words: str | None, why: Literal["", "text"], never: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A cough, and the end of the call: nobody waited. Words, perhaps words, and what is typed are to be answered."""
    caplog.set_level(logging.INFO, "antiphon.gateway")
    tally = Tally(GatewayMetrics(), "s1", MemoryRoom(ManualClock()), "desk", Now(0.0), goes_on=False, draft=False)
    tally.event(UtteranceCaptured(turn=1, utterance="u1", participant="ann", audio=[], duration=0.5))
    if words is not None:
        tally.event(TranscriptFinal(turn=1, utterance="u1", participant="ann", text=words))
    tally.told([TurnMessage(turn=1, how="dropped", reason="session", why=why, heard="")])
    tally.ended("hang_up", Now(5.0), lost=False)
    [ended] = said(caplog, "session ended")
    assert (ended.get("answered") == "never") is never


@virtually
async def test_whoever_hangs_up_unanswered_was_waiting(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing came of the words until the end of the call."""
    caplog.set_level(logging.INFO, "antiphon.gateway")
    log = MemoryBus()
    async with rig(log) as gateway, Pools(log, seconds=0.5) as pools:
        session, room = await gateway.open(AgentSpec(name="desk"))
        pools.held.add("llm")
        await speak(room, 0.5)
        await silence(room, 3.0)
        session.hang_up("hang_up")
        await silence(room, 0.5)
    [ended] = said(caplog, "session ended")
    assert ended["answered"] == "never"


@virtually
async def test_what_bridges_the_wait_is_not_how_fast_it_answers() -> None:
    """The figure counts to the answer itself, past the filler."""
    log = MemoryBus()
    async with rig(log) as gateway, Pools(log, says=["I hear you."], seconds=0.5) as pools:
        _, room = await gateway.open(AgentSpec(name="desk", patience=1.0))
        await silence(room, 2.0)
        pools.held.add("llm")
        await speak(room, 0.5)
        await silence(room, 4.0)
        assert any(event.type == "turn.committed" and event.why == "filler" for event in await gateway.log())
        told = figures(gateway.house.metrics)
        assert told.get("antiphon_gateway_voice_to_voice_seconds_count agent=desk", 0.0) == 0.0
        pools.held.clear()
        await silence(room, 3.0)
        told = figures(gateway.house.metrics)
    assert told["antiphon_gateway_voice_to_voice_seconds_count agent=desk"] == 1
    assert told["antiphon_gateway_voice_to_voice_seconds_sum agent=desk"] > 3.0


def test_a_reply_that_was_taken_back_was_no_answer() -> None:
    """It is a restart, and counts neither for how fast the agent answers nor as its worst; what the end cuts off counts."""
    metrics = GatewayMetrics()
    tally = Tally(metrics, "s1", MemoryRoom(ManualClock()), "desk", Now(0.0), goes_on=False, draft=False)
    tally.entered()
    answers(tally, 1, 0.5)
    for _ in range(2):  # the log's last events may come again
        tally.event(TurnEnded(turn=1, how="dropped", reason="taken_back", into=2))
    answers(tally, 2, 0.75)
    tally.event(TurnEnded(turn=2, how="played", reason="finished"))
    answers(tally, 3, 1.0)
    count, total = (f"antiphon_gateway_voice_to_voice_seconds_{what} agent=desk" for what in ("count", "sum"))
    assert (figures(metrics)[count], figures(metrics)[total]) == (1, 0.75)
    tally.ended("hang_up", Now(9.0), lost=True)
    told = figures(metrics)
    assert (told[count], told[total]) == (2, 1.75)
    assert told["antiphon_gateway_turns_total agent=desk how=dropped reason=taken_back"] == 1


@virtually
async def test_a_turn_that_the_end_cuts_off_is_counted_once() -> None:
    """What the last publication of a session holds is never read back: it counts all the same, how long its parts took, too,
    and only once."""
    log = MemoryBus()
    async with rig(log) as gateway, Pools(log, says=["A long story."], seconds=20.0):
        session, room = await gateway.open(AgentSpec(name="desk"))
        await log.post("s1", "r1", SayRequested(text="Listen to this."))
        await silence(room, 2.0)
        session.hang_up("hang_up")
        await silence(room, 0.5)
        ends = [event for event in await gateway.log() if isinstance(event, TurnEnded)]
    told = figures(gateway.house.metrics)
    assert len(ends) == 1
    assert [value for name, value in told.items() if "gateway_turns_total" in name] == [1.0]
    for part in ("end_of_turn", "tts", "first_sound"):
        assert told[f"antiphon_gateway_turn_part_seconds_count agent=desk part={part}"] == 1


@virtually
async def test_an_error_is_counted_by_stage_and_code() -> None:
    """And whether it was tried again."""
    log = MemoryBus()
    async with rig(log) as gateway, Pools(log, failing=["llm"]):
        _, room = await gateway.open(AgentSpec(name="desk"))
        await speak(room, 0.5)
        await silence(room, 3.0)
        told = figures(gateway.house.metrics)
    assert told["antiphon_gateway_stage_errors_total agent=desk code=down recoverable=no stage=llm"] == 1


@virtually
async def test_one_that_could_not_be_gone_on_with_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that an error of ours keeps a gateway from taking over is none of its sessions."""

    def explode(*_: object, **__: object) -> None:
        raise RuntimeError("boom")

    log = MemoryBus(clock=LoopClock(), lease=1.0)
    async with rig(log) as one, rig(log, "gateway-b") as two:
        _, room = await one.open(AgentSpec(name="desk"))
        await silence(room, 0.5)
        monkeypatch.setattr(Session, "remember", explode)
        await one.die()
        await silence(room, 5.0)
        assert (await two.types())[-1] == "session.ended"
        assert figures(two.house.metrics)["antiphon_gateway_sessions agent=desk transport=memory"] == 0


def test_labels_stay_few() -> None:
    """However many agents come by, and whatever drafts are called, Prometheus keeps few series of them."""
    metrics = GatewayMetrics()
    room = MemoryRoom(ManualClock())
    for number in range(300):
        Tally(metrics, "s1", room, f"agent-{number}", Now(0.0), goes_on=False, draft=False).entered()
        Tally(metrics, "s1", room, f"tried-{number}", Now(0.0), goes_on=False, draft=True).entered()
    held = {name: value for name, value in figures(metrics).items() if name.startswith("antiphon_gateway_sessions ")}
    assert len(held) == 101
    assert held["antiphon_gateway_sessions agent=draft transport=memory"] == 300
    assert held[f"antiphon_gateway_sessions agent={OTHER} transport=memory"] == 201


@pytest.mark.parametrize(
    ("participant", "attributes", "caller"),
    [
        ("caller", {}, "caller"),
        ("ann", {"sip.phoneNumber": "+4930555123"}, "+49…23"),
        ("sip_+4930555123", {}, "sip_+49…23"),
        ("4930555123", {}, "49…23"),
    ],
)
def test_a_caller_is_shortened(
    participant: str, attributes: dict[str, str], caller: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A line of the log is enough to know a call again, and too little to call back."""
    caplog.set_level(logging.INFO, "antiphon.gateway")
    tally = Tally(GatewayMetrics(), "s1", MemoryRoom(ManualClock()), "", Now(0.0), goes_on=False, draft=False)
    tally.event(ParticipantJoined(participant=participant, attributes=attributes))
    [began] = said(caplog, "session began")
    assert (began["caller"], began["agent"]) == (caller, "default")


def test_one_that_was_taken_over_is_told_whole(caplog: pytest.LogCaptureFixture) -> None:
    """Its length and turns are those of the whole call; its beginning was told by the gateway that had it."""
    caplog.set_level(logging.INFO, "antiphon.gateway")
    tally = Tally(GatewayMetrics(), "s1", MemoryRoom(ManualClock()), "desk", Now(100.0), goes_on=True, draft=False)
    started = SessionStarted(room="r", transport="memory", agent=AgentSpec(), gateway="a", seq=1, at=Micros(50_000_000))
    tally.known(started)
    tally.known(ParticipantJoined(participant="ann", seq=2, at=Micros(51_000_000)))
    tally.known(TurnEnded(turn=1, how="played", seq=3, at=Micros(80_000_000)))
    tally.event(TurnEnded(turn=2, how="played", seq=4, at=Micros(90_000_000)))
    tally.ended("hang_up", Now(110.0), lost=False)
    assert said(caplog, "session began") == []
    [ended] = said(caplog, "session ended")
    assert (ended["caller"], ended["turns"], ended["seconds"]) == ("ann", 2, 40.0)
