"""Lines of a stack's log files, across those that were put aside: the last ones, and those to come."""

import contextlib
import heapq
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO

from ops.stack.log_files import chain

_POLL = 0.2  # seconds
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?(Z|[+-]\d\d:?\d\d)?")
_ABOUT = 60
"""Characters from a line's beginning within which it tells its time."""
_VALKEY = re.compile(r"^\d+:\w (\d\d \w{3} \d{4} \d\d:\d\d:\d\d\.\d{3})")
_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Line:
    """`text`: without its end; `at`: epoch, as it says itself; a line that says none has its predecessor's."""

    process: str
    text: str
    at: float


def names_in(folder: Path) -> list[str]:
    """Of the processes that have a log there."""
    return sorted(path.stem for path in folder.glob("*.log"))


def last_lines(folder: Path, names: Sequence[str], count: int | None, ends: Mapping[str, "Place"]) -> Iterator[Line]:
    """The last `count` (None: all) of each, before `ends`, in order of time."""
    return heapq.merge(
        *(_timed(name, _last(folder / f"{name}.log", count, ends.get(name))) for name in names),
        key=lambda line: line.at,
    )


@dataclass(frozen=True, slots=True)
class Place:
    """In a log: which file (its inode), and bytes from its beginning."""

    file: int
    offset: int


def _last(path: Path, count: int | None, end: Place | None) -> list[str]:
    """From the newest file backwards, until there are enough."""
    found: list[bytes] = []
    for file in chain(path):
        with contextlib.suppress(FileNotFoundError), file.open("rb") as opened:
            here = end is None or os.fstat(opened.fileno()).st_ino == end.file
            if end is not None and not here and not found and file == path:
                continue  # put aside since: what is newer is to come
            size = end.offset if end is not None and here else os.fstat(opened.fileno()).st_size
            found = [*_tail(opened, size, None if count is None else count - len(found)), *found]
        if count is not None and len(found) >= count:
            break
    return [line.decode("utf-8", "replace") for line in found]


def _tail(file: IO[bytes], size: int, count: int | None) -> list[bytes]:
    if count == 0:
        return []
    kept, start = b"", size
    while start > 0 and (count is None or kept.count(b"\n") <= count):
        begin = max(0, start - _BLOCK)
        file.seek(begin)
        kept, start = file.read(start - begin) + kept, begin
    lines = kept.splitlines()
    return lines if count is None else lines[-count:]


def _timed(name: str, lines: Iterable[str], at: float = 0.0) -> Iterator[Line]:
    for text in lines:
        at = max(at, _when(text) or at)
        yield Line(name, text, at)


def _when(text: str) -> float | None:
    try:
        if found := _STAMP.search(text[:_ABOUT]):
            stamp, fraction, zone = found.groups()
            moment = datetime.fromisoformat(stamp + (zone or ""))
            return moment.timestamp() + float(f"0.{fraction or 0}")
        if found := _VALKEY.match(text):
            return datetime.strptime(found[1], "%d %b %Y %H:%M:%S.%f").timestamp()
    except ValueError:
        return None
    return None


def _to_last_line(file: IO[bytes]) -> int:
    """Its end, or where a line begins there that isn't whole yet."""
    size = file.seek(0, os.SEEK_END)
    begin = max(0, size - _BLOCK)
    file.seek(begin)
    return file.seek(begin + file.read().rfind(b"\n") + 1)


@dataclass
class _Log:
    """One process' log from a place on. `part`: a line whose end is yet to come."""

    path: Path
    file: IO[bytes]
    part: bytes = b""

    def read(self) -> list[bytes]:
        """What has come since, also in the files that took this one's place meanwhile."""
        data = self.part
        while True:
            newer = self._newer()
            data += self.file.read()  # after the look: a file that was put aside gets nothing more
            if newer is None:
                break
            self.file.close()
            self.file = newer
        *lines, self.part = data.split(b"\n")
        return lines

    def _newer(self) -> IO[bytes] | None:
        """The file that came right after ours, None where ours is still the one that is written to. Of the chain's files, seen
        from the newest: the last one before ours; where ours is gone already, the oldest there is."""
        ours, found = os.fstat(self.file.fileno()).st_ino, None
        for path in chain(self.path):
            try:
                opened = path.open("rb")
            except FileNotFoundError:
                if path == self.path:
                    return None  # it is just being put aside
                break
            if os.fstat(opened.fileno()).st_ino == ours:
                opened.close()
                break
            if found is not None:
                found.close()
            found = opened
        return found


@dataclass
class Followed:
    """`names`: None for all, those that come later as well. `beginnings`: where each is read from."""

    folder: Path
    names: Sequence[str] | None
    beginnings: dict[str, Place] = field(default_factory=dict)
    _logs: dict[str, _Log] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, log in self._begun():
            self.beginnings[name] = Place(os.fstat(log.file.fileno()).st_ino, _to_last_line(log.file))

    def _begun(self) -> Iterator[tuple[str, _Log]]:
        for name in names_in(self.folder) if self.names is None else self.names:
            path = self.folder / f"{name}.log"
            if name not in self._logs and path.exists():
                self._logs[name] = _Log(path, path.open("rb"))
                yield name, self._logs[name]

    def new_lines(self) -> list[Line]:
        """Those that have come since, in order of time."""
        list(self._begun())
        now = time.time()
        lines = (
            _timed(name, (line.decode("utf-8", "replace") for line in log.read()), now - _POLL)
            for name, log in self._logs.items()
        )
        return sorted((line for some in lines for line in some), key=lambda line: line.at)

    def wait(self) -> None:
        time.sleep(_POLL)

    def close(self) -> None:
        for log in self._logs.values():
            log.file.close()
