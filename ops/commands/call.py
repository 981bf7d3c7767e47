"""`antiphon call`: a WAV in, the conversation out. For scripts, and for a first try with one's own voice."""

from pathlib import Path
from typing import Annotated

import typer

from ops import console
from ops.commands._options import GatewayUrl, Json

Sound = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="What the caller says: WAV or FLAC, any rate.")
]


def call(
    wav: Sound,
    url: GatewayUrl = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write it in stereo, as .wav or .flac: caller left, agent right.")
    ] = None,
    agent: Annotated[str, typer.Option(help="Agent to speak with.")] = "",
    token: Annotated[
        str, typer.Option(envvar="ANTIPHON_TOKEN", help="Client token, where the gateway asks for one.")
    ] = "",
    sessions: Annotated[int, typer.Option(min=1, help="Callers at once.")] = 1,
    wait: Annotated[float, typer.Option(min=0.5, help="Seconds to wait for a first reply.")] = 15.0,
    at_once: Annotated[bool, typer.Option("--at-once", help="Speak into the greeting.")] = False,
    json: Json = False,
) -> None:
    """Call a gateway with a recording.

    The greeting is heard out first. A line that is lost is picked up again; Ctrl-C hangs up. Exit code 1 when a session got no
    answer, 3 when no gateway is there.

    \b
    Examples:
      antiphon call question.wav -o conversation.wav
      antiphon call question.wav --url wss://voice.example.com/ws
      antiphon call question.wav --sessions 8 --json
    """
    from ops.people.call import Options, hold

    if not console.run(lambda: hold(Options(wav, url, out, agent, token, sessions, wait, json, at_once))):
        raise typer.Exit(console.FAILED)
