"""What is let go of: by age, by size, and one person's data for good."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ops.jobs.figures import JobFigures
from schemas.archive.archiving import audio_of
from schemas.archive.store import Archive, Erasure, Kind
from schemas.bus import Forgetting, Listing, Outcome, Reading, Watching
from schemas.clock import Micros
from schemas.config.settings import Settings
from schemas.errors import EventError
from schemas.session.history import events_of
from schemas.session.summary import Telling

__all__ = ["Erased", "Keeping", "LettingGo"]

log = logging.getLogger("antiphon.jobs")

_DAY = 86_400_000_000
"""µs."""
_AT_ONCE = 50
_MOST = 20_000


class Log(Reading, Listing, Watching, Forgetting, Protocol):
    """Of whatever is erased there may be something in the log."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """Days that sessions are kept, and their sound; 0: for ever, and as long as the session."""

    days: float
    sound_days: float


@dataclass(frozen=True, slots=True)
class Erased:
    """`open`: sessions that go on, of which nothing was erased: ask again once they are over."""

    erasure: Erasure | None
    open: tuple[str, ...]


def keeping_of(settings: Settings) -> tuple[Keeping, dict[str, Keeping]]:
    """Of all agents, and of single ones."""
    named: dict[str, Keeping] = {}
    for part in filter(None, (part.strip() for part in settings.archive_agents.split(","))):
        agent, _, days = part.partition("=")
        whole, _, sound = days.partition("/")
        named[agent] = Keeping(float(whole), float(sound or 0))
    return Keeping(settings.archive_days, settings.archive_sound_days), named


class LettingGo:
    def __init__(self, bus: Log, archive: Archive, settings: Settings, figures: JobFigures | None = None) -> None:
        self._bus, self._archive, self._settings = bus, archive, settings
        self._figures = figures or JobFigures()

    # ── for good, and proven ─────────────────────────────────────────────────────────────────────────────────────────

    async def remove(self, sessions: Sequence[str], kind: Kind, asked_by: str) -> Erased:
        """Out of the archive and out of the log, in whatever state they are; those that go on stay. BusError, ArchiveError:
        `sweep` ends what was begun."""
        open_ones = [name for name in sessions if await self._is_open(name)]
        over = [name for name in sessions if name not in open_ones]
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
        """The log first: once the archive forgets that it is condemned, whoever finds it there would archive it again."""
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
        """Every session in which somebody has this identity or name, whole: whatever others said in it goes, too."""
        found = set(await self._archive.of_person(person))
        wanted = person.casefold()
        for state in ("open", "closed"):
            infos = await (self._bus.sessions(_MOST) if state == "open" else self._bus.closed(_MOST))
            for info in infos:
                if info.session not in found and await self._is_in(wanted, info.session):
                    found.add(info.session)
        return await self.remove(sorted(found), "person", asked_by)

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
        everybody, named = keeping_of(self._settings)
        gone, silent = await self._by_age(everybody, but=tuple(named))
        for agent, keeping in named.items():
            more = await self._by_age(keeping, agent=agent)
            gone, silent = gone + more[0], silent + more[1]
        more = await self._by_size(self._settings.archive_gib * 2**30)
        gone, silent = gone + more[0], silent + more[1]
        if gone or silent:
            log.info("let go of %d sessions, and of the sound of %d", gone, silent)
        return gone, silent

    async def _by_age(self, keeping: Keeping, *, agent: str | None = None, but: Sequence[str] = ()) -> tuple[int, int]:
        gone = silent = 0
        now = await self._archive.now()
        if keeping.days:
            moment = Micros(now - round(keeping.days * _DAY))
            while some := await self._archive.ended_before(moment, _AT_ONCE, agent=agent, but=but):
                gone += await self._let_go(some)
        if keeping.sound_days:
            moment = Micros(now - round(keeping.sound_days * _DAY))
            while some := await self._archive.ended_before(moment, _AT_ONCE, agent=agent, but=but, sound=True):
                for name in some:
                    await self._archive.drop_sound(name)
                silent += len(some)
        return gone, silent

    async def _by_size(self, most: float) -> tuple[int, int]:
        gone = silent = 0
        while most and (amount := await self._archive.amount()).bytes + amount.sound_bytes > most:
            now = await self._archive.now()
            if some := await self._archive.ended_before(now, 1, sound=True):
                await self._archive.drop_sound(some[0])
                silent += 1
            elif some := await self._archive.ended_before(now, 1):
                gone += await self._let_go(some)
            else:
                break
        return gone, silent

    async def _let_go(self, sessions: Sequence[str]) -> int:
        await self.remove(sessions, "retention", "retention")
        return len(sessions)
