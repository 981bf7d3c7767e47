"""`antiphon demo`: the whole stack, a scripted caller in real time, and then everything that can be said about it."""

from pathlib import Path
from typing import Annotated

import typer

from ops import console
from ops.commands._options import Json


def demo(
    wav: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Converse with a recording of your own instead.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where the stereo recording goes.")] = None,
    livekit: Annotated[bool, typer.Option("--livekit", help="Through a room of a real LiveKit server.")] = False,
    json: Json = False,
) -> None:
    """Hold a spoken conversation, and explain it.

    It goes through the whole stack in real time; afterwards it is shown how long every part of every turn took.

    \b
    Examples:
      antiphon demo
      antiphon demo --wav my-question.wav -o conversation.wav
      antiphon demo --livekit
    """
    from ops.demo.conversation import converse
    from ops.stack.models import use_models_here
    from schemas.config.settings import strangers

    for told in strangers():
        console.err.print(told, style="yellow", soft_wrap=True)
    with console.telling():
        found = use_models_here()
    for sentence in found:
        if not json:
            console.hang("", sentence)
    if not console.run(lambda: converse(wav, out, livekit, json)):
        raise typer.Exit(console.FAILED)
