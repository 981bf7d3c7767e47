"""What follows once a session is archived: a webhook, a summary, a recording, as settings say; a result and a memory of the
caller, as its agent says. Each is tried, tried again for a
day, longer and longer apart, and then given up and listed."""

import logging
import random
from collections.abc import Callable, Sequence
from typing import Literal

from ops.jobs.asking import Asking
from ops.jobs.figures import JobFigures
from ops.jobs.memories import Memories
from ops.jobs.recordings import keep_recording
from ops.jobs.results import Results
from ops.jobs.summaries import Summaries
from ops.jobs.webhooks import Undelivered, Webhooks, message
from schemas.archive.store import Archive, FollowKind, Follows, FollowUp, follow_kind
from schemas.bus import Counting
from schemas.clock import Micros
from schemas.config.agent import AgentSpec
from schemas.config.settings import Settings
from schemas.errors import AntiphonError, ArchiveError, BusError, SettingsError
from schemas.events import SessionStarted
from schemas.session.callers import caller_of
from schemas.session.history import events_of, steps_of
from schemas.session.state import SessionState
from schemas.session.summary import Summary

__all__ = ["ENDED", "FOR", "HELD", "KINDS", "RESULT", "SUMMARIZED", "Became", "Following", "follows_of", "pause_after"]

log = logging.getLogger("antiphon.jobs")

ENDED, SUMMARIZED, RESULT = "session.ended", "session.summarized", "session.result"
"""What webhooks tell."""
KINDS: tuple[FollowKind, ...] = ("webhook", "summary", "recording", "result", "memory")
FOR = 86_400.0
"""Seconds for which something is tried."""
HELD: dict[FollowKind, float] = {
    "webhook": 60.0,
    "summary": 360.0,
    "recording": 960.0,
    "result": 720.0,
    "memory": 360.0,
}
"""Seconds for which one try has it; each ends well before that."""
_FIRST, _TIMES, _LONGEST = 5.0, 3.0, 14_400.0
"""Seconds before the second try, how many times as long before each further one, and at most."""
_GIVE_WAY = 10.0
"""Seconds after which what a model makes is tried again that gave way to people who are talking."""

Became = Literal["done", "again", "failed", "waits", "elsewhere"]


def follows_of(settings: Settings) -> Callable[[Summary], Sequence[Follows]]:
    """What is to be done with each session. SettingsError: something of it can't be."""
    webhooks = Webhooks(settings)

    def follows(told: Summary) -> Sequence[Follows]:
        wanted: list[Follows] = []
        if webhooks.url_of(told.agent):
            wanted.append(("webhook", ENDED))
        if settings.summaries == "on":
            wanted.append(("summary", ""))
        if settings.recordings != "off":
            wanted.append(("recording", ""))
        return [*wanted, *((kind, "") for kind in told.brings)]

    return follows


def pause_after(failures: int, dice: random.Random) -> float:
    """Seconds until the next try; a fifth more or less, so that those that failed together don't come back together."""
    return min(_FIRST * _TIMES ** min(failures - 1, 20), _LONGEST) * dice.uniform(0.8, 1.2)


