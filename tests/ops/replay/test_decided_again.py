"""Every decision of whatever session is taken again from its log alone, and the same: here, in another process, by any hash."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.turn_taking import RULES_VERSION, Queues, fed_by
from ops.replay._decide import decide
from ops.replay.check import Stored, check
from schemas.codec import decode_event, encode_event, event_from_json, event_to_json
from schemas.config.agent import AgentSpec
from schemas.events import FED, Event, PlaybackStarted, TurnCommitted, TurnEnded
from schemas.log import MemoryBus
from tests.gateway.pools import Pools
from tests.gateway.rig import rig, silence, speak
from tests.gateway.turn_taking.anything import WHO, play
from tests.gateway.turn_taking.call import Stages
from tests.gateway.turn_taking.kept import Kept
from tests.gateway.turn_taking.test_anything import agents, happening, stages
from tests.ops.replay import generated
from workers.testing import LoopClock, virtually

ROOT = Path(__file__).parents[3]
_SESSIONS = int(os.environ.get("TEST_SESSIONS") or 500)


def stored(events: list[Event]) -> list[Event]:
    """As a file keeps them."""
    return [event_from_json(json.loads(json.dumps(event_to_json(event)))) for event in events]


def as_bytes(events: list[Event]) -> list[Event]:
    """As the log keeps them."""
    return [decode_event(event.type, encode_event(event), event.seq, event.at) for event in events]


@settings(max_examples=_SESSIONS, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
@given(
    agent=agents,
    stages=stages,
    people=st.integers(1, 2),
    happenings=st.lists(happening, max_size=10),
    slow=st.sampled_from((0.001, 0.001, 0.4)),
)
def test_whatever_was_decided_is_decided_again(
    agent: AgentSpec, stages: Stages, people: int, happenings: list[Any], slow: float
) -> None:
    """Sessions with gateways that died and logs that lost their tails: every fact, with every value, from the log alone.
    (TEST_SESSIONS=2000: so many.)"""
    call = Kept(agent, stages, people=WHO[:people])
    call.bus_delay = slow
    play(call, happenings, people)
    call.run(26.0)
    events = stored(call.log)
    decided = decide(events)
    assert decided.same, "\n".join([decided.broken_off, *(one.sentence for one in decided.differences), call.show()])
    assert decided.untold == 0
    ours = [event for event in events if getattr(event, "clock", None) is not None]
    assert decided.facts >= len(ours)


def conversation() -> list[Event]:
    """A barge-in, a backchannel, a pause, and a gateway that dies."""
    call = Kept(stages=Stages(replies=[["This is a sentence of quite some length to be interrupted.", "And another."]]))
    call.gives(0.5, Queues(3, 0, 0))
    call.says(1.0, 1.0, "What is the news?")
    call.says(3.5, 0.3, "Mhm.")
    call.says(5.0, 1.4, "Stop it now.")
    call.noise(6.9)
    call.at(9.0, call.take_over)
    call.says(12.0, 0.6, "And then")
    call.says(13.2, 0.6, "what comes?")
    call.run(30.0)
    return call.log


def test_a_decision_that_stands_otherwise_in_the_log_is_named() -> None:
    """One altered value is one difference: its event, what is recorded, what is decided."""
    events = stored(conversation())
    place = next(n for n, event in enumerate(events) if isinstance(event, TurnEnded) and event.reason == "backchannel")
    events[place] = events[place].model_copy(update={"reason": "empty"})
    decided = decide(events)
    (difference,) = decided.differences
    assert (difference.seq, difference.type) == (events[place].seq, "turn.ended")
    assert (difference.recorded, difference.decided) == ({"reason": "empty"}, {"reason": "backchannel"})
    assert "recorded reason 'empty', decided now reason 'backchannel'" in difference.sentence


def test_a_decision_that_is_another_now_is_named_and_the_rest_is_judged_by_itself() -> None:
    """Other words would have interrupted: what is recorded there, and what is decided now; all that follows is as it was."""
    events = stored(conversation())
    place = next(n for n, event in enumerate(events) if getattr(event, "text", "") == "Mhm.")
    events[place] = events[place].model_copy(update={"text": "Stop it."})
    ended = next(event for event in events if isinstance(event, TurnEnded) and event.reason == "backchannel")
    decided = decide(events)
    assert decided.broken_off == ""
    assert {one.seq for one in decided.differences} == {ended.seq, ended.seq + 1}
    first, *_ = decided.differences
    assert first.recorded is not None
    assert first.decided is not None
    assert (first.recorded["reason"], first.decided["reason"]) == ("backchannel", "barge_in")


def test_what_was_fed_survives_the_log_as_bytes() -> None:
    """A clock's last digit, a name, a position: what is read back is what was written."""
    events = conversation()
    assert [fed_by(event) for event in as_bytes(events)] == [fed_by(event) for event in stored(events)]
    assert decide(as_bytes(events)).same


