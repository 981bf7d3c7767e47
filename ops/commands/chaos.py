"""`antiphon chaos`: print what was killed and what the judge found."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from ops import console
from ops.commands._options import Json


def chaos(
    seconds: Annotated[float, typer.Option(min=1, help="How long to kill.")] = 60.0,
    callers: Annotated[int, typer.Option(min=1, help="Callers at a time.")] = 12,
    seed: Annotated[int, typer.Option(help="Of everything that is chosen at random.")] = 1,
    models: Annotated[bool, typer.Option("--models", help="Real models, a tenth of the kills.")] = False,
    mutant: Annotated[
        Literal["no-fence"] | None, typer.Option(help="Break the log on purpose: this run must find violations.")
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="Keep the processes' logs and the server's data here.")] = None,
    rooms: Annotated[
        bool, typer.Option("--rooms", help="Gateways only, in LiveKit rooms, in the middle of replies.")
    ] = False,
    archive: Annotated[
        bool, typer.Option("--archive", help="Jobs workers and Redis, while calls that ended are archived.")
    ] = False,
    kills: Annotated[
        int | None, typer.Option(min=1, help="With --rooms or --archive: how many; 20 and 200 when not given.")
    ] = None,
    json: Json = False,
) -> None:
    """Kill everything all the time, then check every log.

    Workers, gateways and Redis are killed and stopped at random, connections are cut; with --rooms a gateway that speaks in a
    LiveKit room is killed, and another has to go on there; with --archive whoever puts calls away, and the Redis they are in.
    Exit code 1 on any violation.

    Example: antiphon chaos --seconds 120
    """
    if rooms and archive:
        console.fail("--rooms and --archive: one at a time", console.USAGE)
    if archive:
        from ops.chaos import archive as of_archive

        putting_away = of_archive.ArchiveChaos(kills=kills or 200, seed=seed, keep=keep)
        sound = console.run(lambda: _tell(lambda say: of_archive.chaos(putting_away, say), json))
    elif rooms:
        from ops.chaos import rooms as in_rooms

        plan = in_rooms.RoomChaos(kills=kills or 20, seed=seed, keep=keep)
        sound = console.run(lambda: _tell(lambda say: in_rooms.chaos(plan, say), json))
    else:
        from ops.chaos import run as everywhere

        options = everywhere.Chaos(seconds=seconds, callers=callers, seed=seed, models=models, mutant=mutant, keep=keep)
        sound = console.run(lambda: _tell(lambda say: everywhere.chaos(options, say), json))
    if not sound:
        raise typer.Exit(console.FAILED)


async def _tell(work: Callable[[Callable[[str], None]], Awaitable[dict[str, Any]]], json: bool) -> bool:
    """True when there is no violation."""
    figures = await work((lambda _: None) if json else console.out.print)
    if json:
        console.emit(figures)
    else:
        table = Table(box=None, show_header=False, pad_edge=False)
        for key, value in figures.items():
            if key != "first_violations":
                table.add_row(key, str(value))
        console.out.print(table)
        for line in figures["first_violations"]:
            console.out.print(f"  {line}", style="red", markup=False)
    return not figures["violations"]
