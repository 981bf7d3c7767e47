"""What the embedded servers share: one child process in a folder of its own, ended gently or at once."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from ops.stack.private import MASK
from ops.stack.system import dying_with_parent


class ServerProcess:
    """`folder`: its data and its log; `log_file`: what it says; `process`: None while it doesn't run."""

    def __init__(self, folder: Path | str, log: str):
        self.folder = Path(folder).absolute()  # the server may change into it, and its log is named from there
        self.log_file = self.folder / log
        self.process: subprocess.Popen[bytes] | None = None

    async def kill(self) -> None:
        """SIGKILL: as a crash would."""
        await self._end(signal.SIGKILL, 10.0)

    def _run(self, arguments: Sequence[str], output: IO[bytes] | int = subprocess.DEVNULL) -> None:
        self.process = subprocess.Popen(
            dying_with_parent(arguments),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the supervisor, which stops the servers last
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
