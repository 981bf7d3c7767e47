"""`antiphon stats`: how fast the agent answered over many calls, and what went wrong."""

from typing import Annotated, Literal

import typer

from ops.commands._looking import Agent, Since, lightly, read, wanted
from ops.commands._options import Json


def stats(
    since: Since = None,
    by: Annotated[
        Literal["agent", "transport", "gateway", "variant"] | None, typer.Option(help="Apart, by what the calls have.")
    ] = None,
    agent: Agent = "",
    json: Json = False,
) -> None:
    """Tell how fast answers came over many calls, part by part.

    p50 and p95 of every part of the way from the caller's last word to the agent's first sound, and how many turns were
    interrupted, failed or were cut off. Of the latest 1,000 open and 1,000 ended calls; replays are none.

    \b
    Examples:
      antiphon stats
      antiphon stats --since 1h --by agent
      antiphon stats --agent receptionist --json
    """
    lightly()
    from ops import reading

    read(None, lambda log, _: reading.stats(log, wanted=wanted(agent=agent, since=since), by=by, json=json))
