"""An LLM endpoint for a command that starts no stack: the one of the settings, else one of our own for the while."""

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ops.stack.supervisor import ANTIPHON, Command, Failed, Supervisor
from ops.stack.system import free_port
from schemas.config.settings import Settings
from schemas.errors import SettingsError


@asynccontextmanager
async def reachable_llm(settings: Settings) -> AsyncIterator[Settings]:
    """Settings with an LLM endpoint that is there. SettingsError: ours can't be started, and why."""
    if "llm_base_url" in settings.model_fields_set or settings.llm_provider != "openai":
        yield settings
        return
    port = free_port()
    arguments = [*ANTIPHON, "llm-server", "--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryDirectory() as folder:
        supervisor = Supervisor(Path(folder), os.environ)
        try:
            try:
                await supervisor.start([Command("llm-server", arguments, ready=f"http://127.0.0.1:{port}/health")])
            except Failed as error:
                raise SettingsError(str(error)) from None
            yield settings.model_copy(update={"llm_base_url": f"http://127.0.0.1:{port}/v1"})
        finally:
            await supervisor.stop()
