"""What the curve is drawn of: recorded lines, heard once by the real detector and the real models, and kept as a small file.

A transcript is made of every stretch that turn-taking may ever ask about: to each of a line's soft ends, from its beginning and
from wherever it goes on after a silence in which an answer could have begun.
"""

import contextlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gateway.sound.detector import FRAME
from gateway.sound.ring import Stream
from gateway.turn_taking import SpeechEdge
from ops.bench import _harm, models
from ops.bench._recordings import Turn, part_of
from ops.bench._warm import warm
from ops.replay.lines import Line, Took, Words
from schemas.audio import HEARING_RATE, AudioRef, Pcm
from schemas.config.agent import AgentSpec, TurnTaking
from schemas.config.settings import load
from schemas.errors import AntiphonError
from schemas.events import SessionStarted, StageExpired, StageFailed, TranscriptFinal, UtteranceCaptured
from schemas.jobs import SttJob
from schemas.log import MemoryBus
from workers import registry
from workers.runtime import Worker
from workers.stt import SttStage

if TYPE_CHECKING:
    from gateway.sound.vad import VoiceActivity

KEPT = Path(__file__).parent / "data" / "lines.jsonl"
"""Of the bench's own recordings."""
_VERSION = 2
_EVIDENCE = ("end_of_turn", "complete")
"""Of a transcript, as far as it tells: whether it was the end."""
_BEFORE, _AFTER = 0.4, 1.6
"""Seconds of silence around a line: the detector has settled, and its last stop is there."""
_PREROLL = round(0.4 * HEARING_RATE)
"""Samples stored before the first frame of speech."""
_SOFT_END = 0.09
"""Seconds of silence at which an utterance is cut off: the early soft end, and half a tick."""
_GAP = 0.064
"""Seconds of silence from which there is a soft end."""
_ANSWERED = 0.3
"""Seconds of silence in which an answer can begin, at the very least: what is said behind it may be another turn."""
_KEEP = 40.0
_PATIENCE = 120.0
"""Seconds for a transcript."""

# ── the file ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def write(path: Path, lines: Sequence[Line], took: Took, models: str) -> None:
    """A line of JSON each, behind one that says what heard them."""
    head = {"version": _VERSION, "models": models, "took": told(took)}
    rows = [json.dumps(head), *(json.dumps(_row(line), separators=(",", ":")) for line in lines)]
    path.write_text("\n".join(rows) + "\n", "utf-8")


def read(path: Path) -> tuple[list[Line], Took, str]:
    """The lines, how long the stages take, and which models heard them. AntiphonError: it is no such file."""
    try:
        rows = [json.loads(row) for row in path.read_text("utf-8").splitlines()]
        head = rows[0]
        if head["version"] != _VERSION:
            raise AntiphonError(
                f"{path}: of version {head['version']}, not {_VERSION}; write it anew (bench curve --wav)"
            )
        return [_line(row) for row in rows[1:]], Took(**head["took"]), head["models"]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise AntiphonError(
            f"{path}: expected lines heard once, as `bench curve --wav` writes them ({error})"
        ) from None


def told(took: Took) -> dict[str, float]:
    """As JSON values."""
    return {"stt": took.stt, "llm": took.llm, "tts": took.tts, "room": took.room}


def _row(line: Line) -> dict[str, Any]:
    return {
        "line": line.name,
        "speaker": line.speaker,
        "part": line.part,
        "pauses": line.pauses,
        "seconds": round(line.seconds, 3),
        "speech": [[round(start, 2), round(end, 2)] for start, end in line.speech],
        "edges": [[edge.kind, edge.position, edge.head] for edge in line.edges],
        "heard": [[words.start, words.end, words.text, dict(words.evidence)] for words in line.heard],
    }


def _line(row: dict[str, Any]) -> Line:
    return Line(
        row["line"], row["speaker"], row["seconds"],
        tuple((start, end) for start, end in row["speech"]),
        tuple(SpeechEdge("", kind, position, head) for kind, position, head in row["edges"]),
        tuple(Words(*words) for words in row["heard"]),
        row["pauses"], row["part"],
    )  # fmt: skip


# ── hearing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def heard(turns: Sequence[Turn], progress: Callable[[Line], None] | None = None) -> tuple[list[Line], str]:
    """Each of `turns`, by a real STT stage with the models of the settings; and which those are. AntiphonError: they can't."""
    from gateway.sound.vad import Vad  # whoever only reads what was heard needs no model

    settings = load()
    bus, vad = MemoryBus(), Vad(1)
    stage = SttStage(registry.provider("stt", settings.stt_provider, settings), settings)
    lines = []
    async with contextlib.aclosing(stage), warm(Worker(bus, stage)):
        ear = _Ear(bus)
        for turn in turns:
            lines.append(await _line_of(turn, ear, vad))
            if progress:
                progress(lines[-1])
    return lines, models(settings)["models"]


