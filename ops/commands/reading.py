"""`antiphon sessions | show | state | export`: find the log, read it, print."""

from pathlib import Path
from typing import Annotated

import typer

from ops import console
from ops.commands._looking import Agent, Meant, Since, lightly, read, seconds, wanted
from ops.commands._options import Json


def sessions(
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many at most.")] = 20,
    agent: Agent = "",
    only_open: Annotated[bool, typer.Option("--open", help="Only those that go on.")] = False,
    since: Since = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only those in which something went wrong.")] = False,
    slow: Annotated[
        float | None,
        typer.Option(parser=seconds, metavar="1s", help="Whose worst answer took so long at least: 1s, 800ms."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Again each second, until Ctrl-C.")] = False,
    json: Json = False,
) -> None:
    """List the sessions.

    The open ones first, then those that ended, as long as their log is kept: who called whom, how long, how fast the agent
    answered (p50, and the worst), and how it ended.

    \b
    Examples:
      antiphon sessions
      antiphon sessions --since 1h --slow 1s
      antiphon sessions --open --watch
    """
    lightly()
    from ops import reading

    asked = wanted(agent=agent, since=since, only_open=only_open, failed=failed, slow=slow)
    read(None, lambda log, _: reading.sessions(log, count=count, wanted=asked, watch=watch, json=json))


def show(
    session: Meant,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what happens, until the session ends.")
    ] = False,
    last: Annotated[int | None, typer.Option("--lines", "-n", min=1, help="Only the last so many lines.")] = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Bookkeeping too: every event of the log.")] = False,
    json: Json = False,
) -> None:
    """Tell a session event by event, with each turn's timing.

    In order of time. Under each answered turn stands why it took as long as it did: who waited for what, in parts that sum.
    With --json a line is an event, as the log has it.

    \b
    Examples:
      antiphon show last
      antiphon show SESSION -f -n 20
      antiphon show last --json | grep transcript.final
    """
    lightly()
    from ops import reading

    read(
        session,
        lambda log, name: reading.show(log, name, follow=follow, last=last, everything=everything, json=json),
    )


def state(
    session: Meant,
    at: Annotated[int | None, typer.Option(min=1, help="The event after which; the last when not given.")] = None,
    json: Json = False,
) -> None:
    """Show a session as it was after any event.

    Who had the floor, the turns, and the chat as the LLM is given it.

    Example: antiphon state last --at 20
    """
    lightly()
    from ops import reading

    read(session, lambda log, name: reading.state(log, name, at=at, json=json))


def export(
    session: Meant,
    file: Annotated[Path | None, typer.Argument(help="The zip to write; SESSION.zip here when not given.")] = None,
    output: Annotated[Path | None, typer.Option("--out", "--output", "-o", help="The same.")] = None,
    json: Json = False,
) -> None:
    """Write a session into one file.

    A zip with its events, its sound (each piece, and the whole in stereo) and its state.

    Example: antiphon export last -o conversation.zip
    """
    if file is not None and output is not None and file != output:
        console.fail(f"{file} or {output}: give one file", console.USAGE)
    lightly()
    from ops import reading

    read(session, lambda log, name: reading.export(log, name, file or output or Path(f"{name}.zip"), json=json))
