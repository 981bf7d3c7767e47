"""The curve as a picture: an SVG of a few lines, legible on light and dark pages, without a library."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from schemas.errors import AntiphonError

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 64, 40, 56
_SPOILT, _TALK = "#c2410c", "#1d6fb8"


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """To `path`, which ends in .svg. AntiphonError: it doesn't, or can't be written."""
    if path.suffix.lower() != ".svg":
        raise AntiphonError(f"--out {path}: the curve is drawn as SVG; give a name that ends in .svg")
    try:
        path.write_text(drawn(rows), "utf-8")
    except OSError as error:
        raise AntiphonError(f"--out {path}: cannot be written ({error.strerror})") from None


def drawn(rows: Sequence[Mapping[str, Any]]) -> str:
    """Across: p50; upwards: spoilt turns on the left scale, talk-over on the right one; a point for each scale of the waits."""
    points = sorted((row for row in rows if row["p50_ms"] is not None), key=lambda row: row["scale"])
    across = _axis([row["p50_ms"] for row in points], 100)
    spoilt = _axis([0, *(row["spoilt_percent"] for row in points)], 2)
    talk = _axis([0, *(row["talk_over_s"] for row in points)], 2)
    x = [_LEFT + _share(row["p50_ms"], across) * (_WIDTH - _LEFT - _RIGHT) for row in points]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        *_across(across),
        *_upwards(spoilt, _LEFT - 8, "end", _SPOILT, "spoilt turns, %"),
        *_upwards(talk, _WIDTH - _RIGHT + 8, "start", _TALK, "talk-over, s per 100 turns"),
    ]
    for name, scale, colour in (("spoilt_percent", spoilt, _SPOILT), ("talk_over_s", talk, _TALK)):
        y = [_up(row[name], scale) for row in points]
        line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}"/>' for a, b in zip(x, y, strict=True)]
    told: list[tuple[float, float]] = []
    for row, at in reversed(list(zip(points, x, strict=True))):
        above = min(_up(row["spoilt_percent"], spoilt), _up(row["talk_over_s"], talk)) - 9
        if any(abs(at - other) < 16 and abs(above - height) < 14 for other, height in told):
            continue  # shorter waits than one that gives the same
        told.append((at, above))
        parts.append(f'<text x="{at:.1f}" y="{above:.1f}" text-anchor="middle" fill="#333333">{row["scale"]:g}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _axis(values: Sequence[float], step: float) -> tuple[float, float]:
    """The whole steps around all values."""
    low = min(values, default=0.0) // step * step
    return low, max(low + step, -(-max(values, default=step) // step) * step)


def _share(value: float, axis: tuple[float, float]) -> float:
    return (value - axis[0]) / (axis[1] - axis[0])


def _up(value: float, axis: tuple[float, float]) -> float:
    return _HEIGHT - _BOTTOM - _share(value, axis) * (_HEIGHT - _TOP - _BOTTOM)


def _across(axis: tuple[float, float]) -> list[str]:
    bottom = _HEIGHT - _BOTTOM
    found = [f'<line x1="{_LEFT}" y1="{bottom}" x2="{_WIDTH - _RIGHT}" y2="{bottom}" stroke="#888888"/>']
    for tick in range(round(axis[0]), round(axis[1]) + 1, 100):
        x = _LEFT + _share(tick, axis) * (_WIDTH - _LEFT - _RIGHT)
        found.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle" fill="#333333">{tick}</text>')
    told = "half of the answers come within, ms (the numbers in the picture: waits, times today's)"
    found.append(f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 14}" text-anchor="middle" fill="#333333">{told}</text>')
    return found


def _upwards(axis: tuple[float, float], x: float, anchor: str, colour: str, told: str) -> list[str]:
    steps = 4
    found = []
    for step in range(steps + 1):
        value = axis[0] + (axis[1] - axis[0]) * step / steps
        y = _up(value, axis) + 4
        found.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{value:g}</text>')
    found.append(f'<text x="{x:.1f}" y="{_TOP - 18}" text-anchor="{_inwards(anchor)}" fill="{colour}">{told}</text>')
    return found


def _inwards(anchor: str) -> str:
    return "start" if anchor == "end" else "end"
