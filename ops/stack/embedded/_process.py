"""What the embedded servers share: one child process in a folder of its own, ended gently or at once."""

import asyncio
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Self

from ops.stack.private import MASK
from ops.stack.system import dying_with_parent
from schemas.errors import AntiphonError


class ServerProcess(ABC):
    """`folder`: its data and log; `log_file`: what it says; `process`: None while it does not run; `free_ports`: any will do."""

    grace: float
    """Seconds that `stop` waits for it to end by itself."""

    def __init__(self, folder: Path | str, log: str, free_ports: bool):
        self.folder = Path(folder).absolute()  # the server may change into it, and its log is named from there
        self.log_file = self.folder / log
        self.process: subprocess.Popen[bytes] | None = None
        self._free_ports = free_ports

    async def start(self, timeout: float = 20.0) -> Self:
        """Start and wait until it answers. What it raises where it doesn't says what its log says."""
        for _ in range(3):
            if self._free_ports:
                self._take_free_ports()
            self._spawn()
            if await self._comes_up(timeout):
                self._free_ports = False
                return self
            busy = "address already in use" in self._tail().lower()
            await self.kill()
            if not (busy and self._free_ports):
                break
        raise self._not_up(self._tail()[-400:].strip() or "no log")

    async def stop(self) -> None:
        """SIGTERM and wait, for `grace` seconds: then it is killed."""
        await self._end(signal.SIGTERM, self.grace)

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @abstractmethod
    async def answers(self) -> bool:
        """Whether it can be used now."""

    @abstractmethod
    def _take_free_ports(self) -> None: ...

    @abstractmethod
    def _spawn(self) -> None: ...

    @abstractmethod
    def _not_up(self, said: str) -> AntiphonError: ...

    async def _comes_up(self, timeout: float) -> bool:
        end = time.monotonic() + timeout
        while time.monotonic() < end and self.process and self.process.poll() is None:
            if await self.answers():
                return True
            await asyncio.sleep(0.01)
        return False

    async def kill(self) -> None:
        """SIGKILL: as a crash would."""
        await self._end(signal.SIGKILL, 10.0)

    def _run(self, arguments: Sequence[str], output: IO[bytes] | int = subprocess.DEVNULL) -> None:
        self.process = subprocess.Popen(
            dying_with_parent(arguments),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,  # Ctrl-C is for the supervisor, which stops the servers last
            umask=MASK,
        )

    async def _end(self, number: signal.Signals, timeout: float) -> None:
        process = self.process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(number)
        end = time.monotonic() + timeout
        while process.poll() is None:
            if time.monotonic() > end:
                process.kill()
            await asyncio.sleep(0.005)
        self.process = None

    def _tail(self) -> str:
        """The end of its log, "" without one."""
        try:
            return self.log_file.read_text("utf-8", "replace")[-2000:]
        except OSError:
            return ""
