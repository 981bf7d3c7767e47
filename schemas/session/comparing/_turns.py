"""What became of each turn of a session, as far as two sessions can be compared in it; and which turns are the same one's."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.bus import Reading
from schemas.events import Event, TurnCommitted, TurnEnded, UtteranceCaptured
from schemas.session import words
from schemas.session.comparing._words import likeness
from schemas.session.history import events_of
from schemas.session.state import SessionState, Turn
from schemas.session.summary import Summary, Telling
from schemas.session.unanswered import Unanswered, unanswered
from schemas.session.waterfall import Waterfall, waterfall_of


@dataclass(frozen=True, slots=True)
class Told:
    """One turn. Seconds. `at`: since the session's beginning, of its first speech, message or decision; `said`: by its users;
    `reply`: all that the agent meant to say, `heard`: what of it was heard; `commits`: how often the floor was given, `captures`:
    how often something was sent to be heard; `delay`: of the commit that counts, since the last speech; `committed`: of that,
    since the session's beginning; `shape`: why its answer took as long as it did, counted `since` then."""

    turn: int
    own: bool
    at: float
    said: str = ""
    reply: str = ""
    heard: str = ""
    how: str = ""
    reason: str = ""
    why: str = ""
    delay: float = 0.0
    committed: float | None = None
    commits: int = 0
    captures: int = 0
    over: bool = False
    tools: tuple[str, ...] = ()
    model: str = ""
    shape: Waterfall | None = None
    since: float = 0.0

    @property
    def end(self) -> str:
        """How it ended, in words."""
        return words.ended_turn(self.how, self.reason) if self.how else "goes on"

    @property
    def total(self) -> float | None:
        """From the user's last word to the agent's first sound; None: none was heard, or nobody waited for it, or it was taken
        back."""
        counts = self.shape is not None and not self.own and self.answered and not self.shape.restart
        return self.shape.total if self.shape is not None and counts else None

    @property
    def answered(self) -> bool:
        """Something of it was heard."""
        return self.shape is not None and not isinstance(self.shape, Unanswered)

    def view(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "turn": self.turn,
            "own": self.own,
            "at_s": round(self.at, 3),
            "said": self.said,
            "reply": self.reply,
            "heard": self.heard,
            "how": self.how,
            "reason": self.reason,
            "why": self.why,
            "delay_s": round(self.delay, 3),
            "commits": self.commits,
            "captures": self.captures,
            "over": self.over,
            "tools": list(self.tools),
            "waterfall": self.shape.view() if self.shape is not None else None,
        }


@dataclass(frozen=True, slots=True)
class Session:
    """`summary`: in a line; `agent`: its spec as JSON values; `turns`: in order of their beginning; `forked_from`: what it says
    it was made of."""

    summary: Summary
    agent: dict[str, Any]
    turns: tuple[Told, ...]
    forked_from: dict[str, Any] = field(default_factory=dict)


async def told(log: Reading, session: str) -> Session:
    """The whole session."""
    telling = Telling(session)
    watched: dict[int, _Watched] = {}
    turns: list[Told] = []
    async for event in events_of(log, session):
        telling.add(event)
        if event.turn is None:
            continue
        seen = watched.setdefault(event.turn, _Watched())
        seen.add(event)
        if isinstance(event, TurnEnded) and (turn := telling.state.turns.get(event.turn)) is not None:
            turns.append(seen.told(turn, telling.state))
    state = telling.state
    turns += [watched[turn.id].told(turn, state) for turn in state.turns.values() if turn.end is None]
    forked = state.metadata.get("forked_from")
    return Session(
        telling.summary(),
        state.agent.model_dump(mode="json"),
        tuple(sorted(turns, key=lambda turn: (turn.at, turn.turn))),
        dict(forked) if isinstance(forked, dict) else {},
    )


