"""A log in pieces: some hundred encoded events each, compressed; what is hashed is what they say, before that. Pure."""

import hashlib
import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgpack

from schemas.clock import Micros
from schemas.errors import ArchiveDamaged
from schemas.session.row import PARTS, Answer, Participant

if TYPE_CHECKING:
    from schemas.events import Event

FORMAT = 1
"""Of pieces and sounds; raise it when what is written changes. Older ones must go on being read."""
PIECE = 256
"""Events of one piece."""
_LEVEL = 6

Row = tuple[str, int, bytes]
"""An event as the log holds it: type, at (µs), body."""


def row_of(event: "Event") -> Row:
    from schemas.codec import encode_event

    return event.type, int(event.at), encode_event(event)


def packed(rows: Sequence[Row]) -> bytes:
    """The piece as it is hashed."""
    piece: bytes = msgpack.packb(rows)
    return piece


def compressed(piece: bytes) -> bytes:
    return zlib.compress(piece, _LEVEL)


def expanded(body: bytes, what: str) -> bytes:
    """ArchiveDamaged: it is no piece."""
    try:
        return zlib.decompress(body)
    except zlib.error as error:
        raise ArchiveDamaged(f"{what} can't be expanded ({error}); restore it from a backup") from None


def events_of(piece: bytes, first: int, after: int, count: int | None, what: str) -> "list[Event]":
    """Of the piece whose first event is `first`: those after `after`, up to `count`. EventError: as of the log."""
    from schemas.codec import decode_event  # a list of rows needs no events

    try:
        rows: list[Row] = msgpack.unpackb(piece, use_list=False)
    except ValueError as error:
        raise ArchiveDamaged(f"{what} can't be read ({error}); restore it from a backup") from None
    begin = max(0, after + 1 - first)
    end = None if count is None else begin + count
    return [
        decode_event(kind, body, first + begin + place, Micros(at))
        for place, (kind, at, body) in enumerate(rows[begin:end])
    ]


class Digest:
    """Of a whole log: of its pieces one after the other, however they are cut."""

    def __init__(self) -> None:
        self._sha = hashlib.sha256()

    def add(self, rows: Sequence[Row]) -> None:
        for kind, at, body in rows:
            head = kind.encode()
            self._sha.update(struct.pack("<IqI", len(head), at, len(body)))
            self._sha.update(head)
            self._sha.update(body)

    def add_piece(self, piece: bytes) -> int:
        """Answers how many events it holds."""
        rows: list[Row] = msgpack.unpackb(piece, use_list=False)
        self.add(rows)
        return len(rows)

    @property
    def hex(self) -> str:
        return self._sha.hexdigest()


# ── what a row of a list is told from ────────────────────────────────────────────────────────────────────────────────


def people_text(people: Sequence[Participant]) -> str:
    rows = [
        [one.identity, one.kind, one.name, dict(one.attributes), one.present, one.speaking]
        for one in people
    ]  # fmt: skip
    return json.dumps(rows, ensure_ascii=True, separators=(",", ":"))


def people_of(text: str) -> tuple[Participant, ...]:
    return tuple(Participant(*row) for row in json.loads(text))


def answers_bytes(answers: Sequence[Answer]) -> bytes:
    rows = [(one.turn, one.kind, int(one.at), one.total, list(one.parts), one.how) for one in answers]
    return zlib.compress(msgpack.packb((list(PARTS), rows)), _LEVEL)


def answers_of(body: bytes) -> tuple[Answer, ...]:
    """Parts that are called otherwise by now count as having taken no time; how a turn ended was not always kept."""
    if not body:
        return ()
    names, rows = msgpack.unpackb(zlib.decompress(body))
    return tuple(_answers(names, rows))


def _answers(names: Sequence[str], rows: Sequence[Any]) -> Iterator[Answer]:
    places = [names.index(part) if part in names else None for part in PARTS]
    for turn, kind, at, total, parts, *how in rows:
        known = tuple(0.0 if place is None else float(parts[place]) for place in places)
        yield Answer(turn, kind, Micros(at), total, known, *how)
