"""Where two sessions part: turn by turn, what was heard, decided, said, and how long it took. Pure but for reading them."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from schemas.session.comparing._turns import Session, Told, paired, told
from schemas.session.comparing._words import Compared, Stretch, compared, compared_all
from schemas.session.waterfall import PARTS, name_of

__all__ = [
    "PARTING",
    "Compared",
    "Diff",
    "Difference",
    "Pair",
    "Session",
    "Setting",
    "Stretch",
    "Told",
    "compared",
    "differences",
    "told",
]

Kind = Literal["alone", "heard", "decided", "said", "tools", "ended", "listened", "slower", "faster"]
"""alone: the other session has no such turn · heard: another transcript · decided: the floor was given earlier, later or for
another reason · said: another reply · tools: called otherwise · ended: another end · listened: it was sent to be heard
more often, or less · slower, faster: another wait."""
PARTING: frozenset[Kind] = frozenset({"alone", "heard", "decided", "said", "tools", "ended"})
"""What makes two sessions part: what somebody could have noticed, but for time."""

_TICK = 0.05
"""Seconds by which a decision is another: less is the machine's."""
_SLOWER, _SHARE = 0.05, 0.1
"""Seconds, and of the first one's time, by which an answer is slower or faster."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One, in a sentence of which the second session is the subject."""

    kind: Kind
    text: str

    @property
    def parts(self) -> bool:
        return self.kind in PARTING


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of the agents that differs, by its path in an agent file. As JSON values; None: not set."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Pair:
    """The same turn in both; None where one has none. `heard`, `said`: transcripts and replies, word by word."""

    first: Told | None
    second: Told | None
    heard: Compared
    said: Compared
    differences: tuple[Difference, ...]

    @property
    def parts(self) -> bool:
        return any(one.parts for one in self.differences)

    @property
    def at(self) -> float:
        """Seconds since the beginning, in the first session if it has the turn."""
        turn = self.first or self.second
        return turn.at if turn is not None else 0.0

    @property
    def name(self) -> str:
        """`turn 3`, `turn 3 (second: 4)`."""
        if self.first is None or self.second is None:
            only = self.first or self.second
            return f"turn {only.turn if only is not None else 0}"
        other = "" if self.first.turn == self.second.turn else f" (second: {self.second.turn})"
        return f"turn {self.first.turn}{other}"

    def latency(self) -> dict[str, tuple[float | None, float | None]]:
        """Seconds in both, of the whole wait and of each part of it that took time in either."""
        found = {"total": (_total(self.first), _total(self.second))}
        shapes = [
            one.shape.parts if one is not None and one.total is not None and one.shape else {} for one in self._both
        ]
        for part in PARTS:
            before, after = (shape.get(part) for shape in shapes)
            if before or after:
                found[part] = (before, after)
        return found

    @property
    def _both(self) -> tuple[Told | None, Told | None]:
        return self.first, self.second

    def view(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "first": self.first.view() if self.first is not None else None,
            "second": self.second.view() if self.second is not None else None,
            "parts": self.parts,
            "differences": [{"kind": one.kind, "text": one.text} for one in self.differences],
            "wer": round(self.heard.rate, 4),
            "heard": _as_json(self.heard),
            "said": _as_json(self.said),
            "latency_ms": {name: [_ms(before), _ms(after)] for name, (before, after) in self.latency().items()},
        }


@dataclass(frozen=True, slots=True)
class Diff:
    """`heard`: all that callers said in each, one after the other, whatever turns it fell into."""

    first: Session
    second: Session
    pairs: tuple[Pair, ...]
    settings: tuple[Setting, ...]
    heard: Compared

    @property
    def divergence(self) -> Pair | None:
        return next((pair for pair in self.pairs if pair.parts), None)

    @property
    def wer(self) -> float:
        """How much was heard otherwise, 0 to 1: words changed, put in or left out, of those of the session that has more. Where
        two turns became one and no word is another, nothing was."""
        return self.heard.share

    def figures(self) -> dict[str, tuple[float | None, float | None]]:
        """What each session comes to: turns, interrupted, dropped, failed; seconds to answer, p50 and worst."""
        sides = [_figures(session) for session in (self.first, self.second)]
        return {name: (sides[0][name], sides[1][name]) for name in sides[0]}

    def view(self) -> dict[str, Any]:
        """As JSON values."""
        parting = self.divergence
        return {
            "first": self.first.summary.view() | {"forked_from": self.first.forked_from},
            "second": self.second.summary.view() | {"forked_from": self.second.forked_from},
            "same": parting is None,
            "divergence": None
            if parting is None
            else {
                "turn": parting.name,
                "at_s": round(parting.at, 3),
                "differences": [{"kind": one.kind, "text": one.text} for one in parting.differences if one.parts],
            },
            "wer": round(self.wer, 4),
            "settings": [{"name": one.name, "first": one.before, "second": one.after} for one in self.settings],
            "figures": {name: list(values) for name, values in self.figures().items()},
            "turns": [pair.view() for pair in self.pairs],
        }


def differences(first: Session, second: Session) -> Diff:
    """Both compared, turn by turn, by what was said and when: their numbers may have drifted apart."""
    pairs = tuple(_pair(one, other) for one, other in paired(first.turns, second.turns))
    heard = compared_all((turn.said for turn in first.turns), (turn.said for turn in second.turns))
    return Diff(first, second, pairs, tuple(_settings(first.agent, second.agent)), heard)


