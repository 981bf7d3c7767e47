"""What a terminal and a web page tell of a session: the same words, times and bars."""

import itertools

import pytest

from schemas.session.history import Step, steps_of
from schemas.session.waterfall import PARTS
from schemas.session.words import floor, how, people, totals, users
from tests.archive import Archive
from tests.golden import scenarios


async def told(log: Archive) -> list[Step]:
    return [step async for step in steps_of(log, "s1")]


@pytest.mark.parametrize("scenario", scenarios.SOUND, ids=lambda scenario: scenario.__name__)
async def test_every_step_has_words_and_a_time(scenario) -> None:  # type: ignore[no-untyped-def]
    """Each event of a session is told once, in order: by whom, in words, and not before the session began."""
    steps = await told(Archive(scenario()))
    assert [step.event for step in steps] == scenario()
    assert all(step.line.who and step.line.text for step in steps)
    assert min(step.since for step in steps) >= 0.0


async def test_a_turn_is_explained_where_it_ends() -> None:
    """The waterfall comes with the end of an answered turn; its bars follow each other and fill the whole."""
    steps = await told(Archive(scenarios.plain()))
    (step,) = [step for step in steps if step.waterfall is not None]
    assert step.event.type == "turn.ended"
    shape = step.waterfall
    assert shape is not None
    assert shape.headline == "turn 1: 565 ms from the user's last word to the agent's first sound"
    bars = shape.bars()
    assert [bar.part for bar in bars] == [part for part in PARTS if shape.parts[part]]
    assert sum(bar.milliseconds for bar in bars) == 565
    for bar, following in itertools.pairwise(bars):
        assert following.begins == pytest.approx(bar.begins + bar.seconds)
    assert bars[3].meaning == "its first sound, 20 ms of it queued"


async def test_a_session_in_words() -> None:
    """Who takes part and whose turn it is, what became of each turn, what it all used."""
    steps = await told(Archive(scenarios.barge_in()))
    last = steps[-1].state
    assert (people(last), floor(last)) == ("Caller (gone)", "nobody's")
    assert next((users(turn), how(turn)) for turn in last.turns.values()) == (
        "Tell me a story.", "was interrupted: the user spoke",
    )  # fmt: skip
    assert totals(last).startswith("2 turns, 1 interrupted · ")
    assert totals(last).endswith(" · ended")


async def test_a_second_attempt_is_told() -> None:
    """What somebody else began, and never finished, is no secret of the log's."""
    events = scenarios.plain()
    place = next(place for place, event in enumerate(events) if event.type == "transcript.final")
    assert events[place].cause is not None
    cause = events[place].cause.model_copy(update={"attempt": 2})  # type: ignore[union-attr]
    events[place] = events[place].model_copy(update={"cause": cause})
    steps = await told(Archive(events))
    assert [place for place, step in enumerate(steps) if "attempt 2: whoever had it before" in step.line.detail] == [
        place
    ]
