"""Files cut into passages: by headings, then by paragraphs, then where a sentence or a word ends. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["LONGEST", "Passage", "passages"]

LONGEST = 800
"""Characters of a passage."""
_HEADING = re.compile(r"(#{1,6})[ \t]+(.+?)[ \t]*#*[ \t]*")
_FENCE = re.compile(r"[ ]{0,3}(```|~~~)")
_HEADING_MOST = 120


@dataclass(frozen=True, slots=True)
class Passage:
    """`file`: its path below `knowledge/`; `heading`: those it stands under, the outermost first, "" none."""

    file: str
    heading: str
    text: str

    def __str__(self) -> str:
        return f"[{self.file}{f': {self.heading}' if self.heading else ''}]\n{self.text}"


def passages(file: str, text: str) -> Iterator[Passage]:
    """Of a file with this text, in order. Paragraphs of one heading are joined while they fit; a `.txt` has no headings."""
    for heading, section in _sections(text) if file.lower().endswith(".md") else [("", text)]:
        joined = ""
        for part in _parts(section):
            if joined and len(joined) + len(part) + 2 > LONGEST:
                yield Passage(file, heading, joined)
                joined = ""
            joined = f"{joined}\n\n{part}" if joined else part
        if joined:
            yield Passage(file, heading, joined)


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """What stands under each heading; one with nothing below it but other headings is part of theirs."""
    above: list[tuple[int, str]] = []
    lines: list[str] = []
    fenced = ""
    for line in text.split("\n"):
        if fence := _FENCE.match(line):
            fenced = "" if fenced == fence[1] else fenced or fence[1]
        heading = None if fenced else _HEADING.fullmatch(line)
        if heading is None:
            lines.append(line)
            continue
        yield _path(above), "\n".join(lines)
        lines = []
        depth = len(heading[1])
        above = [*((deep, said) for deep, said in above if deep < depth), (depth, heading[2][:_HEADING_MOST])]
    yield _path(above), "\n".join(lines)


def _path(above: list[tuple[int, str]]) -> str:
    return " > ".join(said for _, said in above)


def _parts(section: str) -> Iterator[str]:
    """Paragraphs; what is longer than a passage is cut at a line, a sentence or a word."""
    for paragraph in re.split(r"\n[ \t]*\n", section):
        rest = paragraph.strip()
        while len(rest) > LONGEST:
            cut = _cut(rest[:LONGEST])
            yield rest[:cut].strip()
            rest = rest[cut:].strip()
        if rest:
            yield rest


def _cut(text: str) -> int:
    for mark in ("\n", ". ", "。", " "):
        at = text.rfind(mark, LONGEST // 3)
        if at > 0:
            return at + len(mark)
    return len(text)
