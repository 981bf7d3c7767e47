"""One zip with everything a session left: its events, its sound, its state."""

import asyncio
import json
import re
import wave
import zipfile
from pathlib import Path
from typing import Any

from schemas.audio import HEARING_RATE, AudioRef, Pcm
from schemas.bus import Reading
from schemas.codec import event_to_json
from schemas.errors import AntiphonError
from schemas.events import ClipReady, Event, UtteranceCaptured
from schemas.session.fold import FOLD_VERSION, SessionState, fold
from schemas.session.history import events_of
from schemas.session.snapshot import view
from schemas.session.sound import Recording, Score, heard_at
from schemas.text.clean import json_line

_README = """\
One session of Antiphon.

events.jsonl   its log, an event a line, as it was appended (times `at` in µs; `ago`: that many s before)
audio/         every utterance and clip the events refer to; a blob {p00}:blob:<session>/<name> is audio/<name>.wav
session.wav    the whole, 16 kHz: left the users, right what they heard of the agent
state.json     what the log amounts to
manifest.json  counts, and blobs that were gone already
"""


async def export(log: Reading, session: str, file: Path) -> dict[str, Any]:
    """Write the session to `file` (zip); answers the manifest. Memory doesn't grow with the session's sound.

    AntiphonError if the file can't be written; it appears only when it is complete.
    """
    part = file.with_name(file.name + ".part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            manifest = await _write(log, session, archive)
        part.replace(file)
    except OSError as error:
        raise AntiphonError(f"{file}: cannot be written ({error.strerror}); give another file") from None
    finally:
        part.unlink(missing_ok=True)
    return manifest


async def _write(log: Reading, session: str, archive: zipfile.ZipFile) -> dict[str, Any]:
    state, score = SessionState(), Score()
    refs: dict[str, AudioRef] = {}
    with archive.open("events.jsonl", "w") as lines:
        async for event in events_of(log, session):
            lines.write(json_line(event_to_json(event)).encode() + b"\n")
            state = fold(state, event)
            score.add(event)
            refs |= {ref.key: ref for ref in _audio_of(event)}
    missing = [key for key, ref in refs.items() if not await _write_blob(log, ref, archive)]
    await _write_recording(log, score, archive)
    manifest = {
        "session": session,
        "events": state.seq,
        "ended": state.ended,
        "fold_version": FOLD_VERSION,
        "sounds": len(refs) - len(missing),
        "missing": missing,
        "seconds": round(score.length, 3),
    }
    archive.writestr("state.json", json.dumps(view(state), ensure_ascii=False, indent=1))
    archive.writestr("manifest.json", json.dumps(manifest, ensure_ascii=False, indent=1))
    archive.writestr("README.txt", _README)
    return manifest


def _audio_of(event: Event) -> list[AudioRef]:
    if isinstance(event, UtteranceCaptured):
        return list(event.audio)
    return [event.audio] if isinstance(event, ClipReady) else []


async def _write_blob(log: Reading, ref: AudioRef, archive: zipfile.ZipFile) -> bool:
    pcm = await log.get_blob(ref.key)
    if pcm is None:
        return False
    await asyncio.to_thread(_write_wav, archive, f"audio/{_name(ref.key)}.wav", ref.rate, pcm)
    return True


def _write_wav(archive: zipfile.ZipFile, name: str, rate: int, pcm: bytes) -> None:
    with archive.open(name, "w") as raw, wave.open(raw, "wb") as sound:
        _head(sound, rate, len(pcm) // 2, channels=1)
        sound.writeframes(pcm)


def _head(sound: wave.Wave_write, rate: int, samples: int, *, channels: int) -> None:
    """The head of a WAV, with its length: what is written into a zip can't be mended afterwards."""
    sound.setnchannels(channels)
    sound.setsampwidth(2)
    sound.setframerate(rate)
    sound.setnframes(samples)


async def _write_recording(log: Reading, score: Score, archive: zipfile.ZipFile) -> None:
    async def fetch(ref: AudioRef) -> Pcm | None:
        pcm = await log.get_blob(ref.key)
        return None if pcm is None else await asyncio.to_thread(heard_at, pcm, ref.rate)

    recording = Recording(score, fetch)
    with archive.open("session.wav", "w", force_zip64=True) as raw, wave.open(raw, "wb") as sound:
        _head(sound, HEARING_RATE, recording.samples, channels=2)
        async for block in recording.blocks():
            await asyncio.to_thread(sound.writeframesraw, block.astype("<i2").tobytes())


def _name(key: str) -> str:
    """A blob's own name, fit for any file system."""
    name = key.partition("/")[2] or key
    return re.sub(r"[^\w.+-]", "_", name).lstrip(".") or "sound"
