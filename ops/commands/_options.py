"""Options that several commands have."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON; the last line is one object.")]
JsonLog = Annotated[bool, typer.Option("--json", help="Log as JSON, an object a line (LOG_FORMAT=json).")]
Session = Annotated[str, typer.Argument(help="A session's id; `antiphon sessions` lists them.")]
Hours = Annotated[float, typer.Option(min=0.001, help="How long it is good for.")]
GatewayUrl = Annotated[
    str | None,
    typer.Option("--url", help="Gateway: host:port, http(s)://… or ws(s)://…; the running stack's when not given."),
]


def given(**options: object) -> dict[str, object]:
    """The options somebody gave; the rest is left to the environment."""
    return {name: value for name, value in options.items() if value is not None}


def log_format(json: bool) -> dict[str, object]:
    """`JsonLog` as a setting."""
    return {"log_format": "json"} if json else {}
