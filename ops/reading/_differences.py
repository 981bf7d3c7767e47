"""`antiphon diff`: where two sessions part, printed."""

from typing import Any

from rich.console import Console
from rich.text import Text

from ops import console
from ops.reading import _table
from schemas.session import ends
from schemas.session.comparing import Compared, Diff, Difference, Pair, Session
from schemas.session.waterfall import name_of
from schemas.text.clean import json_line, printable, shortened

_GONE, _NEW = "red", "green"
_LONGEST = 60
"""Characters of a setting's value."""
_NAMES = {"p50_ms": "p50", "worst_ms": "worst"}


def print_diff(found: Diff, *, everything: bool = False, out: Console | None = None) -> None:
    """Both sessions in a line, what was set otherwise, the turn in which they part, then each turn that differs (`everything`:
    each turn), and what it all comes to."""
    out = out or console.out
    for name, session in (("A", found.first), ("B", found.second)):
        console.hang(Text(f"{name}  ", style=f"bold {_GONE if name == 'A' else _NEW}"), _session(session), out)
    _settings(found, out)
    out.print()
    _parting(found, out)
    shown = [pair for pair in found.pairs if everything or pair.differences]
    for pair in shown:
        out.print()
        _pair(pair, out)
    out.print()
    if hidden := len(found.pairs) - len(shown):
        turns = "1 turn is" if hidden == 1 else f"{hidden} turns are"
        out.print(Text(f"{turns} the same in both (--all shows them).", style="dim"), soft_wrap=True)
    console.hang("", _sum(found), out)


def _session(session: Session) -> str:
    told = session.summary
    ended = f"ended: {ends.in_words(told.ended)}" if told.ended is not None else "open"
    facts = [
        told.session,
        _table.begun(told.started_at),
        f"{_table.length(told.duration)} long",
        f'agent "{told.agent}"',
        ended,
    ]
    if session.forked_from:
        facts.append(f"forked from {session.forked_from.get('session', '?')}")
    return " · ".join(facts)


def _settings(found: Diff, out: Console) -> None:
    for one in found.settings:
        said = Text(f"{one.name}  ", style="dim")
        said.append(_value(one.before), style=_GONE).append(" → ", style="dim").append(_value(one.after), style=_NEW)
        console.hang("   ", said, out)


def _value(value: Any) -> str:
    said = value if isinstance(value, str) else "nothing" if value is None else json_line(value)
    said = " ".join(printable(said).split())
    return shortened(said, _LONGEST)


def _parting(found: Diff, out: Console) -> None:
    parting = found.divergence
    if parting is None:
        out.print(
            Text("They do not part: what was heard, decided and said is the same.", style="bold green"), soft_wrap=True
        )
        return
    why = "; ".join(one.text for one in parting.differences if one.parts)
    head = Text(f"They part in {parting.name}, {parting.at:.2f} s: ", style="bold yellow")
    console.hang("", head.append(f"B {printable(why)}", style="not bold yellow"), out)


def _pair(pair: Pair, out: Console) -> None:
    ends = [turn.end if turn is not None else "is not there" for turn in (pair.first, pair.second)]
    end = ends[0] if ends[0] == ends[1] else f"{ends[0]} → {ends[1]}"
    before, after = pair.latency()["total"]
    head = Text(f"{pair.name}  ", style="bold")
    head.append(f"{pair.at:.2f} s  {end}", style="dim")
    if before is not None or after is not None:
        head.append(f"  {_table.ms(before)} → {_table.ms(after)}", style="dim")
    console.hang("", head, out)
    if pair.heard.stretches:
        console.hang("  heard  ", _marked(pair.heard), out)
    if pair.said.stretches:
        console.hang("  agent  ", _marked(pair.said), out)
    for one in pair.differences:
        if one.kind not in ("heard", "said") or one.text.startswith("says nothing"):
            console.hang("  B      ", _difference(one), out)
    if any(one.kind in ("slower", "faster") for one in pair.differences):
        console.hang("         ", _parts(pair), out)


def _difference(one: Difference) -> Text:
    style = {"slower": _GONE, "faster": _NEW}.get(one.kind, "yellow" if one.parts else "")
    return Text(printable(one.text), style=style)


def _marked(found: Compared) -> Text:
    """Both texts in one: what only the first has in brackets with a minus, what only the second has in braces with a plus."""
    said = Text()
    for one in found.stretches:
        if one.kind == "same":
            said.append(f"{printable(one.after)} ")
            continue
        if one.before:
            said.append(f"[-{printable(one.before)}-]", style=_GONE)
        if one.after:
            said.append(f"{{+{printable(one.after)}+}}", style=_NEW)
        said.append(" ")
    said.rstrip()
    return said


def _parts(pair: Pair) -> Text:
    told = [
        f"{name_of(part)} {(before or 0.0) * 1e3:.0f} → {(after or 0.0) * 1e3:.0f}"
        for part, (before, after) in pair.latency().items()
        if part != "total"
    ]
    return Text(" · ".join(told), style="dim")


def _sum(found: Diff) -> Text:
    said = Text(f"{found.wer:.1%} of the words heard otherwise", style="bold")
    for name, (before, after) in found.figures().items():
        unit = " ms" if name.endswith("_ms") else ""
        said.append(f" · {_NAMES.get(name, name)} {_figure(before)} → {_figure(after)}{unit}", style="not bold")
    return said


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"
