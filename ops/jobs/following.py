"""What follows once a session is archived: a webhook, a summary, a recording, as settings say. Each is tried, tried again for a
day, longer and longer apart, and then given up and listed."""

import logging
import random
from collections.abc import Callable, Sequence
from typing import Literal

from ops.jobs.figures import JobFigures
from ops.jobs.recordings import keep_recording
from ops.jobs.summaries import Summaries
from ops.jobs.webhooks import Undelivered, Webhooks, message
from schemas.archive.store import Archive, FollowKind, Follows, FollowUp, follow_kind
from schemas.bus import Counting
from schemas.clock import Micros
from schemas.config.settings import Settings
from schemas.errors import AntiphonError, ArchiveError, BusError, SettingsError
from schemas.session.summary import Summary

__all__ = ["ENDED", "FOR", "HELD", "KINDS", "SUMMARIZED", "Became", "Following", "follows_of", "pause_after"]

log = logging.getLogger("antiphon.jobs")

ENDED, SUMMARIZED = "session.ended", "session.summarized"
"""What webhooks tell."""
KINDS: tuple[FollowKind, ...] = ("webhook", "summary", "recording")
FOR = 86_400.0
"""Seconds for which something is tried."""
HELD: dict[FollowKind, float] = {"webhook": 60.0, "summary": 360.0, "recording": 960.0}
"""Seconds for which one try has it; each ends well before that."""
_FIRST, _TIMES, _LONGEST = 5.0, 3.0, 14_400.0
"""Seconds before the second try, how many times as long before each further one, and at most."""
_GIVE_WAY = 10.0
"""Seconds after which a summary is tried again that gave way to people who are talking."""

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
        return wanted

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
        self._summaries = Summaries(settings)

    async def aclose(self) -> None:
        await self._webhooks.aclose()
        await self._summaries.aclose()

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
        if self._summaries.shared and await self._bus.queued("llm") > 0:
            await self._archive.put_off(one, _GIVE_WAY)
            return "waits"
        row = await self._archive.told(one.session)
        if row is None:
            return "elsewhere"
        gist = await self._summaries.of(self._archive, one.session)
        told: list[Follows] = [("webhook", SUMMARIZED)] if gist.text and self._webhooks.url_of(row.told.agent) else []
        return "done" if await self._archive.put_gist(one, gist, told) else "elsewhere"

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
