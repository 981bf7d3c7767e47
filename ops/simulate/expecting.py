"""What a scenario expects, held against what came of it: no model is asked. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

from ops.simulate.observed import Observed, ToolUse
from ops.simulate.scenario import Call, Expect, regex_in
from schemas.text.clean import shortened

__all__ = ["Check", "called", "checks", "fits", "resulting", "says"]

Kind = Literal[
    "answered",
    "said",
    "never",
    "called",
    "field",
    "result",
    "ended",
    "latency",
    "turns",
    "interruptions",
    "judge",
    "caller",
    "conversation",
]
_LONGEST_SEARCHED = 200_000
"""Characters of what was said that are looked through."""


@dataclass(frozen=True, slots=True)
class Check:
    """`what` was wanted, in words; `why` it isn't so ("" where it is), or what the judge says. `undecided`: a judge gave no
    verdict; that is no pass."""

    kind: Kind
    what: str
    passed: bool
    why: str = ""
    undecided: bool = False


def checks(expect: Expect, found: Observed, cut_ins: int = 0) -> Iterator[Check]:
    """One for each thing that is expected, and one for what always is: that every turn was answered. `cut_ins`: how often the
    caller spoke over the agent."""
    yield _answered(found)
    heard, begun = [" ".join(found.said), *found.said], [" ".join(found.begun), *found.begun]
    for pattern in expect.said:
        passed = any(says(text, pattern) for text in heard)
        yield Check(
            "said", f"the agent says {_quoted(pattern)}", passed, "" if passed else f"it said {_shortened(heard[0])}"
        )
    for pattern in expect.never:
        where = next((text for text in reversed(begun) if says(text, pattern)), None)
        why = "" if where is None else f"it said {_shortened(where)}"
        yield Check("never", f"the agent never says {_quoted(pattern)}", where is None, why)
    for call in expect.called:
        yield _called(call, found.tools)
    for name in expect.not_called:
        uses = [use for use in found.tools if use.name == name]
        yield Check("called", f"{name} is not called", not uses, "" if not uses else f"it was: {uses[0]}")
    for name, value in expect.fields.items():
        yield _field(name, value, found)
    if expect.ended is not None:
        what = f"the agent {'ends' if expect.ended else 'does not end'} the conversation by itself"
        passed = found.ended_by_itself == expect.ended
        yield Check("ended", what, passed, "" if passed else f"it ended by {found.end or 'nobody'}")
    if expect.latency_p95 is not None:
        yield _latency(expect.latency_p95, found)
    if expect.turns is not None:
        passed = found.turns <= expect.turns
        what = f"the caller says at most {expect.turns} lines"
        yield Check("turns", what, passed, "" if passed else f"they were {found.turns}")
    if expect.interruptions is not None:
        yield _interruptions(expect.interruptions, found, cut_ins)


def _answered(found: Observed) -> Check:
    why = f"no answer to {_shortened('; '.join(found.unanswered))}" if found.unanswered else ""
    if why and found.troubles:
        why += f" ({_shortened(found.troubles[-1])})"
    return Check("answered", "every turn is answered", not found.unanswered, why)


def _field(name: str, wanted: Any, found: Observed) -> Check:
    what, collected = f"the field {name} is {wanted!r}", found.fields.get(name)
    if collected is None:
        noted = ", ".join(f"{one.name}={one.value!r}" for one in found.fields.values())
        return Check(
            "field", what, False, _shortened(f"only {noted} was collected") if noted else "nothing was collected"
        )
    if not fits(wanted, collected.value):
        return Check("field", what, False, f"it is {collected.value!r}, of {_shortened(collected.said)}")
    return Check("field", what, collected.confirmed, "" if collected.confirmed else "the caller never confirmed it")


def resulting(wanted: Mapping[str, Any], result: Mapping[str, Any] | None, error: str) -> Iterator[Check]:
    """One for each key of the structured result that is expected. `error`: why there is none."""
    for name, value in wanted.items():
        what = f"{name} of the result is {value!r}"
        if result is None:
            yield Check("result", what, False, f"there is no result: {error}"[:500])
        elif name not in result:
            yield Check("result", what, False, f"it has only {', '.join(result) or 'nothing'}"[:500])
        else:
            passed = fits(value, result[name])
            yield Check("result", what, passed, "" if passed else f"it is {result[name]!r}"[:500])


def _latency(most: float, found: Observed) -> Check:
    p95, what = found.latency_p95, f"95 of 100 answers begin within {most:g} s"
    if p95 is None:
        return Check("latency", what, False, "nothing was answered")
    return Check("latency", what, p95 <= most, "" if p95 <= most else f"they begin within {p95:.2f} s")


def _interruptions(wanted: bool, found: Observed, cut_ins: int) -> Check:
    if not wanted:
        passed = not found.interrupted
        return Check(
            "interruptions", "nothing interrupts the agent", passed, "" if passed else f"{found.interrupted} turns were"
        )
    what = "spoken over, the agent falls silent and answers"
    if not cut_ins:
        return Check("interruptions", what, False, 'the caller never spoke over it (temper = "interrupting")')
    if found.interrupted < cut_ins:
        why = f"spoken over {_times(cut_ins)}, it fell silent {_times(found.interrupted)}"
        return Check("interruptions", what, False, why)
    passed = not found.unanswered
    return Check(
        "interruptions", what, passed, "" if passed else f"no answer to {_shortened('; '.join(found.unanswered))}"
    )


# ── texts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def says(text: str, pattern: str) -> bool:
    """Whether a text holds the pattern: a part of it, whatever the case and the blanks, or a "/regular expression/"."""
    text = " ".join(text.split())[:_LONGEST_SEARCHED]
    if (inner := regex_in(pattern)) is not None:
        return re.search(inner, text, re.IGNORECASE) is not None
    return " ".join(pattern.split()).casefold() in text.casefold()


def _quoted(pattern: str) -> str:
    return pattern if regex_in(pattern) is not None else f"“{pattern}”"


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return f"“{shortened(text, 300)}”" if text else "nothing"


# ── tools ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def called(tools: Sequence[ToolUse], name: str, arguments: Mapping[str, Any]) -> list[ToolUse]:
    """Calls of that name whose arguments are these; further ones they may have."""
    return [use for use in tools if use.name == name and fits(arguments, use.arguments)]


def fits(wanted: Any, given: Any) -> bool:
    """Whether an argument is as it must be: texts whatever the case or by "/regular expression/", numbers by value also where
    one is written as a text, tables by the keys that are wanted."""
    if isinstance(wanted, Mapping):
        return isinstance(given, Mapping) and all(
            key in given and fits(value, given[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return isinstance(given, list | tuple) and len(wanted) == len(given) and all(map(fits, wanted, given))
    if isinstance(wanted, bool) or isinstance(given, bool):
        return wanted is given or (isinstance(given, str) and given.strip().casefold() == str(wanted).casefold())
    if isinstance(wanted, Real):
        return bool(_number(given) == wanted)
    if isinstance(wanted, str) and isinstance(given, str):
        return _same_text(wanted, given)
    if isinstance(wanted, str) and isinstance(given, Real):
        return _same_text(wanted, str(given))
    return bool(wanted == given)


def _same_text(wanted: str, given: str) -> bool:
    if regex_in(wanted) is not None:
        return says(given, wanted)
    return " ".join(wanted.split()).casefold() == " ".join(given.split()).casefold()


def _number(given: Any) -> Any:
    if isinstance(given, str):
        try:
            return float(given)
        except ValueError:
            return None
    return given


def _called(call: Call, tools: Sequence[ToolUse]) -> Check:
    arguments = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
    what = f"{call.name}({arguments}) is called" + ("" if call.times is None else f" {_times(call.times)}")
    count = len(called(tools, call.name, call.arguments))
    if (count > 0) if call.times is None else count == call.times:
        return Check("called", what, True)
    others = [str(use) for use in tools if use.name == call.name]
    if count and call.times is not None:
        return Check("called", what, False, f"it was {_times(count)}")
    if others:
        return Check("called", what, False, f"it was with other arguments: {'; '.join(others[:5])}"[:500])
    names = ", ".join(dict.fromkeys(use.name for use in tools))
    return Check("called", what, False, f"only {names} was" if names else "no tool was")


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"
