"""Calls from elsewhere, kept as sessions: an export file of our own, or the recording of a call that another system held.

Both are read as they come, so that hours of sound take no more memory than minutes.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ops.replay._captions import LONGEST_FILE, Caption, captions
from ops.replay._composing import AGENT, CALLER, Call, Heard, events_of_call
from ops.replay._cutting import Cutting, Piece
from schemas.audio import HEARING_RATE, AudioRef
from schemas.bus import Forgetting, Outcome, Reading, SessionInfo, Snapshot, Storing, TakingIn
from schemas.clock import Micros
from schemas.codec import decode_event, encode_event
from schemas.errors import AntiphonError
from schemas.events import ClipReady, Event, SessionEnded, UtteranceCaptured
from schemas.log import keys
from schemas.session.export import ExportFile, open_export
from schemas.text.clean import printable
from workers.providers import Hearing, Stt

if TYPE_CHECKING:
    from schemas.archive import Archive

__all__ = ["Imported", "Keeping", "Options", "Shelf", "import_export", "import_recording", "is_export", "put_away"]

_PAGE = 500
_BATCH = 4
"""Utterances transcribed together."""
_NEAR = 1.0
"""Seconds by which a caption may miss the speech it tells of."""
_AGENTS = frozenset({"agent", "assistant", "bot", "ai", "system"})
"""Voices that are the agent's where one channel has everybody's."""


class Keeping(Reading, Storing, TakingIn, Protocol):
    """Where an imported session is kept."""


@dataclass(frozen=True, slots=True)
class Options:
    """`name`: what the session is to be called, "": as it was, or after the file; `swap`: the agent is on the left; `captions`: a
    file of them; `agent_voice`: what captions call the agent; `stt`: transcribes what no caption tells; `language`: ISO 639-1, ""
    detects it; `began`: µs, None: by the file's own date; `salvage`: of a damaged export take what is sound; `known`: where else
    sessions are, whose names are taken, too."""

    name: str = ""
    swap: bool = False
    captions: Path | None = None
    agent_voice: str = ""
    stt: Stt | None = None
    language: str = ""
    began: Micros | None = None
    salvage: bool = False
    known: Reading | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """`seconds`: of the call; `notes`: what is not as it was, or as one may expect, a sentence each."""

    session: str
    events: int
    sounds: int
    seconds: float
    notes: list[str] = field(default_factory=list)


def is_export(path: Path) -> bool:
    """Whether it is a zip; else it is taken for a sound file. AntiphonError: it can't be read."""
    try:
        with path.open("rb") as raw:
            return raw.read(4) in (b"PK\3\4", b"PK\5\6")
    except OSError as error:
        raise AntiphonError(f"{path}: cannot be read ({error.strerror})") from None


# ── an export file of our own ────────────────────────────────────────────────────────────────────────────────────────


async def import_export(path: Path, into: Keeping, options: Options) -> Imported:
    """The session in the file, as it was; only where its sound lies is another place. ExportError: the file is damaged, or none;
    AntiphonError: there is such a session."""
    with await asyncio.to_thread(open_export, path, salvage=options.salvage) as file:
        session = options.name or file.session
        await _refuse_known(into, session, options)
        moved = _Moved(file, into, session)
        outcome = await into.take_in(session, moved.pages())
        _expect(outcome, session)
        notes = [f"not all of it was sound: {file.lost}"] if file.lost else []
        if moved.missing:
            notes.append(f"{moved.missing} of its sounds are not in the file")
        if moved.closed:
            notes.append("it had not ended; it is kept as one that broke off")
        return Imported(session, moved.events, len(moved.keys) - moved.missing, moved.seconds, notes)


class _Moved:
    """A session on its way: its sounds first, then the events that refer to them."""

    def __init__(self, file: ExportFile, into: Keeping, session: str) -> None:
        self.keys: dict[str, str] = {}
        self.missing = self.events = 0
        self.seconds = 0.0
        self.closed = False
        self._file, self._into, self._session = file, into, session

    async def pages(self) -> AsyncIterator[Sequence[Event]]:
        last: Event | None = None
        first: Event | None = None
        while page := await self._file.read(self._file.session, last.seq if last is not None else 0, _PAGE):
            first = first or page[0]
            last = page[-1]
            self.events += len(page)
            yield [await self._event(event) for event in page]
        if last is None or first is None:
            return
        if not isinstance(last, SessionEnded):
            self.closed = True
            self.events += 1
            detail = "imported: its export ends here"
            yield [SessionEnded(seq=last.seq + 1, at=last.at, reason="error", detail=detail, by="import")]
        self.seconds = (last.at - first.at) / 1e6

    async def _event(self, event: Event) -> Event:
        if isinstance(event, UtteranceCaptured):
            return event.model_copy(update={"audio": [await self._ref(ref) for ref in event.audio]})
        if isinstance(event, ClipReady):
            return event.model_copy(update={"audio": await self._ref(event.audio)})
        return event

    async def _ref(self, ref: AudioRef) -> AudioRef:
        key = self.keys.get(ref.key)
        if key is None:
            key = self.keys[ref.key] = await self._put(ref.key)
        return ref.model_copy(update={"key": key})

    async def _put(self, key: str) -> str:
        pcm = await self._file.get_blob(key)
        place, _, name = key.partition(":blob:")[2].partition("/")
        if pcm is None:
            self.missing += 1
            return key
        if place == "shared":
            return await self._into.put_shared_blob(self._session, pcm)
        own = place == self._file.session  # a fork's may be another session's
        return await self._into.put_blob(self._session, name if own and name else f"{place}~{name}", pcm)


