"""The sound of a session in one stereo file: left who called, right what they heard of the agent, mixed from its pieces by the
log's times. Only what sounds at the moment is in memory."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import soundfile

from schemas.audio import HEARING_RATE, AudioRef, Pcm
from schemas.bus import Reading
from schemas.errors import AudioFileError
from schemas.session.history import events_of
from schemas.session.sound import Recording, Score, heard_at

if TYPE_CHECKING:
    from schemas.archive.store import StoredRecording

KINDS = {
    ".wav": ("WAV", "PCM_16"),
    ".flac": ("FLAC", "PCM_16"),
    ".opus": ("OGG", "OPUS"),
    ".ogg": ("OGG", "OPUS"),
}
"""What a file's name ends in → container and encoding."""
_OPUS_LEVEL = 0.94
"""libsndfile's compression level: 0.3 MB a minute in stereo. From 0.95 on it costs twice the time."""
_LONGEST_WAV, _LONGEST = 60_000, 86_400
"""Seconds of it in the 4 GB that a WAV holds; and of any recording."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """`seconds`: of sound; `missing`: keys of sounds that are gone, which are silence in it."""

    seconds: float
    missing: list[str] = field(default_factory=list)


def kind_of(file: Path) -> tuple[str, str]:
    """AudioFileError: a name of what is not written."""
    kind = KINDS.get(file.suffix.lower())
    if kind is None:
        raise AudioFileError(
            f"{file}: WAV, FLAC and Opus are written; give a name that ends in .wav, .flac, .opus or .ogg"
        )
    return kind


@runtime_checkable
class Keeping(Protocol):
    """What may have a recording already."""

    async def recording(self, session: str) -> "StoredRecording | None": ...

    async def fetch(self, name: str, file: Path) -> str: ...


async def take(log: Reading, session: str, file: Path) -> Recorded | None:
    """The recording that is kept with the session into `file`, if it is of the kind that its name says. None: there is none."""
    kind_of(file)
    kept = await log.recording(session) if isinstance(log, Keeping) else None
    wanted = "opus" if file.suffix.lower() == ".ogg" else file.suffix.lower().removeprefix(".")
    if kept is None or kept.codec != wanted or not isinstance(log, Keeping):
        return None
    part = file.with_name(file.name + ".part")
    try:
        if await log.fetch(kept.object, part) != kept.sha256:
            return None  # `antiphon archive verify` tells of it; its pieces are read instead
        part.replace(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AudioFileError(f"{file}: cannot be written ({error.strerror}); give another file") from None
    finally:
        part.unlink(missing_ok=True)
    return Recorded(kept.seconds)


async def score_of(log: Reading, session: str) -> Score:
    """What is to be heard where in a session, as far as it has come."""
    score = Score()
    async for event in events_of(log, session):
        score.add(event)
    return score


async def record(
    log: Reading,
    score: Score,
    file: Path,
    *,
    kind: tuple[str, str] | None = None,
    listen: Callable[[Pcm], None] | None = None,
) -> Recorded:
    """Write the sound of `score`, whose blobs `log` has, to `file`; it appears only when it is complete.

    `kind`: one of the `KINDS`, whatever the file is called; `listen`: is given each block (int16, 16 kHz, shape (n, 2)) as it is
    written. AudioFileError: it can't be written.
    """
    container, encoding = kind or kind_of(file)
    missing: list[str] = []

    async def fetch(ref: AudioRef) -> Pcm | None:
        pcm = await log.get_blob(ref.key)
        if pcm is None:
            missing.append(ref.key)
            return None
        return await asyncio.to_thread(heard_at, pcm, ref.rate)

    recording = Recording(score, fetch)
    seconds = recording.samples / HEARING_RATE
    if container == "WAV" and seconds > _LONGEST_WAV:
        raise AudioFileError(
            f"{file}: a WAV holds {_LONGEST_WAV / 3600:.0f} hours; give a name that ends in .flac or .opus"
        )
    if seconds > _LONGEST:
        raise AudioFileError(
            f"{file}: the call is {seconds / 3600:,.0f} hours long, by its times; up to {_LONGEST // 3600} are written"
        )
    part = file.with_name(file.name + ".part")
    level = _OPUS_LEVEL if encoding == "OPUS" else None
    try:
        part.open("wb").close()  # says why it can't be written; libsndfile doesn't
        with soundfile.SoundFile(
            part, "w", HEARING_RATE, 2, encoding, format=container, compression_level=level
        ) as sound:
            async for block in recording.blocks():
                await asyncio.to_thread(sound.write, block)
                if listen is not None:
                    listen(block)
        part.replace(file)
    except OSError as error:
        raise AudioFileError(f"{file}: cannot be written ({error.strerror}); give another file") from None
    except soundfile.LibsndfileError as error:
        raise AudioFileError(
            f"{file}: cannot be written ({error.error_string.rstrip('.')}); is the disk full?"
        ) from None
    finally:
        part.unlink(missing_ok=True)
    return Recorded(seconds, sorted(set(missing)))
