"""A process of ours in a group of its own, so that Ctrl-C does not reach it.

In a group, not in a session: Linux's autogroups give each session that computes as much of the processor as all else that was
started in a terminal, whatever anybody's `nice`. asyncio's own subprocesses can't: uvloop's take no `process_group`.
"""

import asyncio
import contextlib
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence

from ops.stack.system import dying_with_parent


class Child:
    """One started process, which dies with us; its standard input is empty. To be made where a loop runs.

    Errors: OSError where it can't be started."""

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], output: int, descriptors: Sequence[int] = ()
    ) -> None:
        self._popen = subprocess.Popen(
            dying_with_parent(arguments),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
            pass_fds=descriptors,
        )
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        threading.Thread(target=self._watch, name=f"watch {self.pid}", daemon=True).start()

    def _watch(self) -> None:
        self._popen.wait()
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._ended.set)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; -N where signal N ended it."""
        return self._popen.returncode

    async def wait(self) -> int:
        await self._ended.wait()
        return self._popen.returncode

    def send_signal(self, sent: signal.Signals) -> None:
        """Nothing happens where it has ended."""
        self._popen.send_signal(sent)
