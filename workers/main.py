"""One worker process: `antiphon worker stt|llm|tts`."""

import asyncio
import logging
import signal

from schemas.bus import Bus
from schemas.errors import Permanent
from schemas.events import Stage
from schemas.health import Health
from schemas.process_log import set_up_logging
from schemas.settings import Settings
from workers import registry
from workers._metrics import WorkerMetrics
from workers._stage import StageHandler
from workers.runtime import Worker, WorkerOptions

log = logging.getLogger("antiphon.worker")


def stage_handler(stage: Stage, settings: Settings) -> StageHandler:
    """The stage with the provider the settings name. Only that stage's code is imported: models are heavy, Piper is GPL."""
    if stage == "stt":
        from workers.stt import SttStage

        return SttStage(registry.provider("stt", "", settings), settings)
    if stage == "llm":
        from workers.llm import LlmStage

        return LlmStage(registry.provider("llm", "", settings), settings)
    from workers.tts import TtsStage

    return TtsStage(registry.provider("tts", "", settings), settings)


async def run_worker(stage: Stage, settings: Settings, *, bus: Bus | None = None) -> None:
    """Serve `stage` until SIGTERM or SIGINT, then drain; a second one hands back what isn't done at once.

    ProviderError, BusError or SettingsError: this process can't work, and why, in one sentence.
    """
    from schemas.log import connect

    options = WorkerOptions(lease=settings.lease, max_deliveries=settings.max_deliveries, drain=settings.drain)
    set_up_logging(settings.log_level, settings.log_format, options.consumer)
    bus = bus or connect(settings)
    handler = stage_handler(stage, settings)
    metrics = WorkerMetrics(stage)
    worker = Worker(bus, handler, options, metrics=metrics)
    health = Health(settings.health_host, settings.health_port, metrics.text, worker.obstacles)
    loop = asyncio.get_running_loop()
    for sent in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sent, worker.stop)
    await health.start()
    log.info("health page on http://%s:%d", health.host, health.port)
    try:
        await worker.run()
    except Permanent as error:
        log.error("%s", error)
        raise
    finally:
        for sent in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(sent)
        await handler.aclose()
        await bus.aclose()
        await health.aclose()
