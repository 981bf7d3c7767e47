"""As much of a zip as an export file needs, written and read from front to back without a seek.

A piece whose size is known beforehand has it, and its CRC-32, in its own head, so that a reader checks it as it comes; one that
is not (the recording) has both behind it. Each byte follows from the pieces, so that each altered one is noticed.
"""

import hashlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

CHUNK = 1 << 16
_HEAD = struct.Struct("<4s5H3I2H")
_DIRECTORY = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_BEHIND, _BEHIND64 = struct.Struct("<4s3I"), struct.Struct("<4sI2Q")
_IS_PIECE, _IS_DIRECTORY, _IS_END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
_IS_BEHIND, _IS_END64, _IS_LOCATOR = b"PK\7\x08", b"PK\6\6", b"PK\6\7"
_STORED, _DEFLATED = 0, 8
_SIZES_BEHIND, _UTF8, _ENCRYPTED = 1 << 3, 1 << 11, 1
_DAY = 0x21  # 1980-01-01: the same session is the same file
_FULL, _FULL_COUNT = 0xFFFFFFFF, 0xFFFF
_FILE = 0o100644 << 16
_LONGEST_NAME = 512


class Damage(Exception):
    """The file is not as it was written. `at`: the byte; `piece`: which, from 1; `name`: of the piece, "" where it has none;
    `cut`: it ends too early; `until`: the byte up to which it is not known where the damage lies (0: at `at` itself)."""

    def __init__(self, what: str, at: int, piece: int, name: str = "", *, cut: bool = False, until: int = 0) -> None:
        super().__init__(what)
        self.what, self.at, self.piece, self.name, self.cut, self.until = what, at, piece, name, cut, until


@dataclass(frozen=True, slots=True)
class Piece:
    """One file in the zip. `number`: from 1; `at`: the byte where its head begins, `data`: its content; `packed`, `size`: bytes
    of that as it lies there, and as it is; `behind`: sizes and CRC stand behind it; `wide`: these sizes have 8 bytes;
    `packed_sum`: SHA-256 of it as it lies there, where we have written it."""

    number: int
    name: str
    at: int
    data: int
    packed: int
    size: int
    crc: int
    deflated: bool
    behind: bool = False
    wide: bool = False
    packed_sum: str = ""


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Writer:
    """Answers bytes, to be written one after the other. `pieces`: so far."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self._at = 0

    def piece(self, name: str, content: bytes, level: int = 0) -> bytes:
        """A piece, whole. `level`: of zlib, 0 lets it lie as it is."""
        packed = _packed(content, level) if level else content
        crc, encoded = zlib.crc32(content), name.encode()
        data = self._at + _HEAD.size + len(encoded)
        made = Piece(
            len(self.pieces) + 1, name, self._at, data, len(packed), len(content), crc, deflated=level > 0,
            packed_sum=hashlib.sha256(packed).hexdigest(),
        )  # fmt: skip
        return self._add(made, head_of(made) + packed)

    def stream(self, name: str, level: int) -> "Stream":
        """A piece whose content comes bit by bit. No other may be written before it is done."""
        return Stream(self, name, level)

    def directory(self) -> bytes:
        """What closes the file."""
        return directory(self.pieces, self._at)

    def _add(self, piece: Piece, written: bytes) -> bytes:
        self.pieces.append(piece)
        self._at += len(written)
        return written


class Stream:
    """See `Writer.stream`: first `begin`, then `more` as often as there is something, then `end`; each answers bytes."""

    def __init__(self, writer: Writer, name: str, level: int) -> None:
        self._writer, self._name = writer, name
        self._packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._at = writer._at
        self._crc = self._size = self._packed = 0
        self._sum = hashlib.sha256()

    def begin(self) -> bytes:
        return head_of(self._piece())

    def more(self, content: bytes) -> bytes:
        self._crc = zlib.crc32(content, self._crc)
        self._size += len(content)
        return self._counted(self._packer.compress(content))

    def end(self) -> bytes:
        rest = self._counted(self._packer.flush())
        made = self._piece()
        written = rest + _behind(made)
        self._writer._at = made.data + made.packed - len(rest)
        return self._writer._add(made, written)

    def _counted(self, packed: bytes) -> bytes:
        self._packed += len(packed)
        self._sum.update(packed)
        return packed

    def _piece(self) -> Piece:
        data = self._at + _HEAD.size + len(self._name.encode())
        number = len(self._writer.pieces) + 1
        return Piece(
            number, self._name, self._at, data, self._packed, self._size, self._crc, deflated=True, behind=True,
            packed_sum=self._sum.hexdigest(),
        )  # fmt: skip


def _packed(content: bytes, level: int) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def head_of(piece: Piece) -> bytes:
    """What stands before a piece's content."""
    name, method = piece.name.encode(), _DEFLATED if piece.deflated else _STORED
    crc, packed, size = (0, 0, 0) if piece.behind else (piece.crc, piece.packed, piece.size)
    return _HEAD.pack(_IS_PIECE, 20, _flags(piece), method, 0, _DAY, crc, packed, size, len(name), 0) + name


