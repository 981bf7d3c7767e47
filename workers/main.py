"""One worker process: `antiphon worker stt|llm|tts|tools`."""

import asyncio
import logging
import signal

from schemas.bus import Announcing, Bus
from schemas.config.beginning import begin
from schemas.config.settings import Settings, without_password
from schemas.errors import Permanent
from schemas.events import Stage
from schemas.process.health import Health
from schemas.process.tasks import Tasks
from workers import registry
from workers._metrics import WorkerMetrics
from workers._stage import StageHandler
from workers.announcing import announce, announcement
from workers.runtime import Worker, WorkerOptions

log = logging.getLogger("antiphon.worker")

_MORE = 3.0
"""Seconds that one try to warm up may take beyond an endpoint's own."""


def stage_handler(stage: Stage, settings: Settings) -> StageHandler:
    """The stage with the provider the settings name. Only that stage's code is imported: models are heavy, Piper is GPL."""
    if stage == "stt":
        from workers.stt import SttStage

        return SttStage(registry.provider("stt", "", settings), settings)
    if stage == "llm":
        from workers.llm import LlmStage

        return LlmStage(registry.provider("llm", "", settings), settings)
    if stage == "tools":
        from workers.tools import ToolStage

        return ToolStage(settings)
    from workers.tts import TtsStage

    return TtsStage(registry.provider("tts", "", settings), settings)


def _options(stage: Stage, settings: Settings) -> WorkerOptions:
    """Permanent: there is no such provider."""
    if stage == "tools":
        return WorkerOptions(max_deliveries=settings.max_deliveries, drain=settings.drain, warming="tools")
    name = registry.own_name(stage, settings)
    kind = registry.provider_class(stage, name)
    setting, value = kind.named_by(settings)
    within = kind.answers_within(settings)
    return WorkerOptions(
        max_deliveries=settings.max_deliveries,
        drain=settings.drain,
        warming=f"{stage.upper()}_PROVIDER={name} ({setting}={without_password(value)})",
        warm_up_within=within[1] + _MORE if within else None,
        awaited=f"no answer yet, one is expected within {within[1]:g} s ({within[0]})" if within else "",
    )


def _announcing(stage: Stage, settings: Settings, bus: Announcing, consumer: str, worker: Worker) -> Tasks:
    """Tells gateways what the model speaks, where its provider knows."""
    tasks = Tasks()
    what = announcement(stage, settings) if stage in ("stt", "tts") else None
    if what is not None:
        tasks.spawn(announce(bus, consumer, what, lambda: not worker.obstacles()), "announce languages")
    return tasks


async def run_worker(stage: Stage, settings: Settings, *, bus: Bus | None = None) -> None:
    """Serve `stage` until SIGTERM or SIGINT, then drain; a second one hands back what isn't done at once.

    ProviderError, BusError or SettingsError: this process can't work, and why, in one sentence.
    """
    from schemas.codec import prepare
    from schemas.log import connect

    options = _options(stage, settings)
    begin(settings, options.consumer)
    prepare()
    bus = bus or connect(settings, holds=True)
    handler = stage_handler(stage, settings)
    metrics = WorkerMetrics(stage, registry.own_name(stage, settings) if stage != "tools" else "")
    worker = Worker(bus, handler, options, metrics=metrics)
    health = Health(settings.health_host, settings.health_port, metrics.text, worker.obstacles, worker.starting)
    loop = asyncio.get_running_loop()
    for sent in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sent, worker.stop)
    announcing = _announcing(stage, settings, bus, options.consumer, worker)
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
        await announcing.aclose()
        await handler.aclose()
        await bus.aclose()
        await health.aclose()
