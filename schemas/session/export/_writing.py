"""An export file is written: from front to back, each piece with its checksum, in memory that does not grow with the session."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from schemas.audio import HEARING_RATE, AudioRef
from schemas.bus import Reading
from schemas.codec import event_to_json
from schemas.errors import ExportError
from schemas.process.whole_file import whole_file
from schemas.session.encoding import fetching
from schemas.session.export import _wav as wav
from schemas.session.export._naming import (
    FORMAT,
    HEAD,
    INDEX,
    LONGEST_SOUND,
    MANIFEST,
    RECORDING,
    STATE,
    VERSION,
    Names,
    events_piece,
    sounds_of,
)
from schemas.session.export._zip import Stream, Writer
from schemas.session.fold import FOLD_VERSION, SessionState, fold
from schemas.session.history import events_of
from schemas.session.snapshot import view
from schemas.session.sound import Mix, Score
from schemas.text.clean import json_line

_README = """\
One session of Antiphon.

antiphon.json  what this is, and in which version of the format
events.jsonl   its log, an event a line, as it was appended (times `at` in µs; `ago`: that many s before);
               a long one goes on in events.00002.jsonl, events.00003.jsonl, …
state.json     what the log amounts to
audio/         every utterance and clip the events refer to; a blob {p00}:blob:<session>/<name> is audio/<name>.wav
session.wav    the whole, 16 kHz: left the users, right what they heard of the agent
manifest.json  counts, and blobs that were gone already
pieces.jsonl   all of these, with the SHA-256 of each
"""
_EVENTS_BYTES, _EVENTS_COUNT = 256 << 10, 2_000
_TEXT, _SOUND = 6, 1
"""zlib's levels: sound hardly gets smaller by trying harder."""
_LONGEST_RECORDING = 60_000
"""Seconds of stereo in the 4 GB that a WAV holds."""


async def export(log: Reading, session: str, file: Path, *, partitions: int | None = None) -> dict[str, Any]:
    """Write the session to `file`; answers the manifest. `partitions`: of the deployment it lies in, where there is one.

    ExportError if the file can't be written; it appears only when it is complete.
    """
    made = Export(log, session, partitions=partitions)
    with whole_file(file, ExportError) as part, part.open("wb") as out:
        async for chunk in made.chunks():
            out.write(chunk)
    return made.manifest


class Export:
    """The file of one session as bytes, from front to back. `manifest`: once it is through."""

    def __init__(self, log: Reading, session: str, *, partitions: int | None = None) -> None:
        self.manifest: dict[str, Any] = {}
        self._log, self._session, self._partitions = log, session, partitions
        self._zip = Writer()
        self._index: list[dict[str, Any]] = []
        self._refs: dict[str, AudioRef] = {}
        self._names = Names()
        self._state, self._score = SessionState(), Score()

    async def chunks(self) -> AsyncIterator[bytes]:
        info = await self._log.info(self._session)
        head = {
            "format": FORMAT,
            "version": VERSION,
            "session": self._session,
            "partitions": self._partitions,
            "partition": info.partition if info is not None else None,
        }
        yield self._piece(HEAD, json_line(head).encode() + b"\n")
        yield self._piece("README.txt", _README.encode(), _TEXT)
        async for chunk in self._events():
            yield chunk
        yield self._piece(STATE, _pretty(view(self._state)), _TEXT)
        missing = []
        for ref in self._refs.values():
            pcm = await self._log.get_blob(ref.key)
            if pcm is None or len(pcm) >= LONGEST_SOUND - 100:  # with its head
                missing.append(ref.key)
            else:
                yield await asyncio.to_thread(self._sound, ref, pcm)
        whole = self._score.length <= _LONGEST_RECORDING
        if whole:
            async for chunk in self._recording():
                yield chunk
        self.manifest = {
            "session": self._session,
            "events": self._state.seq,
            "ended": self._state.ended,
            "fold_version": FOLD_VERSION,
            "sounds": len(self._refs) - len(missing),
            "missing": missing,
            "seconds": round(self._score.length, 3),
            "recording": whole,
            "pieces": len(self._zip.pieces) + 1,
        }
        yield self._piece(MANIFEST, _pretty(self.manifest))
        yield self._zip.piece(INDEX, b"".join(json_line(row).encode() + b"\n" for row in self._index))
        yield self._zip.directory()

    def _piece(self, name: str, content: bytes, level: int = 0, **more: Any) -> bytes:
        written = self._zip.piece(name, content, level)
        self._indexed(hashlib.sha256(content).hexdigest(), **more)
        return written

    def _indexed(self, sha256: str, **more: Any) -> None:
        piece = self._zip.pieces[-1]
        row = {"piece": piece.number, "name": piece.name, "at": piece.at, "bytes": piece.size, "sha256": sha256}
        packed = {"packed_bytes": piece.packed, "packed_sha256": piece.packed_sum} if piece.deflated else {}
        self._index.append(row | packed | more)

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _events(self) -> AsyncIterator[bytes]:
        lines, size, pieces = list[bytes](), 0, 0
        async for event in events_of(self._log, self._session):
            told = event_to_json(event)
            lines.append(json_line(told).encode() + b"\n")
            size += len(lines[-1])
            self._state = fold(self._state, event)
            self._score.add(event)
            for found in sounds_of(told):
                self._refs.setdefault(found["key"], AudioRef.model_validate(found))
                self._names.of(found["key"])
            if size >= _EVENTS_BYTES or len(lines) >= _EVENTS_COUNT:
                pieces += 1
                yield self._events_piece(pieces, lines)
                lines, size = [], 0
        if lines or not pieces:
            yield self._events_piece(pieces + 1, lines)

    def _events_piece(self, number: int, lines: list[bytes]) -> bytes:
        last = self._state.seq
        return self._piece(
            events_piece(number), b"".join(lines), _TEXT, first_event=last - len(lines) + 1, last_event=last
        )

    # ── sound ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _sound(self, ref: AudioRef, pcm: bytes) -> bytes:
        head = wav.head(ref.rate, channels=1, size=len(pcm))
        return self._piece(self._names.of(ref.key), head + pcm, _SOUND, key=ref.key)

    async def _recording(self) -> AsyncIterator[bytes]:
        recording = Mix(self._score, fetching(self._log))
        stream, sha256 = self._zip.stream(RECORDING, _SOUND), hashlib.sha256()
        yield stream.begin()
        head = wav.head(HEARING_RATE, channels=2, size=4 * recording.samples)
        sha256.update(head)
        yield stream.more(head)
        async for block in recording.blocks():
            pcm = block.astype("<i2").tobytes()
            yield await asyncio.to_thread(_packed, stream, sha256, pcm)
        yield stream.end()
        self._indexed(sha256.hexdigest())


def _packed(stream: Stream, sha256: Any, pcm: bytes) -> bytes:
    sha256.update(pcm)
    return stream.more(pcm)


def _pretty(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace")
