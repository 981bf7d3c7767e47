"""`antiphon chat`: write with an agent, by hand or a line a command."""

from typing import Annotated

import typer

from ops import console
from ops.commands._options import GatewayUrl, Json


def chat(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[AGENT] [TEXT]", help="With --session: the text; else the agent.")
    ] = None,
    session: Annotated[
        str, typer.Option("--session", "-s", metavar="NAME", help="A conversation that goes on with the next command.")
    ] = "",
    agent: Annotated[str, typer.Option(help="Agent to write with.")] = "",
    metadata: Annotated[
        list[str] | None, typer.Option("--metadata", "-m", metavar="KEY=VALUE", help="Metadata of the call.")
    ] = None,
    anew: Annotated[bool, typer.Option("--new", help="Begin the conversation again.")] = False,
    end: Annotated[bool, typer.Option("--end", help="Hang up after this line.")] = False,
    wait: Annotated[float, typer.Option(min=0.1, help="Seconds an answer may take.")] = 60.0,
    url: GatewayUrl = None,
    token: Annotated[
        str, typer.Option(envvar="ANTIPHON_TOKEN", help="Client token, where the gateway asks for one.")
    ] = "",
    json: Json = False,
) -> None:
    """Write with an agent, without sound.

    Through all its stages but those. With --session each command says one line, and prints what the agent said and did: tools
    with arguments and results, and what was collected and remembered. The conversation waits ten minutes for the next one
    (limits.idle). Without, lines are typed, or come from a pipe. Exit code 1 when an answer did not come whole, 3 where no
    gateway runs.

    \b
    Examples:
      antiphon chat pizza
      antiphon chat --session a --agent pizza "a table for four, please"
      antiphon chat --session a "at eight" --json
      antiphon chat --session a "thank you" --end
    """
    from ops.people.chat import Options, chat

    given = list(words or [])
    if not session and given and not agent:
        agent = given.pop(0)
    text = " ".join(given).strip() if given else None
    if text == "" or (text is not None and len(text) > _LONGEST):
        console.fail(f"a line has 1 to {_LONGEST} characters", console.USAGE)
    pairs = dict(one.partition("=")[::2] for one in metadata or [])
    if wrong := [one for one in metadata or [] if not one.partition("=")[0] or "=" not in one]:
        console.fail(f"--metadata {wrong[0]}: expected KEY=VALUE", console.USAGE)
    well: list[bool] = []

    async def main() -> None:
        well.append(await chat(Options(agent, text, session, url, token, pairs, anew, end, wait, json)))

    console.run(main)
    if not all(well):
        raise typer.Exit(console.FAILED)


_LONGEST = 4_000
