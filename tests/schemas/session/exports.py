"""Sessions as export files, and what is in one."""

import json
import random
import zipfile
from pathlib import Path
from typing import Any

from schemas.audio import AudioRef
from schemas.bus import Reading
from schemas.errors import ExportError
from schemas.events import ClipReady, Event, SayRequested, UtteranceCaptured
from schemas.session.export import ExportFile, export, open_export
from schemas.session.export._zip import Writer
from tests.archive import Archive
from tests.golden import scenarios


def with_sound(log: list[Event], seed: int = 1) -> Archive:
    """The session with its blobs: noise, which no two have alike."""
    made, archive = random.Random(seed), Archive(log)
    for ref in refs(log):
        archive.blobs[ref.key] = made.randbytes(2 * min(ref.samples, 4_000))
    return archive


def refs(log: list[Event]) -> list[AudioRef]:
    found = [ref for event in log if isinstance(event, UtteranceCaptured) for ref in event.audio]
    return found + [event.audio for event in log if isinstance(event, ClipReady)]


def long_log(count: int) -> list[Event]:
    """`count` events."""
    first, *_, last = scenarios.plain()
    said = [SayRequested(seq=seq, at=first.at + seq, text=f"say {seq} " + "x" * (seq % 90)) for seq in range(2, count)]
    return [first, *said, last.model_copy(update={"seq": count, "at": first.at + count})]


async def written(folder: Path, log: list[Event] | None = None, name: str = "call.zip", **more: Any) -> Path:
    file = folder / name
    await export(with_sound(log if log is not None else scenarios.barge_in()), "s1", file, **more)
    return file


def opened(path: Path, *, salvage: bool = False) -> ExportFile | str:
    """The file, or why it is refused."""
    try:
        return open_export(path, salvage=salvage)
    except ExportError as error:
        return str(error)


async def all_of(file: Reading, session: str = "s1", size: int | None = 7) -> list[Event]:
    found: list[Event] = []
    while page := await file.read(session, found[-1].seq if found else 0, size):
        found += page
    return found


def json_lines(file: Path, name: str) -> list[dict[str, Any]]:
    with zipfile.ZipFile(file) as zipped:
        return [json.loads(line) for line in zipped.read(name).splitlines()]


def heads(file: Path) -> list[tuple[int, str]]:
    """Where each piece begins, and which it is."""
    with zipfile.ZipFile(file) as zipped:
        return [(info.header_offset, info.filename) for info in zipped.infolist()]


def made_of(file: Path, *contents: tuple[str, bytes]) -> Path:
    """A file of these pieces, in this order, each with its right checksum."""
    writer = Writer()
    file.write_bytes(b"".join(writer.piece(name, content, 6) for name, content in contents) + writer.directory())
    return file


HEAD = ("antiphon.json", b'{"format": "antiphon.session", "version": 2, "session": "s1", "partitions": 1}')