def _flags(piece: Piece) -> int:
    return (_SIZES_BEHIND if piece.behind else 0) | (0 if piece.name.isascii() else _UTF8)


def _behind(piece: Piece) -> bytes:
    return _BEHIND.pack(_IS_BEHIND, piece.crc, piece.packed, piece.size)


def directory(pieces: list[Piece], at: int) -> bytes:
    """The zip's directory of `pieces`, which begins at byte `at`, and its end. Another zip reader looks here first."""
    made = bytearray()
    for piece in pieces:
        name, method = piece.name.encode(), _DEFLATED if piece.deflated else _STORED
        far = piece.at >= _FULL
        extra = struct.pack("<2HQ", 1, 8, piece.at) if far else b""
        version = 45 if far else 20
        made += _DIRECTORY.pack(
            _IS_DIRECTORY, 3 << 8 | version, version, _flags(piece), method, 0, _DAY, piece.crc, piece.packed, piece.size,
            len(name), len(extra), 0, 0, 0, _FILE, _FULL if far else piece.at,
        ) + name + extra  # fmt: skip
    count, size = len(pieces), len(made)
    if at >= _FULL or count >= _FULL_COUNT:
        made += _END64.pack(_IS_END64, 44, 3 << 8 | 45, 45, 0, 0, count, count, size, at)
        made += _LOCATOR.pack(_IS_LOCATOR, 0, at + size, 1)
    least = min(count, _FULL_COUNT)
    return bytes(made) + _END.pack(_IS_END, 0, 0, least, least, size, min(at, _FULL), 0)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Raw(Protocol):
    """Bytes, read in order."""

    def read(self, most: int, /) -> bytes: ...


class Source:
    """Bytes from front to back, each once; what was read too far can be given back. `at`: of the next."""

    def __init__(self, raw: Raw) -> None:
        self._raw = raw
        self._back = b""
        self.at = 0

    def some(self, most: int = CHUNK) -> bytes:
        """Up to `most`; b"" at the end."""
        if self._back:
            read, self._back = self._back[:most], self._back[most:]
        else:
            read = self._raw.read(most)
        self.at += len(read)
        return read

    def upto(self, count: int) -> bytes:
        """`count`, fewer only at the end."""
        read = self.some(count)
        while len(read) < count and (more := self.some(count - len(read))):
            read += more
        return read

    def give_back(self, read: bytes) -> None:
        self._back = read + self._back
        self.at -= len(read)


