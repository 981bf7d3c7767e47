"""Calls from elsewhere, kept as sessions: an export file of our own, or the recording of a call that another system held.

Both are read as they come, so that hours of sound take no more memory than minutes.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from ops.replay._captions import LONGEST_FILE, Caption, captions
from ops.replay._composing import AGENT, CALLER, Call, Said, events_of_call
from ops.replay._cutting import LONGEST, Cutting, Piece
from schemas.audio import HEARING_RATE, AudioRef
from schemas.bus import Forgetting, Outcome, Reading, Storing, TakingIn
from schemas.clock import Micros
from schemas.errors import AntiphonError
from schemas.events import Event, SessionEnded, SessionStarted, audio_of, with_audio
from schemas.session.export import ExportFile, is_session, open_export
from schemas.session.history import events_of
from schemas.text.clean import printable
from workers.providers import Hearing, Stt

__all__ = ["Exists", "Imported", "Keeping", "Options", "Ways", "import_export", "import_recording", "is_export"]

_PAGE = 500
_BATCH = 4
"""Utterances transcribed together."""
_AT_ONCE = 8
"""People who speak at the same time, by captions: each takes as much room as if the recording were theirs."""
_LONGEST = 86_400
"""Seconds of a recording."""
_NEAR = 1.0
"""Seconds by which a caption may miss the speech it tells of."""
_AGENTS = frozenset({"agent", "assistant", "bot", "ai", "system"})
"""Voices that are the agent's where one channel has everybody's."""
_MARKED = re.compile(r"~(([0-9a-f]{8})-[0-9a-f]{4})$")
"""What a sound is called by who took it in: the import's mark, and the try's."""
_BEFORE = "an earlier try had taken it in, and was broken off before it could say so"


class Keeping(Reading, Storing, TakingIn, Forgetting, Protocol):
    """Where an imported session is kept."""


@dataclass(frozen=True, slots=True)
class Ways:
    """What whoever imports can do where something is refused, in their words; here those of the command."""

    name: str = "--as"
    rename: str = "give it another with --as"
    agent_voice: str = "--agent-voice"
    give_words: str = "give captions beside it, or --transcribe"


class Exists(AntiphonError):
    """There is a session of that name already, in `place`."""

    def __init__(self, session: str, place: Reading, ways: Ways) -> None:
        super().__init__(f"{session}: there is a session of this name already; {ways.rename}")
        self.place = place


@dataclass(frozen=True, slots=True)
class Options:
    """`name`: what the session is to be called, "": as it was, or after the file; `swap`: the agent is on the left; `captions`: a
    file of them; `agent_voice`: what captions call the agent; `stt`: transcribes what no caption tells; `language`: ISO 639-1, ""
    detects it; `began`: µs, None: by the file's own date; `salvage`: of a damaged export take what is sound; `known`: where else
    sessions are, whose names are taken, too; `mark`: 8 hexadecimal digits by which tries of one import know each other, where it
    may be broken off and tried again: what the one has taken in, the next one finds; "": there is but one try; `ways`: how to
    import otherwise."""

    name: str = ""
    swap: bool = False
    captions: Path | None = None
    agent_voice: str = ""
    stt: Stt | None = None
    language: str = ""
    began: Micros | None = None
    salvage: bool = False
    known: Reading | None = None
    mark: str = ""
    ways: Ways = Ways()


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
    Exists: there is such a session."""
    with await asyncio.to_thread(open_export, path, salvage=options.salvage) as file:
        session = options.name or file.session
        notes = [f"not all of it was sound: {file.lost}"] if file.lost else []
        moved = coming = _Moved(file, session, _mark(options), into)
        try:
            await _free(into, session, options)
            async with _laid(into, session, lambda: coming.put):
                await _keep(into, session, coming.pages(), options)
        except Exists as there:
            moved = _Moved(file, session, await _earlier(there.place, session, options) or "")
            if not options.mark or not await moved.is_in(there.place):
                raise
            notes.append(_BEFORE)
        if moved.missing:
            notes.append(f"{moved.missing} of its sounds are not in the file")
        if moved.closed:
            notes.append("it had not ended; it is kept as one that broke off")
        return Imported(session, moved.events, len(moved.keys) - moved.missing, moved.seconds, notes)


