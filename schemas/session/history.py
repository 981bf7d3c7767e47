"""A session's log as people read it: in pages, followed while it grows, its answered turns explained. `antiphon show` and
`export` print what is here; whoever tells of sessions elsewhere reads the same."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from schemas.bus import Reading
from schemas.events import Event, TurnEnded
from schemas.session.altered import altered
from schemas.session.fold import SessionState, Turn, fold
from schemas.session.unanswered import Unanswered, unanswered
from schemas.session.waterfall import Waterfall, waterfall_of
from schemas.session.words import Line, line

_POLL = 0.2
_PAGE = 500


async def events_of(log: Reading, session: str, *, follow: bool = False) -> AsyncIterator[Event]:
    """The log in pages. `follow`: until the session ends, from the last event inclusive, so that a lost tail is noticed: then all
    is read again, from event 1."""
    last: Event | None = None
    while True:
        page = await log.read(session, last.seq - 1 if last and follow else last.seq if last else 0, _PAGE)
        if follow and last is not None:
            if not page or (page[0].seq, page[0].at) != (last.seq, last.at):
                last = None
                continue
            page = page[1:]
        for event in page:
            last = event
            yield event
        if last is not None and last.type == "session.ended":
            return
        if not page:
            if not follow:
                return
            await asyncio.sleep(_POLL)


@dataclass(frozen=True, slots=True)
class Step:
    """One event of a session that is told. `state`: the session after it; `waterfall`: of the turn that ended with it, where
    anything of that was played; `unanswered`: where it should have been."""

    event: Event
    state: SessionState
    waterfall: Waterfall | None
    unanswered: Unanswered | None = None

    @property
    def since(self) -> float:
        """Seconds from the session's beginning to what the event tells."""
        return self.event.happened - self.state.started_at / 1e6

    @property
    def line(self) -> Line:
        """The event in words."""
        return line(self.event, self.state)


async def steps_of(log: Reading, session: str, *, follow: bool = False) -> AsyncIterator[Step]:
    """The session, event by event; `follow` as with `events_of`: where the log lost its tail, all is told again."""
    state = SessionState()
    standing = state.turns
    async for event in events_of(log, session, follow=follow):
        if event.seq <= state.seq:  # read again
            state = SessionState()
        state = fold(state, event)
        cut_off = isinstance(event, TurnEnded) and event.reason == "session"
        turn = state.turns.get(event.turn or 0) if isinstance(event, TurnEnded) else None
        if turn is None:
            yield Step(event, state, None)
        else:
            yield Step(event, state, waterfall_of(turn), unanswered(_as_it_stood(turn, standing), event.at))
        standing = standing if cut_off else state.turns


def _as_it_stood(turn: Turn, standing: Mapping[int, Turn]) -> Turn:
    """With the reply it waited for: of the turns that a call's end cuts off, the end of the first voids those of the others.
    `standing`: the turns before that."""
    before = standing.get(turn.id)
    return altered(turn, reply=before.reply) if turn.reply is None and before is not None else turn


async def answered_turns(log: Reading, session: str) -> list[tuple[Waterfall, SessionState]]:
    """Every answered turn's waterfall, in order, each with the session as it was when that turn ended. One that was taken back
    answered nothing."""
    found = [(step.waterfall, step.state) async for step in steps_of(log, session) if step.waterfall is not None]
    return [(shape, state) for shape, state in found if not shape.restart]


async def waterfalls(log: Reading, session: str) -> list[dict[str, Any]]:
    """Every answered turn's waterfall as JSON values, in order: `turn kind total parts queued text heard`."""
    found = []
    for shape, state in await answered_turns(log, session):
        turn = state.turns[shape.turn]
        found.append(shape.view() | {"text": turn.text, "heard": turn.heard})
    return found
