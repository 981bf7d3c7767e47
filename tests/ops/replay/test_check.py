"""Stored sessions as a regression test: what is otherwise is told, what was accepted is known, what no one can read, too."""

import json
import zipfile
from pathlib import Path

import pytest

from ops.replay.check import Stored, StoredError, accept, amounts_to, check, files_in, read_stored
from schemas.codec import event_to_json
from schemas.events import Event, TurnEnded
from schemas.session.fold import fold_all
from schemas.session.snapshot import view
from tests.golden.decided import talked_over, wrongly_decided
from tests.golden.scenarios import barge_in, broken, plain
from tests.golden.test_golden import state_of


def write(folder: Path, name: str, events: list[Event], *, state: object = None) -> Path:
    """A stored session in a file, and its state beside it."""
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(event_to_json(event)) + "\n" for event in events), "utf-8")
    if state is not None:
        (folder / f"{name}.state.json").write_text(json.dumps(state), "utf-8")
    return path


def test_what_a_session_amounts_to_is_what_the_golden_files_hold() -> None:
    """One meaning of a stored state, here and in the golden test."""
    assert amounts_to(barge_in()) == state_of(barge_in())


def test_a_state_that_differs_is_told_by_its_places(tmp_path: Path) -> None:
    """What was stored, and what it folds to now."""
    state = json.loads(json.dumps(amounts_to(plain())))
    state["state"]["totals"]["turns"] = 7
    state["waterfalls"]["1"]["parts"]["stt"] = 9.5
    checked = check(read_stored(write(tmp_path, "plain", plain(), state=state)))
    assert checked.otherwise == [
        "state waterfalls.1.parts.stt: stored 9.5, folds to 0.1 now",
        "state state.totals.turns: stored 7, folds to 1 now",
    ]


def test_a_session_without_a_state_says_how_to_store_one(tmp_path: Path) -> None:
    """A new golden session is one `--accept` away."""
    path = write(tmp_path, "plain", plain())
    checked = check(read_stored(path))
    assert checked.otherwise == [f"no stored state: expected {tmp_path / 'plain.state.json'}; --accept writes it"]
    assert accept(read_stored(path), checked) == tmp_path / "plain.state.json"
    assert check(read_stored(path)).sound


def test_what_was_accepted_is_known_and_anything_else_is_not(tmp_path: Path) -> None:
    """A decision that is taken otherwise now stays accepted; the next one is told."""
    path = write(tmp_path, "call", wrongly_decided(), state=amounts_to(wrongly_decided()))
    before = path.read_bytes()
    checked = check(read_stored(path))
    assert len(checked.differences) == 1
    accept(read_stored(path), checked)
    again = check(read_stored(path))
    assert (again.sound, again.accepted) == (True, 1)
    assert path.read_bytes() == before  # evidence
    worse = [
        event.model_copy(update={"reason": "empty"})
        if isinstance(event, TurnEnded) and event.how == "played"
        else event
        for event in wrongly_decided()
    ]
    write(tmp_path, "call", worse)
    found = check(read_stored(path))
    assert found.accepted == 1
    assert found.differences


def test_a_log_that_breaks_a_promise_cannot_be_accepted(tmp_path: Path) -> None:
    """Whatever somebody says of it."""
    path = write(tmp_path, "broken", broken())
    checked = check(read_stored(path))
    with pytest.raises(StoredError, match="can't be accepted"):
        accept(read_stored(path), checked)


def test_an_export_is_checked_with_its_own_state(tmp_path: Path) -> None:
    """The zip alone is enough; what is accepted of it stands beside it."""
    path = tmp_path / "call.zip"
    events = talked_over()
    with zipfile.ZipFile(path, "w") as export:
        export.writestr("events.jsonl", "".join(json.dumps(event_to_json(event)) + "\n" for event in events))
        export.writestr("state.json", json.dumps(view(fold_all(events))))
    checked = check(read_stored(path))
    assert list(checked.errors) == []
    with zipfile.ZipFile(path, "w") as export:
        export.writestr("events.jsonl", "".join(json.dumps(event_to_json(event)) + "\n" for event in events))
        export.writestr("state.json", json.dumps({**view(fold_all(events)), "generation": 77}))
    checked = check(read_stored(path))
    assert len(checked.otherwise) == 1
    assert checked.otherwise[0].startswith("state generation: stored 77")
    assert accept(read_stored(path), checked) == tmp_path / "call.state.json"
    assert check(read_stored(path)).sound


def test_a_kept_state_that_its_log_does_not_fold_to_is_told() -> None:
    """Of a session of the log: a snapshot is checked as a stored state is."""
    events = plain()
    good, wrong = fold_all(events[:10]), fold_all(barge_in()[:10])
    assert check(Stored("s1", events, snapshot=good)).sound
    assert check(Stored("s1", events, snapshot=wrong)).otherwise == [
        "the state kept after event 10 is not what its log folds to"
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is no event in it"),
        ("{", "line 1: expected an event as JSON"),
        ("[1]", "line 1: expected an event as JSON (an object was expected, found list)"),
        pytest.param("[" * 200_000, "line 1: expected an event as JSON", id="nested"),
        ('{"seq": 1}', "line 1: an event has whole numbers seq and at"),
        ('{"seq": 1, "at": 1, "type": "session.imagined"}', "a newer program wrote it"),
        ('{"seq": 1, "at": 1, "type": "turn.ended", "turn": "x"}', "line 1: event 1 (turn.ended) can't be read"),
        ("\x00\x01", "line 1: expected an event as JSON"),
    ],
)
def test_a_file_that_is_no_session_is_one_sentence(text: str, says: str, tmp_path: Path) -> None:
    """With its name, and the line."""
    path = tmp_path / "call.jsonl"
    path.write_text(text, "utf-8")
    with pytest.raises(StoredError) as error:
        read_stored(path)
    assert str(error.value).startswith(str(path))
    assert says in str(error.value)


def test_a_file_that_is_not_there_and_a_zip_that_is_none(tmp_path: Path) -> None:
    """One sentence each."""
    with pytest.raises(StoredError, match=r"gone\.jsonl: cannot be read"):
        read_stored(tmp_path / "gone.jsonl")
    (tmp_path / "call.zip").write_bytes(b"PK")
    with pytest.raises(StoredError, match=r"call\.zip: expected an export"):
        read_stored(tmp_path / "call.zip")
    (tmp_path / "call.jsonl").write_text("x")
    assert [path.name for path in files_in(tmp_path)] == ["call.jsonl", "call.zip"]
