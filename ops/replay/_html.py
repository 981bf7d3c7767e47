"""What pages to be sent are made of: text that can't be anything but text, one style, one script, sound inside.

Nothing is loaded from elsewhere, and the page's own policy runs no script but ours, whose hash stands in it.
"""

import base64
import hashlib
import html
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from ops.replay.recording import record
from schemas.audio import HEARING_RATE, Pcm
from schemas.bus import Reading
from schemas.clock import Micros, iso
from schemas.errors import AntiphonError
from schemas.session.encoding import ENCODINGS
from schemas.session.sound import Score
from schemas.text.clean import printable

_HERE = Path(__file__).parent
_POINTS = 1_200
"""Columns of a wave."""
_CHUNK = 3 << 18
"""Bytes of sound written at once; a multiple of 3, so that base64 may be cut there."""


def text(said: str) -> str:
    """Whatever somebody said or is called, as text of a page, also within an attribute."""
    return html.escape(printable(said), quote=True)


def clock(seconds: float) -> str:
    """`0:07.3`, `1:02:03.4`."""
    tenths = max(0, round(seconds * 10))
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest / 10:04.1f}" if hours else f"{minutes}:{rest / 10:04.1f}"


def date(at: Micros) -> str:
    """`2026-03-01 14:13:05 UTC`: whoever reads it may be anywhere."""
    return iso(at)[:19].replace("T", " ") + " UTC"


def begin(title: str, kind: str = "") -> str:
    """The page down to where its content begins. `kind`: a class of its body."""
    style, script = _read("page.css"), _read("page.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; media-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="referrer" content="no-referrer">\n'
        f"<title>{text(title)}</title>\n<style>{style}</style>\n</head>\n<body{f' class={kind!r}' if kind else ''}>\n"
    )


def end() -> str:
    return f"<script>{_read('page.js')}</script>\n</body>\n</html>\n"


def moment(side: str, at: float) -> str:
    """A time that, clicked, is heard."""
    return f'<button type="button" class="at" data-of="{side}" data-at="{max(at, 0):.3f}">{clock(at)}</button>'


def seekable(said: str, side: str, at: float | None, to: float | None = None, kind: str = "word") -> str:
    """Words that, clicked, are heard, and that light up while they are; where they have no time, just text."""
    if at is None:
        return f'<span class="{kind}">{text(said)}</span>'
    until = f' data-to="{to:.3f}"' if to is not None else ""
    return f'<span class="{kind}" data-of="{side}" data-at="{max(at, 0):.3f}"{until}>{text(said)}</span>'


def bar(side: str, at: float, kind: str, begins: float, queued: float, seconds: float, total: float) -> str:
    """A bar of a waterfall, where it lies in `total` seconds: light while it waited, full while something was done."""
    scale = 100 / total if total > 0 else 0.0
    worked = max(seconds - queued, 0.0)
    parts = []
    if queued > 0:
        parts.append(_rect(f"{kind} wait", begins * scale, queued * scale))
    if worked > 0:
        parts.append(_rect(kind, (begins + queued) * scale, worked * scale))
    return f'<svg data-of="{side}" data-at="{max(at + begins, 0):.3f}" aria-hidden="true">{"".join(parts)}</svg>'


def _rect(kind: str, at: float, width: float) -> str:
    return f'<rect class="{kind}" x="{at:.2f}%" width="{max(width, 0.4):.2f}%" height="100%" rx="2"/>'


def _read(name: str) -> str:
    return (_HERE / name).read_text("utf-8")


