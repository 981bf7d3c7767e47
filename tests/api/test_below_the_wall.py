"""What `api` needs lies below the wall."""

import subprocess
import sys

NEEDED = [
    "api.livekit.telephony",
    "schemas.access.livekit",
    "schemas.access.tickets",
    "schemas.access.tokens",
    "schemas.config.agents",
    "schemas.log",
    "schemas.session.cache",
    "schemas.session.export",
    "schemas.session.history",
    "schemas.session.sound",
    "schemas.session.waterfall",
    "schemas.session.words",
]


def test_what_an_api_needs_brings_no_gateway_along() -> None:
    """Access, agents, the log, a session's telling and LiveKit's SIP can be had without gateway, workers, ops or a terminal."""
    ask = f"import sys, {', '.join(NEEDED)}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", ask], check=True, capture_output=True, text=True).stdout.split()
    assert {*NEEDED} <= {*loaded}
    assert not {"gateway", "workers", "ops", "rich", "typer"} & {name.partition(".")[0] for name in loaded}
