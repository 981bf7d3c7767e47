"""Everything `antiphon doctor` looks at, in the order in which it is told."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from ops.commands.doctor import endpoints, languages, log, machine, memories, phones, stages, tools
from ops.commands.doctor.findings import Finding
from ops.stack.here import as_the_stack, data_folder, running
from schemas.config.settings import Settings, load
from schemas.errors import AntiphonError


async def examine() -> AsyncIterator[Finding]:
    try:
        settings = load()
    except AntiphonError as error:
        yield Finding("settings", "bad", str(error), "correct it in the environment or in .env")
        return
    yield Finding("settings", "ok", "every variable is understood")
    stack = running()
    if stack:
        named, settings = settings, _as_the_stack(stack, settings)
        taken = sorted(name.upper() for name in settings.model_fields_set - named.model_fields_set)
        more = f"; as it has them: {', '.join(taken)}" if taken else ""
        yield Finding("stack", "ok", f"antiphon up runs here (pid {stack['pid']}){more}")
    yield await asyncio.to_thread(machine.disk, data_folder())
    async for finding in log.examine(settings, stack["redis_url"] if stack else None):
        yield finding
    async for finding in stages.examine(settings, stack["redis_url"] if stack else None):
        yield finding
    yield await endpoints.llm(settings, stack["llm_base_url"] if stack else None)
    for finding in await tools.examine(settings, stack["llm_base_url"] if stack else None):
        yield finding
    for finding in await asyncio.to_thread(machine.models, settings):
        yield finding
    for finding in await asyncio.to_thread(machine.completeness, settings):
        yield finding
    for finding in await asyncio.to_thread(languages.examine, settings):
        yield finding
    for finding in await asyncio.to_thread(memories.examine, settings):
        yield finding
    yield machine.access(settings)
    yield await endpoints.livekit(settings, stack)
    for finding in phones.examine(settings, stack.get("sip", "") if stack else ""):
        yield finding
    yield machine.port(settings, bool(stack))


def _as_the_stack(stack: dict[str, Any], settings: Settings) -> Settings:
    """With its models, and its agents where this terminal names none."""
    settings = as_the_stack(stack, settings)
    if "agents" not in settings.model_fields_set and stack.get("agents"):
        settings = settings.model_copy(update={"agents": Path(stack["agents"])})
    return settings
