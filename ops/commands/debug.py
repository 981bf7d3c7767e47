"""`antiphon debug`: a shell in the midst of a recorded session."""

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from ops import console
from ops.commands._looking import MeantOrFile, lightly, stored
from ops.commands._options import Json


def debug(
    session: MeantOrFile,
    at: Annotated[
        int | None, typer.Option(min=1, help="Begin just after this event; before the first when not given.")
    ] = None,
    json: Json = False,
) -> None:
    """Walk through a session, event by event.

    A shell with the state the session has there: next, back, at SEQ, break on a type or a condition, continue, print any part
    of event, state and turn. `help` lists them. It reads commands from its input, so that it can be scripted; then the exit code
    is 1 if one of them could not be done. With --json every answer is an object.

    \b
    Examples:
      antiphon debug last --at 40
      antiphon debug call.jsonl
      echo 'break turn.ended if event.how == "interrupted"
      continue
      print turn.heard' | antiphon debug last --json
    """
    lightly()
    from ops.replay.debug import Shell, Walk

    with console.telling():
        walk = Walk(stored(session).events)
        if at is not None:
            walk.to(at)
        asks = sys.stdin.isatty() and not json
        shell = Shell(walk, _as_json if json else _as_text, stdin=sys.stdin, stdout=sys.stdout, asks=asks)
        if asks:
            shell.onecmd("state")
        shell.cmdloop()
    if shell.failed and not asks:
        raise typer.Exit(console.FAILED)


def _as_text(text: str, value: Mapping[str, Any]) -> None:
    console.hang("", text)


def _as_json(text: str, value: Mapping[str, Any]) -> None:
    console.emit(value)
