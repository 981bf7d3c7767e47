"""What the commands that read share: how they find their log, and which sessions somebody asks for."""

import gc
import os
import re
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from ops import console

if TYPE_CHECKING:
    from ops.reading import Sessions
    from ops.replay.check import Stored
    from schemas.session.listing import Kept
    from schemas.session.row import Wanted

T = TypeVar("T")

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}

# pydantic would look for plug-ins among all that is installed, with the first option understood: not for who only looks.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def lightly() -> None:
    """Before anything else is loaded: that makes so many objects that the collector would spend a tenth of the time on them."""
    gc.set_threshold(100_000, 20, 100)


def read(given: str | None, work: "Callable[[Sessions, str], Awaitable[T]]") -> T:
    """With the log that holds the session that is meant, and its id; None: the first log there is, and ""."""
    from ops.reading import find_log

    async def main() -> T:
        async with find_log(given) as found:
            return await work(found.log, found.session)

    return console.run(main, briefly=True)


def read_kept(given: str, work: "Callable[[Kept, str], Awaitable[T]]") -> T:
    """The same with a session that may lie in a file."""
    from ops.reading import find_kept

    async def main() -> T:
        async with find_kept(given) as found:
            return await work(found.log, found.session)

    return console.run(main, briefly=True)


def stored(given: str) -> "Stored":
    """Every event of it, and the state that is kept beside them. NoFile, StoredError."""
    import asyncio

    from ops.reading import find_stored

    return asyncio.run(find_stored(given))


def seconds(text: str) -> float:
    """`90s`, `15m`, `1h`, `2d`, `800ms`; a number alone is seconds."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|min|h|d)?\s*", text)
    if not found:
        raise typer.BadParameter(f"{text}: expected a length of time such as 30s, 15m, 1h or 2d")
    return float(found[1]) * _UNITS[found[2] or "s"]


def moment(text: str) -> float:
    """Seconds since 1970: so long ago, or a date and a time."""
    if "-" not in text:
        return time.time() - seconds(text)
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise typer.BadParameter(f"{text}: expected 15m, 1h, 2d, or a date such as 2026-03-01T12:00") from None


Since = Annotated[
    float | None,
    typer.Option(parser=moment, metavar="1h", help="Begun that long ago at most: 15m, 1h, 2d; or since a date."),
]
Meant = Annotated[str, typer.Argument(metavar="SESSION", help="A session's id, the beginning of it, or `last`.")]
WHICH = "A session's id, the beginning of it, or `last`; or a file: an export, or events (.jsonl)."
MeantOrFile = Annotated[str, typer.Argument(metavar="SESSION", help=WHICH)]
Agent = Annotated[str, typer.Option(help="Of this agent.")]
Variant = Annotated[str, typer.Option(help="Of this variant of an agent's; `unchanged`: of the agent as it is.")]
Failed = Annotated[bool, typer.Option("--failed", help="Only those in which something went wrong.")]
Slow = Annotated[
    float | None,
    typer.Option(parser=seconds, metavar="1s", help="Whose worst answer took so long at least: 1s, 800ms."),
]


def wanted(
    *,
    agent: str = "",
    since: float | None = None,
    only_open: bool = False,
    failed: bool = False,
    slow: float | None = None,
    forks: bool | None = None,
    variant: str = "",
) -> "Wanted | None":
    """None: nothing in particular."""
    from schemas.session.row import Wanted

    asked = Wanted(
        state="open" if only_open else None,
        agent=agent,
        since=round((since or 0) * 1e6),
        failed=True if failed else None,
        slow=slow or 0.0,
        forks=forks,
        variant=variant,
    )
    return asked if asked != Wanted() else None
