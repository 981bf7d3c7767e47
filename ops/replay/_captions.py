"""WebVTT and SubRip: who says what from when to when. Pure: text in, captions out."""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

from schemas.errors import AntiphonError
from schemas.text.clean import one_line, plain

LONGEST_FILE = 32 << 20
"""Bytes."""
_LONGEST = 2_000
"""Characters of one caption."""
_MOST = 100_000
_TIMES = re.compile(r"^\s*(\S+)\s+-->\s+(\S+)")
_TIME = re.compile(r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})")
# A tag ends before the next one begins: else the end of each of many that have none is looked for in all of the file.
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s([^<>]*)>")
_TAG = re.compile(r"<[^<>]*>")


@dataclass(frozen=True, slots=True)
class Caption:
    """Seconds from the recording's beginning. `voice`: who speaks, "" where it isn't said."""

    start: float
    end: float
    text: str
    voice: str = ""


def captions(text: str, name: str) -> list[Caption]:
    """In order of their beginning. `name`: what errors call the text. AntiphonError names the line."""
    found = sorted(_read(text, name), key=lambda one: (one.start, one.end))
    if not found:
        raise AntiphonError(
            f"{name}: no captions in it; give WebVTT or SubRip, with lines like `00:01.000 --> 00:02.500`"
        )
    return found


def _read(text: str, name: str) -> Iterator[Caption]:
    lines = text.removeprefix("\ufeff").splitlines()
    at, count = 0, 0
    while at < len(lines):
        times = _TIMES.match(lines[at])
        at += 1
        if times is None:
            continue
        start, end = (_seconds(given, name, at) for given in times.groups())
        said: list[str] = []
        while at < len(lines) and lines[at].strip() and not _TIMES.match(lines[at]):
            said.append(lines[at])
            at += 1
        if end <= start:
            raise AntiphonError(
                f"{name}: line {at - len(said)}: a caption ends at {end:g} s, before it begins ({start:g} s)"
            )
        count += 1
        if count > _MOST:
            raise AntiphonError(f"{name}: more than {_MOST:,} captions; split it")
        if (caption := _caption(start, end, " ".join(said))) is not None:
            yield caption


def _caption(start: float, end: float, raw: str) -> Caption | None:
    voice = _VOICE.search(raw)
    said = " ".join(plain(html.unescape(_TAG.sub("", raw)), _LONGEST).split())
    named = one_line(html.unescape(voice[1]), 80) if voice is not None else ""
    return Caption(start, end, said, named) if said else None


def _seconds(given: str, name: str, line: int) -> float:
    found = _TIME.fullmatch(given)
    if found is None:
        raise AntiphonError(
            f"{name}: line {line}: {one_line(given, 40)!r} is no time; expected one like 01:02.500 or 00:01:02.500"
        )
    hours, minutes, seconds, parts = found.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + int(parts.ljust(3, "0")) / 1000
