"""What is let go of: by age, by size, and one person's data for good."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ops.jobs.figures import JobFigures
from schemas.archive.store import Archive, Erasure, Kind, Standing
from schemas.bus import Forgetting, Listing, Outcome, Reading, Watching
from schemas.clock import Micros
from schemas.config.settings import Settings
from schemas.errors import AntiphonError, EventError
from schemas.events import audio_of
from schemas.session.history import events_of
from schemas.session.summary import Telling

__all__ = ["Erased", "KeptFor", "LettingGo"]

log = logging.getLogger("antiphon.jobs")

_DAY = 86_400_000_000
"""µs."""
_AT_ONCE = 50
_MOST = 20_000


class Erasing(Reading, Listing, Watching, Forgetting, Protocol):
    """Of whatever is erased there may be something in the log."""


@dataclass(frozen=True, slots=True)
class KeptFor:
    """Days that sessions are kept, and their sound; 0: for ever, and as long as the session."""

    days: float
    sound_days: float


@dataclass(frozen=True, slots=True)
class Erased:
    """`open`: sessions that go on, of which nothing was erased: ask again once they are over."""

    erasure: Erasure | None
    open: tuple[str, ...]

    def and_then(self, more: "Erased") -> "Erased":
        """Both as one, with what both removed."""
        first, then = self.erasure, more.erasure
        if first is not None and then is not None:
            done_at = Micros(min(first.done_at, then.done_at) and max(first.done_at, then.done_at))
            first = replace(first, done_at=done_at, removed=first.removed + then.removed)
        return Erased(first or then, self.open + more.open)


def kept_for(settings: Settings) -> tuple[KeptFor, dict[str, KeptFor]]:
    """Of all agents, and of single ones."""
    named: dict[str, KeptFor] = {}
    for part in filter(None, (part.strip() for part in settings.archive_agents.split(","))):
        agent, _, days = part.partition("=")
        whole, _, sound = days.partition("/")
        named[agent] = KeptFor(float(whole), float(sound or 0))
    return KeptFor(settings.archive_days, settings.archive_sound_days), named


class LettingGo:
    def __init__(self, bus: Erasing, archive: Archive, settings: Settings, figures: JobFigures | None = None) -> None:
        self._bus, self._archive, self._settings = bus, archive, settings
        self._figures = figures or JobFigures()

    # ── for good, and proven ─────────────────────────────────────────────────────────────────────────────────────────

    async def remove(self, sessions: Sequence[str], kind: Kind, asked_by: str) -> Erased:
        """Out of the archive and out of the log, in whatever state they are; those that go on stay. BusError, ArchiveError:
        `sweep` ends what was begun."""
        open_ones, over = list[str](), list[str]()
        for name in sessions:
            (open_ones if await self._is_open(name) else over).append(name)
        if not over:
            return Erased(None, tuple(open_ones))
        erasure = await self._archive.condemn(over, kind, asked_by)
        for name in over:
            await self._purge(name)
        await self._archive.scrub()
        self._figures.removed.labels(kind).inc(len(over))
        settled = {one.id: one for one in await self._archive.settle_erasures()}
        return Erased(settled.get(erasure.id, erasure), tuple(open_ones))

    async def _is_open(self, session: str) -> bool:
        info = await self._bus.info(session)
        return info is not None and info.state == "open"

    async def _purge(self, session: str) -> None:
        """The log first: once the archive forgets that it is condemned, whoever finds it there would archive it again. What is
        condemned no more, for another has ended this, may have been brought back meanwhile."""
        standing = await self._archive.standing(session)
        if standing is None or standing.state != "deleting":
            return
        info = await self._bus.info(session)
        if info is not None:
            if info.state == "open":
                return
            sounds = {one.key for one in await self._archive.sounds(session)}
            try:
                async for event in events_of(self._bus, session):
                    sounds |= {ref.key for ref in audio_of(event)}
            except EventError as error:  # what can't be read goes all the same; its sounds end by themselves
                log.warning("erased unread: %s", error, extra={"session": session})
            outcome = await self._bus.forget(session, info.seq, sounds)
            if outcome not in (Outcome.OK, Outcome.MISSING):
                return
        await self._archive.purge(session)

    async def erase(self, person: str, asked_by: str) -> Erased:
        """Every session in which somebody has this identity or name, whole: whatever others said in it goes, too. AntiphonError:
        it is nobody's, being empty, as the name of most is."""
        if not person.strip():
            raise AntiphonError("an empty name is nobody's; expected a participant's identity or name")
        found, erased = set[str](), Erased(None, ())
        # What is made of a session (a fork) looks whether that is still there once it is kept; what was kept before is found now.
        while more := await self._of_person(person, found):
            found |= more
            erased = erased.and_then(await self.remove(sorted(more), "person", asked_by))
        return erased.and_then(Erased(await self.forget(person, asked_by, "person"), ()))

    async def forget(self, person: str, asked_by: str, kind: Kind = "memory", agent: str = "") -> Erasure | None:
        """What agents, or this one, remember of a caller. None: nothing."""
        await self._archive.drop_follow_ups(await self._archive.of_person(person), "memory")
        gone: Erasure | None = None
        while known := await self._archive.memories(_AT_ONCE, agent=agent, person=person):
            erasure = await self._archive.forget_memories([one.id for one in known], kind, asked_by)
            gone = Erased(gone, ()).and_then(Erased(erasure, ())).erasure
        if gone is not None:
            await self._archive.scrub()
        return gone

    async def found(self, person: str) -> tuple[list[str], list[str]]:
        """What `erase` would delete, and what would stay for it goes on, as of now."""
        over, going = list[str](), list[str]()
        for name in sorted(await self._of_person(person, set())):
            (going if await self._is_open(name) else over).append(name)
        return over, going

    async def _of_person(self, person: str, known: set[str]) -> set[str]:
        found = set(await self._archive.of_person(person)) - known
        for state in ("open", "closed"):
            infos = await (self._bus.sessions(_MOST) if state == "open" else self._bus.closed(_MOST))
            for info in infos:
                if (
                    info.session not in found
                    and info.session not in known
                    and await self._is_in(person.casefold(), info.session)
                ):
                    found.add(info.session)
        return found

    async def _is_in(self, person: str, session: str) -> bool:
        telling = Telling(session)
        try:
            async for event in events_of(self._bus, session):
                telling.add(event)
        except EventError as error:
            log.warning("can't be searched for a person: %s", error, extra={"session": session})
            return False
        people = telling.summary().people
        return any(person in (one.identity.casefold(), one.name.casefold()) for one in people)

    async def finish(self, sessions: Sequence[str]) -> None:
        """What a removal that was interrupted has left."""
        for name in sessions:
            await self._purge(name)
        if sessions:
            await self._archive.scrub()
        for erasure in await self._archive.settle_erasures():
            log.info("erasure %s is done: %d sessions", erasure.id, len(erasure.removed))

    # ── by age and size ──────────────────────────────────────────────────────────────────────────────────────────────

    async def retain(self) -> tuple[int, int]:
        """Let go of what is older than settings allow, then of the oldest while it is too much: sound before text. Answers how
        many sessions went, and of how many the sound."""
        everybody, named = kept_for(self._settings)
        gone, silent = await self._by_age(everybody, but=tuple(named))
        for agent, keeping in named.items():
            more = await self._by_age(keeping, agent=agent)
            gone, silent = gone + more[0], silent + more[1]
        more = await self._by_size(self._settings.archive_gib * 2**30)
        gone, silent = gone + more[0], silent + more[1]
        while old := await self._archive.stale_memories():
            await self._archive.forget_memories(old, "retention", "retention")
        if gone or silent:
            log.info("let go of %d sessions, and of the sound of %d", gone, silent)
        return gone, silent

    async def _by_age(self, keeping: KeptFor, *, agent: str | None = None, but: Sequence[str] = ()) -> tuple[int, int]:
        gone = silent = 0
        now = await self._archive.now()
        if keeping.days:
            moment = Micros(now - round(keeping.days * _DAY))
            while some := await self._archive.ended_before(moment, _AT_ONCE, agent=agent, but=but):
                if not (went := await self._let_go(some)):
                    break
                gone += went
        if keeping.sound_days:
            moment = Micros(now - round(keeping.sound_days * _DAY))
            while some := await self._archive.ended_before(moment, _AT_ONCE, agent=agent, but=but, sound=True):
                for name in some:
                    await self._archive.drop_sound(name)
                silent += len(some)
        return gone, silent

    async def _by_size(self, most: float) -> tuple[int, int]:
        """All is summed up once, for that reads every row."""
        if not most:
            return 0, 0
        gone = silent = 0
        amount, now = await self._archive.amount(), await self._archive.now()
        too_much = amount.bytes + amount.sound_bytes - most
        while too_much > 0 and (one := await self._oldest(now, sound=True)) is not None:
            await self._archive.drop_sound(one.session)
            too_much, silent = too_much - one.sound_bytes, silent + 1
        while too_much > 0 and (one := await self._oldest(now)) is not None and await self._let_go([one.session]):
            too_much, gone = too_much - one.bytes, gone + 1
        return gone, silent

    async def _oldest(self, now: Micros, *, sound: bool = False) -> Standing | None:
        some = await self._archive.ended_before(now, 1, sound=sound)
        return await self._archive.standing(some[0]) if some else None

    async def _let_go(self, sessions: Sequence[str]) -> int:
        """How many went: what goes on stays."""
        return len(sessions) - len((await self.remove(sessions, "retention", "retention")).open)