class Following:
    """`bus`: says whether somebody waits for a reply; `dice`: of the pauses."""

    def __init__(
        self,
        bus: Counting,
        archive: Archive,
        settings: Settings,
        figures: JobFigures | None = None,
        dice: random.Random | None = None,
    ) -> None:
        self.follows = follows_of(settings)
        self._bus, self._archive, self._settings = bus, archive, settings
        self._figures, self._dice = figures or JobFigures(), dice or random.Random()
        self._webhooks = Webhooks(settings)
        self._asking = Asking(settings)
        self._summaries, self._results, self._memories = (
            Summaries(self._asking),
            Results(self._asking),
            Memories(self._asking),
        )

    async def aclose(self) -> None:
        await self._webhooks.aclose()
        await self._asking.aclose()

    async def follow(self, id: str) -> Became:
        """One try at what is due. ArchiveError: the archive can't be asked."""
        kind = follow_kind(id)
        one = await self._archive.take_up(id, HELD[kind]) if kind is not None else None
        if one is None:
            return "elsewhere"
        try:
            became = await self._try(one)
        except AntiphonError as error:
            became = await self._failed(one, error)
        except Exception as error:
            log.exception("can't be followed up: %s", one.kind, extra={"session": one.session})
            became = await self._failed(one, AntiphonError(f"{type(error).__name__}: {error}"))
        self._figures.followed.labels(one.kind, became).inc()
        return became

    async def _try(self, one: FollowUp) -> Became:
        match one.kind:
            case "webhook":
                return await self._tell(one)
            case "summary":
                return await self._summarize(one)
            case "recording":
                codec: Literal["flac", "opus"] = "flac" if self._settings.recordings == "flac" else "opus"
                mine = await keep_recording(self._archive, one, codec)
                return "done" if mine else "elsewhere"
            case "result":
                return await self._fill(one)
            case "memory":
                return await self._remember(one)

    async def _gives_way(self, one: FollowUp) -> bool:
        """Whether somebody who talks waits for the same model."""
        if not self._asking.shared or await self._bus.queued("llm") == 0:
            return False
        await self._archive.put_off(one, _GIVE_WAY)
        return True

    async def _tell(self, one: FollowUp) -> Became:
        row = await self._archive.told(one.session)
        if row is None:
            return "elsewhere"
        url = self._webhooks.url_of(row.told.agent)
        if not url:
            raise Undelivered(f"nobody is to be told of agent {row.told.agent}: WEBHOOK_URL is not set", final=True)
        body = message(one.about, row.told.ended_at or row.told.at, row.told.view())
        await self._webhooks.send(url, one.id, int(await self._archive.now() // 1_000_000), body)
        return "done" if await self._archive.followed(one) else "elsewhere"

    async def _summarize(self, one: FollowUp) -> Became:
        if await self._gives_way(one):
            return "waits"
        row = await self._archive.told(one.session)
        if row is None:
            return "elsewhere"
        gist = await self._summaries.of(self._archive, one.session)
        told: list[Follows] = [("webhook", SUMMARIZED)] if gist.text and self._webhooks.url_of(row.told.agent) else []
        return "done" if await self._archive.put_gist(one, gist, told) else "elsewhere"

    async def _fill(self, one: FollowUp) -> Became:
        if await self._gives_way(one):
            return "waits"
        state, row = await self._state(one.session), await self._archive.told(one.session)
        if state is None or row is None:
            return "elsewhere"
        made = await self._results.of(self._archive, one.session, state.agent.result, row.told.fields)
        if made.error:  # which may hold what was said
            log.warning("no result; `antiphon show` says why", extra={"session": one.session})
        told: list[Follows] = [("webhook", RESULT)] if self._webhooks.url_of(row.told.agent) else []
        return "done" if await self._archive.put_result(one, made.result, made.error, told) else "elsewhere"

    async def _remember(self, one: FollowUp) -> Became:
        if await self._gives_way(one):
            return "waits"
        state, began = await self._state(one.session), await self._began(one.session)
        if state is None or began is None:
            return "elsewhere"
        agent, caller, spec = began.name, caller_of(state), began.memory
        before = await self._archive.memory(agent, caller)
        notes = await self._memories.of(self._archive, one.session, spec, before.text if before is not None else "")
        if not notes:
            return "done" if await self._archive.followed(one) else "elsewhere"
        if await self._archive.put_memory(one, agent, caller, notes, days=spec.days, before=before):
            return "done"
        return "waits" if await self._archive.put_off(one, 1.0) else "elsewhere"

    async def _state(self, session: str) -> SessionState | None:
        """As its log folds. None: it is gone."""
        found = None
        async for step in steps_of(self._archive, session):
            found = step.state
        return found

    async def _began(self, session: str) -> AgentSpec | None:
        """The agent with which it began, to whom its caller is known. None: it is gone."""
        async for event in events_of(self._archive, session):
            return event.agent if isinstance(event, SessionStarted) else None
        return None

    async def _failed(self, one: FollowUp, error: AntiphonError) -> Became:
        pause = pause_after(one.failures + 1, self._dice)
        final = isinstance(error, SettingsError)
        if isinstance(error, Undelivered):
            pause, final = max(pause, error.wait), error.final
        over = Micros(one.began_at + round(FOR * 1e6)) < await self._archive.now() + pause * 1e6
        given_up = final or over
        extra = {"session": one.session}
        try:
            if not await self._archive.follow_failed(one, str(error), None if given_up else pause):
                return "elsewhere"
        except (ArchiveError, BusError) as worse:  # it is held no longer by itself, after a while
            log.warning("%s: %s; %s", one.kind, error, worse, extra=extra)
            return "again"
        if given_up:
            said = "%s given up after %d tries: %s; antiphon archive again %s"
            log.error(said, one.kind, one.failures + 1, error, one.id, extra=extra)
            return "failed"
        log.warning("%s not done yet, again in %.0f s: %s", one.kind, pause, error, extra=extra)
        return "again"