class _Moved:
    """A session on its way: its sounds first, then the events that refer to them. `mark`: what names of its sounds end with, so
    that two of one name at once don't mix; `into`: where they are put; None: nowhere, they are there."""

    def __init__(self, file: ExportFile, session: str, mark: str, into: Keeping | None = None) -> None:
        self.keys: dict[str, str] = {}
        self.put: list[str] = []
        self.missing = self.events = 0
        self.seconds = 0.0
        self.closed = False
        self._file, self._session, self._mark, self._into = file, session, mark, into
        self._sounds = frozenset(file.sound_keys())

    async def pages(self) -> AsyncIterator[Sequence[Event]]:
        last: Event | None = None
        first: Event | None = None
        while page := await self._file.read(self._file.session, last.seq if last is not None else 0, _PAGE):
            first = first or page[0]
            last = page[-1]
            self.events += len(page)
            yield [with_audio(event, [await self._ref(ref) for ref in audio_of(event)]) for event in page]
        if last is None or first is None:
            return
        if not isinstance(last, SessionEnded):
            self.closed = True
            self.events += 1
            detail = "imported: its export ends here"
            yield [SessionEnded(seq=last.seq + 1, at=last.at, reason="error", detail=detail, by="import")]
        self.seconds = (last.at - first.at) / 1e6

    async def is_in(self, place: Reading) -> bool:
        """Whether the session of this name there is what this would keep, event by event."""
        there = events_of(place, self._session)
        async for page in self.pages():
            for event in page:
                other = await anext(there, None)
                if other is None or _unplaced(event) != _unplaced(other):
                    return False
        return await anext(there, None) is None

    async def _ref(self, ref: AudioRef) -> AudioRef:
        key = self.keys.get(ref.key)
        if key is None:
            key = self.keys[ref.key] = await self._key(ref.key)
        return ref.model_copy(update={"key": key})

    async def _key(self, key: str) -> str:
        if key not in self._sounds:
            self.missing += 1
            return key
        place, _, name = key.partition(":blob:")[2].partition("/")
        own = place == self._file.session  # a fork's may be another session's, or many sessions'
        name = f"{name if own and name else f'{place}~{name}'}~{self._mark}"
        if self._into is None:
            return f":blob:{self._session}/{name}"
        self.put.append(await self._into.put_blob(self._session, name, await self._file.get_blob(key) or b""))
        return self.put[-1]


def _unplaced(event: Event) -> Event:
    """Its sounds in no partition."""
    return with_audio(
        event, [ref.model_copy(update={"key": ref.key.partition(":blob:")[2] or ref.key}) for ref in audio_of(event)]
    )


# ── a recording ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def import_recording(path: Path, into: Keeping, options: Options) -> Imported:
    """A call that another system recorded, as a session that is over. AudioFileError: it can't be heard; Exists: there is such a
    session; AntiphonError: nobody speaks in it, or its captions can't be read."""
    session, heard = options.name or _named_after(path), list[Said]()
    try:
        await _free(into, session, options)
        async with _laid(into, session, lambda: [one.audio.key for one in heard]):
            return await _recorded(path, into, session, options, heard)
    except Exists as there:
        if await _earlier(there.place, session, options) is None:
            raise
        return await _as_it_is(there.place, session)


async def _as_it_is(place: Reading, session: str) -> Imported:
    """A recording that an earlier try had taken in."""
    events = [event async for event in events_of(place, session)]
    sounds = {ref.key for event in events for ref in audio_of(event)}
    first, seconds = events[0], (events[-1].at - events[0].at) / 1e6
    notes = first.warnings[1:] if isinstance(first, SessionStarted) else []
    return Imported(session, len(events), len(sounds), seconds, [*notes, _BEFORE])


async def _recorded(path: Path, into: Keeping, session: str, options: Options, heard: list[Said]) -> Imported:
    """`heard`: gets what is kept of it."""
    told = await asyncio.to_thread(_read_captions, options.captions) if options.captions is not None else []
    cutting = Cutting(path, swap=options.swap, by=_by_voice(told, options))
    pieces, spoken, mark = cutting.pieces(), 0, _mark(options)
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        spoken += len(piece.pcm)
        if cutting.length > _LONGEST:
            raise AntiphonError(f"{path}: more than {_LONGEST // 3600} hours of sound; cut it, and import its parts")
        if spoken > _AT_ONCE * (cutting.length + LONGEST) * HEARING_RATE:
            raise AntiphonError(
                f"{path}: its captions have more than {_AT_ONCE} people speak at once; do they belong to it?"
            )
        heard.append(await _kept(piece, into, session, f"{len(heard) + 1:05}~{mark}"))
    if not heard:
        raise AntiphonError(f"{path}: nobody speaks in it ({cutting.length:.1f} s); is it the right file?")
    notes: list[str] = []
    if told and not any(one.text is not None for one in heard):
        heard, unplaced = await asyncio.to_thread(_with_captions, heard, told)
        if unplaced:
            notes.append(
                f"{unplaced} of {len(told)} captions tell of moments in which nobody speaks; they were left out"
            )
    if options.stt is not None:
        heard = await _transcribed(heard, into, options.stt, options.language)
    elif not told:
        notes.append(f"nobody transcribed it: {options.ways.give_words}")
    call = Call(
        options.began if options.began is not None else _began(path, cutting.length),
        cutting.length,
        path.name,
        notes=tuple(notes),
        metadata={"imported_from": path.name},
    )
    events = await asyncio.to_thread(events_of_call, call, heard)
    await _keep(into, session, _paged(events), options)
    return Imported(session, len(events), len(heard), cutting.length, notes)