class Arriving:
    """One piece as it comes: its `chunks` in order; `piece`, with its sizes, is whole once they are through."""

    def __init__(self, source: Source, piece: Piece) -> None:
        self.piece = piece
        self.done = False
        self._source = source

    def chunks(self) -> Iterator[bytes]:
        """Its content, checked to its end. Damage, at the end at the latest: what came before is not sound either."""
        crc = size = 0
        for chunk in self._inflated() if self.piece.deflated else self._stored():
            crc, size = zlib.crc32(chunk, crc), size + len(chunk)
            if not self.piece.behind and size > self.piece.size:
                raise self._damage("it is longer than its head says")
            yield chunk
        if self.piece.behind:
            self.piece = self._with_what_is_behind(crc, size)
        if size != self.piece.size or crc != self.piece.crc:
            raise self._damage("its checksum differs")
        self.done = True

    def skip(self) -> None:
        """To its end, unchecked, where that is known."""
        piece = self.piece
        left = piece.data + piece.packed - self._source.at
        while left > 0 and (read := self._source.some(min(left, CHUNK))):
            left -= len(read)

    def _stored(self) -> Iterator[bytes]:
        left = self.piece.packed
        while left:
            chunk = self._source.some(min(left, CHUNK))
            if not chunk:
                raise self._cut()
            left -= len(chunk)
            yield chunk

    def _inflated(self) -> Iterator[bytes]:
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        left = self.piece.packed
        while not unpacker.eof:
            packed = unpacker.unconsumed_tail
            if not packed:
                packed = self._source.some(CHUNK if self.piece.behind else min(left, CHUNK))
                left -= len(packed)
            try:
                chunk = unpacker.decompress(packed, CHUNK)
            except zlib.error:
                raise self._damage("it cannot be unpacked", at=self._source.at - len(packed)) from None
            if chunk:
                yield chunk
            elif not packed and not unpacker.eof:  # nor was anything held back
                if left == 0 and not self.piece.behind:
                    raise self._damage("it does not end where its head says")
                raise self._cut()
        if unpacker.unused_data:
            if not self.piece.behind:
                raise self._damage("something follows its end")
            self._source.give_back(unpacker.unused_data)
        elif left and not self.piece.behind:
            raise self._damage("something follows its end")

    def _with_what_is_behind(self, crc: int, size: int) -> Piece:
        piece = self.piece
        packed = self._source.at - piece.data
        form = _BEHIND64 if piece.wide else _BEHIND
        read = self._source.upto(form.size)
        if len(read) < form.size:
            raise self._cut()
        signature, told_crc, told_packed, told_size = form.unpack(read)
        if signature != _IS_BEHIND or (told_crc, told_packed, told_size) != (crc, packed, size):
            raise self._damage("its checksum differs")
        return Piece(
            piece.number, piece.name, piece.at, piece.data, packed, size, crc, piece.deflated, behind=True, wide=piece.wide
        )  # fmt: skip

    def _damage(self, what: str, at: int | None = None) -> Damage:
        piece = self.piece
        return Damage(what, piece.at if at is None else at, piece.number, piece.name, until=self._source.at)

    def _cut(self) -> Damage:
        return Damage("it ends", self._source.at, self.piece.number, self.piece.name, cut=True)


def pieces(source: Source) -> Iterator[Arriving]:
    """One after the other; each is to be read, or skipped, before the next. Damage."""
    number = 0
    while True:
        number += 1
        at = source.at
        signature = source.upto(4)
        if signature in (_IS_DIRECTORY, _IS_END):
            source.give_back(signature)
            return
        if len(signature) < 4:
            raise Damage("it ends", source.at, number, cut=True)
        if signature != _IS_PIECE:
            raise Damage("no piece begins there", at, number)
        rest = source.upto(_HEAD.size - 4)
        if len(rest) < _HEAD.size - 4:
            raise Damage("it ends", source.at, number, cut=True)
        reading = Arriving(source, _headed(source, signature + rest, at, number))
        yield reading


def _headed(source: Source, head: bytes, at: int, number: int) -> Piece:
    _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _HEAD.unpack(head)
    if name_length > _LONGEST_NAME or method not in (_STORED, _DEFLATED) or flags & _ENCRYPTED:
        raise Damage("the head of a piece is none of ours", at, number)
    read = source.upto(name_length + extra_length)
    if len(read) < name_length + extra_length:
        raise Damage("it ends", source.at, number, cut=True)
    try:
        name = read[:name_length].decode("utf-8" if flags & _UTF8 else "cp437")
    except UnicodeDecodeError:
        raise Damage("the name of a piece cannot be read", at, number) from None
    behind = bool(flags & _SIZES_BEHIND)
    if behind and method == _STORED:
        raise Damage("the head of a piece is none of ours", at, number, name)
    wide = _wide(read[name_length:])
    if wide and not behind:
        size, packed = wide
    return Piece(
        number, name, at, source.at, packed, size, crc, method == _DEFLATED, behind=behind, wide=wide is not None
    )  # fmt: skip


def _wide(extra: bytes) -> tuple[int, int] | None:
    """Size and packed size of a piece that has them in 8 bytes each."""
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == 1 and length >= 16 and len(extra) >= 20:
            size, packed = struct.unpack_from("<2Q", extra, 4)
            return size, packed
        extra = extra[4 + length :]
    return None
