"""`antiphon bench NAME`: run one benchmark and print its figures."""

from functools import partial
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from ops import console
from ops.bench import BENCHES, find, table
from ops.commands._options import Json, given

if TYPE_CHECKING:
    from schemas.events import Event


def bench(
    name: Annotated[str, typer.Argument(help="Which benchmark; `antiphon bench list` names them.")],
    count: Annotated[int | None, typer.Argument(min=1, help="How many at once; the same as --sessions.")] = None,
    sessions: Annotated[int | None, typer.Option(min=1, help="Sessions at once (log, vad, calls, rooms).")] = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="How long to measure.")] = None,
    wav: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, help="A folder of recordings of your own (latency, curve, peers, stt)."
        ),
    ] = None,
    stored: Annotated[
        list[str] | None,
        typer.Option("--stored", metavar="SESSION", help="A session that was held, or its export; several (curve)."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A setting of the agent, as `replay` takes it; several (curve, latency).",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", dir_okay=False, help="Draw it: an SVG (curve).")] = None,
    livekit: Annotated[
        bool, typer.Option("--livekit", help="Through a room of a real LiveKit server (latency, barge-in, rooms).")
    ] = False,
    turns: Annotated[
        int | None, typer.Option(min=1, help="At most so many (latency, barge-in, curve, peers, phrases).")
    ] = None,
    part: Annotated[
        Literal["fit", "report"] | None,
        typer.Option(help="Half of the recordings: no constant was fitted on `report` (latency, peers)."),
    ] = None,
    json: Json = False,
) -> None:
    """Run one benchmark.

    \b
    Examples:
      antiphon bench list
      antiphon bench log --sessions 50 --json
      antiphon bench latency --wav my-recordings --turns 20
      antiphon bench latency --part report --set turn_taking.waits=0
      antiphon bench curve --wav my-recordings --out curve.svg
    """
    if name == "list" and (sessions or count):
        name = "archive-list"  # so many sessions can only be what is listed
    if name == "list":
        if json:
            console.emit({"benchmarks": {known: what for known, (_, what) in BENCHES.items()}})
            return
        for known, (_, what) in BENCHES.items():
            console.hang(f"{known:<13}", what)
        return
    if name not in BENCHES:
        console.fail(f"no benchmark {name!r}; there are {', '.join(BENCHES)}", console.USAGE)
    measure = find(name)
    options = given(sessions=sessions or count, seconds=seconds, wav=wav, livekit=livekit or None, turns=turns)
    options |= given(part=part)
    options |= given(out=out, sets=settings, stored=[_events(one) for one in stored] if stored else None)
    unknown = sorted(set(options) - set(signature(measure).parameters))
    if unknown:
        console.fail(f"bench {name} has no option {', '.join(f'--{option}' for option in unknown)}", console.USAGE)
    if "tell" in signature(measure).parameters:
        options["tell"] = partial(console.err.print, soft_wrap=True)
    figures = console.run(lambda: measure(**options))
    if json:
        console.emit(figures)
        return
    rows = Table(box=None, show_header=False, pad_edge=False)
    for key, value in figures.items():
        if not isinstance(value, list):
            rows.add_row(key, str(value))
    console.out.print(rows)
    if (more := table(name, figures)) is not None:
        console.out.print(more)


def _events(name: str) -> "list[Event]":
    """Of a stored session, or of a file."""
    from ops.commands._looking import stored

    with console.telling():
        return list(stored(name).events)
