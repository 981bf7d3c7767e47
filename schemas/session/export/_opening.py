"""What an export file holds is found, and each byte of it checked, in one reading from front to back."""

import hashlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from schemas.errors import ExportError
from schemas.session.export._naming import (
    EVENTS,
    FORMAT,
    HEAD,
    INDEX,
    LONGEST_EVENT,
    LONGEST_SOUND,
    MANIFEST,
    MOST_PIECES,
    MOST_SOUNDS,
    OLD,
    STATE,
    VERSION,
    Names,
    events_piece,
    fit_session,
    is_events,
    is_session,
    oddity,
    sounds_of,
)
from schemas.session.export._zip import CHUNK, Arriving, Damage, Piece, Source, directory, head_of, pieces
from schemas.text.clean import printable

_SMALL = 16 << 20
"""Bytes of a piece that is kept in memory while it is read, but for events and sounds."""
_GIVE = "give a file that `antiphon export` wrote"


class Part:
    """A piece of events. `first`: its first event's seq; `most`: its events, where not all of it is sound (None: it is)."""

    def __init__(self, piece: Piece, first: int) -> None:
        self.piece, self.first = piece, first
        self.most: int | None = None


class Opening:
    """What is found in the file while it is read for the first time."""

    def __init__(self, path: Path, raw: BinaryIO, *, salvage: bool, most: int) -> None:
        self.session = fit_session(path.stem)
        self.version = OLD
        self.partitions: int | None = None
        self.partition = 0
        self.manifest: dict[str, Any] = {}
        self.state: dict[str, Any] = {}
        self.lost = ""
        self.parts: list[Part] = []
        self.sounds: dict[str, Piece] = {}
        self.names = Names()
        self.seq = self.generation = 0
        self.epoch = 1
        self.at = 0
        self.ended = False
        self._path, self._salvage = path, salvage
        self._left, self._most = most, most
        self._raw, self._source = raw, Source(raw)
        self._whole: list[Piece] = []
        self._index: list[Any] = []
        self._sums: list[str] = []
        self._events_end = False
        """Of events that follow what was lost there is no use."""

    def read(self) -> None:
        try:
            self._pieces()
            self._end()
        except Damage as damage:
            if not self._salvage:
                raise self._told(damage) from None
            self._note(damage)
        if not self.seq:
            raise ExportError(f"{self._path}: holds no events{self._why()}", _GIVE)

    def _why(self) -> str:
        return f" ({self.lost})" if self.lost else ""

    def _pieces(self) -> None:
        """Each in turn. What is damaged is left out where that is wanted and the next one can be found."""
        for reading in pieces(self._source):
            try:
                self._piece(reading)
            except Damage as damage:
                piece = reading.piece
                if not self._salvage or damage.cut or piece.behind:
                    raise
                self._note(damage)
                if self._source.at > piece.data + piece.packed:
                    return  # its own size is what is wrong
                reading.skip()

    def _piece(self, reading: Arriving) -> None:
        piece = reading.piece
        if piece.number == 1:
            self._first(piece)
        if piece.number > MOST_PIECES:
            raise ExportError(f"{self._path}: more than {MOST_PIECES:,} pieces; no session has so many")
        if piece.name == HEAD and piece.number == 1:
            self._head(self._small(reading))
        elif is_events(piece.name):
            self._events(reading)
        elif piece.name in (STATE, MANIFEST):
            found = self._value(reading)
            if piece.name == STATE:
                self.state = found
            else:
                self.manifest = found
        elif piece.name == INDEX:
            self._index = self._rows(reading)
        else:
            self._drained(reading)
            if reading.piece.size <= LONGEST_SOUND:
                self.sounds[piece.name] = reading.piece
        self._whole.append(reading.piece)

    def _first(self, piece: Piece) -> None:
        if piece.name not in (HEAD, EVENTS):
            raise ExportError(
                f"{self._path}: a zip, but no export: it begins with {printable(piece.name)!r}, {HEAD} was expected",
                "give a file as `antiphon export` wrote it, not packed anew",
            )

    def _head(self, content: bytes) -> None:
        try:
            head = json.loads(content)
            version, session = head["version"], head["session"]
            partitions, partition = head.get("partitions"), head.get("partition") or 0
            ours = head["format"] == FORMAT and isinstance(version, int) and isinstance(session, str)
            ours = ours and (version > VERSION or is_session(session))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            ours = False
        if not ours:
            raise ExportError(f"{self._path}: {HEAD} in it is none of ours", _GIVE)
        if version > VERSION:
            raise ExportError(
                f"{self._path}: written in version {version} of the export file, {VERSION} is known here; "
                "read it with the program that wrote it, or update this one"
            )
        self.version, self.session = version, session
        self.partitions = partitions if isinstance(partitions, int) else None
        self.partition = partition if isinstance(partition, int) else 0

    # ── what is in a piece ───────────────────────────────────────────────────────────────────────────────────────────

    def _chunks(self, reading: Arriving) -> Iterator[bytes]:
        """Its content, counted and summed."""
        sum256 = hashlib.sha256()
        for chunk in reading.chunks():
            self._left -= len(chunk)
            if self._left < 0:
                raise ExportError(
                    f"{self._path}: unpacks to more than {self._most:,} bytes (piece {reading.piece.number}, "
                    f"{printable(reading.piece.name)}, byte {self._source.at:,}); no session is so long"
                )
            sum256.update(chunk)
            yield chunk
        self._sums.append(sum256.hexdigest())

    def _drained(self, reading: Arriving) -> None:
        for _ in self._chunks(reading):
            pass

    def _small(self, reading: Arriving) -> bytes:
        content = b""
        for chunk in self._chunks(reading):
            content += chunk
            if len(content) > _SMALL:
                raise _none_of_ours(reading, "it is too long")
        return content

    def _value(self, reading: Arriving) -> dict[str, Any]:
        try:
            value = json.loads(self._small(reading))
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise _none_of_ours(reading, "a JSON object was expected in it")
        if reading.piece.name == MANIFEST and self.version == OLD and is_session(str(value.get("session"))):
            self.session = str(value["session"])
        return value

    def _rows(self, reading: Arriving) -> list[Any]:
        rows: list[Any] = []
        for line in lines_of(self._chunks(reading), reading):
            try:
                rows.append(json.loads(line))
            except (ValueError, RecursionError):
                raise _none_of_ours(reading, "a line in it is no JSON") from None
            if len(rows) > MOST_PIECES:
                raise _none_of_ours(reading, f"it has more than {MOST_PIECES:,} lines")
        return rows

    def _events(self, reading: Arriving) -> None:
        name = reading.piece.name
        if name != events_piece(len(self.parts) + 1):
            if not self._events_end:
                raise _none_of_ours(reading, f"{events_piece(len(self.parts) + 1)} was expected")
            self._drained(reading)
            return
        part, before = Part(reading.piece, self.seq + 1), self.seq
        try:
            for line in lines_of(self._chunks(reading), reading):
                self._event(line, reading)
        except Damage as damage:
            self._events_end = True
            # of a piece that was altered nobody knows which line; of one that was cut, what is there is as it was
            part.most = self.seq - before if damage.cut else 0
            if not damage.cut:
                self.seq, self.ended = before, False
            if part.most:
                self.parts.append(part)
            raise
        part.piece = reading.piece
        if self.seq > before:
            self.parts.append(part)

    def _event(self, line: bytes, reading: Arriving) -> None:
        try:
            event = _JSON.decode(line.decode())
            seq, at, kind = event["seq"], event["at"], event["type"]
            fits = isinstance(seq, int) and isinstance(at, int) and isinstance(kind, str)
        except (ValueError, KeyError, TypeError, RecursionError):
            fits = False
        if not fits or seq != self.seq + 1:
            raise _none_of_ours(reading, f"event {self.seq + 1} was expected, found {printable(repr(line[:60]))}")
        if odd := oddity(event):
            raise _none_of_ours(reading, f"event {seq} has {printable(odd)}, which no log has")
        self.seq, self.at = seq, max(self.at, at)
        raises, epoch = event.get("raises"), event.get("epoch")
        if isinstance(raises, int):
            self.generation = max(self.generation, raises)
        if kind == "session.resumed" and isinstance(epoch, int):
            self.epoch = epoch
        self.ended = kind == "session.ended"
        for ref in sounds_of(event):
            self.names.of(ref["key"])
        if len(self.names) > MOST_SOUNDS:
            raise _none_of_ours(reading, f"it names more than {MOST_SOUNDS:,} sounds")

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _end(self) -> None:
        """The directory, byte by byte; of an old file, which anybody's zip may have written, that there is one."""
        at, number = self._source.at, len(self._whole) + 1
        if self.version == OLD:
            if not self._closed():
                raise Damage("it ends", self._source.at, number, "the directory", cut=True)
            return
        if not self.lost:
            self._compare_index(at, number)
            self._compare_heads()
            self._compare_directory(directory(self._whole, at), number)

    def _closed(self) -> bool:
        """Whether what is left ends as a zip does."""
        last = b""
        while chunk := self._source.some():
            last = (last + chunk)[-(1 << 16) - 22 :]
        end = last.rfind(b"PK\5\6")
        return 0 <= end <= len(last) - 22

    def _compare_index(self, at: int, number: int) -> None:
        if not self._whole or self._whole[-1].name != INDEX:
            raise Damage(f"its {INDEX} is missing", at, number)
        listed = self._whole[:-1]
        if len(self._index) != len(listed):
            raise Damage(f"{len(self._index)} pieces were written, {len(listed)} are there", at, number)
        for piece, row, found in zip(listed, self._index, self._sums, strict=False):
            told = {"piece": piece.number, "name": piece.name, "at": piece.at, "bytes": piece.size, "sha256": found}
            if not isinstance(row, dict) or any(row.get(name) != value for name, value in told.items()):
                raise Damage(f"{INDEX} tells something else of it", piece.at, piece.number, piece.name)
            if piece.deflated and row.get("packed_sha256") != self._packed_sum(piece):
                until = piece.data + piece.packed
                raise Damage("its checksum differs, packed", piece.data, piece.number, piece.name, until=until)

    def _packed_sum(self, piece: Piece) -> str:
        """What lies there may be packed otherwise and unpack to the same; it is altered all the same."""
        sum256, at = hashlib.sha256(), piece.data
        while chunk := os.pread(self._raw.fileno(), min(CHUNK, piece.data + piece.packed - at), at):
            sum256.update(chunk)
            at += len(chunk)
        return sum256.hexdigest()

    def _compare_heads(self) -> None:
        """What the head of a piece says beside what was needed to read it."""
        for piece in self._whole:
            if os.pread(self._raw.fileno(), piece.data - piece.at, piece.at) != head_of(piece):
                raise Damage("its head is not as it was written", piece.at, piece.number, piece.name)

    def _compare_directory(self, expected: bytes, number: int) -> None:
        passed = 0
        while chunk := self._source.some():
            wanted = expected[passed : passed + len(chunk)]
            if chunk != wanted:
                differs = next((n for n, (a, b) in enumerate(zip(chunk, wanted, strict=False)) if a != b), len(wanted))
                raise Damage(
                    "it is not as it was written", self._source.at - len(chunk) + differs, number, "the directory"
                )
            passed += len(chunk)
        if passed < len(expected):
            raise Damage("it ends", self._source.at, number, "the directory", cut=True)

    # ── damage ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _note(self, damage: Damage) -> None:
        told = self._place(damage)
        self.lost = f"{self.lost}; {told}" if self.lost else told

    def _told(self, damage: Damage) -> ExportError:
        if damage.piece == 1 and not damage.name:
            return ExportError(f"{self._path}: {'an empty file' if not self._source.at else 'no export file'}", _GIVE)
        advice = f"`antiphon import {self._path} --salvage` takes what is sound"
        return ExportError(f"{self._path}: {self._place(damage)}", advice, salvage=True)

    def _place(self, damage: Damage) -> str:
        named = f" ({printable(damage.name)})" if damage.name else ""
        piece = f"piece {damage.piece}{named}"
        if damage.cut:
            return f"cut off at byte {damage.at:,}, in {piece}"
        where = f"bytes {damage.at:,} to {damage.until:,}" if damage.until > damage.at else f"byte {damage.at:,}"
        return f"altered in {piece}, {where}: {damage.what}"


def _finite(written: str) -> float:
    value = float(written)
    if not math.isfinite(value):
        raise ValueError(f"{written} is no number to reckon with")
    return value


_JSON = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)


def _none_of_ours(reading: Arriving, why: str) -> Damage:
    piece = reading.piece
    return Damage(why, piece.at, piece.number, piece.name)


def lines_of(chunks: Iterator[bytes], reading: Arriving) -> Iterator[bytes]:
    """Whole lines, as they come."""
    begun, length = list[bytes](), 0
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        begun.append(first)
        length += len(first)
        if length > LONGEST_EVENT:
            raise _none_of_ours(reading, f"a line in it is longer than {LONGEST_EVENT:,} bytes")
        if others:
            yield b"".join(begun)
            yield from others[:-1]
            begun, length = [others[-1]], len(others[-1])
    if length:
        raise _none_of_ours(reading, "its last line does not end")
