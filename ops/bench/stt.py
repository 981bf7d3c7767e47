"""`antiphon bench stt`: utterances a second of one STT worker under load, beside plain faster-whisper `transcribe`.

The worker is the real one (runtime, stage, provider) on a log in memory, with a queue that is never empty; the end of turn is
off, since plain faster-whisper judges none. Plain is `WhisperModel.transcribe` as it comes, the better of one at a time on
all cores and two processes of one thread each. Same model, same cores, same utterances, in turns, several rounds; the medians
count. Utterances: every run of clauses of the named recording that lasts 2-7 s, cut in the silences; or `--wav`.
"""

import asyncio
import contextlib
import itertools
import multiprocessing
import os
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import jiwer

from gateway.sound.audio_file import read_speech
from ops.bench import machine
from ops.bench._text import normalized
from ops.bench._warm import warm
from ops.people.recordings import packaged
from schemas.audio import HEARING_RATE, AudioRef, Pcm
from schemas.config.agent import AgentSpec
from schemas.config.settings import Settings, load
from schemas.errors import AntiphonError
from schemas.events import SessionStarted, StageExpired, StageFailed, TranscriptFinal, UtteranceCaptured
from schemas.jobs import SttJob
from schemas.log import MemoryBus
from workers.runtime import Worker
from workers.stt import SttStage
from workers.stt.models import plain_model
from workers.stt.whisper import WhisperStt

_ROUNDS = 3
_WAITING = 32
"""Utterances in the queue at any time: two batches in hand, two waiting."""
_SHORTEST, _LONGEST = 2.0, 7.0
"""Seconds of an utterance."""
_MARGIN = 0.12
"""Seconds of silence kept around the speech, where there is so much."""

Utterances = list[tuple[Pcm, str]]


async def bench(seconds: float = 6.0, wav: Path | None = None) -> dict[str, Any]:
    """`seconds`: each of the measurements, three of each kind; `wav`: a folder of recordings with a transcripts.tsv (file
    name, tab, words)."""
    settings = load().model_copy(update={"stt_language": "en", "stt_device": "cpu"})
    utterances = _folder(wav) if wav else _recorded()
    cores = len(os.sched_getaffinity(0))
    ours: list[float] = []
    single: list[float] = []
    pooled: list[float] = []
    texts: dict[int, str] = {}
    plain: dict[int, str] = {}
    for _round in range(_ROUNDS):
        ours.append(await _worker(settings, utterances, seconds, texts))
        single.append(await asyncio.to_thread(_plain, settings, utterances, seconds, 1, cores, plain))
        pooled.append(await asyncio.to_thread(_plain, settings, utterances, seconds, min(2, cores), 1, plain))
    per_s, alone, side_by_side = (statistics.median(rates) for rates in (ours, single, pooled))
    wer, wer_plain = _error_rates(utterances, (texts, plain))
    return {
        "ratio": round(per_s / max(alone, side_by_side), 2),
        "wer": wer,
        "wer_plain": wer_plain,
        "per_s": round(per_s, 2),
        "plain_one_at_a_time_per_s": round(alone, 2),
        "plain_two_one_thread_per_s": round(side_by_side, 2),
        "rounds_per_s": [[round(rate, 2) for rate in rates] for rates in (ours, single, pooled)],
        "utterances": len(utterances),
        "words": sum(len(normalized(text).split()) for _, text in utterances),
        "seconds_of_speech": round(sum(len(pcm) for pcm, _ in utterances) / HEARING_RATE, 1),
        "model": settings.stt_model,
        **machine(),
    }


def _error_rates(utterances: Utterances, heard: Sequence[dict[int, str]]) -> list[float]:
    """Word error rates in per cent over all utterances, normalized as Whisper's authors do for English."""
    words = [normalized(text) for _, text in utterances]
    rates = []
    for texts in heard:
        missing = sorted(set(range(len(utterances))) - set(texts))
        if missing:
            raise AntiphonError(f"bench stt: {len(missing)} utterances were not reached; give it more --seconds")
        rates.append(round(100 * jiwer.wer(words, [normalized(texts[n]) for n in range(len(words))]), 2))
    return rates


# ── the utterances ───────────────────────────────────────────────────────────────────────────────────────────────────


def _recorded() -> Utterances:
    """From `data/two_cities.tsv`: every run of clauses of 2-7 s."""
    lines = (Path(__file__).parent / "data" / "two_cities.tsv").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    clauses = [(float(start), float(end), text) for start, end, text in rows]
    found: Utterances = []
    for first, last in itertools.combinations_with_replacement(range(len(clauses)), 2):
        before = clauses[first - 1][1] if first else 0.0
        after = clauses[last + 1][0] if last + 1 < len(clauses) else clauses[last][1] + 1.0
        start = max(clauses[first][0] - _MARGIN, (before + clauses[first][0]) / 2)
        end = min(clauses[last][1] + _MARGIN, (after + clauses[last][1]) / 2)
        if _SHORTEST <= end - start <= _LONGEST:
            words = " ".join(text for _, _, text in clauses[first : last + 1])
            found.append((packaged("two_cities", start, end), words))
    return found


