"""`antiphon batch`: many sessions replayed with another setting."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.table import Table
from rich.text import Text

from ops import console
from ops.commands._looking import Agent, Failed, Since, Slow, lightly, wanted
from ops.commands._options import Json

if TYPE_CHECKING:
    from ops.replay.batch import Wish
    from schemas.background.asked import AskedFor
    from schemas.session.summary import Wanted

_EVERY = 0.5
"""Seconds between two looks at what the jobs worker does."""
_WORST = 10
_LINES = 10.0
"""Seconds between two lines about how far it is, where no terminal reads."""


def batch(
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="The latest so many of them.")] = 50,
    agent: Agent = "",
    since: Since = None,
    failed: Failed = False,
    slow: Slow = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the agent, such as llm.model=qwen3:8b."),
    ] = None,
    other: Annotated[
        Path | None,
        typer.Option(
            "--with", exists=True, dir_okay=False, help="This agent file instead of each session's own agent."
        ),
    ] = None,
    stage: Annotated[
        Literal["auto", "turns", "stt", "llm", "tts", "all"],
        typer.Option(help="What is done again; auto: what depends on what changed."),
    ] = "auto",
    reference: Annotated[
        Literal["auto", "original", "none"],
        typer.Option(help="What words are held to: captions imported with the call, or what was understood then."),
    ] = "auto",
    at_once: Annotated[int, typer.Option(min=1, max=32, help="Sessions at a time.")] = 2,
    here: Annotated[bool, typer.Option("--here", help="By this process, though a jobs worker runs.")] = False,
    again: Annotated[bool, typer.Option("--again", help="What was replayed so before is replayed once more.")] = False,
    page: Annotated[Path | None, typer.Option("--html", help="Write it on one page, with a plot.")] = None,
    json: Json = False,
) -> None:
    """Replay many sessions, and tell what got better or worse.

    Each becomes a fork, and is compared with what it was: how long people waited, whom the agent cut in upon, what failed, how
    many words are wrong, what it cost. The jobs worker does it where one runs. What is done is not done again: stopped by Ctrl-C
    or killed, the same command goes on.

    \b
    Examples:
      antiphon batch --agent desk --since 1d --set instructions="Be brief."
      antiphon batch --slow 1s --set turn_taking.commit_max=0.9 --html faster.html
      antiphon batch --stage stt --reference original --json
    """
    lightly()
    from ops.replay.batch import Wish
    from ops.replay.settings import values_of
    from ops.replay.stages import ANEW
    from schemas.config.agent import load_agent

    with console.telling():
        sets = values_of(settings or [])
        spec = load_agent(other) if other is not None else None
    if not sets and spec is None and stage in ("auto", "turns"):
        console.fail("everything would be as it was recorded; give --set, --with or --stage", console.USAGE)
    anew = None if stage == "auto" else () if stage == "turns" else ANEW[stage]
    wish = Wish(sets, spec, anew, reference)
    wish = wish.again() if again else wish
    asked = wanted(agent=agent, since=since, failed=failed, slow=slow)
    told = console.run(lambda: _batch(wish, asked, count, at_once, here=here, quiet=json))
    if page is not None:
        from ops.replay.batch_page import write_batch_page

        with console.telling():
            write_batch_page(told, sets, page)
    if json:
        console.emit({"changed": sets, **told, **({"html": str(page)} if page is not None else {})})
    else:
        _tell(told, sets, page)
    if not told["sessions"]:
        raise typer.Exit(console.FAILED)


async def _batch(
    wish: "Wish", asked: "Wanted | None", count: int, at_once: int, *, here: bool, quiet: bool
) -> dict[str, Any]:
    from ops.reading import find_log
    from ops.stack.here import settings_here
    from schemas.background.asked import AskedFor

    async with find_log(None) as found:
        if not found.url:
            console.fail("no log here in which forks could be kept: start something, antiphon up, or set REDIS_URL")
        with _Progress(quiet=quiet) as progress:
            if not here:
                there = AskedFor(settings_here(redis_url=found.url))
                try:
                    if there.possible and await there.served():
                        return await _by_the_jobs_worker(there, wish, asked, count, at_once, progress.tell)
                finally:
                    await there.aclose()
            return await _here(found.log, wish, asked, count, at_once, progress.tell)


Say = Callable[[int, int, str], None]


async def _here(log: Any, wish: "Wish", asked: "Wanted | None", count: int, at_once: int, say: Say) -> dict[str, Any]:
    from ops.replay.batch import AtWork, batch, sessions_for

    sessions, more = await sessions_for(log, asked, count)

    async def tell(at: AtWork) -> None:
        say(at.done, at.of, at.session)

    report = await batch(log, log.live, sessions, wish, at_once=at_once, tell=tell)
    report.more = more
    return report.view()


async def _by_the_jobs_worker(
    there: "AskedFor", wish: "Wish", asked: "Wanted | None", count: int, at_once: int, say: Say
) -> dict[str, Any]:
    from dataclasses import asdict

    from schemas.errors import AntiphonError
    from schemas.session.summary import Wanted

    one = await there.ask("batch", {
        "filter": asdict(asked or Wanted()), "most": count, "set": dict(wish.sets),
        "agent": wish.agent.model_dump(mode="json") if wish.agent is not None else None,
        "anew": list(wish.anew) if wish.anew is not None else None, "reference": wish.reference, "at_once": at_once,
        "mark": wish.mark,
    }, console.whoever())  # fmt: skip
    try:
        while not one.over:
            await asyncio.sleep(_EVERY)
            now = await there.get(one.id)
            if now is None:
                raise AntiphonError("the jobs worker's record of it is gone; ask for it again: what is done is found")
            one = now
            say(one.done, one.of, one.doing)
    except asyncio.CancelledError:
        await there.stop(one.id)
        raise
    if one.result is None:
        raise AntiphonError(one.error or "it was stopped; the same command goes on with it")
    return one.result


class _Progress:
    """How far it is: in place where a terminal reads, else a line every so often."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet, self._told = quiet, time.monotonic()
        self._status = console.err.status("replaying …") if console.err.is_terminal and not quiet else None

    def __enter__(self) -> "_Progress":
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._status is not None:
            self._status.stop()
        if kind is not None and issubclass(kind, asyncio.CancelledError):
            console.err.print("stopped; the same command goes on with what is left")

    def tell(self, done: int, of: int, doing: str) -> None:
        said = f"{done} of {of} sessions replayed{f'; {doing}' if doing else ''}" if of else doing
        if self._status is not None:
            self._status.update(said)
        elif said and not self._quiet and time.monotonic() - self._told >= _LINES:
            self._told = time.monotonic()
            console.err.print(said, soft_wrap=True)


# ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _tell(told: dict[str, Any], changed: dict[str, Any], page: Path | None) -> None:
    from ops.replay.batch_page import FIGURES, models_told, shown

    figures, rows = told["figures"], told["sessions"]
    if not rows:
        console.out.print("No session that ended is wanted so.")
        return
    console.hang("changed: ", ", ".join(f"{name} = {value!r}" for name, value in changed.items()) or "nothing")
    table = Table("", "before", "after", box=None, pad_edge=False, padding=(0, 2))
    for column in table.columns[1:]:
        column.justify = "right"
    for name, label in FIGURES.items():
        before, after = figures[name]
        if before is not None or after is not None:
            table.add_row(label, shown(name, before), shown(name, after))
    console.out.print(table)
    for line in models_told(told):
        console.hang("", line)
    for warning in told.get("warnings", ()):
        console.hang(Text("! ", style="yellow"), warning)
    counts = [f"{figures[name]} {name}" for name in ("better", "worse", "same")]
    console.hang("", f"Of {len(rows) - figures['unreplayed']} sessions {', '.join(counts)}.")
    for row in [row for row in rows if row.get("verdict") == "worse"][:_WORST]:
        console.hang(Text("worse   ", style="red"), _line(row))
    for row in [row for row in rows if row.get("verdict") == "better"][:_WORST]:
        console.hang(Text("better  ", style="green"), _line(row))
    for row in [row for row in rows if "error" in row][:_WORST]:
        console.hang(Text("not     ", style="yellow"), f"{row['session']}: {row['error']}")
    if told["more"]:
        console.hang("", Text(f"There are more: {console.me()} batch -n {len(rows) * 5}", style="dim"))
    if page is not None:
        console.out.print(f"with its plot: {page}", soft_wrap=True)


def _line(row: dict[str, Any]) -> str:
    from ops.replay.batch_page import FIGURES, shown

    parts = [
        f"{FIGURES[name].removesuffix(', ms')} {shown(name, before)} → {shown(name, after)}"
        for name, (before, after) in row["figures"].items()
        if name in ("p50_ms", "interrupted", "cut_ins", "failed") and shown(name, before) != shown(name, after)
    ]
    part = f"; {row['divergence']}: {row['why']}" if row["divergence"] else ""
    figures = " · ".join(parts) or "the same figures"
    return f"{row['session']}: {figures}{part}   {console.me()} diff {row['session']} {row['fork']}"