# ── a recording ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def import_recording(path: Path, into: Keeping, options: Options) -> Imported:
    """A call that another system recorded, as a session that is over. AudioFileError: it can't be heard; AntiphonError: nobody
    speaks in it, its captions can't be read, or there is such a session."""
    session = options.name or _named_after(path)
    await _refuse_known(into, session, options)
    told = _read_captions(options.captions) if options.captions is not None else []
    cutting = Cutting(path, swap=options.swap, by=_by_voice(told, options))
    heard: list[Heard] = []
    pieces = cutting.pieces()
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        heard.append(await _kept(piece, into, session, len(heard) + 1))
    if not heard:
        raise AntiphonError(f"{path}: nobody speaks in it ({cutting.length:.1f} s); is it the right file?")
    notes: list[str] = []
    if told and not any(one.text is not None for one in heard):
        heard, unplaced = _with_captions(heard, told)
        if unplaced:
            notes.append(
                f"{unplaced} of {len(told)} captions tell of moments in which nobody speaks; they were left out"
            )
    if options.stt is not None:
        heard = await _transcribed(heard, into, options.stt, options.language)
    elif not told:
        notes.append("nobody transcribed it: give captions beside it, or --transcribe")
    call = Call(
        options.began if options.began is not None else _began(path, cutting.length),
        cutting.length,
        path.name,
        notes=tuple(notes),
        metadata={"imported_from": path.name},
    )
    events = events_of_call(call, heard)
    _expect(await into.take_in(session, _paged(events)), session)
    return Imported(session, len(events), len(heard), cutting.length, notes)


async def _kept(piece: Piece, into: Keeping, session: str, number: int) -> Heard:
    pcm = piece.pcm.astype("<i2").tobytes()
    key = await into.put_blob(session, f"{'agent' if piece.side == AGENT else 'caller'}-{number:05}", pcm)
    start, end = piece.start / HEARING_RATE, piece.end / HEARING_RATE
    return Heard(piece.side, start, end, AudioRef(key=key, rate=HEARING_RATE, samples=len(piece.pcm)), piece.text)


def _named_after(path: Path) -> str:
    fit = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_") else "-" for letter in path.stem)
    return f"import-{fit.strip('-')[:60] or 'call'}"


def _began(path: Path, length: float) -> Micros:
    """As far as the file's own date tells: it was written when the call was over."""
    return Micros(max(0, round((path.stat().st_mtime - length) * 1e6)))


# ── who said it ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _read_captions(path: Path) -> list[Caption]:
    try:
        raw = path.read_bytes() if path.stat().st_size <= LONGEST_FILE else None
    except OSError as error:
        raise AntiphonError(f"{path}: cannot be read ({error.strerror})") from None
    if raw is None:
        raise AntiphonError(f"{path}: more than {LONGEST_FILE:,} bytes of captions; is it the right file?")
    try:
        return captions(raw.decode("utf-8-sig"), str(path))
    except UnicodeDecodeError as error:
        raise AntiphonError(f"{path}: no UTF-8 at byte {error.start:,}; save it as UTF-8") from None


def _by_voice(told: Sequence[Caption], options: Options) -> list[tuple[Caption, int]]:
    """Each caption with its side, where they say who speaks."""
    voices = {one.voice for one in told if one.voice}
    if not voices:
        return []
    agent = options.agent_voice.casefold()
    if agent and agent not in {voice.casefold() for voice in voices}:
        raise AntiphonError(
            f"--agent-voice {printable(options.agent_voice)}: the captions have {', '.join(map(printable, sorted(voices)))}"
        )
    agents = {agent} if agent else _AGENTS
    return [(one, AGENT if one.voice.casefold() in agents else CALLER) for one in told]


def _with_captions(heard: Sequence[Heard], told: Sequence[Caption]) -> tuple[list[Heard], int]:
    """Each caption given to the piece that it lies over most, on the side of its voice; and how many found none."""
    sides = _sides_of_voices(heard, told)
    said: dict[int, list[str]] = {}
    unplaced = 0
    for caption in told:
        wanted = sides.get(caption.voice)
        place = _best(heard, caption, wanted)
        if place is None:
            unplaced += 1
        else:
            said.setdefault(place, []).append(caption.text)
    return [replace(one, text=" ".join(said[n]) if n in said else None) for n, one in enumerate(heard)], unplaced


