"""Recorded lines, spoken to turn-taking in virtual time."""

from dataclasses import replace

import pytest

from gateway.turn_taking import SpeechEdge
from ops.replay.lines import Conversed, Line, Took, Words, converse
from schemas.audio import HEARING_RATE
from schemas.config.agent import AgentSpec, TurnTaking
from schemas.session.fold import fold_all

FRAME = 512


def _edges(*stretches: tuple[float, float]) -> tuple[SpeechEdge, ...]:
    found = []
    for start, end in stretches:
        begin, stop = round(start * HEARING_RATE), round(end * HEARING_RATE)
        found += [
            SpeechEdge("", "onset", begin, begin + FRAME),
            SpeechEdge("", "start", begin, begin + 3 * FRAME),
            SpeechEdge("", "stop", stop, stop + FRAME),
        ]
    return tuple(found)


def _samples(seconds: float) -> int:
    return round(seconds * HEARING_RATE)


QUESTION = Line("question", "a", 1.5, ((0.0, 1.5),), _edges((0.0, 1.5)), (Words(0, _samples(1.59), "Are you open?"),))
HALVES = Line(
    "number", "a", 3.5, ((0.0, 1.0), (2.5, 3.5)), _edges((0.0, 1.0), (2.5, 3.5)),
    (
        Words(0, _samples(1.09), "My number is four four seven.", {"end_of_turn": 0.9}),
        Words(0, _samples(3.59), "My number is four four seven, nine one two six.", {"end_of_turn": 0.97}),
        Words(_samples(2.1), _samples(3.59), "Nine one two six.", {"end_of_turn": 0.97}),
    ),
    pauses=True,
)  # fmt: skip


def test_a_line_is_answered_as_it_would_be() -> None:
    """The answer to a finished question sounds once its words, the reply and its sound are there: no sooner, hardly later."""
    took = Took(stt=0.2, llm=0.3, tts=0.1, room=0.0)
    held = converse([QUESTION], AgentSpec(), took)
    (sound,) = held.sounded
    waited = sound[0] - (held.began[0] + QUESTION.seconds)
    assert 0.6 + 0.064 <= waited < 0.6 + 0.064 + 0.1
    assert said(held) == ["Are you open?"]


def test_the_caller_goes_on_whatever_the_agent_does() -> None:
    """Without a wait the agent begins in the caller's pause, is hushed when they go on, and has two turns; where it waits the
    pause out, there is one."""
    hasty = converse([HALVES], AgentSpec(turn_taking=TurnTaking(waits=0.0)), Took())
    patient = converse([HALVES], AgentSpec(turn_taking=TurnTaking(commit_min=2.0, commit_max=2.0)), Took())

    began = hasty.began[0]
    assert 1.0 < hasty.sounded[0][0] - began < 2.0
    assert hasty.sounded[0][1] - began == pytest.approx(2.5 + 0.05, abs=0.1)
    assert said(hasty) == ["My number is four four seven.", "Nine one two six."]
    ((start, _),) = patient.sounded
    assert start - patient.began[0] > HALVES.seconds + 2.0
    assert said(patient) == ["My number is four four seven, nine one two six."]


def said(held: Conversed) -> list[str]:
    """The caller's words, turn by turn."""
    return [turn.text for turn in fold_all(held.events).turns.values()]


def test_lines_follow_each_other_in_one_call() -> None:
    """Every line is answered once, also when one is spoken twice; and the same lines give the same call."""
    lines = [QUESTION, replace(QUESTION, name="again")]
    held = converse(lines, AgentSpec(), Took())
    assert len(held.sounded) == len(held.began) == 2
    assert all(began < start for began, (start, _) in zip(held.began, held.sounded, strict=True))
    again = converse(lines, AgentSpec(), Took())
    assert (again.events, again.sounded) == (held.events, held.sounded)