def _folder(path: Path) -> Utterances:
    """The recordings that `transcripts.tsv` names."""
    table = path / "transcripts.tsv"
    if not table.is_file():
        raise AntiphonError(f"{path}: no transcripts.tsv there; expected a line `file.wav<tab>its words` per recording")
    rows = [line.split("\t") for line in table.read_text("utf-8").splitlines() if line.strip()]
    if not rows or any(len(row) != 2 for row in rows):
        raise AntiphonError(f"{table}: expected a line `file.wav<tab>its words` per recording")
    return [(read_speech(path / name), words) for name, words in rows]


# ── ours ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _worker(settings: Settings, utterances: Utterances, seconds: float, texts: dict[int, str]) -> float:
    """Transcripts a second of one warm worker whose queue is never empty, over at least one pass of all utterances."""
    bus = MemoryBus()
    handler = SttStage(WhisperStt(settings), settings)
    async with contextlib.aclosing(handler), warm(Worker(bus, handler)):
        return await _load(bus, utterances, seconds, texts)


async def _load(bus: MemoryBus, utterances: Utterances, seconds: float, texts: dict[int, str]) -> float:
    numbers = itertools.count()
    for _ in range(_WAITING):
        await _ask(bus, next(numbers), utterances)
    inbox = {0: "0"}
    done = 0
    begin = time.perf_counter()
    while True:
        entries, inbox = await bus.inbox("bench", inbox, 30.0)
        if not entries:
            raise AntiphonError("bench stt: the worker did not answer within 30 s")
        for entry in entries:
            event = entry.event
            if isinstance(event, StageFailed | StageExpired):
                raise AntiphonError(f"bench stt: {event.message}")
            if isinstance(event, TranscriptFinal):
                texts[int(entry.session) % len(utterances)] = event.text
                done += 1
                await _ask(bus, next(numbers), utterances)
        spent = time.perf_counter() - begin
        if spent >= seconds and done >= len(utterances):
            return done / spent


async def _ask(bus: MemoryBus, number: int, utterances: Utterances) -> None:
    """A session with one utterance. Its name says which."""
    session = str(number)
    pcm, _ = utterances[number % len(utterances)]
    key = await bus.put_blob(session, "u1", pcm.astype("<i2").tobytes())
    audio = [AudioRef(key=key, rate=HEARING_RATE, samples=len(pcm))]
    started = SessionStarted(room="bench", transport="memory", agent=AgentSpec(), gateway="bench")
    captured = UtteranceCaptured(
        turn=1, utterance="u1", participant="caller", audio=audio, duration=len(pcm) / HEARING_RATE
    )
    job = SttJob(
        id="stt/u1", session=session, turn=1, utterance="u1", participant="caller", audio=audio, end_of_turn=False,
        language="en", deadline=120.0,
    )  # fmt: skip
    await bus.open(session, "bench", session, [started, captured], [job])


# ── plain faster-whisper ─────────────────────────────────────────────────────────────────────────────────────────────


def _plain(
    settings: Settings, utterances: Utterances, seconds: float, processes: int, threads: int, texts: dict[int, str]
) -> float:
    """Transcripts a second of `processes` with `threads` each: every process has its share of the utterances, and goes over
    it until `seconds` are over, at least once."""
    processes = min(processes, len(utterances))
    spawn = multiprocessing.get_context("spawn")
    numbers = range(len(utterances))
    shares = [[(n, utterances[n][0]) for n in numbers[share::processes]] for share in range(processes)]
    with spawn.Manager() as manager, ProcessPoolExecutor(processes, spawn) as pool:
        ready = manager.Barrier(processes)
        running = [pool.submit(_plain_share, settings, threads, share, seconds, ready) for share in shares]
        rate = 0.0
        for future in running:
            share_rate, heard = future.result()
            rate += share_rate
            texts |= heard
    return rate


def _plain_share(
    settings: Settings, threads: int, share: Sequence[tuple[int, Pcm]], seconds: float, ready: Any
) -> tuple[float, dict[int, str]]:
    """In a process of its own: `transcribe` as it comes, once all processes have loaded their model."""
    whisper = plain_model(settings, threads)
    sounds = [(number, pcm.astype("f4") / 32768) for number, pcm in share]
    _plain_text(whisper, sounds[0][1])
    ready.wait(120)
    heard: dict[int, str] = {}
    begin = time.perf_counter()
    for done, (number, sound) in enumerate(itertools.cycle(sounds), 1):
        heard[number] = _plain_text(whisper, sound)
        spent = time.perf_counter() - begin
        if spent >= seconds and done >= len(sounds):
            return done / spent, heard
    raise AssertionError("a cycle has no end")


def _plain_text(whisper: Any, sound: Any) -> str:
    segments, _ = whisper.transcribe(sound, language="en")
    return "".join(segment.text for segment in segments)
