"""The command itself: all of the table, and which version it is."""

from typing import Annotated

import typer

from ops.cli._commands import GROUPS, MOVED
from ops.cli._table import table


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
