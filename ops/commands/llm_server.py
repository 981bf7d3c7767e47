"""`antiphon llm-server`: the embedded LLM server, until it is told to stop."""

from pathlib import Path
from typing import Annotated

import typer

from ops import console
from ops.commands._options import Json


def llm_server(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8081,
    model: Annotated[
        Path | None, typer.Option(envvar="LLM_FILE", help="A .gguf file; the packaged SmolLM2 when not given.")
    ] = None,
    json: Json = False,
) -> None:
    """Run the embedded OpenAI-compatible LLM server.

    Example: antiphon llm-server --port 8081
    """
    from ops.stack.embedded.llm_server import serve
    from schemas.errors import SettingsError

    try:
        serve(host, port, model, announce=console.emit if json else None)
    except SettingsError as error:
        console.fail(str(error), console.USAGE)
