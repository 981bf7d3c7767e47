"""`antiphon batch --html`: what got better and worse on one page, with a plot of how long people waited."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ops.replay import _html as html
from ops.replay._better import THEIRS
from ops.replay._html import text
from schemas.errors import AntiphonError
from schemas.process.whole_file import whole_file

__all__ = ["FIGURES", "models_told", "shown", "write_batch_page"]

FIGURES = {
    "p50_ms": "p50 to answer, ms",
    "p95_ms": "p95 to answer, ms",
    "cut_ins": "cut in upon",
    "interrupted": "interrupted",
    "failed": "failed",
    "dropped": "dropped",
    "turns": "turns",
    "wer_to_reference": "words wrong",
    "prompt_tokens": "tokens read",
    "completion_tokens": "tokens written",
}
"""Of all sessions together, by name, in the order in which they are told."""
_WIDTH, _HEIGHT, _LEFT, _BELOW = 640, 240, 44, 30
_ROW = 22
_SHOWN = {
    "interrupted": "interrupted",
    "cut_ins": "cut in upon",
    "failed": "failed",
    "dropped": "dropped",
    "turns": "turns",
    "completion_tokens": "tokens written",
}
"""Of one session, where it differs."""


def shown(name: str, value: float | None) -> str:
    """A figure as text."""
    if value is None:
        return "–"
    return f"{value:.1%}" if name.startswith("wer") else f"{value:,.0f}"


def models_told(told: Mapping[str, Any]) -> list[str]:
    """Which models did the work of each stage, before and after: `replies by qwen3:4b; now by qwen3:8b`."""
    lines = []
    for stage, theirs in THEIRS.items():
        was, now = (sorted(names) for names in told.get("models", {}).get(stage, ({}, {})))
        if was or now:
            same = was == now
            before = f"{theirs} by {', '.join(was) or 'nobody'}"
            lines.append(f"{before}, then and now" if same else f"{before}; now by {', '.join(now) or 'nobody'}")
    return lines


def write_batch_page(told: Mapping[str, Any], changed: Mapping[str, Any], file: Path) -> None:
    """`told`: a report as JSON values; `changed`: what was set otherwise. AntiphonError: it can't be written."""
    with whole_file(file, AntiphonError) as part, part.open("w", encoding="utf-8") as out:
        out.writelines(_page(told, changed))


def _page(told: Mapping[str, Any], changed: Mapping[str, Any]) -> Iterator[str]:
    figures, rows = told["figures"], told["sessions"]
    whole = [row for row in rows if "figures" in row]
    yield html.begin("Replayed · Antiphon")
    yield f'<div class="top"><h1>{_many(len(whole), "session")} replayed</h1>'
    yield '<button type="button" class="theme">light / dark</button></div>\n'
    settings = ", ".join(f"{name} = {value!r}" for name, value in changed.items()) or "nothing changed"
    yield f'<p class="sub">{text(settings)}</p>\n<ul class="facts">'
    for name, kind in (("better", ""), ("worse", "bad"), ("same", "")):
        yield f"<li{' class=bad' if kind and figures[name] else ''}><b>{figures[name]}</b><span>{name}</span></li>"
    if figures["unreplayed"]:
        yield f'<li class="bad"><b>{figures["unreplayed"]}</b><span>not replayed</span></li>'
    yield "</ul>\n<h2>Before and after</h2>\n"
    yield '<table class="table"><tr><th></th><th>before</th><th>after</th></tr>'
    for name, label in FIGURES.items():
        before, after = figures[name]
        if before is not None or after is not None:
            yield f"<tr><th>{label}</th><td>{shown(name, before)}</td><td>{shown(name, after)}</td></tr>"
    yield "</table>\n"
    for line in models_told(told):
        yield f'<p class="note">{text(line)}</p>\n'
    for warning in told.get("warnings", ()):
        yield f'<p class="note"><span class="badge bad">mind</span> {text(warning)}</p>\n'
    before, after = told["waits_ms"]
    if before or after:
        yield "<h2>How long people waited</h2>\n"
        yield from _curves(before, after)
        yield '<p class="note">Of all answers the share that had begun to sound after so many milliseconds: further left is '
        yield 'faster. <span class="was">before</span> <span class="is">after</span></p>\n'
    moved = [row for row in whole if None not in row["figures"]["p50_ms"]]
    if moved:
        yield "<h2>Session by session</h2>\n"
        yield from _moves(moved)
        yield '<p class="note">The median wait of each, from <span class="was">before</span> to <span class="is">after</span>; '
        yield "the largest change first.</p>\n"
    yield from _sessions(rows)
    yield html.end()


