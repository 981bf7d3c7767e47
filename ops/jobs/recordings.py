"""A call's sound as one stereo file, made of what is archived of it, and kept with it."""

import tempfile
from pathlib import Path
from typing import Literal

from ops.replay.recording import record, score_of
from schemas.archive.store import Archive, FollowUp

__all__ = ["keep_recording"]


async def keep_recording(archive: Archive, one: FollowUp, codec: Literal["flac", "opus"]) -> bool:
    """False: it was no longer this try's. Where there is no sound, or none any more, nothing is kept. ArchiveError,
    AudioFileError: it can't be made."""
    score = await score_of(archive, one.session)
    if not any(sound.object for sound in await archive.sounds(one.session)):
        return await archive.followed(one)
    with tempfile.TemporaryDirectory(prefix="antiphon-recording-") as folder:
        file = Path(folder) / f"call.{codec}"
        made = await record(archive, score, file)
        return await archive.put_recording(one, file, codec, made.seconds, len(made.missing))
