"""Calls in which people mostly go on as the agent begins, and much else happens: what holds of any call holds of these.

The laws are those of `test_resume_agrees`, `test_fold_agrees`, `test_anything` and `test_decided_again`; these calls are the same
each time.
"""

import random
from typing import Any

import pytest

from gateway.inputs import HungUp
from gateway.turn_taking.barge_in import verdict
from ops.replay._decide import decide
from schemas.codec import event_from_json, event_to_json
from schemas.config.agent import AgentSpec, TurnTaking
from schemas.events import Event, TurnEnded, UtteranceCaptured
from schemas.session.fold import SessionState, fold_all
from schemas.session.promises import violations
from tests.gateway.sessions.test_messages import Narrator, Screen, words
from tests.gateway.turn_taking.anything import SHORT, WHO, play
from tests.gateway.turn_taking.call import Call, Stages
from tests.gateway.turn_taking.kept import Kept
from tests.gateway.turn_taking.test_fold_agrees import known, known_to
from tests.gateway.turn_taking.test_resume_agrees import Watched, at_rest

CALLS = 48
SAID = ("And the weather in Paris.", "no", "um", "mhm", "", "Stop, I said Paris, not London please.", "Ada, and now?")
BESIDES = ("takeover",) * 3 + ("rewind", "full", "away", "noise", "typed", "button", "say", "load", "left", "speech")


def life(number: int, kind: type[Call]) -> Call:
    """One such call, to its end."""
    dice = random.Random(number)
    rules = TurnTaking(
        regret=dice.choice((0.6, 0.6, 2.0)), answer=dice.choice(("anyone", "anyone", "linked", "addressed"))
    )
    agent = AgentSpec(name="Ada", limits=SHORT, patience=dice.choice((0.0, 1.0)), turn_taking=rules)
    pace = (0.0, 0.02, 0.1, 0.1, 0.5)
    stages = Stages(
        stt=dice.choice(pace),
        llm=dice.choice(pace),
        tts=dice.choice(pace),
        replies=[dice.choice((["Yes."], ["One two three.", "Four five six seven."], ["Is it one, two or three?"]))],
        tool=dice.random() < 0.15,
    )
    people = dice.choice((1, 1, 2))
    call = kind(agent, stages, people=WHO[:people])
    call.bus_delay = dice.choice((0.001, 0.001, 0.4))
    moments = [at + dice.random() for at in (1.0, 6.0, 11.0, 16.0) for _ in range(dice.choice((1, 1, 2)))]
    happenings = [_going_on(dice, at) for at in moments]
    happenings += [_besides(dice) for _ in range(dice.choice((0, 1, 3)))]
    play(call, happenings, people)
    return call


def _going_on(dice: random.Random, at: float) -> tuple[Any, ...]:
    after, length = dice.choice((0.0, 0.1, 0.3, 0.5)), dice.choice((0.2, 0.4, 1.4))
    return "goes on", at, after, length, dice.choice(SAID), dice.choice(WHO)


def _besides(dice: random.Random) -> tuple[Any, ...]:
    kind, at = dice.choice(BESIDES), dice.choice((1.0, 6.0, 11.0, 16.0)) + dice.uniform(0.5, 4.0)
    match kind:
        case "speech":
            return kind, at, 0.6, dice.choice(SAID), dice.choice(WHO)
        case "noise":
            return kind, at, dice.choice(WHO)
        case "say":
            return kind, at, dice.random() < 0.5
        case "button" | "away" | "left":
            return kind, at, dice.choice((0.05, 0.5, 1.0))
        case "rewind":
            return kind, at, dice.randint(1, 8)
        case "load":
            return kind, at, dice.choice((0, 50))
        case _:
            return kind, at


def over(call: Call) -> list[Event]:
    call.run(26.0)
    if not call.state.closed:
        call.gives(26.0, HungUp())
    call.run(30.0)
    return call.log


def test_they_are_about_what_they_should_be() -> None:
    """Turns are taken back in most of them, heard as one or as several, once and again."""
    logs = [over(life(number, Call)) for number in range(0, CALLS, 4)]
    back = [[event for event in log if isinstance(event, TurnEnded) and event.into is not None] for log in logs]
    assert sum(map(bool, back)) > len(logs) // 2
    assert any(len(ends) > 2 for ends in back)
    joined = [event for log in logs for event in log if isinstance(event, UtteranceCaptured) and event.joins]
    assert len(joined) > 3


@pytest.mark.parametrize("number", range(0, CALLS, 2))
def test_whoever_takes_over_knows_of_it(number: int) -> None:
    """At every rest the log alone tells the whole state."""
    call = life(number, Watched)
    call.run(26.0)
    assert isinstance(call, Watched)
    assert call.compared


class Folding(Watched):
    """A call whose log is folded as it grows."""

    def __init__(self, *arguments: Any, **more: Any):
        self.folded = SessionState()
        super().__init__(*arguments, **more)

    def compare(self) -> None:
        if self.behind or self.losses or not at_rest(self.state):
            return
        self.compared += 1
        self.folded = fold_all(self.log[self.folded.seq :], self.folded)
        assert known(self.folded) == known_to(self.state), self.show()


@pytest.mark.parametrize("number", range(1, CALLS, 2))
def test_the_fold_knows_of_it(number: int) -> None:
    """Turns, words, sentences, floor and generation are the gateway's, whenever nothing is on its way; but for a lost tail."""
    call = life(number, Folding)
    call.run(26.0)
    assert isinstance(call, Folding)
    assert call.compared


@pytest.mark.parametrize("number", range(CALLS))
def test_no_promise_is_broken_by_it(number: int) -> None:
    """Nor is anybody's line on the screen another than what was said; and every verdict follows from its inputs."""
    call = life(number, Call)
    log = over(call)
    assert log[-1].type == "session.ended", call.show()
    assert not violations(log), "\n".join((*violations(log), call.show()))
    for event in log:
        if (
            isinstance(event, TurnEnded)
            and event.reason in ("taken_back", "barge_in")
            and "text" in (event.inputs or {})
        ):
            expected = "taken_back" if event.into is not None else "interrupts"
            assert verdict(event.inputs or {}, call.agent) == expected
    if not call.losses:
        screen, narrator = Screen(interim=number % 2 == 0), Narrator()
        for event in log:
            for message in narrator.messages(event):
                screen.take(message)
        assert sorted(screen.words.elements()) == words(log), call.show()


@pytest.mark.parametrize("number", range(3, CALLS, 4))
def test_it_is_decided_again_from_the_log_alone(number: int) -> None:
    """Fed what it was fed, the machine decides the same, fact by fact."""
    log = over(life(number, Kept))
    found = decide([event_from_json(event_to_json(event)) for event in log])
    assert found.same, found.differences[:2]