class _Watched:
    """What the fold does not keep of a turn."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._commits = self._captures = 0

    def add(self, event: Event) -> None:
        if self._first is None:
            self._first = event.happened
        if isinstance(event, TurnCommitted):
            self._commits += 1
        elif isinstance(event, UtteranceCaptured):
            self._captures += 1

    def told(self, turn: Turn, state: SessionState) -> Told:
        began = state.started_at / 1e6
        commit, reply, end = turn.commit, turn.reply, turn.end
        shape = waterfall_of(turn) or unanswered(turn, end.at if end is not None else state.at)
        return Told(
            turn=turn.id,
            own=turn.own,
            at=max(0.0, (self._first or began) - began),
            said=turn.text,
            reply=" ".join(one.text for _, one in sorted(reply.sentences.items())) if reply is not None else "",
            heard=turn.heard,
            how=end.how if end is not None else "",
            reason=end.reason if end is not None else "",
            why=commit.why if commit is not None else "",
            delay=commit.delay if commit is not None else 0.0,
            committed=(commit.at / 1e6 - began) if commit is not None else None,
            commits=self._commits,
            captures=self._captures,
            over=any(one.over for one in turn.utterances),
            tools=tuple(f"{one.name}({_arguments(one.arguments)})" for one in reply.tools) if reply is not None else (),
            model=reply.model if reply is not None else "",
            shape=shape,
            since=shape.began_at / 1e6 - began if shape is not None else 0.0,
        )


def _arguments(arguments: Any) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in dict(arguments).items())


# ── which turns are the same ─────────────────────────────────────────────────────────────────────────────────────────

Pair = tuple[Told | None, Told | None]
_ALONE = 0.55
"""What it costs to say that a turn has none like it; two of them cost more than a pair that have next to nothing in common."""
_DRIFT = 8.0
"""Seconds apart at which two turns are half as likely the same."""
_BAND = 80
"""Turns by which numbers may drift apart, at the least: more are never compared."""
_MOST, _FEWER = 8_000_000, 2_000
"""Pairs of turns that are weighed; and where there were more (thousands of turns here, and far fewer there), the turns of each
whose like is looked for."""


def paired(first: Sequence[Told], second: Sequence[Told]) -> list[Pair]:
    """Each turn of both with the one of the other that it is, in order: by what was said and when, whatever its number. (The
    shortest way through all pairs, as two texts are compared.)"""
    rows, columns = len(first), len(second)
    band = max(_BAND, abs(rows - columns) + _BAND // 2)
    if rows * min(2 * band, columns) > _MOST:
        pairs = paired(first[:_FEWER], second[:_FEWER])
        return [*pairs, *((one, None) for one in first[_FEWER:]), *((None, other) for other in second[_FEWER:])]
    costs = _Costs(band)
    for row in range(rows + 1):
        costs.begin(row)
        for column in range(max(0, row - band), min(columns, row + band) + 1):
            if row == column == 0:
                costs.add(0.0)
                continue
            ways = []
            if row:
                ways.append(costs.at(row - 1, column) + _ALONE)
            if column:
                ways.append(costs.at(row, column - 1) + _ALONE)
            if row and column:
                ways.append(costs.at(row - 1, column - 1) + _unlike(first[row - 1], second[column - 1]))
            costs.add(min(ways))
    return _walked(first, second, costs)


class _Costs:
    """Of the shortest ways, those within the band: of the others there are too many."""

    def __init__(self, band: int) -> None:
        self._band = band
        self._rows: list[list[float]] = []

    def begin(self, row: int) -> None:
        assert row == len(self._rows)
        self._rows.append([])

    def add(self, cost: float) -> None:
        """Of the next column."""
        self._rows[-1].append(cost)

    def at(self, row: int, column: int) -> float:
        place, known = column - max(0, row - self._band), self._rows[row]
        return known[place] if 0 <= place < len(known) else float("inf")


def _walked(first: Sequence[Told], second: Sequence[Told], costs: _Costs) -> list[Pair]:
    pairs: list[Pair] = []
    row, column = len(first), len(second)
    while row or column:
        here = costs.at(row, column)
        if row and column and here == costs.at(row - 1, column - 1) + _unlike(first[row - 1], second[column - 1]):
            row, column = row - 1, column - 1
            pairs.append((first[row], second[column]))
        elif row and here == costs.at(row - 1, column) + _ALONE:
            row -= 1
            pairs.append((first[row], None))
        else:
            column -= 1
            pairs.append((None, second[column]))
    return pairs[::-1]


def _unlike(one: Told, other: Told) -> float:
    """0: surely the same; 1: not at all."""
    if one.own != other.own:
        return 2 * _ALONE + 0.01
    near = 1 / (1 + (abs(one.at - other.at) / _DRIFT) ** 2)
    if one.own:
        alike = 0.5 * (one.why == other.why) + 0.5 * likeness(one.reply, other.reply)
    else:
        alike = likeness(one.said, other.said)
    return 1 - (0.6 * alike + 0.4 * near)
