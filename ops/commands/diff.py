"""`antiphon diff`: two sessions compared."""

from pathlib import Path
from typing import Annotated

import typer

from ops import console
from ops.commands._looking import WHICH, lightly
from ops.commands._options import Json


def diff(
    first: Annotated[str, typer.Argument(metavar="A", help=WHICH)],
    second: Annotated[str, typer.Argument(metavar="B", help="The same: what A is compared with.")],
    page: Annotated[
        Path | None, typer.Option("--html", help="Write them side by side, with their sound, on one page.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Turns that are the same, too.")] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="End with 1 where they part.")] = False,
    json: Json = False,
) -> None:
    """Tell where two sessions part, turn by turn.

    What was heard (word by word), when and why the floor was given, what the agent said, how each turn ended, and how long the
    answer took, part by part. Turns are paired by what was said and when, whatever their numbers. Red is A's alone, green B's;
    that one was slower is told, and is no parting.

    \b
    Examples:
      antiphon diff SESSION FORK
      antiphon diff before.zip after.zip --html diff.html
      antiphon diff SESSION FORK --json --exit-code
    """
    lightly()
    parts = console.run(lambda: _diff(first, second, page, everything=everything, json=json), briefly=True)
    if parts and exit_code:
        raise typer.Exit(console.FAILED)


async def _diff(first: str, second: str, page: Path | None, *, everything: bool, json: bool) -> bool:
    """Whether they part."""
    from ops.reading import find_two
    from schemas.session.comparing import differences, told

    async with find_two(first, second) as (one, other):
        found = differences(await told(one.log, one.session), await told(other.log, other.session))
        if page is not None:
            from ops.replay.diff_page import write_diff_page

            await write_diff_page(found, (one.log, other.log), page)
    if json:
        console.emit(found.view() | ({"html": str(page)} if page is not None else {}))
    else:
        from ops.reading import print_diff

        print_diff(found, everything=everything)
        if page is not None:
            console.out.print(f"side by side: {page}", soft_wrap=True)
    return found.divergence is not None
