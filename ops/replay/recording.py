"""The sound of a session in one stereo file: left who called, right what they heard of the agent, mixed from its pieces by the
log's times. Only what sounds at the moment is in memory."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import soundfile

from schemas.audio import HEARING_RATE, Pcm
from schemas.bus import Reading
from schemas.errors import AudioFileError
from schemas.process.whole_file import whole_file
from schemas.session.encoding import ENCODINGS, Encoding, encode, fetching
from schemas.session.history import events_of
from schemas.session.sound import Mix, Score

if TYPE_CHECKING:
    from schemas.archive.store import StoredRecording

KINDS: Mapping[str, Encoding] = {f".{name}": kind for name, kind in ENCODINGS.items()} | {".ogg": ENCODINGS["opus"]}
"""By what a file's name ends in."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """`seconds`: of sound; `missing`: keys of sounds that are gone, which are silence in it."""

    seconds: float
    missing: list[str] = field(default_factory=list)


def kind_of(file: Path) -> Encoding:
    """AudioFileError: a name of what is not written."""
    kind = KINDS.get(file.suffix.lower())
    if kind is None:
        raise AudioFileError(
            f"{file}: WAV, FLAC and Opus are written; give a name that ends in .wav, .flac, .opus or .ogg"
        )
    return kind


@runtime_checkable
class HasRecordings(Protocol):
    """An archive, or what reads one."""

    async def recording(self, session: str) -> "StoredRecording | None": ...

    async def fetch(self, name: str, file: Path) -> str: ...


async def take(log: Reading, session: str, file: Path) -> Recorded | None:
    """The recording that is kept with the session into `file`, if it is of the kind that its name says. None: there is none."""
    kind_of(file)
    kept = await log.recording(session) if isinstance(log, HasRecordings) else None
    wanted = "opus" if file.suffix.lower() == ".ogg" else file.suffix.lower().removeprefix(".")
    if kept is None or kept.codec != wanted or not isinstance(log, HasRecordings):
        return None
    try:
        with whole_file(file, AudioFileError) as part:
            await _fetch(log, kept, part)
    except _Unfit:
        return None
    return Recorded(kept.seconds)


class _Unfit(Exception):
    """It is gone, or not what was written (`antiphon archive verify` tells of it): its pieces are read instead."""


async def _fetch(log: HasRecordings, kept: "StoredRecording", into: Path) -> None:
    try:
        digest = await log.fetch(kept.object, into)
    except FileNotFoundError:
        raise _Unfit from None
    if digest != kept.sha256:
        raise _Unfit


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
    kind: Encoding | None = None,
    listen: Callable[[Pcm], None] | None = None,
) -> Recorded:
    """Write the sound of `score`, whose blobs `log` has, to `file`; it appears only when it is complete.

    `kind`: one of the `KINDS`, whatever the file is called; `listen`: is given each block (int16, 16 kHz, shape (n, 2)) as it is
    written. AudioFileError: it can't be written.
    """
    kind = kind or kind_of(file)
    missing: set[str] = set()
    mix = Mix(score, fetching(log, missing))
    seconds = mix.samples / HEARING_RATE
    if seconds > kind.longest and kind is ENCODINGS["wav"]:
        raise AudioFileError(
            f"{file}: a WAV holds {kind.longest / 3600:.0f} hours; give a name that ends in .flac or .opus"
        )
    if seconds > kind.longest:
        raise AudioFileError(
            f"{file}: the call is {seconds / 3600:,.0f} hours long, by its times; up to {kind.longest // 3600} are written"
        )
    try:
        with whole_file(file, AudioFileError) as part:
            part.open("wb").close()  # says why it can't be written; libsndfile doesn't
            await encode(mix, part, kind, listen)
    except soundfile.LibsndfileError as error:
        raise AudioFileError(
            f"{file}: cannot be written ({error.error_string.rstrip('.')}); is the disk full?"
        ) from None
    return Recorded(seconds, sorted(missing))
