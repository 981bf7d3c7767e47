"""`antiphon talk`: speak with an agent by this machine's microphone and loudspeaker, or type."""

from pathlib import Path
from typing import Annotated

import typer

from ops import console
from ops.commands._options import GatewayUrl, Json


def talk(
    url: GatewayUrl = None,
    agent: Annotated[str, typer.Option(help="Agent to speak with.")] = "",
    token: Annotated[
        str, typer.Option(envvar="ANTIPHON_TOKEN", help="Client token, where the gateway asks for one.")
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write it in stereo, as .wav or .flac: you left, the agent right."),
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="Type; nothing is heard, no sound device is needed.")] = False,
    half_duplex: Annotated[
        bool, typer.Option("--half-duplex", help="Close the microphone while the agent speaks: for loudspeakers.")
    ] = False,
    json: Json = False,
) -> None:
    """Talk with an agent, in the terminal.

    Words stand there as they are said, and under each answer how long it took. Ctrl-C hangs up. Lines from a pipe are said one
    after another. Exit code 3 when there is no microphone or loudspeaker, or no gateway.

    \b
    Examples:
      antiphon talk
      antiphon talk --agent receptionist --half-duplex
      antiphon talk --text
    """
    from ops.people.talk import Options, talk

    console.run(lambda: talk(Options(url, agent, token, out, text, half_duplex, json)))
