"""`antiphon sessions | show | state | export`: find the log, read it, print."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ops import console
from ops.commands._options import Json, Session

if TYPE_CHECKING:
    from ops.reading import Sessions

T = TypeVar("T")


def sessions(
    count: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
    json: Json = False,
) -> None:
    """List the sessions.

    The open ones first, then those that ended, as long as their log is kept.

    Example: antiphon sessions --count 10
    """
    from ops import reading

    _read(None, lambda log: reading.sessions(log, count=count, json=json))


def show(
    session: Session,
    follow: Annotated[bool, typer.Option(help="Go on with what happens, until the session ends.")] = False,
    json: Json = False,
) -> None:
    """Tell a session event by event, with each turn's timing.

    Under each answered turn stands why it took as long as it did: who waited for what, in parts that sum.

    Example: antiphon show SESSION --follow
    """
    from ops import reading

    _read(session, lambda log: reading.show(log, session, follow=follow, json=json))


def state(
    session: Session,
    at: Annotated[int | None, typer.Option(min=1, help="The event after which; the last when not given.")] = None,
    json: Json = False,
) -> None:
    """Show a session as it was after any event.

    Who had the floor, the turns, and the chat as the LLM is given it.

    Example: antiphon state SESSION --at 20
    """
    from ops import reading

    _read(session, lambda log: reading.state(log, session, at=at, json=json))


def export(
    session: Session,
    file: Annotated[Path, typer.Argument(help="The zip to write.")],
    json: Json = False,
) -> None:
    """Write a session into one file.

    A zip with its events, its sound (each piece, and the whole in stereo) and its state.

    Example: antiphon export SESSION conversation.zip
    """
    from ops import reading

    manifest = _read(session, lambda log: reading.export(log, session, file))
    size = file.stat().st_size / 2**20
    if json:
        console.emit(manifest | {"file": str(file), "mib": round(size, 2)})
        return
    gone = f"; {len(manifest['missing'])} sounds were gone already" if manifest["missing"] else ""
    console.out.print(
        f"{file}: {manifest['events']} events, {manifest['sounds']} sounds, {size:.1f} MiB{gone}", soft_wrap=True
    )


def _read(session: str | None, work: "Callable[[Sessions], Awaitable[T]]") -> T:
    """With the log that holds `session`; None: the first there is."""
    from ops import reading

    async def main() -> T:
        async with reading.log_of(session) as log:
            return await work(log)

    return console.run(main)
