"""What a worker's model speaks, told beside the log for as long as the worker works: gateways read it, and warn."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import PurePath

from schemas.bus import Announcing
from schemas.config.settings import Settings
from schemas.errors import BusError
from schemas.events import Stage
from schemas.languages import Announced
from workers import registry

AGAIN = 20.0  # seconds
GOOD_FOR = 60.0
"""Seconds an announcement is believed: that of a killed worker is gone then."""
_NOT_YET = 0.2


def announcement(stage: Stage, settings: Settings) -> Announced | None:
    """None: the provider doesn't tell which languages it speaks."""
    languages = registry.languages(stage, settings)
    if not languages:
        return None
    provider = registry.own_name(stage, settings)
    name, value = registry.provider_class(stage, provider).named_by(settings)
    setting = f"{name}={PurePath(value).name}"  # clients are told, too: no paths of ours
    return Announced(stage, languages, setting, provider)


async def announce(bus: Announcing, consumer: str, what: Announced, working: Callable[[], bool]) -> None:
    """Until cancelled; then it is taken back."""
    try:
        while True:
            told = working() and await _told(bus, consumer, what)
            await asyncio.sleep(AGAIN if told else _NOT_YET)
    finally:
        with contextlib.suppress(TimeoutError):  # it is forgotten by itself
            async with asyncio.timeout(1.0):
                await _take_back(bus, consumer, what)


async def _told(bus: Announcing, consumer: str, what: Announced) -> bool:
    try:
        await bus.announce(consumer, what, GOOD_FOR)
    except BusError:
        return False
    return True


async def _take_back(bus: Announcing, consumer: str, what: Announced) -> None:
    try:
        await bus.announce(consumer, what, 0.0)
    except BusError:
        return
