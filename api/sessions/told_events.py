"""Events as they are answered: made into JSON once, since they never change, whoever asks for them how often."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json

from api.times import iso
from schemas.codec import event_to_json
from schemas.events import FED, Event
from schemas.session.fold import fold
from schemas.session.state import SessionState
from schemas.session.words import line

CHUNK = 200
"""Events between two states that a story keeps: from each of them a chunk can be made."""
_ELSEWHERE = {"seq", "at", "type", "turn"}


@dataclass(frozen=True, slots=True)
class Page:
    """`events`: each one's place and JSON (`EventView`); `next`: where to go on, None: that was all there is now."""

    events: Sequence[tuple[int, bytes]]
    next: int | None


@dataclass(slots=True)
class Chunk:
    """Events in a row, up to CHUNK of them. `state`: the session after the last; `told`: place, type and JSON of each;
    `size`: bytes of that."""

    state: SessionState
    told: list[tuple[int, str, bytes]] = field(default_factory=list)
    size: int = 0

    @property
    def last(self) -> int:
        return self.state.seq

    def add(self, event: Event) -> int:
        """The next event; one that is here already, or comes too early, changes nothing. Bytes that it takes."""
        if event.seq != self.state.seq + 1:
            return 0
        self.state = fold(self.state, event)
        text = event_json(event, self.state)
        self.told.append((event.seq, event.type, text))
        self.size += len(text)
        return len(text)

    def after(self, seq: int) -> list[tuple[int, str, bytes]]:
        first = self.told[0][0] if self.told else 0
        return self.told[max(0, seq + 1 - first) :]


def event_json(event: Event, state: SessionState) -> bytes:
    """An `EventView` as JSON. `state`: the session after it."""
    told = line(event, state)
    fields = event_to_json(event)
    view: dict[str, Any] = {
        "seq": event.seq,
        "type": event.type,
        "at_s": round(event.happened - state.started_at / 1e6, 4),
        "at": iso(event.at),
        "turn": event.turn,
        "line": {"who": told.who, "text": told.text, "detail": told.detail, "style": told.style},
        "body": {name: value for name, value in fields.items() if name not in _ELSEWHERE},
    }
    if inputs := fields.get(
        "inputs"
    ):  # what turn-taking was fed is for those who decide it again, and most of the bytes
        view["body"]["inputs"] = {name: value for name, value in inputs.items() if name != FED}
    return to_json(view, inf_nan_mode="null")
