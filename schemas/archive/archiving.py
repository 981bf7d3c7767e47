"""A session that is over, out of the log and into the archive: written, read back, and only then forgotten by the log.

Safe against being killed at any point, and against being asked twice at once: a try that begins fences all earlier ones off, and
what it needs is in the log until the archive says that it is done.
"""

import hashlib
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Literal, Protocol

from schemas.archive._aside import ASIDE
from schemas.archive._pieces import PIECE, Digest, row_of
from schemas.archive._sound import Codec, encoded
from schemas.archive.store import Archive, Attempt, Follows, Sound, Superseded, Whole
from schemas.audio import AudioRef
from schemas.bus import Forgetting, Outcome, Reading, SessionInfo, Snapshot
from schemas.errors import ArchiveDamaged
from schemas.events import audio_of
from schemas.session.fold import FOLD_VERSION
from schemas.session.snapshot import dump
from schemas.session.summary import Summary, Telling

__all__ = ["Archived", "Source", "archive_session", "forget"]

_FOLD_EVERY = 2
"""Pieces after which a fold is kept, so that no state is far from one."""
_OBJECT = 4 << 20
"""Bytes of sound from which an object is stored, and the next one begun."""


class Archived(StrEnum):
    """What became of a session."""

    DONE = "done"
    """It is in the archive, and no longer in the log."""
    OPEN = "open"
    """It goes on."""
    GONE = "gone"
    """The log has nothing of it, and neither has the archive."""
    DELETED = "deleted"
    """Somebody wants it gone: it is not kept."""
    ELSEWHERE = "elsewhere"
    """Another try has begun meanwhile."""


class Source(Reading, Forgetting, Protocol):
    """A log that is archived from."""


async def archive_session(
    log: Source,
    archive: Archive,
    session: str,
    *,
    sound: Literal["flac", "opus"] = "flac",
    follows: Callable[[Summary], Sequence[Follows]] = lambda _: (),
    state: Literal["pending", "coming"] = "pending",
) -> Archived:
    """Put `session` away, or end what an earlier try had begun. Memory does not grow with the session's length. `follows`: what
    is to be done next with a session of this summary; `state`: `coming`, where nobody else can archive it from `log`.

    BusError, ArchiveError, EventError: nothing is lost, it is to be tried again; what of it can't be so is not for this to say.
    """
    standing, info = await archive.standing(session), await log.info(session)
    if standing is not None and standing.state == "deleting":
        return Archived.DELETED
    if standing is not None and standing.state == "done":
        if info is None:
            return Archived.DONE
        if info.state == "closed" and (info.seq, info.last_activity) == (standing.seq, standing.at):
            return await forget(log, archive, session, info.seq)
    if info is None or info.seq == 0:
        return Archived.GONE
    if info.state == "open":
        return Archived.OPEN
    if standing is not None and standing.state == "done":  # the log lost its tail after that, and has another now
        await archive.again(session, only="done")
    attempt = await archive.begin(session, state)
    if attempt is None:
        return Archived.ELSEWHERE
    try:
        whole = await _Writing(log, archive, attempt, sound).write(info)
        await archive.read_back(session, info.seq, whole.hash)
        await archive.finish(attempt, whole, follows(whole.summary))
    except Superseded:
        now = await archive.standing(session)
        return Archived.DELETED if now is None or now.state == "deleting" else Archived.ELSEWHERE
    return await forget(log, archive, session, info.seq)


async def forget(log: Forgetting, archive: Archive, session: str, seq: int) -> Archived:
    """Let the log go of what is done."""
    sounds = [one.key for one in await archive.sounds(session)]
    outcome = await log.forget(session, seq, sounds)
    if outcome in (Outcome.OK, Outcome.MISSING):
        return Archived.DONE
    if outcome is Outcome.REWOUND:
        await archive.again(session, only="done")
        return Archived.ELSEWHERE
    return Archived.OPEN


def _encoded(pcm: bytes, rate: int, wanted: Literal["flac", "opus"]) -> tuple[Codec, bytes, str, str]:
    """As it is kept; then the hashes of that, and of the PCM."""
    codec, body = encoded(pcm, rate, wanted)
    return codec, body, hashlib.sha256(body).hexdigest(), hashlib.sha256(pcm).hexdigest()


class _Writing:
    """One try. Of the sound there is in memory what one object holds; of the log a piece."""

    def __init__(self, log: Reading, archive: Archive, attempt: Attempt, codec: Literal["flac", "opus"]) -> None:
        self._log, self._archive, self._attempt, self._codec = log, archive, attempt, codec
        self._seen: set[str] = set()
        self._object = bytearray()
        self._objects = self._sounds = self._missing = 0
        self._waiting: list[Sound] = []
        """Sounds whose object is not stored yet."""
        self._bytes = self._sound_bytes = 0

    async def write(self, info: SessionInfo) -> Whole:
        telling, digest, after = Telling(info.session), Digest(), 0
        pieces = 0
        while after < info.seq:
            events = await self._log.read(info.session, after, PIECE)
            if not events or events[0].seq != after + 1:
                raise ArchiveDamaged(f"session {info.session}: event {after + 1} is not in the log any more")
            rows = [row_of(event) for event in events]
            digest.add(rows)
            for event in events:
                telling.add(event)
                for ref in audio_of(event):
                    await self._take(ref)
            first, after, pieces = after + 1, events[-1].seq, pieces + 1
            fold = None
            if pieces % _FOLD_EVERY == 0 or after >= info.seq:
                fold = Snapshot(after, FOLD_VERSION, dump(telling.state))
            stored = await self._stored(last=after >= info.seq)
            self._bytes += await self._archive.put(
                self._attempt, first, rows, fold, stored, self._sounds - len(stored) - len(self._waiting)
            )
        return Whole(
            info=info,
            summary=telling.summary(),
            answers=telling.answers,
            hash=digest.hex,
            sounds=self._sounds,
            missing=self._missing,
            bytes=self._bytes,
            sound_bytes=self._sound_bytes,
        )

    async def _take(self, ref: AudioRef) -> None:
        """A sound, once: an utterance that is said again carries it again."""
        if ref.key in self._seen:
            return
        self._seen.add(ref.key)
        self._sounds += 1
        pcm = await self._log.get_blob(ref.key)
        if pcm is None:
            self._missing += 1
            self._waiting.append(Sound(ref.key, "", 0, 0, "raw", ref.rate, ref.samples, "", ""))
            return
        codec, body, kept, was = await ASIDE.do(_encoded, pcm, ref.rate, self._codec)
        self._waiting.append(
            Sound(
                ref.key,
                self._attempt.object(self._objects),
                len(self._object),
                len(body),
                codec,
                ref.rate,
                len(pcm) // 2,
                kept,
                was,
            )
        )
        self._object += body
        self._sound_bytes += len(body)
        if len(self._object) >= _OBJECT:
            await self._store()

    async def _store(self) -> None:
        name = self._attempt.object(self._objects)
        if any(sound.object == name for sound in self._waiting):
            await self._archive.put_object(name, bytes(self._object))
            self._objects += 1
            self._object = bytearray()

    async def _stored(self, *, last: bool) -> list[Sound]:
        """Those whose object is there, to be written down."""
        if last:
            await self._store()
        open_object = self._attempt.object(self._objects)
        stored = [sound for sound in self._waiting if sound.object != open_object]
        self._waiting = [sound for sound in self._waiting if sound.object == open_object]
        return stored
