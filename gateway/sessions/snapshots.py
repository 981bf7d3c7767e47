"""Folds of a session's log, written beside a publication every 100 events, so that nobody must read a long log from its start."""

from collections.abc import Iterable

from schemas.bus import Snapshot
from schemas.events import Event
from schemas.session.fold import FOLD_VERSION, SessionState, fold
from schemas.session.snapshot import dump

EVERY = 100


class Snapshots:
    """Follows the log event by event."""

    def __init__(self, events: Iterable[Event] = ()):
        self._state = SessionState()
        self._written = self._sent = 0
        for event in events:
            self._state = fold(self._state, event)
        self._written = self._state.seq  # the next one is due when this one is a hundred events old

    def add(self, event: Event) -> None:
        """The next event of the log."""
        self._state = fold(self._state, event)

    def due(self) -> Snapshot | None:
        """A snapshot, when there have been enough events since the last."""
        if self._state.seq - self._written < EVERY:
            return None
        self._sent = self._state.seq
        return Snapshot(self._state.seq, FOLD_VERSION, dump(self._state))

    def written(self) -> None:
        """The one that was due is in the log."""
        self._written = max(self._written, self._sent)
