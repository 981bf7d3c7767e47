"""The golden sessions: stored logs fold to the stored state, keep every promise, and the broken one is caught."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from schemas.codec import event_from_json
from schemas.events import Event
from schemas.session.chat import messages
from schemas.session.fold import SessionState, fold
from schemas.session.promises import violations
from schemas.session.snapshot import view
from schemas.session.waterfall import waterfall
from tests.golden.scenarios import FOLDER, SOUND, broken

NAMES = [scenario.__name__ for scenario in SOUND]


def state_of(events: Sequence[Event]) -> dict[str, Any]:
    """What stands in NAME.state.json: the chat before each turn's end, each turn's waterfall, and the last state."""
    state = SessionState()
    chats, waterfalls = {}, {}
    for event in events:
        if event.type == "turn.ended":
            chats[str(event.turn)] = messages(state, event.turn)
        state = fold(state, event)
        shape = waterfall(state, event.turn)
        if shape is not None:
            waterfalls[str(event.turn)] = shape.view()
    last = view(state)
    del last["agent"]
    return {"chats": chats, "waterfalls": waterfalls, "state": last}


def stored(name: str) -> list[Event]:
    lines = (FOLDER / f"{name}.jsonl").read_text("utf-8").splitlines()
    return [event_from_json(json.loads(line)) for line in lines]


@pytest.mark.parametrize("name", NAMES)
def test_a_stored_log_folds_to_the_stored_state(name: str) -> None:
    """The same log means the same, release after release."""
    expected = json.loads((FOLDER / f"{name}.state.json").read_text("utf-8"))
    assert json.loads(json.dumps(state_of(stored(name)))) == expected


@pytest.mark.parametrize("name", NAMES)
def test_a_sound_log_keeps_every_promise(name: str) -> None:
    """The checker has nothing to say about a session that went right, whole or so far."""
    events = stored(name)
    assert violations(events) == []
    assert all(violations(events[:count]) == [] for count in range(1, len(events)))


def test_the_broken_log_is_caught() -> None:
    """The one log that must fail does, for each of its four faults."""
    found = "\n".join(violations(stored("broken")))
    assert "of generation 0, which event" in found
    assert "sentence 0 of turn 2 played a second time" in found
    assert "turn 2, named first by event" in found
    assert "seq has a gap" in found
    assert len(found.splitlines()) == 4, found


@pytest.mark.parametrize("scenario", [*SOUND, broken], ids=lambda scenario: scenario.__name__)
def test_the_stored_logs_are_those_of_the_scenarios(scenario: Any) -> None:
    """Who changes a scenario writes its files anew: python -m tests.golden.scenarios. (A stored session keeps the agent's
    defaults of its day, so those may differ.)"""
    kept, (first, *rest) = stored(scenario.__name__), scenario()
    assert kept == [first.model_copy(update={"agent": kept[0].agent}), *rest]
