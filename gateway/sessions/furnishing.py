"""A session's background and its sound of thinking are looked up and read, beside the event loop."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from gateway.sound.backdrop import Backdrop, Loop, read_loop
from schemas.config.agent import AgentSpec, SoundsSpec
from schemas.config.sounds import COMES_ALONG, problem
from schemas.errors import AudioFileError

log = logging.getLogger("antiphon.gateway")

Beside = Callable[[str, str], Path | None]
"""Agent and name of a file → where it lies, None: nowhere."""


def any_sound(sound: SoundsSpec) -> bool:
    return bool(sound.background or sound.thinking)


async def furnish(backdrop: Backdrop, agent: AgentSpec, beside: Beside, session: str) -> None:
    """What can't be read is told, and left out: a call goes on without it."""
    sound, rate = agent.sounds, backdrop.rate
    backdrop.background = await _read(
        "background", sound.background, rate, sound.background_gain, agent, beside, session
    )
    backdrop.thinking = await _read("thinking", sound.thinking, rate, sound.thinking_gain, agent, beside, session)


async def _read(
    setting: str, name: str, rate: int, gain: float, agent: AgentSpec, beside: Beside, session: str
) -> Loop | None:
    if not name:
        return None
    path = None if name in COMES_ALONG else beside(agent.name, name)
    try:
        if name not in COMES_ALONG and (path is None or (why := problem(path))):
            why = "no such file beside the agents of this gateway (AGENTS)" if path is None else why
            raise AudioFileError(why)
        return await asyncio.to_thread(read_loop, path, rate, gain)
    except AudioFileError as error:
        log.warning(
            "%s: sounds.%s = %r: %s; it is not heard", agent.name, setting, name, error, extra={"session": session}
        )
        return None