def test_a_log_without_what_was_fed_is_judged_by_what_decisions_recorded_of_themselves() -> None:
    """Sessions of older gateways: commits and verdicts again by their own inputs, the rest counted and not judged."""
    events = []
    for event in stored(conversation()):
        if fed_by(event) is not None:
            inputs = {name: value for name, value in event.inputs.items() if name != FED}  # type: ignore[union-attr]
            event = event.model_copy(update={"inputs": inputs or None})
        events.append(event)
    decided = decide(events)
    assert decided.same
    assert decided.facts == 0
    assert decided.by_inputs >= 2
    place = next(
        n for n, event in enumerate(events) if isinstance(event, TurnCommitted) and "wait" in (event.inputs or {})
    )
    events[place] = events[place].model_copy(update={"why": "push_to_talk"})
    (difference,) = decide(events).differences
    assert difference.recorded is not None
    assert difference.recorded["why"] == "push_to_talk"


def test_rules_are_told_of_every_gateway() -> None:
    """By which rules a session was decided; a gateway with others says so, too."""
    events = conversation()
    assert decide(events).rules == [RULES_VERSION]
    entry = next(e for event in events for e in fed_by(event) or () if e[0] == "resumed")
    entry[-1] = 7
    assert decide(events).rules == [RULES_VERSION, 7]


def test_noise_and_playback_leave_little_behind() -> None:
    """A minute of clicks while nothing goes on is one entry; a sentence that sounds is not one a glance."""
    call = Kept()
    for n in range(300):
        call.noise(1.0 + n * 0.2)
    call.says(65.0, 1.0, "What is the weather?")
    call.run(80.0)
    (waiting,) = [fed_by(event) for event in call.log if event.type == "speech.started"]
    assert waiting is not None
    assert len([entry for entry in waiting if entry[0] in ("noise", "onset")]) <= 3
    assert decide(stored(call.log)).same
    assert max(len(fed_by(event) or ()) for event in call.log) < 60


def test_an_entry_nobody_can_read_is_told_with_its_event() -> None:
    """Whatever stands in a file: one sentence, and no traceback."""
    events = stored(conversation())
    place = next(n for n, event in enumerate(events) if isinstance(event, PlaybackStarted) and fed_by(event))
    for wrong in (
        ["seen", 1.0, 10_000],
        ["frobnicate", 1.0],
        ["tick"],
        "tick",
        ["onset", 1.0, "alice"],
        [["x"], 1.0],
        [],
    ):
        broken = list(events)
        inputs = {**(events[place].inputs or {}), FED: [wrong]}  # type: ignore[union-attr]
        broken[place] = events[place].model_copy(update={"inputs": inputs})
        decided = decide(broken)
        assert f"event {events[place].seq} (playback.started)" in decided.broken_off
        assert not check(Stored("x", broken)).sound


def test_other_processes_with_other_hashes_decide_the_same() -> None:
    """Nothing that is decided hangs on the order of a set, or on what a process knows: neither at first, nor again."""
    here = json.loads(json.dumps(generated.main(25)))  # by this process' own, which are others each time
    environment = {**os.environ, "PYTHONHASHSEED": "1" if os.environ.get("PYTHONHASHSEED") == "0" else "0"}
    command = [sys.executable, "-m", "tests.ops.replay.generated", "25"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=50, cwd=ROOT)
    assert here == json.loads(done.stdout)
    assert here["otherwise"] == 0
    assert here["facts"] > 500


@virtually
async def test_a_gateways_own_session_is_decided_again() -> None:
    """The real rim, from sound to sound: what it fed to turn-taking stands in its log, and decides the same."""
    log = MemoryBus(clock=LoopClock())
    async with rig(log) as gateway, Pools(log, says=["I hear you.", "Go on, I am still listening to all of it."]):
        session, room = await gateway.open(AgentSpec(greeting="Hello there."))
        await silence(room, 3.0)
        await speak(room, 1.5)
        await silence(room, 2.5)
        await speak(room, 1.2)
        await silence(room, 5.0)
        session.hang_up("hang_up")
        await silence(room, 1.0)
        events = stored(await gateway.log())
    decided = decide(events)
    assert events[-1].type == "session.ended"
    assert decided.same, [one.sentence for one in decided.differences] + [decided.broken_off]
    assert decided.untold == 0
    assert decided.rules == [RULES_VERSION]
    assert decided.facts > 10


@virtually
async def test_a_session_that_two_gateways_had_is_decided_again() -> None:
    """The second one decided from the log of the first."""
    log = MemoryBus(clock=LoopClock())
    async with Pools(log, says=["One moment, I have to look that up for you.", "Here it is."]):
        async with rig(log) as first:
            _, room = await first.open()
            await silence(room, 0.5)
            await speak(room, 1.5)
            await silence(room, 2.0)
        async with rig(log, "gateway-b") as second:
            for _ in range(100):
                await asyncio.sleep(0.5)
                if (await second.types())[-1] == "session.ended":
                    break
            events = stored(await second.log())
    decided = decide(events)
    assert decided.same, [one.sentence for one in decided.differences] + [decided.broken_off]
    assert decided.untold == 0
