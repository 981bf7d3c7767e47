"""Log files of a bounded size: `NAME.log`, which is written to, and `NAME.log.1`, `.2`, … before it, the older the higher."""

import contextlib
import itertools
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

SIZE = 5_000_000
"""Bytes from which a file is put aside, at the end of a line."""
OLDER = 4
"""Files that are kept beside the one that is written to."""


def chain(path: Path) -> list[Path]:
    """The file and those before it, the newest first."""
    return [path, *(path.with_name(f"{path.name}.{number}") for number in range(1, OLDER + 1))]


class _Kept(RotatingFileHandler):
    """A folder that isn't there yet, or a disk that is full, keeps nobody from going on."""

    def handleError(self, record: logging.LogRecord) -> None:
        return


@contextmanager
def own_words_kept(path: Path) -> Iterator[None]:
    """What this process logs meanwhile goes there, too, within the same bounds."""
    kept = _Kept(path, maxBytes=SIZE, backupCount=OLDER, delay=True)
    form = "%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s"
    kept.setFormatter(logging.Formatter(form, "%Y-%m-%d %H:%M:%S"))
    ours = logging.getLogger("antiphon")
    before = ours.level
    ours.addHandler(kept)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        ours.setLevel(before)
        ours.removeHandler(kept)
        kept.close()


class LogFile:
    """Bytes as they come, each of them in one file. A disk that takes nothing keeps nobody from going on."""

    def __init__(self, path: Path, size: int = SIZE) -> None:
        self.path = path
        self._limit = size
        self._file: int | None = None
        self._size = 0
        self._between_lines = True

    def write(self, data: bytes) -> None:
        """A line that is not whole yet is written, too; the file is put aside behind the end of one."""
        with contextlib.suppress(OSError):
            while data:
                if self._size >= self._limit and self._between_lines:
                    self._put_aside()
                file = self.open()
                room = max(1, self._limit - self._size)
                end = len(data) if len(data) <= room else data.find(b"\n", room - 1) + 1 or len(data)
                written = os.write(file, data[:end])
                self._size += written
                self._between_lines = data[:written].endswith(b"\n")
                data = data[written:]

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def open(self) -> int:
        """Its descriptor. OSError: it can't be written to."""
        if self._file is None:
            self._file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._size = os.fstat(self._file).st_size
        return self._file

    def _put_aside(self) -> None:
        self.close()
        files = chain(self.path)
        for newer, older in reversed(list(itertools.pairwise(files))):
            with contextlib.suppress(FileNotFoundError):
                newer.replace(older)
        self._size = 0
