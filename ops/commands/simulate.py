"""`antiphon simulate AGENT`: simulated callers talk to an agent, and what comes of it is checked."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ops import console
from ops.commands._options import Json

if TYPE_CHECKING:
    from ops.simulate.run import Result

_SHOWN = 12
"""Lines of a conversation that failed."""


def simulate(
    agent: Annotated[str, typer.Argument(help="Its name, or the path of its file or folder.")],
    scenarios: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SCENARIO]...", help="Names of its scenarios, files, folders; all it has when left out."
        ),
    ] = None,
    sound: Annotated[bool, typer.Option("--sound", help="Callers speak, and are heard; else they type.")] = False,
    parallel: Annotated[
        int | None, typer.Option("--parallel", "-p", min=1, max=500, help="Conversations at once (8; in sound 2).")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="In sound: a gateway that runs; a stack is started where none is given.")
    ] = None,
    junit: Annotated[Path | None, typer.Option(dir_okay=False, help="Write the results as JUnit XML.")] = None,
    html: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write one page with all of it, and players.")
    ] = None,
    json: Json = False,
) -> None:
    """Let simulated callers talk to an agent, and check it.

    A scenario says who calls and what must come of it (docs/testing-agents.md): its caller says given lines, or is played by a
    model. Exit code 1 when something is not as expected, 2 when a scenario or the agent is broken, 3 when an endpoint is away.

    \b
    Examples:
      antiphon simulate pizza
      antiphon simulate pizza order complaint --sound --html report.html
      antiphon simulate agents/pizza.toml scenarios --parallel 20 --junit ci.xml
    """
    if url and not sound:
        console.fail("--url is for callers who speak: give --sound, too", console.USAGE)
    from ops.stack.models import use_models_here

    with console.telling():
        use_models_here()
    done: list[Result] = []
    stopped = 0
    try:
        console.run(lambda: _simulate(agent, scenarios or [], sound, parallel, url, junit, html, json, done))
    except _Stopped as error:
        stopped = error.left
    failed = sum(not result.passed for result in done)
    if json:
        told = {"agent": agent, "mode": "sound" if sound else "text", "passed": len(done) - failed, "failed": failed}
        console.emit({**told, "stopped": stopped, "results": [result.view() for result in done]})
    else:
        more = f", {stopped} not done" if stopped else ""
        console.out.print(f"\n{len(done) - failed} passed, {failed} failed{more}", style="red" if failed else "green")
    if stopped or failed:
        raise typer.Exit(console.STOPPED if stopped else console.FAILED)


class _Stopped(Exception):
    """By Ctrl-C; `left`: scenarios that were not held to their end."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self.left = left


async def _simulate(
    agent: str, wanted: list[str], sound: bool, parallel: int | None, url: str | None, junit: Path | None, html: Path | None,
    json: bool, done: "list[Result]",
) -> None:  # fmt: skip
    """`done`: gets the results, in the scenarios' order. _Stopped: with those that there were until then."""
    import asyncio

    from ops.replay.simulated_page import write_simulated_page
    from ops.simulate.matching import check
    from ops.simulate.places import choose, needs_model, sound_place, text_place
    from ops.simulate.reports import write_junit
    from ops.simulate.run import run_all
    from ops.simulate.scenario import scenarios
    from ops.stack.here import agents_here
    from schemas.config.settings import load
    from schemas.errors import Transient

    settings = load()
    chosen = choose(agent, agents_here(settings))
    found = scenarios(chosen.scenarios, wanted)
    check(found, chosen.spec)
    for file in filter(None, (junit, html)):
        if not file.absolute().parent.is_dir():  # said before an hour of conversations, not behind it
            console.fail(
                f"{file}: cannot be written (there is no folder {file.parent}); give another file", console.USAGE
            )
    at_once = parallel or (2 if sound else 8)
    asks = any(map(needs_model, found))

    def wait(sentence: str) -> None:
        if not json:
            console.err.print(sentence, style="dim", soft_wrap=True)

    place = (
        sound_place(chosen, settings, asks=asks, url=url, on_wait=wait)
        if sound
        else text_place(chosen, asks=asks, at_once=at_once)
    )
    try:
        async with place as here:
            stopped = False

            def told(result: "Result") -> None:
                done.append(result)
                if not json:
                    _tell(result)

            try:
                await run_all(found, here.make, here.model, parallel=at_once, told=told, fill=here.fill)
            except asyncio.CancelledError:
                stopped = True
                wait("stopping …")
            done.sort(key=lambda result: found.index(result.scenario))
            if html is not None:
                views = [result.view() for result in done]
                await write_simulated_page(chosen.name, views, here.log, html, sounds=sound)
            if junit is not None:
                write_junit(chosen.name, done, junit)
    except Transient as error:
        console.fail(str(error), console.UNREACHABLE)
    if stopped:
        raise _Stopped(len(found) - len(done))


def _tell(result: "Result") -> None:
    found = result.observed
    p95 = f", p95 {found.latency_p95:.2f} s" if found.latency_p95 is not None else ""
    mark, style = ("✓", "green") if result.passed else ("✗", "red")
    head = Text(f"{mark} {result.scenario.name}", style=style)
    console.hang(head.append("  "), Text(f"{found.turns} lines, {result.seconds:.1f} s{p95}", style="dim"))
    for check in result.failures:
        console.hang("    ", Text(f"{check.what}: {check.why}" if check.why else check.what, style="red"))
    lines = found.transcript[-_SHOWN:] if not result.passed else []
    if len(found.transcript) > len(lines) > 0:
        console.hang("    ", Text(f"… {len(found.transcript) - len(lines)} lines before", style="dim"))
    for line in lines:
        console.hang(Text(f"    {line.who:<7}", style="dim"), Text(line.text + (" …" if line.cut else ""), style="dim"))
