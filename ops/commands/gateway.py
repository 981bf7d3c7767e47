"""`antiphon gateway`: one gateway, until it is told to stop."""

from typing import Annotated

import typer

from ops import console
from ops.commands._options import JsonLog, given, log_format


def gateway(
    host: Annotated[str | None, typer.Option(help="GATEWAY_HOST")] = None,
    port: Annotated[int | None, typer.Option(help="GATEWAY_PORT")] = None,
    sip: Annotated[str | None, typer.Option(help="SIP_LISTEN: answer phones at host:port.")] = None,
    json: JsonLog = False,
) -> None:
    """Run one gateway.

    Example: SIP_TRUNKS=trunks.toml antiphon gateway --sip 0.0.0.0:5060
    """
    from gateway.main import run_gateway
    from ops.stack.here import settings_here

    options = given(gateway_host=host, gateway_port=port, sip_listen=sip)
    console.run(lambda: run_gateway(settings_here(**options, **log_format(json))))
