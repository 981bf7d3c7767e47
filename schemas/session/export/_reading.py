"""An export file, read wherever something of it is needed, as any other place where sessions are kept."""

import asyncio
import json
import os
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from schemas.bus import SessionInfo, Snapshot
from schemas.clock import Micros
from schemas.codec import event_from_json
from schemas.errors import ExportError
from schemas.events import Event
from schemas.session.export import _wav as wav
from schemas.session.export._opening import Opening, Part, lines_of
from schemas.session.export._zip import Arriving, Damage, Piece, Source
from schemas.session.listing import Kept
from schemas.text.clean import printable

MOST = 16 << 30
"""Bytes an export file may unpack to: 70 hours of stereo."""


def open_export(file: Path | str, *, salvage: bool = False, most: int = MOST) -> "ExportFile":
    """Read the file to its end, which takes seconds for an hour of conversation, and keep it open for `ExportFile`.

    ExportError says which piece, at which byte, is not as it was written, that a newer program wrote it, or why it can't be
    read. `salvage`: take what is sound instead; `ExportFile.lost` says what isn't. `most`: bytes it may unpack to.
    """
    path = Path(file)
    try:
        raw = path.open("rb")
    except OSError as error:
        raise ExportError(
            f"{path}: cannot be read ({error.strerror}); give a file that `antiphon export` wrote"
        ) from None
    try:
        found = Opening(path, raw, salvage=salvage, most=most)
        found.read()
        return ExportFile(path, raw, found)
    except OSError as error:
        raw.close()
        raise ExportError(f"{path}: cannot be read ({error.strerror})") from None
    except BaseException:
        raw.close()
        raise


class ExportFile(Kept):
    """One session, kept in a file: `Reading` of it, and `Listing` of it alone. Memory does not grow with the session.

    `session`: its id; `version`: of the format; `partitions`: of the deployment it came from, None where that isn't known;
    `manifest`, `state`: as they were written; `events`: how many; `lost`: what could not be salvaged, "": nothing is lost.
    """

    def __init__(self, path: Path, raw: BinaryIO, found: Opening) -> None:
        self.path, self.session, self.version, self.partitions = path, found.session, found.version, found.partitions
        self.manifest, self.state, self.lost = found.manifest, found.state, found.lost
        self.events = found.seq
        self._raw = raw
        self._parts = found.parts
        self._firsts = array("q", [part.first for part in found.parts])
        self._names, self._sounds = found.names, found.sounds
        self._next: tuple[int, Iterator[Event]] | None = None
        state: Literal["open", "closed"] = "closed" if found.ended else "open"
        self._info = SessionInfo(
            found.session, found.partition, found.seq, state, "", found.epoch, found.generation, Micros(0), Micros(found.at)
        )  # fmt: skip

    def __enter__(self) -> "ExportFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._raw.close()

    # ── Reading ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
        """ExportError: the file has changed since it was opened. EventError, FutureEvent: as of any log."""
        if session != self.session or after >= self.events:
            return []
        after = max(after, 0)
        coming = self._next[1] if self._next is not None and self._next[0] == after + 1 else self.stored(after)
        self._next = None
        found: list[Event] = []
        while (count is None or len(found) < count) and (event := next(coming, None)) is not None:
            found.append(event)
            if len(found) % _BREATH == 0:
                await asyncio.sleep(0)
        if found:
            self._next = (found[-1].seq + 1, coming)
        return found

    async def snapshot(self, session: str) -> Snapshot | None:
        return None

    async def info(self, session: str) -> SessionInfo | None:
        return self._info if session == self.session else None

    async def get_blob(self, key: str) -> bytes | None:
        name = self._names.known(key)
        piece = self._sounds.get(name) if name is not None else None
        return None if piece is None else await asyncio.to_thread(self._pcm, piece)

    # ── Listing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def sessions(self, count: int = 100) -> list[SessionInfo]:
        return [self._info][:count] if self._info.state == "open" else []

    async def closed(self, count: int = 100) -> list[SessionInfo]:
        return [self._info][:count] if self._info.state == "closed" else []

    async def now(self) -> Micros:
        """Of its last event: nothing has happened since."""
        return self._info.last_activity

    # ── the file ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def sound_keys(self) -> list[str]:
        """Of the sounds that are there."""
        return [key for key, name in self._names.all() if name in self._sounds]

    def stored(self, after: int = 0) -> Iterator[Event]:
        """As `read`, for who waits for nothing else."""
        place = max(bisect_right(self._firsts, after + 1) - 1, 0)
        for part in self._parts[place:]:
            seq = part.first - 1
            for line in self._lines(part):
                seq += 1
                if seq > after:
                    yield event_from_json(json.loads(line))

    def _lines(self, part: Part) -> Iterator[bytes]:
        reading = self._again(part.piece)
        left = part.most
        try:
            for line in lines_of(reading.chunks(), reading):
                if left is not None:
                    if not left:
                        return
                    left -= 1
                yield line
        except Damage as damage:
            if left == 0:  # it was known to be cut there
                return
            raise self._changed(damage) from None

    def _pcm(self, piece: Piece) -> bytes:
        try:
            content = b"".join(self._again(piece).chunks())
        except Damage as damage:
            raise self._changed(damage) from None
        pcm = wav.content(content)
        if pcm is None:
            raise ExportError(f"{self.path}: piece {piece.number} ({printable(piece.name)}) is no WAV of 16 bits, mono")
        return pcm

    def _again(self, piece: Piece) -> Arriving:
        return Arriving(Source(_At(self._raw.fileno(), piece.data)), _moved(piece))

    def _changed(self, damage: Damage) -> ExportError:
        name = printable(damage.name)
        return ExportError(
            f"{self.path}: piece {damage.piece} ({name}) has changed since the file was opened; open it again"
        )


_BREATH = 500
"""Events after which others have their turn."""


def _moved(piece: Piece) -> Piece:
    """The same, as it lies in a source that begins with it. Its size is known by now."""
    return Piece(piece.number, piece.name, 0, 0, piece.packed, piece.size, piece.crc, piece.deflated)


class _At:
    """A file from some byte on, for several readers at once."""

    def __init__(self, descriptor: int, at: int) -> None:
        self._descriptor, self._at = descriptor, at

    def read(self, most: int) -> bytes:
        found = os.pread(self._descriptor, most, self._at)
        self._at += len(found)
        return found


__all__ = ["MOST", "ExportFile", "open_export"]
