"""`antiphon dev`: an agent, run while it is written."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from ops import console
from ops.commands._options import Json


def dev(
    agent: Annotated[str, typer.Argument(metavar="AGENT", help="Its folder or file, or the name of one of AGENTS.")],
    free_ports: Annotated[bool, typer.Option(help="Use free ports instead of the well-known ones.")] = False,
    json: Json = False,
) -> None:
    """Run an agent while you write it.

    Until Ctrl-C. Starts the stack, as `antiphon up` does, or uses the one that runs here; then tells which of its files changed,
    what is wrong with them, and what is said in conversations, tools among it. The models stay loaded: a change counts from the
    next conversation on. Talk to it with `antiphon chat` or `antiphon talk` in another terminal, or in the browser.

    \b
    Examples:
      antiphon dev agents/pizza
      antiphon dev pizza
    """
    from ops.commands._developing import Files, as_json, follow, line
    from ops.commands.up import Up
    from ops.stack.here import data_folder, log_of, running
    from ops.stack.stack import Plan
    from schemas.archive.both import Both, looking
    from schemas.config.agents import Agents
    from schemas.config.settings import load
    from schemas.log import connected

    with console.telling():
        settings = load()
        stack = running()
        theirs = Path(stack["agents"]) if stack and stack.get("agents") else None
        source = _source(agent, settings.agents or theirs)
        if stack is not None and (theirs is None or not _holds(theirs, source)):
            console.fail(
                f"the stack that runs here has {f'AGENTS={theirs}' if theirs else 'no AGENTS'}, and not {agent}; "
                f"stop it first: {console.me()} down",
                console.USAGE,
            )
        agents = Agents(theirs or source, strict=False)
        name = _named(agents, agent)
        files = Files(agents, name, settings)

    async def watch(redis_url: str, hint: str) -> None:
        """`hint`: printed once no conversation is missed any more: who follows it at once is heard."""
        settings = load(redis_url=redis_url)
        async with connected(settings) as log:
            both = Both(log, looking(settings))
            try:
                if json:
                    await follow(files, both, as_json)
                else:
                    await follow(files, both, line, lambda: console.out.print(hint, style="dim"))
            finally:
                await both.aclose()

    if stack is not None:
        hint = f"with the stack that runs here; try: {console.me()} chat {name}"
        console.run(lambda: watch(log_of(stack) or stack["redis_url"], hint))
        return
    os.environ["AGENTS"] = str(source.absolute())  # all that is started reads it
    us = Up(json)
    us.listen()
    plan = Plan(
        data_folder() / "up", free_ports=free_ports, api=True,
        on_restart=us.tell_restart, on_wait=us.tell_wait, on_warn=us.tell_trouble, on_ready=us.tell_ready,
    )  # fmt: skip
    watching: list[asyncio.Task[None]] = []

    def ready() -> None:
        told = running()
        if told is not None:
            hint = f"\ntry: {console.me()} chat {name}, in another terminal"
            watching.append(asyncio.ensure_future(watch(told["redis_url"], hint)))

    us.ready = ready
    console.run(lambda: us.run(plan))
    if us.told > 1:
        raise typer.Exit(console.STOPPED)


def _source(agent: str, agents: Path | None) -> Path:
    """What AGENTS is to be: what was named, where that is a path; else the agents there are. AgentSpecError: neither."""
    from ops.stack.here import AGENTS_HERE
    from schemas.errors import AgentSpecError

    path = Path(agent)
    if path.exists():
        return path
    for folder in (agents, AGENTS_HERE):
        if folder is not None and ((folder / agent).exists() or (folder / f"{agent}.toml").exists()):
            return folder
    if agents is not None and agents.exists():
        return agents
    raise AgentSpecError(
        f"{agent[:80]}: no such folder or file, and no agent of AGENTS; make one: {console.me()} new {agent[:80]}"
    )


def _holds(theirs: Path, source: Path) -> bool:
    there, wanted = theirs.resolve(), source.resolve()
    return wanted == there or wanted.is_relative_to(there)


def _named(agents: "Agents", agent: str) -> str:  # type: ignore[name-defined]  # noqa: F821
    """The agent meant, by its name or its place. AgentSpecError."""
    wanted = Path(agent).resolve()
    for name, path in agents.files.items():
        if name == agent or wanted in (path.resolve(), path.resolve().parent):
            return str(name)
    agents.find(agent)  # says what there is
    return agent
