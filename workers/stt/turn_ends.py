"""The end-of-turn model beside any recognizer: in a thread of its own, never in the transcript's way."""

import asyncio
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from schemas.errors import Permanent
from workers.providers import Hearing
from workers.stt.end_of_turn import SmartTurn

__all__ = ["TurnEnds"]

log = logging.getLogger("antiphon.stt")


class TurnEnds:
    """Judges who is done. Without the model (said once) or after an error in it, nobody knows: None."""

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._model: SmartTurn | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="end-of-turn")

    async def warm_up(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._pool, self._load)

    async def judge(self, batch: Sequence[Hearing]) -> list[float | None]:
        """0..1 for each that asks; None where nobody asked, nothing sounded, or there is no model."""
        answers: list[float | None] = [None] * len(batch)
        asking = [number for number, hearing in enumerate(batch) if hearing.end_of_turn and len(hearing.pcm)]
        if self._model is None or not asking:
            return answers
        loop = asyncio.get_running_loop()
        sounds = [batch[number].pcm for number in asking]
        try:
            judged = await loop.run_in_executor(self._pool, self._model.probabilities, sounds)
        except Exception:  # onnxruntime's errors share no base; a transcript must not be lost to any of them
            log.exception("the end-of-turn model failed; the transcripts go without")
            return answers
        for number, probability in zip(asking, judged, strict=True):
            answers[number] = probability
        return answers

    async def aclose(self) -> None:
        await asyncio.to_thread(self._pool.shutdown)

    def _load(self) -> None:
        import numpy as np

        if self._model is not None:
            return
        try:
            model = SmartTurn(self._threads)
        except Permanent as error:
            log.warning("%s; turns end by silence", error)
            return
        model.probabilities([np.zeros(1600, np.int16)])
        self._model = model
