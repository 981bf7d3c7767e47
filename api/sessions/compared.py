"""Two sessions side by side, as they are compared: few at once, for it takes a core."""

import asyncio
from typing import Any, Literal

from pydantic import BaseModel

from api.problems import Problem
from api.sessions.shapes import ForkedFrom, SessionRow, forked_from, row_of
from api.sessions.stories import Stories
from schemas.session.comparing import Diff, Pair, Session, Told, differences, told

__all__ = ["CompareView", "Comparing"]

_AT_ONCE = 2


class StretchView(BaseModel):
    """Words in a row, as they stand in each: the same, others, only in the first (gone), only in the second (new)."""

    kind: Literal["same", "other", "gone", "new"]
    first: str
    second: str


class DifferenceView(BaseModel):
    """In a sentence of which the second session is the subject. `parts`: it is one by which they part; that one was slower is
    none."""

    kind: str
    text: str
    parts: bool


class SideView(BaseModel):
    """A turn in one of them. `began_s`: of its sound, since the session's beginning; `own`: the agent spoke of its own accord;
    `end`: how it ended, in words."""

    turn: int
    own: bool
    began_s: float
    said: str
    reply: str
    heard: str
    how: str
    end: str
    why: str
    delay_ms: float
    total_ms: float | None
    tools: list[str]
    model: str


class PartView(BaseModel):
    """A part of the wait in both, ms; null: it took none."""

    part: str
    first: float | None
    second: float | None


class PairView(BaseModel):
    """The same turn in both, null where one has none. `parts`: here they are no longer the same; `wer`: of what was heard;
    `heard`, `said`: word by word; `latency`: the total first."""

    first: SideView | None
    second: SideView | None
    parts: bool
    differences: list[DifferenceView]
    wer: float
    heard: list[StretchView]
    said: list[StretchView]
    latency: list[PartView]


class OfSession(BaseModel):
    row: SessionRow
    forked_from: ForkedFrom | None


class SettingView(BaseModel):
    """By its path in an agent file; null: not set."""

    name: str
    first: Any
    second: Any


class FigureView(BaseModel):
    name: Literal["turns", "interrupted", "dropped", "failed", "p50_ms", "worst_ms"]
    first: float | None
    second: float | None


class CompareView(BaseModel):
    """`divergence`: the first of `turns` that differs in more than time, by its place there; null: none does; `wer`: how much was
    heard otherwise, 0 to 1 (docs/looking.md)."""

    first: OfSession
    second: OfSession
    divergence: int | None
    wer: float
    settings: list[SettingView]
    figures: list[FigureView]
    turns: list[PairView]


class Comparing:
    def __init__(self, most_events: int) -> None:
        self._most, self._room = most_events, asyncio.Semaphore(_AT_ONCE)

    async def compare(self, stories: Stories, first: str, second: str) -> CompareView:
        """Problem 404: there is none of that name; 413: one is too long."""
        for name in (first, second):
            info = await stories.exists(name)
            if info.seq > self._most:
                raise Problem(413, "too_long", f"{name[:200]} has {info.seq} events; {self._most} are compared at most")
        async with self._room:
            one, other = await told(stories.reader.log, first), await told(stories.reader.log, second)
            return await asyncio.to_thread(lambda: _view(differences(one, other)))


def _view(found: Diff) -> CompareView:
    return CompareView(
        first=_of(found.first),
        second=_of(found.second),
        divergence=next((place for place, pair in enumerate(found.pairs) if pair.parts), None),
        wer=round(found.wer, 4),
        settings=[SettingView(name=one.name, first=one.before, second=one.after) for one in found.settings],
        figures=[
            FigureView.model_validate({"name": name, "first": before, "second": after})
            for name, (before, after) in found.figures().items()
        ],
        turns=[_pair(pair) for pair in found.pairs],
    )


def _of(session: Session) -> OfSession:
    return OfSession(row=row_of(session.summary), forked_from=forked_from({"forked_from": session.forked_from}))


def _pair(pair: Pair) -> PairView:
    return PairView(
        first=_side(pair.first) if pair.first is not None else None,
        second=_side(pair.second) if pair.second is not None else None,
        parts=pair.parts,
        differences=[DifferenceView(kind=one.kind, text=one.text, parts=one.parts) for one in pair.differences],
        wer=round(pair.heard.rate, 4),
        heard=[StretchView(kind=one.kind, first=one.before, second=one.after) for one in pair.heard.stretches],
        said=[StretchView(kind=one.kind, first=one.before, second=one.after) for one in pair.said.stretches],
        latency=[
            PartView(part=part, first=_ms(before), second=_ms(after))
            for part, (before, after) in pair.latency().items()
        ],
    )


def _side(turn: Told) -> SideView:
    return SideView(
        turn=turn.turn, own=turn.own, began_s=round(turn.at, 3), said=turn.said, reply=turn.reply, heard=turn.heard,
        how=turn.how, end=turn.end, why=turn.why, delay_ms=round(turn.delay * 1e3, 1), total_ms=_ms(turn.total),
        tools=list(turn.tools), model=turn.model,
    )  # fmt: skip


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 1)
