"""`antiphon doctor`: is everything here that a conversation needs? One line each, and what to do about it."""

import contextlib
from dataclasses import asdict

import typer
from rich.text import Text

from ops import console
from ops.commands._options import Json
from schemas.errors import SettingsError

_SIGNS = {"ok": ("ok  ", "green"), "warn": ("look", "yellow"), "bad": ("bad ", "red")}


def doctor(json: Json = False) -> None:
    """Check everything a conversation needs.

    One line each, and what to do about it. Exit code 1 when something is bad.

    \b
    Examples:
      antiphon doctor
      REDIS_URL=redis://log.example.com antiphon doctor
      antiphon doctor --json
    """
    from ops.stack.here import running
    from ops.stack.models import use_models_here

    with contextlib.suppress(SettingsError):  # told as a finding
        if running() is None:
            use_models_here()  # as `up` would
    if not console.run(lambda: _tell(json)):
        raise typer.Exit(console.FAILED)


async def _tell(json: bool) -> bool:
    """Print every finding; True when nothing is bad."""
    from ops.commands.doctor.examine import examine

    findings = []
    async for finding in examine():
        findings.append(finding)
        if not json:
            sign = Text(*_SIGNS[finding.result])
            console.hang(sign.append(f"  {finding.check:<12} ", "default"), finding.found)
            if finding.advice:
                console.hang(f"      {'':<12} ", Text(f"→ {finding.advice}", style="yellow"))
    healthy = all(finding.result != "bad" for finding in findings)
    if json:
        console.emit({"healthy": healthy, "findings": [asdict(finding) for finding in findings]})
    return healthy