# ── plots ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _curves(before: Sequence[float], after: Sequence[float]) -> Iterator[str]:
    """Both distributions on one scale."""
    most = max([*before, *after, 1.0])
    step = _step(most)
    top = math.ceil(most / step) * step
    yield _plot(_HEIGHT, "Waits before and after")
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = _y(share)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{share:.0%}</text>'
    for tick in range(0, round(top) + 1, round(step)):
        yield f'<text x="{_x(tick, top):.1f}" y="{_HEIGHT - 8}" text-anchor="{_anchor(tick, top)}">{tick:,}</text>'
    for kind, values in (("was", before), ("is", after)):
        if values:
            points = [f"M{_x(0, top):.1f} {_y(0):.1f}"]
            for number, value in enumerate(values, 1):
                points.append(f"H{_x(value, top):.1f}V{_y(number / len(values)):.1f}")
            yield f'<path class="{kind}" d="{"".join(points)}H{_WIDTH}"/>'
    yield "</svg></div>\n"


def _moves(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Of each session a line from one median to the other."""
    ordered = sorted(rows, key=lambda row: -abs(row["figures"]["p50_ms"][1] - row["figures"]["p50_ms"][0]))[:40]
    most = max(value for row in ordered for value in row["figures"]["p50_ms"])
    step = _step(most)
    top = math.ceil(most / step) * step
    height = _ROW * len(ordered) + _BELOW
    left = 200
    yield _plot(height, "Median wait of each session")
    for tick in range(0, round(top) + 1, round(step)):
        x = left + (_WIDTH - left - 8) * tick / top
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height - _BELOW}"/>'
        yield f'<text x="{x:.1f}" y="{height - 8}" text-anchor="{_anchor(tick, top)}">{tick:,}</text>'
    for place, row in enumerate(ordered):
        y = _ROW * (place + 0.5)
        was, now = (left + (_WIDTH - left - 8) * value / top for value in row["figures"]["p50_ms"])
        name = row["session"] if len(row["session"]) <= 26 else f"{row['session'][:25]}…"
        yield f'<text x="{left - 10}" y="{y + 4:.1f}" text-anchor="end">{text(name)}</text>'
        yield f'<line class="move" x1="{was:.1f}" x2="{now:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<circle class="was" cx="{was:.1f}" cy="{y:.1f}" r="4"/><circle class="is" cx="{now:.1f}" cy="{y:.1f}" r="5"/>'
    yield "</svg></div>\n"


def _plot(height: int, name: str) -> str:
    return f'<div class="scroll" tabindex="0"><svg class="plot" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{name}">'


def _x(value: float, top: float) -> float:
    return _LEFT + (_WIDTH - _LEFT - 4) * min(value / top, 1.0)


def _y(share: float) -> float:
    return 8 + (_HEIGHT - _BELOW - 8) * (1 - share)


def _anchor(tick: float, top: float) -> str:
    return "end" if tick >= top else "middle"


def _step(most: float) -> float:
    """Between two marks, so that there are four to eight."""
    rough = most / 6
    power = 10.0 ** math.floor(math.log10(max(rough, 1.0)))
    return next((power * factor for factor in (1, 2, 5) if power * factor >= rough), power * 10)


# ── each of them ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _sessions(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "<h2>Each of them</h2>\n"
    order = {"worse": 0, "better": 1, "same": 2}
    for row in sorted(rows, key=lambda row: order.get(row.get("verdict", ""), -1)):
        yield from _session(row)


def _session(row: Mapping[str, Any]) -> Iterator[str]:
    yield f'<article class="pair"><header><span class="number">{text(row["session"])}</span>'
    if "error" in row:
        yield f'<span class="badge bad">not replayed</span></header><p class="sub">{text(row["error"])}</p></article>\n'
        return
    kind = {"worse": " bad", "better": " good"}.get(row["verdict"], "")
    yield f'<span class="badge{kind}">{row["verdict"]}</span>'
    before, after = (shown("p50_ms", value) for value in row["figures"]["p50_ms"])
    yield f'<span class="total">{before} → {after} ms</span></header>'
    said = [text(row["fork"]), f"{row['wer']:.1%} of the words otherwise"]
    for name, label in _SHOWN.items():
        before, after = (shown(name, value) for value in row["figures"][name])
        if before != after:
            said.append(f"{label} {before} → {after}")
    yield f'<p class="note">{" · ".join(said)}</p>'
    if row["divergence"]:
        yield f'<ul class="differences"><li class="parts">{text(row["divergence"])}: {text(row["why"])}</li></ul>'
    yield "</article>\n"


def _many(count: int, what: str) -> str:
    return f"1 {what}" if count == 1 else f"{count:,} {what}s"
