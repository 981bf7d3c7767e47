"""A session walked through: forwards, backwards, to where something happens; and whatever is typed is answered."""

import contextlib
import io
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.replay._expressions import Expression, ExpressionError
from ops.replay.debug import Shell, Walk, WalkError, parse_break
from schemas.session.fold import fold_all
from tests.golden.scenarios import barge_in


def asked(*commands: str) -> tuple[list[tuple[str, Mapping[str, Any]]], Shell]:
    """The answers to some commands, and the shell they were given to."""
    answers: list[tuple[str, Mapping[str, Any]]] = []
    shell = Shell(
        Walk(barge_in()),
        lambda text, value: answers.append((text, value)),
        stdin=io.StringIO("".join(f"{command}\n" for command in commands)),
        stdout=io.StringIO(),
        asks=False,
    )
    shell.cmdloop()
    return answers, shell


def test_wherever_one_goes_the_state_is_that_of_the_log_until_there() -> None:
    """Forwards, backwards, and in jumps."""
    events = barge_in()
    walk = Walk(events)
    for place in (3, 20, 19, 0, len(events), 5, 4, 999, -3, 12):
        walk.go(place)
        at = max(0, min(place, len(events)))
        assert (walk.place, walk.state) == (at, fold_all(events[:at]))


def test_one_stops_where_something_happens() -> None:
    """At a type, on a condition, on both; and where one stopped is told."""
    answers, shell = asked(
        'break turn.ended if event.how == "interrupted"',
        "continue",
        "print turn.heard",
        "print state.turns[2].commit",
        "continue",
    )
    assert not shell.failed
    assert answers[0][1] == {"break": 1, "where": 'turn.ended if event.how == "interrupted"'}
    assert answers[1][1]["event"]["type"] == "turn.ended"
    assert answers[2][1] == {"stopped": 'turn.ended if event.how == "interrupted"'}
    assert answers[3] == ("Once upon a time", {"value": "Once upon a time"})
    assert answers[4][1] == {"value": None}
    assert answers[-1][1] == {"end": True}


def test_what_can_be_asked_is_answered() -> None:
    """Each command has an answer, and its short name the same."""
    answers, shell = asked(
        "help",
        "n 3",
        "s",
        "b",
        "at 14",
        "e",
        "state",
        "turns",
        "chat",
        "break if event.ago > 0.1",
        "c",
        "delete 1",
        "q",
    )
    assert not shell.failed
    assert len(answers) > 20
    assert any("Tell me a story." in text for text, _ in answers)


@pytest.mark.parametrize(
    "command",
    [
        "frobnicate", "at 999", "at x", "n 0", "delete 3", "break", "print", "break nothing.of.the.kind", "print turn.nose",
        "print state.turns[9]", "print __import__('os')", "print (lambda: 1)()", "print event.__class__", "print 1 +",
        "print [x for x in state.turns]", "print state.turns[1:2]", "print open('x')", "print len(1)", "print 'a' * 10",
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence_and_one_goes_on(command: str) -> None:
    """Nothing that is typed ends the walk, or does anything but look."""
    answers, shell = asked("at 14", command, "state")
    assert shell.failed or command == "break"
    assert "Traceback" not in str(answers)
    assert answers[-1][1]["seq"] == 14


def test_where_an_event_has_no_turn_that_is_said() -> None:
    """Not which parts nothing has."""
    answers, _ = asked("at 1", "print turn.heard")
    assert "there is nothing here just now that could have heard" in str(answers[-1])


@given(st.text(max_size=80))
def test_whatever_is_typed_is_answered(text: str) -> None:
    """No text of anybody's raises anything but a sentence."""
    walk = Walk(barge_in())
    walk.go(14)
    with contextlib.suppress(ExpressionError):
        Expression(text).value(walk.names)
    with contextlib.suppress(WalkError, ExpressionError):
        parse_break(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('event.type == "turn.ended"', True),
        ("event.turn in (1, 2) and not state.ended", True),
        ("len(state.turns) >= 2 or event.nothing", True),
        ("state.turns[1].utterances[0].text", "Tell me a story."),
        ("-event.turn < 0 < event.seq", True),
        ("state.floor", "user"),
        ("turn.commit is not None", True),
    ],
)
def test_parts_and_comparisons(text: str, value: object) -> None:
    """Fields, what is read off them, places in lists and tables."""
    walk = Walk(barge_in())
    walk.to(next(event.seq for event in walk.events if event.type == "turn.ended"))
    assert Expression(text).value(walk.names) == value
