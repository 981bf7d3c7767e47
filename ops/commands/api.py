"""`antiphon api`: the HTTP API and the web app, until it is told to stop."""

from typing import Annotated

import typer

from ops import console
from ops.commands._options import JsonLog, given, log_format


def api(
    host: Annotated[str | None, typer.Option(help="API_HOST")] = None,
    port: Annotated[int | None, typer.Option(help="API_PORT")] = None,
    json: JsonLog = False,
) -> None:
    """Run the HTTP API, and the web app with it.

    Example: antiphon api --port 8080
    """
    from api.main import run_api
    from ops.stack.here import settings_here

    options = given(api_host=host, api_port=port)
    console.run(lambda: run_api(settings_here(**options, **log_format(json))))
