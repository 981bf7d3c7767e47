"""Which bytes of a file somebody wants (RFC 9110): a range of it, all of it, or nothing, where it is the one that they have."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header

from api.problems import Problem

__all__ = ["Bytes", "Span", "Unsatisfiable", "Wish", "span_of"]

_Header = Annotated[str | None, Header(max_length=2_000)]
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_BEYOND = 1 << 62


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes `first` to `last`, both included."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


class Unsatisfiable(Exception):
    """Nothing of the file lies in what was asked for."""


def span_of(header: str, size: int) -> Span | None:
    """One range of bytes. None: the whole is to be sent, as for several ranges, or for what is none. Unsatisfiable."""
    found = _RANGE.fullmatch(header.strip().replace(" ", ""))
    if found is None or (not found[1] and not found[2]):
        return None
    begin, end = (_number(part) for part in found.groups())
    if begin is None:  # the last so many
        assert end is not None
        begin, end = max(0, size - end) if end else size, size - 1
    if end is not None and end < begin and found[1]:
        return None
    if begin >= size:
        raise Unsatisfiable
    return Span(begin, min(size - 1 if end is None else end, size - 1))


def _number(digits: str) -> int | None:
    """However many digits somebody sends."""
    if not digits:
        return None
    return int(digits) if len(digits) < 19 else _BEYOND


@dataclass(frozen=True, slots=True)
class Wish:
    """The headers in which it is said. `tag`, below: the file's ETag, a strong one."""

    range: str | None = None
    if_range: str | None = None
    if_none_match: str | None = None

    def knows(self, tag: str) -> bool:
        """Whether who asks has it already. (Compared weakly: W/ makes no difference.)"""
        known = [one.strip().removeprefix("W/") for one in (self.if_none_match or "").split(",")]
        return tag in known or "*" in known

    def of(self, size: int, tag: str) -> tuple[int, Span, dict[str, str]]:
        """The status, the bytes to be sent, and the headers that say so. What was begun of another file is not gone on with: its
        If-Range is another (a weak one names no bytes, nor does a date), and the whole is sent. Problem 416."""
        span = None
        if self.range is not None and (self.if_range is None or self.if_range.strip() == tag):
            span = _asked(self.range, size)
        if span is None:
            return 200, Span(0, size - 1), {"Content-Length": str(size)}
        place = f"bytes {span.first}-{span.last}/{size}"
        return 206, span, {"Content-Length": str(len(span)), "Content-Range": place}


# async, as all that routes depend on
async def _wish(range: _Header = None, if_range: _Header = None, if_none_match: _Header = None) -> Wish:
    return Wish(range, if_range, if_none_match)


Bytes = Annotated[Wish, Depends(_wish)]
"""A parameter of routes that send files."""


def _asked(header: str, size: int) -> Span | None:
    try:
        return span_of(header, size)
    except Unsatisfiable:
        raise Problem(
            416, "range", f"the file has {size} bytes; ask for some of them", {"Content-Range": f"bytes */{size}"}
        ) from None