def _hash(source: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"


# ── sound ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Sound:
    """A session's, ready to be put into a page. `file`: Opus, None where there is none or too much; `why`: then, in a sentence;
    `peaks`: of both sides, 0 to 1, shape (columns, 2)."""

    file: Path | None
    why: str
    seconds: float
    peaks: "np.ndarray[tuple[int, int], np.dtype[np.float32]]"


class _Peaks:
    """The loudest of each column, as the sound comes."""

    def __init__(self, samples: int) -> None:
        self.found = np.zeros((_POINTS, 2), np.float32)
        self._each = max(samples / _POINTS, 1.0)
        self._at = 0

    def listen(self, block: Pcm) -> None:
        columns = ((np.arange(len(block)) + self._at) / self._each).astype(np.int64).clip(0, _POINTS - 1)
        for side in (0, 1):
            np.maximum.at(self.found[:, side], columns, np.abs(block[:, side].astype(np.float32)) / 32768)
        self._at += len(block)


async def sound_of(log: Reading, session: str, score: Score, folder: str, name: str, most: int) -> Sound:
    """The session's sound as a file `name` in `folder`; more than `most` bytes are left out."""
    ends = [stretch.end for stretch in score.stretches()]
    samples = round(max([score.length, *ends]) * HEARING_RATE)
    peaks = _Peaks(samples)
    file = Path(folder) / name
    try:
        recorded = await record(log, score, file, kind=ENCODINGS["opus"], listen=peaks.listen)
    except AntiphonError as error:
        return Sound(None, f"There is no sound here: {error}", samples / HEARING_RATE, peaks.found)
    size = file.stat().st_size
    if not ends:
        return Sound(None, "Nothing of it sounded.", recorded.seconds, peaks.found)
    if size > most:
        why = (
            f"Its sound ({size / 1e6:.0f} MB) is more than this page holds ({most / 1e6:.0f} MB): "
            f"antiphon recording {session} call.opus"
        )
        return Sound(None, why, recorded.seconds, peaks.found)
    gone = (
        f"{len(recorded.missing)} of its sounds were gone already; they are silence here." if recorded.missing else ""
    )
    return Sound(file, gone, recorded.seconds, peaks.found)


def write_player(out: TextIO, side: str, sound: Sound, names: tuple[str, str], marks: Sequence[float]) -> None:
    """The wave of both sides and what plays it. `names`: of the callers and of the agent; `marks`: seconds at which something
    went wrong, or is to be looked at."""
    out.write(f'<section class="player" data-player="{side}" data-seconds="{sound.seconds:.3f}">\n')
    out.write("".join(_wave(sound, names, marks)))
    if sound.file is not None:
        out.write('<audio controls preload="auto" src="data:audio/ogg;base64,')
        with sound.file.open("rb") as raw:
            while chunk := raw.read(_CHUNK):
                out.write(base64.b64encode(chunk).decode("ascii"))
        out.write('"></audio>\n')
    if sound.why:
        out.write(f'<p class="note">{text(sound.why)}</p>\n')
    out.write("</section>\n")


def _wave(sound: Sound, names: tuple[str, str], marks: Sequence[float]) -> Iterator[str]:
    length = sound.seconds or 1.0
    yield '<svg class="wave" role="img" aria-label="Who spoke when">'
    for part in range(1, 8):
        yield f'<line class="tick" x1="{part * 12.5}%" x2="{part * 12.5}%" y1="0" y2="100%"/>'
        yield f'<text class="who" x="{part * 12.5}%" y="99%" dx="3" dy="-3">{clock(length * part / 8)}</text>'
    yield f'<svg viewBox="0 0 {_POINTS} 104" preserveAspectRatio="none" width="100%" height="100%">'
    for side, kind, middle in ((0, "caller", 27), (1, "agent", 71)):
        drawn = "".join(
            f"M{column} {middle - height:.1f}V{middle + height:.1f}"
            for column, height in enumerate(np.sqrt(sound.peaks[:, side]) * 23 + 0.3)
        )
        yield f'<path class="{kind}" d="{drawn}"/>'
    yield "</svg>"
    for side, name in enumerate(names):
        yield f'<text class="who" x="6" y="{"14" if side == 0 else "56%"}">{text(name)}</text>'
    for mark in marks:
        yield f'<circle class="mark" cx="{100 * min(mark / length, 1):.2f}%" cy="5" r="3"/>'
    yield '<line class="now" x1="0" x2="0" y1="0" y2="100%"/></svg>\n'


def sound_folder() -> "tempfile.TemporaryDirectory[str]":
    """Where a page's sound lies until it stands in it."""
    return tempfile.TemporaryDirectory(prefix="antiphon-page-")
