"""The command itself: all of the table, and which version it is."""

import contextlib
import gc
import os
import sys
from typing import Annotated

import typer

from ops.cli._commands import GROUPS, MOVED
from ops.cli._table import table
from ops.stack.private import MASK


def _version(asked: bool) -> None:
    if not asked:
        return
    from schemas.client import ReadyMessage
    from schemas.process.figures import program_version

    typer.echo(f"antiphon {program_version()} (WebSocket protocol {ReadyMessage.model_fields['version'].default})")
    raise typer.Exit


def _overview(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show which version this is and exit.")
    ] = False,
) -> None:
    """Antiphon: voice agents as an ordered log. Try `antiphon demo`, then what it suggests."""


app = table(GROUPS, help=_overview.__doc__, moved=MOVED, completion=True)
app.callback()(_overview)


def main() -> None:
    os.umask(MASK)
    gc.disable()  # until the command begins (_table.py): of what is loaded next to nothing is ever garbage
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
