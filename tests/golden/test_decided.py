"""The golden sessions are decided again as they were, and the one that was decided wrongly is refused."""

import shutil
from pathlib import Path

import pytest

from gateway.turn_taking import RULES_VERSION
from ops.replay.check import check, read_stored
from schemas.events import PlaybackStarted, TurnEnded
from tests.golden.decided import DECIDED, write, wrongly_decided
from tests.golden.scenarios import FOLDER, SOUND
from tests.golden.test_golden import stored

RULES = {"gone_on": 2, "looked_up": 4}
"""By which they were decided, where not by the first."""
ALL = [scenario.__name__ for scenario in (*SOUND, *DECIDED)]


@pytest.mark.parametrize("name", ALL)
def test_a_golden_session_is_checked_without_a_fault(name: str) -> None:
    """It keeps its promises, folds to the state beside it, and is decided as it was."""
    checked = check(read_stored(FOLDER / f"{name}.jsonl"))
    assert list(checked.errors) == []
    assert checked.sound


@pytest.mark.parametrize("scenario", DECIDED, ids=lambda scenario: scenario.__name__)
def test_a_session_that_turn_taking_decided_is_decided_again_whole(scenario: object) -> None:
    """Nothing of it is left unjudged."""
    name = getattr(scenario, "__name__", "")
    decided = check(read_stored(FOLDER / f"{name}.jsonl")).decided
    assert decided.facts > 20
    assert (decided.untold, decided.by_inputs, decided.rules) == (0, 0, [RULES.get(name, 1)])


def test_the_broken_log_is_refused() -> None:
    """By its promises, and for want of a state nobody could have stored."""
    checked = check(read_stored(FOLDER / "broken.jsonl"))
    assert not checked.sound
    assert len(checked.broken) == 4


def test_the_wrongly_decided_log_is_refused_with_the_event() -> None:
    """It folds as it was stored, and keeps every promise; only its decision is not what its inputs decide."""
    checked = check(read_stored(FOLDER / f"{wrongly_decided.__name__}.jsonl"))
    assert not checked.broken
    assert not checked.otherwise
    (difference,) = checked.differences
    assert (difference.type, difference.recorded, difference.decided) == (
        "turn.ended",
        {"reason": "empty"},
        {"reason": "backchannel"},
    )


def test_what_is_stored_stays_as_it_was_decided(tmp_path: Path) -> None:
    """Who writes the golden sessions stamps none of another day's rules with today's: only what is named, or not there."""
    for stored_file in FOLDER.glob("*.json*"):
        shutil.copy(stored_file, tmp_path)
    assert write((), tmp_path) == []
    wrong = tmp_path / f"{wrongly_decided.__name__}.jsonl"
    wrong.unlink()
    assert write((), tmp_path) == [wrongly_decided.__name__]
    assert wrong.read_bytes() == (FOLDER / wrong.name).read_bytes()
    assert write(["gone_on"], tmp_path) == ["gone_on"]
    assert check(read_stored(tmp_path / "gone_on.jsonl")).decided.rules == [RULES_VERSION]


def test_the_golden_fault_is_one() -> None:
    """In `cut_in` the agent begins to speak, and is interrupted by the rest of the very sentence it answers."""
    events = stored("cut_in")
    first = next(event for event in events if isinstance(event, PlaybackStarted))
    interrupted = next(event for event in events if isinstance(event, TurnEnded) and event.how == "interrupted")
    assert first.turn == interrupted.turn
