"""Stored sessions as a regression test: each must fold to its stored state, keep every promise, and be decided as it was.

A session's stored state stands beside it (`NAME.state.json`), or in its export. What somebody has accepted stands there, too: the
log itself, which is evidence, is never written anew.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops.replay._decide import Decided, Difference, decide
from schemas.codec import event_from_json
from schemas.errors import AntiphonError, EventError, ExportError
from schemas.events import Event
from schemas.session.chat import messages
from schemas.session.export import open_export
from schemas.session.fold import SessionState, fold, fold_all
from schemas.session.promises import violations
from schemas.session.snapshot import view
from schemas.session.waterfall import waterfall

SUFFIXES = (".jsonl", ".zip")
_TOLD_TOO = ("version", "time", "waterfall", "unanswered", "started_at", "ended_at", "duration_s")
"""What `show --json` tells beside an event, and no event has."""
_MOST = 20
"""Places of one state that are told."""


class StoredError(AntiphonError):
    """A stored session that can't be read."""


@dataclass(frozen=True, slots=True)
class Stored:
    """`name`: for people; `state`: as it was stored, None: nowhere; `beside`: the file to write it to, None: of a session that is
    no file; `snapshot`: a fold that was kept of it, by this very fold."""

    name: str
    events: Sequence[Event]
    state: Mapping[str, Any] | None = None
    beside: Path | None = None
    snapshot: SessionState | None = None


@dataclass(slots=True)
class Checked:
    """`broken`: promises that its log breaks, a sentence each; `otherwise`: where it folds to another state than the stored one;
    `differences`: decisions that are taken otherwise now, and were not accepted; `accepted`: those that were."""

    name: str
    events: int
    decided: Decided
    broken: list[str] = field(default_factory=list)
    otherwise: list[str] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    accepted: int = 0

    @property
    def sound(self) -> bool:
        return not (self.broken or self.otherwise or self.differences or self.decided.broken_off)

    @property
    def errors(self) -> Iterator[str]:
        """A sentence each."""
        yield from self.broken
        yield from self.otherwise
        yield from (difference.sentence for difference in self.differences)
        if self.decided.broken_off:
            yield f"not decided to its end: {self.decided.broken_off}"

    def view(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "name": self.name,
            "sound": self.sound,
            "events": self.events,
            "rules": self.decided.rules,
            "decided": self.decided.facts,
            "decided_by_inputs": self.decided.by_inputs,
            "untold": self.decided.untold,
            "accepted": self.accepted,
            "broken": self.broken,
            "state": self.otherwise,
            "differences": [difference.view() for difference in self.differences],
            "broken_off": self.decided.broken_off,
        }


def check(stored: Stored) -> Checked:
    """Fold it, and decide it again."""
    checked = Checked(stored.name, len(stored.events), decide(stored.events), violations(stored.events))
    accepted = ((stored.state or {}).get("decided") or {}).get("otherwise") or []
    for difference in checked.decided.differences:
        if json.loads(json.dumps(difference.view())) in accepted:
            checked.accepted += 1
        else:
            checked.differences.append(difference)
    if stored.beside is not None and stored.state is None:
        checked.otherwise = [f"no stored state: expected {stored.beside}; --accept writes it"]
    elif stored.state is not None:
        checked.otherwise = list(_differing(stored.state, _as_stored(stored.events, stored.state)))
    if stored.snapshot is not None and not _folds_to(stored.events, stored.snapshot):
        checked.otherwise.append(f"the state kept after event {stored.snapshot.seq} is not what its log folds to")
    return checked


def _folds_to(events: Sequence[Event], snapshot: SessionState) -> bool:
    now = fold_all(event for event in events if event.seq <= snapshot.seq)
    return bool(view(now) == view(snapshot))


def accept(stored: Stored, checked: Checked) -> Path:
    """Record anew, beside it, what it amounts to and what is decided otherwise; the log stays as it is. StoredError: it breaks
    promises, or can't be decided to its end, which nobody can accept; or the file can't be written."""
    if stored.beside is None:
        raise StoredError(f"{stored.name}: a session of the log has no stored state; export it, and accept that")
    if checked.broken:
        raise StoredError(f"{stored.name}: {checked.broken[0]}; a log that breaks a promise can't be accepted")
    if checked.decided.broken_off:
        raise StoredError(
            f"{stored.name}: {checked.decided.broken_off}; what isn't decided to its end can't be accepted"
        )
    told: dict[str, Any] = amounts_to(stored.events)
    if checked.decided.differences:
        views = [difference.view() for difference in checked.decided.differences]
        told["decided"] = {"otherwise": views}
    try:
        stored.beside.write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise StoredError(f"{stored.beside}: cannot be written ({error.strerror}); give a file elsewhere") from None
    return stored.beside


