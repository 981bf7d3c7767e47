"""faster-whisper in this process: utterances of any sessions in one batch, each paying for its own length only."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from schemas.audio import Pcm
from schemas.config.settings import Settings
from schemas.errors import Permanent
from schemas.text.endings import OVER, ending
from workers.providers import Hearing, Stt, Transcript
from workers.stt import _guards as guards
from workers.stt._decoder import Decoder, Spectrum
from workers.stt._guards import Attempt, Doubt
from workers.stt._mel import RATE
from workers.stt._windows import FULL, LADDER, Window
from workers.stt.models import load_model, spoken_by, where_is
from workers.stt.turn_ends import TurnEnds

__all__ = ["WhisperStt"]

_LONGEST = 29 * RATE
"""Samples decoded at once; a longer utterance is cut where it is quietest in the seconds before."""
_BREATH = RATE // 5
"""Samples over which quietness is judged."""
_AT_ONCE = 2
"""Decodings side by side, as many as the model has replicas at most: what waits, waits here, where it can still be given up."""


class WhisperStt(Stt):
    """Provider `faster-whisper`: STT_MODEL, STT_LANGUAGE, STT_DEVICE, STT_COMPUTE_TYPE, MODEL_THREADS."""

    def __init__(self, settings: Settings) -> None:
        self.model = settings.stt_model
        self._settings = settings
        self._cores = len(os.sched_getaffinity(0))
        self._decoder: Decoder | None = None
        self._replicas = 1
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="whisper")
        self._turn_ends = TurnEnds()

    @staticmethod
    def locate(settings: Settings) -> tuple[str, Callable[[], str]]:
        """For `antiphon doctor`: the setting, and what says where the model is."""
        return "STT_MODEL", lambda: where_is(settings.stt_model)

    @staticmethod
    def languages(settings: Settings) -> list[str]:
        """What the model understands, by its name or its vocabulary; [] where neither tells."""
        return spoken_by(settings.stt_model)

    async def warm_up(self) -> None:
        """Load both models and hear a second once; Permanent says what is missing."""
        loop = asyncio.get_running_loop()
        await asyncio.gather(loop.run_in_executor(self._pool, self._load), self._turn_ends.warm_up())
        murmur = (np.sin(np.arange(RATE) / 20.0) * 3000).astype(np.int16)
        await self.transcribe([Hearing(murmur, end_of_turn=False)])

    async def transcribe(self, batch: Sequence[Hearing]) -> list[Transcript]:
        """One transcript each, in order. The same sound gives the same text, alone or in company. Cancelled, it computes no
        further than to the end of the window it is in: nobody else's utterance waits for one that is void."""
        if self._decoder is None:
            await self.warm_up()
        loop = asyncio.get_running_loop()
        shares, unwanted = _shares(batch, self._replicas), threading.Event()
        hearing = [
            loop.run_in_executor(self._pool, self._hear, [batch[n] for n in share], unwanted) for share in shares
        ]
        try:
            all_heard = await asyncio.gather(*hearing)
        except asyncio.CancelledError:
            unwanted.set()
            raise
        attempts = {
            n: attempt
            for share, heard in zip(shares, all_heard, strict=True)
            for n, attempt in zip(share, heard, strict=True)
        }
        # Not beside Whisper: it would slow down the transcripts of those whose words say that they are done.
        ends = await self._turn_ends.judge([_open(hearing, attempts[n]) for n, hearing in enumerate(batch)])
        return [_transcript(attempts[n], end) for n, end in enumerate(ends)]

    async def aclose(self) -> None:
        await asyncio.to_thread(self._pool.shutdown)
        await self._turn_ends.aclose()
        self._decoder = None

    def _load(self) -> None:
        if self._decoder is None:
            loaded = load_model(self._settings, self._cores)
            self._replicas = loaded.replicas
            try:
                self._decoder = Decoder(loaded)
            except (RuntimeError, ValueError) as error:
                raise Permanent(
                    f"STT_MODEL={self.model} loads but does not compute with STT_DEVICE={self._settings.stt_device}: {error}",
                    "model_broken",
                ) from None

    def _hear(self, batch: Sequence[Hearing], unwanted: threading.Event) -> list[Attempt | None]:
        """For each the attempt to believe, None for no speech. Runs in a thread, until it is `unwanted`."""
        assert self._decoder is not None
        pieces = [
            (number, piece)
            for number, hearing in enumerate(batch)
            for piece in _pieces(hearing.pcm)
            if not guards.silent(piece)
        ]
        language = self._settings.stt_language
        believed = _climb(
            self._decoder,
            [(self._decoder.spectrum(pcm, batch[n].language or language, batch[n].keyterms), pcm) for n, pcm in pieces],
            [1 if batch[n].partial else LADDER for n, _ in pieces],
            unwanted,
        )
        heard: list[list[Attempt]] = [[] for _ in batch]
        for (number, pcm), attempt in zip(pieces, believed, strict=True):
            if not guards.unspoken(attempt, pcm):
                heard[number].append(attempt)
        return [_joined(attempts) for attempts in heard]


