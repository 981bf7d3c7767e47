"""`antiphon bench NAME`: run one benchmark and print its figures."""

from inspect import signature
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ops import console
from ops.bench import BENCHES, find
from ops.commands._options import Json, given


def bench(
    name: Annotated[str, typer.Argument(help="Which benchmark; `antiphon bench list` names them.")],
    count: Annotated[int | None, typer.Argument(min=1, help="How many at once; the same as --sessions.")] = None,
    sessions: Annotated[int | None, typer.Option(min=1, help="Sessions at once (log, vad, calls, rooms).")] = None,
    seconds: Annotated[float | None, typer.Option(min=1, help="How long to measure.")] = None,
    wav: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="A folder of recordings of your own (latency, stt)."),
    ] = None,
    livekit: Annotated[
        bool, typer.Option("--livekit", help="Through a room of a real LiveKit server (latency, barge-in, rooms).")
    ] = False,
    turns: Annotated[int | None, typer.Option(min=1, help="At most so many (latency, barge-in).")] = None,
    json: Json = False,
) -> None:
    """Run one benchmark.

    \b
    Examples:
      antiphon bench list
      antiphon bench log --sessions 50 --json
      antiphon bench latency --wav my-recordings --turns 20
    """
    if name == "list":
        if json:
            console.emit({"benchmarks": {known: what for known, (_, what) in BENCHES.items()}})
            return
        for known, (_, what) in BENCHES.items():
            console.hang(f"{known:<11}", what)
        return
    if name not in BENCHES:
        console.fail(f"no benchmark {name!r}; there are {', '.join(BENCHES)}", console.USAGE)
    measure = find(name)
    options = given(sessions=sessions or count, seconds=seconds, wav=wav, livekit=livekit or None, turns=turns)
    unknown = sorted(set(options) - set(signature(measure).parameters))
    if unknown:
        console.fail(f"bench {name} has no option {', '.join(f'--{option}' for option in unknown)}", console.USAGE)
    figures = console.run(lambda: measure(**options))
    if json:
        console.emit(figures)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for key, value in figures.items():
        if not isinstance(value, list):
            table.add_row(key, str(value))
    console.out.print(table)
