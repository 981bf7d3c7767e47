"""A command that goes on by itself: whoever called it waits until it is ready, and has the terminal back."""

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import typer

from ops import console

_READY = b"+"
_INTERRUPTED = 130


def in_background(log: Path) -> Callable[[], None]:
    """Goes on in a process of its own, which no terminal reaches: what it answers there is to be called once it is ready; until
    then it prints where the command was called, later into `log`. The command itself ends here, with 0 once that is ready, or
    as it ends, but never with 0. To be called before anything has begun: no threads, no loop."""
    end, tell = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        os.close(tell)
        raise typer.Exit(_watch(child, end))
    os.close(end)
    os.setsid()
    _put(os.devnull, os.O_RDONLY, 0)
    for shown, place in ((console.out, 1), (console.err, 2)):  # `up -d | head`: it goes on, though nobody reads it
        shown.on_broken_pipe = partial(_put, os.devnull, os.O_WRONLY, place)  # type: ignore[method-assign]

    def ready() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        _put(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 1, 2)
        os.write(tell, _READY)
        os.close(tell)

    return ready


def _put(path: Path | str, flags: int, *places: int) -> None:
    opened = os.open(path, flags, 0o600)
    for place in places:
        os.dup2(opened, place)
    os.close(opened)


def _watch(child: int, end: int) -> int:
    """The exit code. Ctrl-C and SIGTERM are handed on: what has been begun is stopped by who began it."""
    interrupted = []

    def hand_on(sent: int, _: object) -> None:
        interrupted.append(sent)
        os.kill(child, sent)

    for sent in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sent, hand_on)
    if os.read(end, 1) == _READY:
        return 0
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code > 0 else _INTERRUPTED if interrupted else 1