class _Ear:
    """A stage that hears, on a log in memory: asked as a gateway asks it, one at a time, so that haste leaves nothing out."""

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus
        self._numbers = itertools.count(1)
        self._read = {0: "0"}

    async def transcript(self, pcm: Pcm) -> TranscriptFinal:
        session = f"line-{next(self._numbers)}"
        agent = AgentSpec()
        key = await self._bus.put_blob(session, "u1", pcm.astype("<i2").tobytes())
        audio = [AudioRef(key=key, rate=HEARING_RATE, samples=len(pcm))]
        started = SessionStarted(room="bench", transport="memory", agent=agent, gateway="bench")
        captured = UtteranceCaptured(
            turn=1, utterance="u1", participant="caller", audio=audio, duration=len(pcm) / HEARING_RATE
        )
        job = SttJob.of(agent, session, 1, "u1", "caller").model_copy(update={"audio": audio, "deadline": _PATIENCE})
        await self._bus.open(session, "bench", session, [started, captured], [job])
        while True:
            entries, self._read = await self._bus.inbox("bench", self._read, _PATIENCE)
            if not entries:
                raise AntiphonError(f"bench curve: the STT stage did not answer within {_PATIENCE:.0f} s")
            for entry in entries:
                if isinstance(entry.event, StageFailed | StageExpired):
                    raise AntiphonError(f"bench curve: {entry.event.message}")
                if isinstance(entry.event, TranscriptFinal) and entry.session == session:
                    return entry.event


async def _line_of(turn: Turn, ear: _Ear, vad: "VoiceActivity") -> Line:
    edges = edges_of(turn.pcm, vad)
    sound = np.pad(turn.pcm, (_PREROLL, round(_AFTER * HEARING_RATE)))
    heard = []
    for start, end in asked_about(edges, len(turn.pcm)):
        made = await ear.transcript(sound[start + _PREROLL : end + _PREROLL])
        told = {name: getattr(made, name, None) for name in _EVIDENCE}
        evidence = {name: round(value, 3) for name, value in told.items() if value is not None}
        heard.append(Words(start, end, made.text.strip(), evidence))
    speech = tuple(_harm.speaks(turn.pcm, HEARING_RATE))
    seconds = len(turn.pcm) / HEARING_RATE
    return Line(turn.name, turn.speaker, seconds, speech, tuple(edges), tuple(heard), turn.pauses, part_of(turn.name))


def edges_of(pcm: Pcm, vad: "VoiceActivity") -> list[SpeechEdge]:
    """As a gateway hears them, with positions counted from the first sample of `pcm`."""
    before = round(_BEFORE * HEARING_RATE / FRAME) * FRAME
    slot = vad.take_slot()
    stream = Stream("", slot, TurnTaking().start_speech, _KEEP, 0.0)
    sound = np.pad(pcm, (before, round(_AFTER * HEARING_RATE)))
    found: list[SpeechEdge] = []
    try:
        for at in range(0, len(sound) - FRAME + 1, FRAME):
            frame = sound[at : at + FRAME]
            stream.append(frame, 0.0)
            (probability,) = vad.run([slot], frame[np.newaxis])
            edges = stream.decide(probability, float(np.abs(frame.astype(np.int32)).mean()))
            found += [SpeechEdge("", one.kind, one.position - before, one.head - before) for one in edges]
    finally:
        vad.give_slot(slot)
    return found


def asked_about(edges: Iterable[SpeechEdge], length: int) -> Iterator[tuple[int, int]]:
    """From which sample to which; `length`: of the line. Before it and beyond there is silence."""
    spoken = _stretches(edges)
    froms = [n for n in range(len(spoken)) if n == 0 or spoken[n][0] - spoken[n - 1][1] >= _ANSWERED * HEARING_RATE]
    for first in froms:
        begin = max(spoken[first][0], 0) - _PREROLL
        if first:
            begin = max(begin, min(spoken[first - 1][1] + round(_SOFT_END * HEARING_RATE), spoken[first][0]))
        for last in range(first, len(spoken)):
            end = spoken[last][1] + round(_SOFT_END * HEARING_RATE)
            goes_on = spoken[last + 1][0] if last + 1 < len(spoken) else length + round(_AFTER * HEARING_RATE)
            if goes_on - spoken[last][1] >= _GAP * HEARING_RATE:
                yield begin, min(end, goes_on)


def _stretches(edges: Iterable[SpeechEdge]) -> list[tuple[int, int]]:
    """From each start of speech to its stop."""
    found: list[tuple[int, int]] = []
    since: int | None = None
    for edge in edges:
        if edge.kind == "start":
            since = edge.position if since is None else since
        elif edge.kind == "stop" and since is not None:
            found.append((since, edge.position))
            since = None
    return found
