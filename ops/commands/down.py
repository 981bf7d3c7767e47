"""`antiphon down`: stops what `antiphon up` runs here."""

import os
import signal
import time
from typing import Annotated

import typer

from ops import console
from ops.commands._options import Json

_WITHIN = 60.0
"""Seconds: a process of the stack has five to end by itself, its log ten."""


def down(
    kill: Annotated[bool, typer.Option("--kill", help="Give nobody time: calls end in mid-word.")] = False,
    json: Json = False,
) -> None:
    """Stop what `antiphon up` runs here, and wait for it.

    Its data stay. Ends with 0 when it is stopped, also when nothing ran; with 1 when it has not stopped within a minute.

    Example: antiphon down
    """
    from ops.stack.here import data_folder, is_alive, told_in

    folder = data_folder() / "up"
    told = told_in(folder)
    if told is None:
        _tell(json, {"stopped": False, "pid": None}, f"Nothing runs in {folder}.")
        return
    pid = int(told["pid"])
    if not json:
        console.out.print(f"Stopping {len(told['processes'])} processes (pid {pid}) …", style="dim")
    try:
        os.kill(pid, signal.SIGTERM)
        if kill:
            os.kill(pid, signal.SIGINT)  # told twice, by another signal: of two that are the same one may be lost
    except ProcessLookupError:
        pass
    except PermissionError:
        console.fail(f"pid {pid} is another user's, who started it; nothing was stopped")
    end = time.monotonic() + _WITHIN
    while is_alive(told):
        if time.monotonic() > end:
            console.fail(
                f"it has not stopped within {_WITHIN:.0f} s (pid {pid}); {console.me()} down --kill ends it at once"
            )
        time.sleep(0.05)
    _tell(json, {"stopped": True, "pid": pid}, f"Stopped. The log stays in {folder}.")


def _tell(json: bool, value: dict[str, object], sentence: str) -> None:
    if json:
        console.emit(value)
    else:
        console.out.print(sentence, soft_wrap=True)
