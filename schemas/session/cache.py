"""The fold of a session as it is kept: snapshot, tail, and a cache that notices when the log lost its tail."""

from collections import OrderedDict

from schemas.bus import Milestones, Reading
from schemas.errors import EventError
from schemas.events import Event
from schemas.session.fold import FOLD_VERSION, fold, fold_all
from schemas.session.snapshot import load
from schemas.session.state import SessionState

_PAGE = 500


class Folds:
    """States by session, the latest used kept: an LLM worker that answers a session again reads only what is new."""

    def __init__(self, log: Reading, size: int = 256):
        self._log = log
        self._size = size
        self._states: OrderedDict[str, SessionState] = OrderedDict()

    async def folded(self, session: str, upto: int | None = None, job: str | None = None) -> SessionState:
        """The state after event `upto` (None: the last one). A log that ends before `upto` is folded to its end.

        `job`: also fold the later events whose `cause` is this job: what its earlier attempts committed.
        """
        known = self._states.get(session)
        base = known if known is not None and (upto is None or known.seq <= upto) else None
        state, later = await _read(self._log, session, base, upto, wants_later=job is not None)
        if known is None or known is base or state.seq >= known.seq:
            self._states[session] = state
            self._states.move_to_end(session)
            if len(self._states) > self._size:
                self._states.popitem(last=False)
        return _and_of_job(state, later, job)

    def forget(self, session: str) -> None:
        self._states.pop(session, None)


async def folded(log: Reading, session: str, upto: int | None = None, job: str | None = None) -> SessionState:
    """`Folds.folded`, for who asks once."""
    return await Folds(log).folded(session, upto, job)


async def _read(
    log: Reading, session: str, base: SessionState | None, upto: int | None, *, wants_later: bool
) -> tuple[SessionState, list[Event]]:
    """The state at `upto`, and the events after it if they are wanted."""
    if base is None:
        base = await _snapshot(log, session, upto)
    state = base
    after = max(base.seq - 1, 0)  # from its last event inclusive: is it the one that was folded?
    later: list[Event] = []
    while True:
        wanted = _PAGE if upto is None or wants_later else min(max(1, upto - after), _PAGE)
        page = await log.read(session, after, wanted)
        full, last = len(page) == wanted, page[-1].seq if page else after
        if after < base.seq:
            if not page or (page[0].seq, page[0].at) != (base.seq, base.at):  # the log lost its tail: anew
                return await _read(log, session, SessionState(), upto, wants_later=wants_later)
            after = base.seq
            page = page[1:]
        known = page if upto is None else [event for event in page if event.seq <= upto]
        state = fold_all(known, state) if known else state
        later += page[len(known) :]
        if not full or (not wants_later and upto is not None and last >= upto):
            return state, later
        after = last


async def _snapshot(log: Reading, session: str, upto: int | None) -> SessionState:
    kept = (
        log.snapshot_before(session, upto)
        if upto is not None and isinstance(log, Milestones)
        else log.snapshot(session)
    )
    found = await kept
    if found is None or found.version != FOLD_VERSION or (upto is not None and found.seq > upto):
        return SessionState()
    try:
        return load(found.state)
    except EventError:
        return SessionState()


def _and_of_job(state: SessionState, later: list[Event], job: str | None) -> SessionState:
    for event in later:
        if event.cause is not None and event.cause.job == job:
            state = fold(state, event)
    return state
