"""What a child process says, by a pipe of ours, so that its file can be put aside without a line being lost."""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from ops.stack.log_files import LogFile

_PIPE = 1 << 20
"""Bytes a child may be ahead of us: for minutes of ours it waits for nobody. Systems that give less give less."""
_READ = 1 << 16


@contextmanager
def pipe() -> Iterator[tuple[BinaryIO, int]]:
    """Our end, to be read, and the child's, which is ours until it has been started."""
    end, sink = os.pipe()
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with contextlib.suppress(OSError):
            fcntl.fcntl(sink, fcntl.F_SETPIPE_SZ, _PIPE)
    ours = os.fdopen(end, "rb", buffering=0)
    try:
        yield ours, sink
    except BaseException:
        ours.close()
        raise
    finally:
        os.close(sink)


async def into_file(end: BinaryIO, file: LogFile) -> None:
    """Until nobody has the other end any more, or until cancelled; `end` is closed then."""
    reader = asyncio.StreamReader(limit=_READ)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), end)
    try:
        while data := await reader.read(_READ):
            file.write(data)
    finally:
        transport.close()
