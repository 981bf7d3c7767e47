"""`antiphon replay`: a recorded session again, with another setting."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from ops import console
from ops.commands._looking import MeantOrFile, lightly, stored
from ops.commands._options import Json
from ops.commands._replayed import WhichTools, tell_turn, through_the_pools, write_events

if TYPE_CHECKING:
    from ops.replay.turns import Replayed
    from schemas.events import Event


def replay(
    session: MeantOrFile,
    stage: Annotated[
        Literal["turns", "stt", "llm", "tts", "all"], typer.Option(help="What is done again; the rest is as recorded.")
    ] = "turns",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the agent, such as turn_taking.commit_max=0.9."),
    ] = None,
    agent: Annotated[
        Path | None, typer.Option("--with", exists=True, dir_okay=False, help="Settings from an agent file.")
    ] = None,
    from_turn: Annotated[int | None, typer.Option(min=1, help="What was before this turn is kept.")] = None,
    speed: Annotated[
        Literal["max", "real"], typer.Option(help="max: as fast as it goes; real: as long as it took.")
    ] = "max",
    tools: Annotated[
        Literal["recorded", "real"],
        typer.Option(
            help="recorded: no tool is called; real: those with repeat = true are, where the LLM wants them anew."
        ),
    ] = "recorded",
    yes: Annotated[
        bool, typer.Option("--yes", help="With --tools real: all of the agent's tools are called again.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write the fork's events to this file; .zip: all of it.")
    ] = None,
    json: Json = False,
) -> None:
    """Replay a session with another setting.

    As a fork, which never touches the original. --stage turns takes the turns again: the very turn-taking of a gateway, in
    virtual time, hears what was heard; transcripts, replies and sounds are the recorded ones, after the times they took.
    What was never recorded is estimated, and told. Then it shows turn by turn what is decided otherwise.

    --stage stt, llm, tts or all gives the running workers the recorded sound, words or sentences again, and what follows from
    what they make; the rest is as recorded. The fork is kept in the log: it can be shown, heard and compared.

    No tool is called: for the same call the LLM is given what was recorded. --tools real calls tools again, in this process, each
    with an idempotency key of the fork's own: what they do is done once more, in the world. So it takes only those that say of
    themselves that they may be called again (repeat = true); --yes takes all. Nobody is transferred or hung up on in either case.

    \b
    Examples:
      antiphon replay last --set turn_taking.commit_max=0.9
      antiphon replay call.jsonl --with patient.toml --from-turn 3 -o new.jsonl
      antiphon replay last --set turn_taking.barge_in=false --json
      antiphon replay last --stage llm --set instructions="Answer in five words."
      antiphon replay last --stage llm --tools real
      antiphon replay call.zip --stage stt -o heard-anew.zip
    """
    lightly()
    if tools == "real" and stage not in ("llm", "all"):
        raise typer.BadParameter(f"real tools are called where replies are made anew: --stage llm or all, not {stage}")
    if yes and tools != "real":
        raise typer.BadParameter("--yes is for --tools real")
    if stage != "turns":
        real: WhichTools = "no" if tools == "recorded" else "all" if yes else "repeatable"
        through_the_pools(session, stage, settings or [], agent, from_turn, speed, output, tools=real, json=json)
        return
    from ops.replay.settings import changed_agent
    from ops.replay.turns import replay as replay_turns
    from ops.replay.turns import started

    with console.telling():
        found = stored(session)
        changed, what = changed_agent(started(found.name, found.events).agent, settings or [], agent, "turns")
        replayed = replay_turns(found.events, changed, session=found.name, changed=what, from_turn=from_turn)
        if speed == "real":
            asyncio.run(_as_it_was(replayed.events))
        if output is not None:
            write_events(replayed.events, output)
    if json:
        written = {"file": str(output)} if output is not None else {}
        console.emit({"session": found.name, "stage": stage, "changed": what, **replayed.view(), **written})
        return
    _tell(replayed, what)
    if output is not None:
        console.hang("", f"the fork is in {output}: {console.me()} diff {session} {output}")
    else:
        console.hang("", Text("The fork is not kept; -o fork.jsonl writes it, for show, diff and check.", style="dim"))


async def _as_it_was(events: "list[Event]") -> None:
    """Tell each decision when it would come."""
    from schemas.session.fold import SessionState, fold
    from schemas.session.words import is_bookkeeping, line

    state, before = SessionState(), events[0].at
    for event in events:
        await asyncio.sleep((event.at - before) / 1e6)
        before = event.at
        state = fold(state, event)
        if not is_bookkeeping(event):
            told = line(event, state)
            console.hang(f"{(event.at - events[0].at) / 1e6:8.2f}  ", told.text)


def _tell(replayed: "Replayed", changed: dict[str, object]) -> None:
    settings = ", ".join(f"{name} = {value!r}" for name, value in changed.items()) or "nothing"
    console.hang("changed: ", settings)
    if not replayed.exact:
        console.hang("", "This log is from before edges of speech were kept: they are read off its facts.")
    for pair in replayed.turns:
        tell_turn(pair)
    otherwise = sum(bool(pair.otherwise) for pair in replayed.turns)
    console.hang("", f"{otherwise} of {len(replayed.turns)} turns decided otherwise.")
    if replayed.notes:
        console.hang("", "Estimates, where nothing was recorded:")
    for note in replayed.notes:
        console.hang(
            Text(f"{note.at:8.2f} s  ", style="dim"), f"turn {note.turn}: {note.what}" if note.turn else note.what
        )
