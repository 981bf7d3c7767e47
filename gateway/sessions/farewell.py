"""The last words in the log of a session that an error of ours ends."""

from collections.abc import Iterable

from schemas.bus import Publication
from schemas.events import Event, SessionEnded, TurnEnded

_OPERATION = 1 << 40
"""Above any of turn-taking's."""


def last_words(error: BaseException, by: str, turns: Iterable[int] = ()) -> Publication:
    """What closes the session. `by`: this gateway; `turns`: that are open."""
    events: list[Event] = [TurnEnded(turn=turn, how="failed", reason="gateway", by=by) for turn in turns]
    events.append(SessionEnded(reason="error", detail=f"{type(error).__name__}: {error}"[:500], by=by))
    return Publication(_OPERATION, events)
