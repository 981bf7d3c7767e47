"""The process of the command, from the shell's call to its exit code."""

import contextlib
import gc
import os
import sys


def main() -> None:
    gc.disable()  # until the command begins (_table.py): of what is loaded next to nothing is ever garbage
    from ops.cli._app import app
    from ops.stack.private import MASK

    os.umask(MASK)
    try:
        app(prog_name="antiphon")
    except SystemExit as ended:
        if isinstance(ended.code, int) and _leaves_nothing():
            _leave(ended.code)
        raise


def _leaves_nothing() -> bool:
    console = sys.modules.get("ops.console")
    return console is not None and console.Leaving.nothing_behind


def _leave(code: int) -> None:
    """At once: to take everything apart that was loaded costs a tenth of what a command that only reads does. Where somebody
    does not take its last words it ends as any other, and so says."""
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