def _pair(first: Told | None, second: Told | None) -> Pair:
    heard = compared(_said(first), _said(second))
    said = compared(first.reply if first is not None else "", second.reply if second is not None else "")
    if first is None or second is None:
        alone = second if first is None else first
        assert alone is not None
        found = [Difference("alone", f"{'has' if first is None else 'lacks'} this turn: {_what(alone)}, {alone.end}")]
    else:
        found = [
            *_heard(first, second, heard),
            *_decided(first, second),
            *_replied(first, second, said),
            *_ended(first, second),
            *_took(first, second),
        ]
    return Pair(first, second, heard, said, tuple(found))


def _said(turn: Told | None) -> str:
    return turn.said if turn is not None else ""


def _what(turn: Told) -> str:
    text = turn.reply if turn.own else turn.said
    return f"“{text[:120]}”" if text else "nothing was said"


def _heard(first: Told, second: Told, heard: Compared) -> Iterator[Difference]:
    if not heard.same:
        words = "word differs" if heard.errors == 1 else "words differ"
        yield Difference("heard", f"heard “{second.said}” instead of “{first.said}”: {heard.errors} {words}")


def _decided(first: Told, second: Told) -> Iterator[Difference]:
    if (first.committed is None) != (second.committed is None):
        yield Difference(
            "decided", "never gave the agent the floor" if second.committed is None else "gave the agent the floor"
        )
        return
    later = second.delay - first.delay
    if abs(later) >= _TICK and not first.own:
        when = "later" if later > 0 else "earlier"
        yield Difference(
            "decided",
            f"gave the floor {abs(later) * 1e3:.0f} ms {when}: {_silence(second)} after the last word, "
            f"instead of {_silence(first)}",
        )
    if first.why != second.why and not first.own:
        yield Difference("decided", f"gave the floor by {_plain(second.why)} instead of {_plain(first.why)}")
    if first.commits != second.commits:
        yield Difference("decided", f"gave the floor {_times(second.commits)} instead of {_times(first.commits)}")
    if first.captures != second.captures:
        yield Difference("listened", f"listened {_times(second.captures)} instead of {_times(first.captures)}")
    if first.over != second.over:
        yield Difference("decided", f"took it {'' if second.over else 'not '}for speech over the agent")


def _replied(first: Told, second: Told, said: Compared) -> Iterator[Difference]:
    if not said.same:
        share = f", {said.errors} of {said.words} words" if said.words else ""
        yield Difference("said", f"{'says nothing' if not second.reply else 'says something else'}{share}")
    if first.tools != second.tools:
        yield Difference("tools", f"calls {_listed(second.tools)} instead of {_listed(first.tools)}")


def _ended(first: Told, second: Told) -> Iterator[Difference]:
    if (first.how, first.reason) != (second.how, second.reason):
        yield Difference("ended", f"{second.end}, where the first {first.end}")
    elif first.how == "interrupted" and not compared(first.heard, second.heard).same:
        yield Difference("ended", f"was interrupted after “{second.heard}”, the first after “{first.heard}”")


def _took(first: Told, second: Told) -> Iterator[Difference]:
    before, after = first.total, second.total
    if before is None or after is None or abs(after - before) < max(_SLOWER, _SHARE * before):
        return
    most = max(PARTS, key=lambda part: abs(_part(second, part) - _part(first, part)))
    grew = _part(second, most) - _part(first, most)
    kind: Kind = "slower" if after > before else "faster"
    yield Difference(
        kind,
        f"answered {abs(after - before) * 1e3:.0f} ms {kind}: {after * 1e3:.0f} instead of {before * 1e3:.0f} ms, "
        f"{name_of(most)} {grew * 1e3:+.0f} ms",
    )


def _part(turn: Told, part: str) -> float:
    return turn.shape.parts.get(part, 0.0) if turn.shape is not None else 0.0


def _total(turn: Told | None) -> float | None:
    return turn.total if turn is not None else None


def _silence(turn: Told) -> str:
    return f"{turn.delay * 1e3:.0f} ms"


def _plain(reason: str) -> str:
    return reason.replace("_", " ")


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _listed(tools: Sequence[str]) -> str:
    return ", ".join(tools) or "no tool"


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1e3, 1)


def _as_json(found: Compared) -> list[dict[str, str]]:
    return [{"kind": one.kind, "first": one.before, "second": one.after} for one in found.stretches]


def _figures(session: Session) -> dict[str, float | None]:
    totals = sorted(turn.total for turn in session.turns if turn.total is not None)
    ends = [turn.how for turn in session.turns]
    return {
        "turns": len(session.turns),
        "interrupted": sum(turn.how == "interrupted" and turn.reason != "session" for turn in session.turns),
        "dropped": ends.count("dropped"),
        "failed": ends.count("failed") + ends.count("expired"),
        "p50_ms": _ms(statistics.median(totals)) if totals else None,
        "worst_ms": _ms(totals[-1]) if totals else None,
    }


def _settings(first: Mapping[str, Any], second: Mapping[str, Any], path: str = "") -> Iterator[Setting]:
    for name in sorted({*first, *second}):
        before, after = first.get(name), second.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from _settings(before, after, f"{path}{name}.")
        elif before != after:
            yield Setting(f"{path}{name}", before, after)
