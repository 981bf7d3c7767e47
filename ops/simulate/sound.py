"""A caller who is heard: a voice of the TTS provider speaks their lines into a gateway's WebSocket room, in real time."""

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import numpy as np
import soxr

from ops.people.call import until_quiet
from ops.people.caller import Caller as Phone
from ops.people.person import CallError
from ops.simulate.line import ANSWER_WITHIN, Line, NoAnswer
from ops.simulate.scenario import Caller
from ops.simulate.tempers import cut_in, heard_as
from schemas.audio import HEARING_RATE, Pcm
from schemas.bus import Reading
from schemas.client import ToClient, TurnMessage
from schemas.config.settings import Settings
from workers.providers import Speaking, Tts
from workers.registry import provider

__all__ = ["SoundLine", "Voice"]

_PITCH = 1.14
"""Of a caller who speaks with the agent's own voice."""
_ENDS_WITHIN = 30.0
_LOOK = 0.05


class Voice:
    """Lines as sound. A line that was spoken before is not spoken again."""

    def __init__(self, settings: Settings) -> None:
        """Permanent: there is no such TTS."""
        self._tts: Tts = provider("tts", "", settings)
        self._one = asyncio.Lock()
        self._spoken: dict[tuple[str, str], Pcm] = {}

    async def warm_up(self) -> None:
        """ProviderError."""
        await self._tts.warm_up()

    async def aclose(self) -> None:
        await self._tts.aclose()

    async def speak(self, text: str, voice: str = "") -> Pcm:
        """int16 mono at 16 kHz. ProviderError."""
        async with self._one:
            if (known := self._spoken.get((text, voice))) is not None:
                return known
            parts = [part async for part in self._tts.synthesize(Speaking(text, voice))]
            whole = np.concatenate([part.pcm for part in parts]).astype(np.float32)
            rate = parts[0].rate * (1.0 if voice else _PITCH)
            fit = await asyncio.to_thread(soxr.resample, whole, rate, HEARING_RATE)
            pcm: Pcm = np.clip(fit, -32768, 32767).astype(np.int16)
            self._spoken[text, voice] = pcm
            return pcm


class SoundLine(Line):
    """A conversation in sound. `log`: where its events are read."""

    def __init__(
        self, caller: Caller, name: str, phone: Phone, voice: Voice, log: Reading, patience: float = ANSWER_WITHIN
    ) -> None:
        super().__init__(caller, name)
        self._phone, self._voice, self._kept, self._patience = phone, voice, log, patience
        self._over = cut_in(caller.temper)
        self._count, self._cutting_in = 0, False
        phone.on_message = self._note

    def _note(self, message: ToClient) -> None:
        self.messages.append((time.monotonic(), message))

    async def connect(self) -> None:
        await self._phone.connect()
        self.session = self._phone.session
        await self._phone.hear_greeting()
        if not await self.events():
            raise CallError(
                f"session {self.session} of that gateway is not in the log that is read here; set REDIS_URL to the gateway's own"
            )

    async def say(self, text: str, cut_in: bool = False) -> None:
        self._count += 1
        pcm = await self._voice.speak(text, self.caller.voice)
        pcm = heard_as(pcm, self.caller.temper, f"{self.name}/{self._count}")
        if self._cutting_in and self._phone.silent_at > time.monotonic():
            self.cut_ins += 1
        self._cutting_in = False
        since = len(self.messages)
        spoken = await self._within(self._phone.speak(pcm), len(pcm) / HEARING_RATE)
        if cut_in and await self._reached(spoken):
            self._cutting_in = True
            return
        await until_quiet(self._phone, spoken, self._patience)
        if not self.over and not any(isinstance(message, TurnMessage) for _, message in self.messages[since:]):
            raise NoAnswer(f"no answer within {self._patience:g} s")
        await self._phone.hear_out()
        if not self.over and await self.ends():
            await self._until_over()

    async def _within(self, speaking: Coroutine[Any, Any, float], seconds: float) -> float:
        """When the last sample was spoken; where the session ends meanwhile, now."""
        task = asyncio.ensure_future(speaking)
        ended = asyncio.ensure_future(self._phone.ended.wait())
        try:
            await asyncio.wait((task, ended), timeout=seconds + self._patience, return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else time.monotonic()
        finally:
            task.cancel()
            ended.cancel()

    async def _reached(self, spoken: float) -> bool:
        """Wait for the moment of the reply at which it is spoken over. False: it was over before."""
        assert self._over is not None
        until = time.monotonic() + self._patience
        while not self.over and time.monotonic() < until:
            began = self._phone.answered_after(spoken)
            if began is not None:
                await asyncio.sleep(max(0.0, began + self._over.seconds - time.monotonic()))
                return self._phone.silent_at > time.monotonic() + _LOOK
            await asyncio.sleep(_LOOK)
        return False

    async def _until_over(self) -> None:
        async with asyncio.timeout(_ENDS_WITHIN):
            await self._phone.ended.wait()

    async def hang_up(self) -> None:
        await self._phone.hang_up()

    @property
    def _log(self) -> Reading:
        return self._kept

    @property
    def over(self) -> bool:
        return self._phone.ended.is_set() or not self._phone.connected