def amounts_to(events: Iterable[Event]) -> dict[str, Any]:
    """What stands in NAME.state.json: the chat before each turn's end, each turn's waterfall, and the last state."""
    state = SessionState()
    chats, waterfalls = {}, {}
    for event in events:
        if event.type == "turn.ended" and event.turn is not None:
            chats[str(event.turn)] = messages(state, event.turn)
        state = fold(state, event)
        shape = waterfall(state, event.turn) if event.turn is not None else None
        if shape is not None:
            waterfalls[str(event.turn)] = shape.view()
    last = view(state)
    del last["agent"]
    return {"chats": chats, "waterfalls": waterfalls, "state": last}


def _as_stored(events: Sequence[Event], state: Mapping[str, Any]) -> dict[str, Any]:
    """What the session amounts to, in the shape of what was stored of it: an export holds its last state alone."""
    now = amounts_to(events) if "chats" in state else view(fold_all(events))
    told: dict[str, Any] = json.loads(json.dumps(now))
    return told


def _differing(stored: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Where two states differ, a sentence a place, the first few."""
    places = list(_places({name: value for name, value in stored.items() if name != "decided"}, now, ""))
    for path, was, found in places[:_MOST]:
        yield f"state {path}: stored {_shown(was)}, folds to {_shown(found)} now"
    if len(places) > _MOST:
        yield f"state: {len(places) - _MOST} places more"


_NOTHING = object()


def _places(stored: Any, now: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(stored, dict) and isinstance(now, dict):
        for name in {**stored, **now}:
            yield from _places(stored.get(name, _NOTHING), now.get(name, _NOTHING), f"{path}.{name}".lstrip("."))
    elif isinstance(stored, list) and isinstance(now, list) and len(stored) == len(now):
        for place, (was, found) in enumerate(zip(stored, now, strict=True)):
            yield from _places(was, found, f"{path}[{place}]")
    elif stored != now:
        yield path, stored, now


def _shown(value: Any) -> str:
    if value is _NOTHING:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else f"{text[:117]}..."


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def files_in(path: Path) -> list[Path]:
    """The stored sessions of a folder, by name; of a file: itself."""
    return sorted(one for one in path.iterdir() if one.suffix in SUFFIXES) if path.is_dir() else [path]


def read_stored(path: Path) -> Stored:
    """A session from a file: events, an object a line, or an export. StoredError."""
    beside = path.with_suffix(".state.json")
    state = _json(beside) if beside.exists() else None
    if path.suffix != ".zip":
        return Stored(str(path), events_in(path), state, beside)
    try:
        with open_export(path) as export:
            return Stored(str(path), list(export.stored()), export.state or None if state is None else state, beside)
    except ExportError as error:
        why = str(error).removeprefix(f"{path}: ")
        raise StoredError(f"{path}: expected an export of a session, and can't read it ({why})") from None
    except EventError as error:
        raise StoredError(f"{path}: {error}") from None


def events_in(path: Path) -> list[Event]:
    """The events of a file of them, one a line. StoredError."""
    try:
        with path.open("rb") as lines:
            return _events(lines, str(path))
    except OSError as error:
        raise StoredError(f"{path}: cannot be read ({error.strerror}); give a file of events or an export") from None


def _events(lines: Iterable[bytes], name: str) -> list[Event]:
    events = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
            if not isinstance(fields, dict):
                raise ValueError(f"an object was expected, found {type(fields).__name__}")
            events.append(event_from_json({name: value for name, value in fields.items() if name not in _TOLD_TOO}))
        except EventError as error:
            raise StoredError(f"{name}, line {number}: {error}") from None
        except (ValueError, RecursionError) as error:  # a UnicodeDecodeError is the former
            raise StoredError(f"{name}, line {number}: expected an event as JSON ({error})") from None
    if not events:
        raise StoredError(f"{name}: there is no event in it")
    return events


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise StoredError(f"{path}: expected a session's stored state as JSON ({error})") from None
    if not isinstance(found, dict):
        raise StoredError(f"{path}: expected a session's stored state, found {type(found).__name__}")
    return found
