"""The `antiphon` command.

A new command is one file in `ops/commands`: a function with its options and, as its docstring, its help, ending in an example.
And it is one line in `_commands.py`: its name, where the function is, and the first line of that help. What it does is imported
in its function, so that nobody's `--help` waits for models and servers.
"""

import os
from typing import Annotated

import typer

from ops.cli._commands import GROUPS, MOVED, Family
from ops.cli._table import table, tell_moved
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
    app(prog_name="antiphon")


__all__ = ["GROUPS", "MOVED", "Family", "app", "main", "tell_moved"]
