"""`antiphon replay --stage stt|llm|tts|all`: through the pools, with its progress, and told turn by turn."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer
from rich.text import Text

from ops import console

if TYPE_CHECKING:
    from collections import Counter

    from ops.replay.stages import Forked, Going, Which
    from ops.replay.turns import Pair
    from schemas.events import Event, Stage

WhichTools = Literal["no", "repeatable", "all"]
_OF = {"made": "made", "reused": "recorded", "estimated": "estimated"}


def through_the_pools(
    given: str, stage: "Which", settings: list[str], agent: Path | None, from_turn: int | None,
    speed: Literal["max", "real"], output: Path | None, *, tools: "WhichTools" = "no", json: bool,
) -> None:  # fmt: skip
    """Replay, and tell. It exits with 130 when it was stopped. `tools`: that are called again."""
    changed, forked = console.run(lambda: _replay(given, stage, settings, agent, from_turn, speed, output, tools, json))
    if json:
        written = {"file": str(output)} if output is not None else {}
        console.emit({"session": forked[0], "stage": stage, "changed": changed, **forked[1].view(), **written})
    else:
        _tell(*forked, changed)
        if output is not None:
            console.hang("", f"the fork is in {output}, too")
    if forked[1].broken_off:
        raise typer.Exit(console.STOPPED)


async def _replay(
    given: str, stage: "Which", settings: list[str], agent: Path | None, from_turn: int | None,
    speed: Literal["max", "real"], output: Path | None, tools: "WhichTools", json: bool,
) -> "tuple[dict[str, Any], tuple[str, Forked]]":  # fmt: skip
    from ops.reading import find_kept, find_pools
    from ops.replay.real_tools import opened
    from ops.replay.settings import changed_agent
    from ops.replay.stages import replay_stages
    from ops.replay.turns import started
    from ops.stack.here import agents_here, settings_here, with_its_agents
    from schemas.session.history import events_of

    async with find_kept(given) as found:
        events = [event async for event in events_of(found.log, found.session)]
        changed, what = changed_agent(started(found.session, events).agent, settings, agent, stage)
        async with find_pools() as pools, contextlib.AsyncExitStack() as stack:
            real = None
            if tools != "no":
                ours = with_its_agents(settings_here())
                there = ours.model_copy(update={"agents": agents_here(ours)})
                real = await opened(changed, there, unrepeatable=tools == "all")
                stack.push_async_callback(real.aclose)
            with _Progress(quiet=json) as progress:
                forked = await replay_stages(
                    found.log, found.session, events, pools, stage=stage, agent=changed, changed=what,
                    from_turn=from_turn, speed=speed, going=progress.tell, tools=real,
                )  # fmt: skip
            if output is not None:
                await _write(pools, forked, output)
    return what, (found.session, forked)


async def _write(pools: Any, forked: "Forked", output: Path) -> None:
    if output.suffix.lower() == ".zip":
        from schemas.session.export import export

        await export(pools, forked.session, output, partitions=pools.partitions)
        return
    write_events(forked.events, output)


class _Progress:
    """How far it is, where a terminal reads; in real time what is decided, as it comes."""

    def __init__(self, *, quiet: bool) -> None:
        from schemas.session.fold import SessionState

        self._quiet = quiet
        self._status = console.err.status("replaying …") if console.err.is_terminal and not quiet else None
        self._state = SessionState()

    def __enter__(self) -> "_Progress":
        if self._status is not None:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def tell(self, going: "Going") -> None:
        if going.event is not None and not self._quiet:
            self._line(going.at, going.event)
        if self._status is not None:
            jobs = "1 job" if going.done == 1 else f"{going.done} jobs"
            self._status.update(f"replaying: {going.at:.0f} of {going.length:.0f} s, {jobs} done; Ctrl-C ends it here")

    def _line(self, at: float, event: "Event") -> None:
        from schemas.session.fold import fold
        from schemas.session.words import is_bookkeeping, line

        self._state = fold(self._state, event)
        if not is_bookkeeping(event):
            console.hang(f"{at:8.2f}  ", line(event, self._state).text)


def _tell(session: str, forked: "Forked", changed: dict[str, Any]) -> None:
    settings = ", ".join(f"{name} = {value!r}" for name, value in changed.items()) or "nothing"
    console.hang("changed: ", settings)
    if not forked.exact:
        console.hang("", "This log is from before edges of speech were kept: they are read off its facts.")
    for pair in forked.turns:
        became = forked.became.get(pair.now.turn, {}) if pair.now else {}
        tell_turn(pair, " · ".join(f"{_NAMES[stage]} {_how(became.get(stage))}" for stage in _STAGES))
    changes = sum(bool(pair.otherwise) for pair in forked.turns)
    console.hang("", f"{changes} of {len(forked.turns)} turns decided otherwise.")
    console.hang("", _sum(forked))
    if forked.notes:
        console.hang("", "Estimates, where nothing was recorded:")
    for note in forked.notes:
        what = f"turn {note.turn}: {note.what}" if note.turn else note.what
        console.hang(Text(f"{note.at:8.2f} s  ", style="dim"), what)
    if forked.gone:
        sounds = "1 sound" if forked.gone == 1 else f"{forked.gone} sounds"
        console.hang("", f"{sounds} of the original can't be had any more: the fork has none there.")
    if forked.broken_off:
        console.hang("", f"It was stopped after {forked.seconds:.0f} s of the call.")
    me = console.me()
    console.hang("the fork: ", f"{forked.session}   {me} show {forked.session}   {me} diff {session} {forked.session}")


_STAGES: "tuple[Stage, ...]" = ("stt", "llm", "tts")
_NAMES: "dict[Stage, str]" = {"stt": "transcript", "llm": "reply", "tts": "sound"}


def _how(counts: "Counter[Any] | None") -> str:
    """`made`; of several kinds each with its number."""
    found = [(_OF[how], count) for how, count in (counts or {}).items() if count]
    if len(found) == 1:
        return found[0][0]
    return ", ".join(f"{count} {how}" for how, count in found) or "–"


def _sum(forked: "Forked") -> str:
    names = {"stt": "transcripts", "llm": "replies", "tts": "sounds"}
    said = []
    for stage, counts in forked.jobs().items():
        if total := sum(counts.values()):
            said.append(f"{counts['made']} of {total} {names[stage]}")
    return f"Made anew: {', '.join(said) or 'nothing'}; in {forked.took:.1f} s."


def tell_turn(pair: "Pair", made: str = "") -> None:
    """What became of a turn, and what is otherwise; `made`: which of it is new."""
    shown = pair.now or pair.was
    assert shown is not None
    number = str(pair.was.turn) if pair.was else f"({shown.turn})"
    console.hang(
        Text(f"{number:>4}  ", style="bold" if pair.otherwise else ""), shown.text or shown.heard or "(no words)"
    )
    committed = "" if shown.committed is None else f"committed at {shown.committed:.2f} s by {shown.why}"
    ended = f"{shown.how} ({shown.reason})" if shown.how else "open at the end"
    console.hang("      ", "; ".join(part for part in (committed, ended) if part))
    if made and pair.now is not None:
        console.hang("      ", Text(made, style="dim"))
    for one in pair.otherwise:
        console.hang(Text("    ≠ ", style="yellow"), one)


def write_events(events: "list[Event]", file: Path) -> None:
    """One a line. ReplayError: it can't be written."""
    from ops.replay.turns import ReplayError
    from schemas.codec import event_to_json
    from schemas.process.whole_file import whole_file
    from schemas.text.clean import json_line

    with whole_file(file, ReplayError) as part, part.open("w", encoding="utf-8") as lines:
        lines.writelines(json_line(event_to_json(event)) + "\n" for event in events)
