"""What those who do what was asked for are given: the log and the archive, settings, and whom they tell how far they are."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.archive.both import Both
from schemas.archive.store import Archive, Follows
from schemas.bus import Bus
from schemas.config.settings import Settings
from schemas.session.summary import Summary

if TYPE_CHECKING:
    from ops.jobs.letting_go import LettingGo

__all__ = ["Doing", "Progress"]

_OFTEN = 0.2
"""Seconds between two words about how far something is."""


@dataclass(frozen=True, slots=True)
class Doing:
    """`both`: the log and the archive, to be read; `log`: where forks are kept, and archived from like all that is over;
    `archive`: where imports are, and what `follows` is done with them."""

    log: Bus
    both: Both
    archive: Archive
    settings: Settings
    letting_go: "LettingGo"
    follows: Callable[[Summary], Sequence[Follows]] = lambda _: ()

    @classmethod
    def over(
        cls,
        log: Bus,
        archive: Archive,
        settings: Settings,
        letting_go: "LettingGo",
        follows: Callable[[Summary], Sequence[Follows]] = lambda _: (),
    ) -> "Doing":
        async def opened() -> Archive:
            return archive

        return cls(log, Both(log, opened), archive, settings, letting_go, follows)


class Progress:
    """`tell(done, of, doing)`: at most five times a second; raises Stopped when somebody asked for that. `note(result)`: keeps
    what came of it, so that whoever takes it up again after a death has it."""

    def __init__(
        self,
        tell: Callable[[int, int, str], Awaitable[None]],
        by: str = "",
        note: Callable[[dict[str, Any]], Awaitable[None]] | None = None,
    ) -> None:
        self.by = by
        self._tell, self._note, self._told = tell, note, float("-inf")

    async def __call__(self, done: int, of: int, doing: str = "") -> None:
        if time.monotonic() - self._told >= _OFTEN or done == of:
            self._told = time.monotonic()
            await self._tell(done, of, doing)

    async def made(self, result: dict[str, Any]) -> None:
        """All is done but for what may be lost with it: from now on this is what comes of it, whoever says so."""
        if self._note is not None:
            await self._note(result)
