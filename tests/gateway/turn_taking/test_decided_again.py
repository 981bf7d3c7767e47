"""The log holds what each decision was made from: read back, every one of them is decided again, and the same."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.turn_taking import commit
from gateway.turn_taking.barge_in import verdict
from schemas.codec import event_from_json, event_to_json
from schemas.config.agent import AgentSpec
from schemas.events import Event, TurnCommitted, TurnEnded
from tests.gateway.turn_taking.call import Call, Stages
from tests.gateway.turn_taking.test_anything import WHO, agents, happening, play, stages

VERDICTS = {"barge_in": "interrupts", "stt": "failed", "noise": "empty"}
"""Of the reasons of a turn's end that are no verdict's own name."""


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
@given(agent=agents, stages=stages, people=st.integers(1, 2), happenings=st.lists(happening, max_size=10))
def test_every_verdict_on_what_was_said_is_decided_again_from_the_log(
    agent: AgentSpec, stages: Stages, people: int, happenings: list[Any]
) -> None:
    """By the words, who said them over what, and who was there, all of it recorded."""
    for event in stored(agent, stages, people, happenings):
        if isinstance(event, TurnEnded) and "text" in (event.inputs or {}):
            assert verdict(event.inputs or {}, agent) == VERDICTS.get(event.reason, event.reason)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
@given(agent=agents, stages=stages, people=st.integers(1, 2), happenings=st.lists(happening, max_size=10))
def test_every_commit_is_decided_again_from_the_log(
    agent: AgentSpec, stages: Stages, people: int, happenings: list[Any]
) -> None:
    """By the words, the probabilities that came with them, the speaker's pauses, and what was asked."""
    for event in stored(agent, stages, people, happenings):
        inputs = event.inputs or {} if isinstance(event, TurnCommitted) else {}
        if "text" in inputs and isinstance(event, TurnCommitted):
            more = {"complete": inputs.get("complete"), "expects": inputs.get("expects", "free")}
            wait = commit.decide(inputs["end_of_turn"], inputs["text"], inputs["pauses"], agent.turn_taking, **more)
            assert (round(wait.wait, 4), wait.why) == (inputs["wait"], event.why)


def test_a_decision_about_speech_over_the_agent_records_what_it_looked_at() -> None:
    """An interruption names its words and its turn, a backchannel what it was said over; a pause says who speaks."""
    call = Call(stages=Stages(replies=[["This is a sentence of quite some length to be interrupted.", "And another."]]))
    call.says(1.0, 1.0, "What is the news?")
    call.says(3.5, 0.3, "Mhm.")
    call.says(5.0, 0.4, "Stop it now.")
    call.run(12.0)
    dropped, interrupted = call.of(TurnEnded)[:2]
    assert (dropped.reason, dropped.inputs["text"], dropped.inputs["answers"]) == ("backchannel", "Mhm.", False)
    assert (interrupted.inputs["by"], interrupted.inputs["text"]) == (3, "Stop it now.")
    assert (interrupted.inputs["late"], interrupted.inputs["linked"], interrupted.inputs["humans"]) == (
        False,
        "alice",
        1,
    )
    paused = next(event for event in call.log if event.type == "playback.paused")
    assert paused.inputs == {"speaking": ["alice"]}


def stored(agent: AgentSpec, stages: Stages, people: int, happenings: list[Any]) -> list[Event]:
    """The log of a call, as it is read back."""
    call = Call(agent, stages, people=WHO[:people])
    play(call, happenings, people)
    call.run(26.0)
    return [event_from_json(json.loads(json.dumps(event_to_json(event)))) for event in call.log]
