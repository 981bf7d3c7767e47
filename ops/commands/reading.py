"""`antiphon sessions | show | state | export`: find the log, read it, print."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops import console
from ops.commands._looking import Agent, Failed, MeantOrFile, Since, Slow, Variant, lightly, read, read_kept, wanted
from ops.commands._options import Json

if TYPE_CHECKING:
    from schemas.session.listing import Kept


def sessions(
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many at most.")] = 20,
    agent: Agent = "",
    only_open: Annotated[bool, typer.Option("--open", help="Only those that go on.")] = False,
    since: Since = None,
    failed: Failed = False,
    slow: Slow = None,
    forks: Annotated[
        bool | None, typer.Option("--forks/--no-forks", help="Only replays of others; or all but those.")
    ] = None,
    variant: Variant = "",
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
      antiphon sessions --no-forks
    """
    lightly()
    from ops import reading

    asked = wanted(
        agent=agent, since=since, only_open=only_open, failed=failed, slow=slow, forks=forks, variant=variant
    )
    read(None, lambda log, _: reading.sessions(log, count=count, wanted=asked, watch=watch, json=json))


def show(
    session: MeantOrFile,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what happens, until the session ends.")
    ] = False,
    last: Annotated[int | None, typer.Option("--lines", "-n", min=1, help="Only the last so many lines.")] = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Bookkeeping too: every event of the log.")] = False,
    page: Annotated[
        Path | None, typer.Option("--html", help="Write it on one page, with its sound, to be sent to somebody.")
    ] = None,
    json: Json = False,
) -> None:
    """Tell a session event by event, with each turn's timing.

    In order of time. Under each answered turn stands why it took as long as it did: who waited for what, in parts that sum.
    With --json a line is an event, as the log has it. With --html all of it is one file, which needs nothing of ours to be read
    and heard.

    \b
    Examples:
      antiphon show last
      antiphon show SESSION -f -n 20
      antiphon show last --json | grep transcript.final
      antiphon show last --html call.html
    """
    lightly()
    if page is not None:
        read_kept(session, lambda log, name: _page(log, name, page, json=json))
        return
    from ops import reading

    called = session if reading.file_of(session) else ""
    follow = follow and not called  # to a file nothing is appended
    read_kept(
        session,
        lambda log, name: reading.show(
            log, name, follow=follow, last=last, everything=everything, json=json, called=called
        ),
    )


async def _page(log: "Kept", session: str, file: Path, *, json: bool) -> None:
    from ops.replay.page import write_page

    sound = await write_page(log, session, file)
    if json:
        console.emit({"session": session, "file": str(file), "sound": sound.file is not None, "note": sound.why})
        return
    console.out.print(f"{file}: the whole call on one page{f'. {sound.why}' if sound.why else ''}", soft_wrap=True)


def state(
    session: MeantOrFile,
    at: Annotated[int | None, typer.Option(min=1, help="The event after which; the last when not given.")] = None,
    json: Json = False,
) -> None:
    """Show a session as it was after any event.

    Who had the floor, the turns, and the chat as the LLM is given it.

    Example: antiphon state last --at 20
    """
    lightly()
    from ops import reading

    read_kept(session, lambda log, name: reading.state(log, name, at=at, json=json))


def export(
    session: MeantOrFile,
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

    read_kept(session, lambda log, name: reading.export(log, name, file or output or Path(f"{name}.zip"), json=json))
