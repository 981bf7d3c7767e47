"""`antiphon doctor`: is everything here that a conversation needs? One line each, and what to do about it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import asdict

import typer
from rich.text import Text

from ops import console
from ops.commands._options import Json
from ops.commands.doctor import endpoints, languages, log, machine, phones
from ops.commands.doctor.findings import Finding
from ops.stack.here import data_folder, running
from schemas.config.settings import load
from schemas.errors import AntiphonError

_SIGNS = {"ok": ("ok  ", "green"), "warn": ("look", "yellow"), "bad": ("bad ", "red")}


def doctor(json: Json = False) -> None:
    """Check everything a conversation needs.

    One line each, and what to do about it. Exit code 1 when something is bad.

    Example: antiphon doctor
    """
    if not console.run(lambda: _tell(json)):
        raise typer.Exit(console.FAILED)


async def _tell(json: bool) -> bool:
    """Print every finding; True when nothing is bad."""
    findings = []
    async for finding in _examine():
        findings.append(finding)
        if not json:
            sign = Text(*_SIGNS[finding.result])
            console.out.print(sign.append(f"  {finding.check:<12} {finding.found}", "default"), soft_wrap=True)
            if finding.advice:
                console.out.print(f"      {'':<12} → {finding.advice}", style="yellow", soft_wrap=True)
    healthy = all(finding.result != "bad" for finding in findings)
    if json:
        console.emit({"healthy": healthy, "findings": [asdict(finding) for finding in findings]})
    return healthy


async def _examine() -> AsyncIterator[Finding]:
    try:
        settings = load()
    except AntiphonError as error:
        yield Finding("settings", "bad", str(error), "correct it in the environment or in .env")
        return
    yield Finding("settings", "ok", "every variable is understood")
    stack = running()
    if stack:
        yield Finding("stack", "ok", f"antiphon up runs here (pid {stack['pid']})")
    yield await asyncio.to_thread(machine.disk, data_folder())
    async for finding in log.examine(settings, stack["redis_url"] if stack else None):
        yield finding
    yield await endpoints.llm(settings, stack["llm_base_url"] if stack else None)
    for finding in await asyncio.to_thread(machine.models, settings):
        yield finding
    yield await asyncio.to_thread(languages.examine, settings)
    yield machine.access(settings)
    yield await endpoints.livekit(settings, stack)
    for finding in phones.examine(settings, stack.get("sip", "") if stack else ""):
        yield finding
    yield machine.port(settings, bool(stack))