def _sides_of_voices(heard: Sequence[Heard], told: Sequence[Caption]) -> dict[str, int]:
    """Which side each named voice is heard on."""
    shared: dict[str, list[float]] = {}
    for caption in told:
        if caption.voice:
            sums = shared.setdefault(caption.voice, [0.0, 0.0])
            for one in heard:
                sums[one.side] += max(_overlap(one, caption), 0.0)
    return {voice: AGENT if sums[AGENT] > sums[CALLER] else CALLER for voice, sums in shared.items()}


def _best(heard: Sequence[Heard], caption: Caption, side: int | None) -> int | None:
    there = [n for n, one in enumerate(heard) if side is None or one.side == side]
    best = max(there, key=lambda n: _overlap(heard[n], caption), default=None)
    return best if best is not None and _overlap(heard[best], caption) > -_NEAR else None


def _overlap(one: Heard, caption: Caption) -> float:
    """Seconds; below 0: so far apart."""
    return min(one.end, caption.end) - max(one.start, caption.start)


async def _transcribed(heard: Sequence[Heard], log: Reading, stt: Stt, language: str) -> list[Heard]:
    """What has no words yet is given some. ProviderError: the model can't be had."""
    await stt.warm_up()
    done = list(heard)
    waiting = [place for place, one in enumerate(heard) if one.text is None]
    for first in range(0, len(waiting), _BATCH):
        places = waiting[first : first + _BATCH]
        sounds = [np.frombuffer(await log.get_blob(heard[place].audio.key) or b"", "<i2") for place in places]
        hearings = [Hearing(sound.astype(np.int16), language, end_of_turn=False) for sound in sounds]
        for place, found in zip(places, await stt.transcribe(hearings), strict=True):
            done[place] = replace(
                heard[place],
                text=found.text.strip(),
                language=found.language,
                confidence=found.confidence,
                words=tuple(found.words),
                model=stt.model,
            )
    return done


# ── where it is kept ─────────────────────────────────────────────────────────────────────────────────────────────────


async def _refuse_known(into: Keeping, session: str, options: Options) -> None:
    for place in (into, options.known):
        if place is not None and await place.info(session) is not None:
            _expect(Outcome.EXISTS, session)


def _expect(outcome: Outcome, session: str) -> None:
    if outcome is not Outcome.OK:
        raise AntiphonError(f"{session}: there is a session of this name already; give it another with --as")


async def _paged(events: Sequence[Event]) -> AsyncIterator[Sequence[Event]]:
    for first in range(0, len(events), _PAGE):
        yield events[first : first + _PAGE]


async def put_away(shelf: "Shelf", archive: "Archive", session: str) -> None:
    """Into the archive, where there is no log to keep it in. ArchiveError: it can't be used; AntiphonError: it takes none of this
    name."""
    from schemas.archive import Archived, archive_session  # and with them SQLAlchemy: who writes a file waits for none

    outcome = await archive_session(shelf, archive, session)
    if outcome is not Archived.DONE:
        raise AntiphonError(
            f"{session}: the archive does not take it ({outcome.value}); give it another name with --as"
        )


class Shelf(Keeping, Forgetting):
    """One session in a folder, on its way into an archive or an export file. `folder`: an empty one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._session = ""
        self._events: list[tuple[str, int, Micros, bytes]] = []
        self._sounds: dict[str, Path] = {}

    async def take_in(self, session: str, events: AsyncIterator[Sequence[Event]]) -> Outcome:
        async for page in events:
            self._events += [(event.type, event.seq, event.at, encode_event(event)) for event in page]
        self._session = session
        return Outcome.OK

    async def put_blob(self, session: str, name: str, pcm: bytes) -> str:
        return self._put(keys.blob(0, session, name), pcm)

    async def put_shared_blob(self, session: str, pcm: bytes) -> str:
        return self._put(keys.shared_blob(0, pcm), pcm)

    def _put(self, key: str, pcm: bytes) -> str:
        path = self._sounds.setdefault(key, self._folder / f"{len(self._sounds)}.pcm")
        path.write_bytes(pcm)
        return key

    async def forget(self, session: str, seq: int, sounds: Collection[str] = ()) -> Outcome:
        return Outcome.OK  # the folder goes as a whole

    async def get_blob(self, key: str) -> bytes | None:
        path = self._sounds.get(key)
        return path.read_bytes() if path is not None else None

    async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
        if session != self._session:
            return []
        end = None if count is None else after + count
        return [decode_event(kind, body, seq, at) for kind, seq, at, body in self._events[after:end]]

    async def snapshot(self, session: str) -> Snapshot | None:
        return None

    async def info(self, session: str) -> SessionInfo | None:
        if session != self._session or not self._events:
            return None
        _, seq, at, _ = self._events[-1]
        return SessionInfo(session, 0, seq, "closed", "", 1, 0, Micros(0), at)
