"""One at a time in a data folder: a lock that says whose it is, and what its holder is doing."""

import asyncio
import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from schemas.errors import AntiphonError

Doing = Literal["starting", "running", "stopping", "reading"]

_STOPS_WITHIN = 30.0  # seconds
_LENGTH = 80  # bytes of the lock file: overwritten as a whole, so that a full disk can't cut it


class InUse(AntiphonError):
    """Somebody else has the folder."""


class Occupied:
    """`folder`: it must be there before `take`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: int | None = None

    @property
    def descriptor(self) -> int:
        """The lock's file: a child process that holds it keeps the folder taken for as long as it lives."""
        assert self._file is not None
        return self._file

    async def take(self, on_wait: Callable[[str], None], doing: Doing = "starting") -> None:
        """Have the folder to oneself. Whoever is just leaving it is waited for, and `on_wait` told so. InUse: who stays."""
        self._open()
        end = time.monotonic() + _STOPS_WITHIN
        told = False
        while not self._locked():
            holder = self._holder()
            if not holder["leaving"] or time.monotonic() > end:
                self.leave()
                raise InUse(self._sentence(holder))
            if not told:
                on_wait(
                    f"what ran in {self._folder} (pid {holder['pid']}) is still stopping; this begins once it is gone, or "
                    f"fails after {_STOPS_WITHIN:.0f} s"
                )
                told = True
            await asyncio.sleep(0.05)
        self.say(doing)

    def try_to_take(self, doing: Doing) -> bool:
        """The same for who need not have it."""
        self._open()
        if self._locked():
            self.say(doing)
            return True
        self.leave()
        return False

    def say(self, doing: Doing) -> None:
        """Tell others what we are at; a disk that is full keeps nobody from it."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            os.pwrite(self._file, json.dumps({"pid": os.getpid(), "doing": doing}).ljust(_LENGTH).encode(), 0)

    def leave(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _open(self) -> None:
        """InUse: the folder takes no file of ours."""
        path = self._folder / "lock"
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise InUse(
                f"{path} can't be opened ({error.strerror}); set ANTIPHON_DATA to a folder of your own"
            ) from None

    def _locked(self) -> bool:
        assert self._file is not None
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _holder(self) -> dict[str, Any]:
        """`pid`, `doing`, and `leaving`: that it will soon be gone: it says so, or only its log server is left of it."""
        assert self._file is not None
        try:
            said = json.loads(os.pread(self._file, _LENGTH, 0))
            pid, doing = int(said["pid"]), str(said["doing"])
        except (ValueError, LookupError, TypeError):
            return {"pid": 0, "doing": "", "leaving": False}
        return {"pid": pid, "doing": doing, "leaving": doing == "stopping" or not _alive(pid)}

    def _sentence(self, holder: dict[str, Any]) -> str:
        pid = holder["pid"]
        if holder["leaving"]:
            return (
                f"what ran in {self._folder} (pid {pid}) has not stopped within {_STOPS_WITHIN:.0f} s; end it (kill -9 {pid}; "
                "`pgrep -a valkey` shows a log server that is left), or set ANTIPHON_DATA to another folder"
            )
        if holder["doing"] == "reading":
            return (
                f"{self._folder} is being read by another `antiphon` command (pid {pid}); try again once it has ended"
            )
        who = f"another stack (pid {pid})" if pid else "another stack"
        how = ["antiphon down"] if self._folder.name == "up" else []
        how += ["Ctrl-C where it runs", *([f"kill {pid}"] if pid else [])]
        return f"{self._folder} is in use by {who}; stop that one ({', or '.join(how)}), or set ANTIPHON_DATA to another folder"


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
