"""`antiphon new`: an agent of one's own, to begin with."""

from pathlib import Path
from typing import Annotated

import typer

from ops import console
from ops.commands._options import Json


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is called: letters, digits, - and _.")],
    into: Annotated[
        Path | None, typer.Option("--in", metavar="FOLDER", help="Where agents lie; else AGENTS, else agents/.")
    ] = None,
    json: Json = False,
) -> None:
    """Write a new agent: it works, and is commented.

    A folder with agent.toml, instructions.md, agent.py and a scenario. Nothing is written over. Exit code 2 where it can't be
    written.

    \b
    Examples:
      antiphon new pizza
      antiphon new pizza --in my-agents
    """
    from ops.stack.agent_folder import write_new
    from ops.stack.here import AGENTS_HERE
    from schemas.config.settings import load

    with console.telling():
        configured = load().agents
        parent = into or (configured if configured is not None and configured.is_dir() else AGENTS_HERE)
        folder = write_new(parent, name)
    files = sorted(str(path) for path in folder.rglob("*") if path.is_file())
    if json:
        console.emit({"name": name, "folder": str(folder), "files": files})
        return
    for path in files:
        console.out.print(path, soft_wrap=True, highlight=False)
    me = console.me()
    console.out.print(f"\ntry it: {me} dev {folder}, and in another terminal {me} chat {name}", soft_wrap=True)
    console.out.print(f"serve it: AGENTS={parent} {me} up, beside the others there", soft_wrap=True)
