"""Everything `antiphon doctor` looks at, in the order in which it is told."""

import asyncio
from collections.abc import AsyncIterator

from ops.commands.doctor import endpoints, languages, log, machine, memories, phones, stages, tools
from ops.commands.doctor.findings import Finding
from ops.stack.here import data_folder, llm_of, running
from schemas.config.settings import load
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
        yield Finding("stack", "ok", f"antiphon up runs here (pid {stack['pid']})")
    yield await asyncio.to_thread(machine.disk, data_folder())
    async for finding in log.examine(settings, stack["redis_url"] if stack else None):
        yield finding
    async for finding in stages.examine(settings, stack["redis_url"] if stack else None):
        yield finding
    llm = llm_of(stack, settings) if stack else {}
    asked = settings.model_copy(update={name: llm[name] for name in llm if name == "llm_model"})
    yield await endpoints.llm(asked, stack["llm_base_url"] if stack else None)
    for finding in await tools.examine(asked, stack["llm_base_url"] if stack else None):
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