async def _kept(piece: Piece, into: Keeping, session: str, name: str) -> Said:
    pcm = piece.pcm.astype("<i2").tobytes()
    key = await into.put_blob(session, f"{'agent' if piece.side == AGENT else 'caller'}-{name}", pcm)
    start, end = piece.start / HEARING_RATE, piece.end / HEARING_RATE
    return Said(piece.side, start, end, AudioRef(key=key, rate=HEARING_RATE, samples=len(piece.pcm)), piece.text)


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
        known, way = ", ".join(map(printable, sorted(voices))), options.ways.agent_voice
        raise AntiphonError(f"{way} {printable(options.agent_voice)}: the captions have {known}")
    agents = {agent} if agent else _AGENTS
    return [(one, AGENT if one.voice.casefold() in agents else CALLER) for one in told]


def _with_captions(heard: Sequence[Said], told: Sequence[Caption]) -> tuple[list[Said], int]:
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


def _sides_of_voices(heard: Sequence[Said], told: Sequence[Caption]) -> dict[str, int]:
    """Which side each named voice is heard on."""
    shared: dict[str, list[float]] = {}
    for caption in told:
        if caption.voice:
            sums = shared.setdefault(caption.voice, [0.0, 0.0])
            for one in heard:
                sums[one.side] += max(_overlap(one, caption), 0.0)
    return {voice: AGENT if sums[AGENT] > sums[CALLER] else CALLER for voice, sums in shared.items()}


def _best(heard: Sequence[Said], caption: Caption, side: int | None) -> int | None:
    there = [n for n, one in enumerate(heard) if side is None or one.side == side]
    best = max(there, key=lambda n: _overlap(heard[n], caption), default=None)
    return best if best is not None and _overlap(heard[best], caption) > -_NEAR else None


def _overlap(one: Said, caption: Caption) -> float:
    """Seconds; below 0: so far apart."""
    return min(one.end, caption.end) - max(one.start, caption.start)


async def _transcribed(heard: Sequence[Said], log: Reading, stt: Stt, language: str) -> list[Said]:
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


async def _free(into: Keeping, session: str, options: Options) -> None:
    """Exists: there is a session of this name; AntiphonError: nobody could ask for one."""
    if not is_session(session):
        raise AntiphonError(
            f"{options.ways.name} {printable(session[:80])!r}: expected a name of at most 200 characters, without / and controls"
            ", that does not begin with a dot"
        )
    for place in (into, options.known):
        if place is not None and await place.info(session) is not None:
            raise Exists(session, options.known or place, options.ways)


async def _keep(into: Keeping, session: str, pages: AsyncIterator[Sequence[Event]], options: Options) -> None:
    """Exists: another of this name was faster."""

    async def looking() -> AsyncIterator[Sequence[Event]]:
        async for page in pages:
            yield page
        await _free(into, session, options)  # it may have come, and been archived, while this one was read

    if await into.take_in(session, looking()) is not Outcome.OK:
        raise Exists(session, options.known or into, options.ways)


@asynccontextmanager
async def _laid(into: Keeping, session: str, sounds: Callable[[], Collection[str]]) -> AsyncIterator[None]:
    """What was laid down of a session that is not kept goes: hours of sound, which else would go by themselves after a day."""
    try:
        yield
    except BaseException:
        with suppress(AntiphonError):
            await into.forget(session, 0, sounds())
        raise


def _mark(options: Options) -> str:
    """Of this try."""
    return f"{options.mark or secrets.token_hex(4)}-{secrets.token_hex(2)}"


async def _earlier(place: Reading, session: str, options: Options) -> str | None:
    """The mark of the try of this very import that has kept the session; None: none has, as far as its sounds tell."""
    if not options.mark:
        return None
    async for event in events_of(place, session):
        for ref in audio_of(event):
            marked = _MARKED.search(ref.key)
            if marked is not None and marked[2] == options.mark:
                return marked[1]
    return None


async def _paged(events: Sequence[Event]) -> AsyncIterator[Sequence[Event]]:
    for first in range(0, len(events), _PAGE):
        yield events[first : first + _PAGE]