def _climb(
    decoder: Decoder, pieces: Sequence[tuple[Spectrum, Pcm]], rungs: Sequence[int], unwanted: threading.Event
) -> list[Attempt]:
    """Decode each in the window that fits; those in doubt again in wider ones, up to their number of `rungs`.

    What loops even in the last window is kept with its loops cut out. CancelledError as soon as it is `unwanted`.
    """
    best: dict[int, Attempt] = {}
    climbing = list(range(len(pieces)))
    for rung in range(LADDER):
        groups: dict[tuple[int, int], list[tuple[int, Window]]] = {}
        for number in climbing:
            spectrum = pieces[number][0]
            cut = decoder.window(spectrum, rung)
            groups.setdefault((cut.remembered, len(spectrum.before)), []).append((number, cut))
        climbing = []
        for group in groups.values():
            if unwanted.is_set():
                raise CancelledError
            attempts = decoder.attempt([(pieces[number][0], cut) for number, cut in group])
            for (number, cut), attempt in zip(group, attempts, strict=True):
                spectrum, pcm = pieces[number]
                doubt = None if guards.unspoken(attempt, pcm) else guards.doubt(attempt, spectrum.seconds)
                before = best.get(number)
                if before is None or doubt is not Doubt.UNSURE or attempt.logprob > before.logprob:
                    best[number] = attempt
                if doubt is Doubt.LOOP or (doubt is not None and rung == 0):
                    if rung + 1 < rungs[number] and cut.encoded < FULL:
                        climbing.append(number)
                    elif doubt is Doubt.LOOP:
                        best[number] = replace(attempt, text=guards.collapsed(attempt.text))
    return [best[number] for number in range(len(pieces))]


def _shares(batch: Sequence[Hearing], replicas: int) -> list[list[int]]:
    """The batch dealt out to the replicas: as much sound to each, alike lengths together."""
    order = sorted(range(len(batch)), key=lambda number: len(batch[number].pcm))
    count = min(replicas, max(1, len(batch) // 2))
    whole = sum(len(hearing.pcm) + RATE for hearing in batch) / count
    shares: list[list[int]] = [[] for _ in range(count)]
    before = 0
    for number in order:
        shares[min(count - 1, int(before / whole))].append(number)
        before += len(batch[number].pcm) + RATE
    return [share for share in shares if share]


def _pieces(pcm: Pcm) -> Iterator[Pcm]:
    while len(pcm) > _LONGEST:
        cut = _quietest(pcm, _LONGEST - 6 * RATE, _LONGEST)
        yield pcm[:cut]
        pcm = pcm[cut:]
    yield pcm


def _quietest(pcm: Pcm, low: int, high: int) -> int:
    """The middle of the quietest 0.2 s between samples `low` and `high`."""
    energy = np.cumsum(np.square(pcm[low:high].astype(np.float64)))
    return low + int(np.argmin(energy[_BREATH:] - energy[:-_BREATH])) + _BREATH // 2


def _joined(attempts: Sequence[Attempt]) -> Attempt | None:
    """The pieces of one utterance as one: scores weighted by tokens."""
    if len(attempts) <= 1:
        return attempts[0] if attempts else None
    tokens = sum(attempt.tokens for attempt in attempts)
    return Attempt(
        " ".join(attempt.text for attempt in attempts),
        tokens,
        sum(attempt.logprob * attempt.tokens for attempt in attempts) / max(1, tokens),
        min(attempt.no_speech for attempt in attempts),
        attempts[0].language,
    )


def _open(hearing: Hearing, attempt: Attempt | None) -> Hearing:
    """The same sound, its end to be judged only if the words leave that open."""
    if attempt is not None and ending(attempt.text) not in OVER:
        return hearing
    return replace(hearing, end_of_turn=False)


def _transcript(attempt: Attempt | None, end_of_turn: float | None) -> Transcript:
    if attempt is None:
        return Transcript("", end_of_turn=end_of_turn)
    return Transcript(attempt.text, attempt.language, guards.confidence(attempt), end_of_turn=end_of_turn)
