"""`antiphon top`: what runs, live."""

from typing import Annotated

import typer

from ops.commands._looking import lightly, read
from ops.commands._options import Json


def top(
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many open sessions at most.")] = 20,
    once: Annotated[bool, typer.Option("--once", help="Only how it is now.")] = False,
    json: Json = False,
) -> None:
    """Watch queues, workers, gateways and open sessions.

    Anew each second, until Ctrl-C. With --json a line is one look.

    Example: antiphon top --once
    """
    lightly()
    from ops import reading
    from ops.stack.here import settings_here

    read(None, lambda log, _: reading.top(log, count=count, once=once, json=json, lease=settings_here().lease))
