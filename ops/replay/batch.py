"""Many sessions replayed with another setting, each compared with what it was.

What a fork is called says what it is of, and by which wish: whoever wishes for the same again finds those that were made, and
goes on with the rest.
"""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ops.replay._better import COUNTS, Reference, Report, Row, row_of
from ops.replay.settings import anew_for
from ops.replay.stages import Going, Pools, Taken, fork_id, replay_stages
from ops.replay.turns import events_to_replay, started
from schemas.bus import Reading
from schemas.config.agent import AgentSpec
from schemas.config.changing import with_settings
from schemas.errors import AntiphonError, ArchiveError, BusError
from schemas.events import STAGES, Event, SessionEnded, Stage
from schemas.session.comparing import differences, told
from schemas.session.history import events_of
from schemas.session.listing import Kept, Rows
from schemas.session.summary import Wanted

__all__ = ["COUNTS", "AtWork", "Reference", "Report", "Row", "Wish", "batch", "sessions_for"]

_WAITS = 5.0
"""Seconds between two looks at a fork that somebody else makes."""


@dataclass(frozen=True, slots=True)
class Wish:
    """`sets`: settings by their paths; `agent`: another one instead of each session's own; `anew`: stages that do all their work
    again (None: those of which something changed); `reference`: what transcripts are held to; `mark`: another one, and what was
    made before is not found."""

    sets: Mapping[str, Any] = field(default_factory=dict)
    agent: AgentSpec | None = None
    anew: tuple[Stage, ...] | None = None
    reference: Reference = "auto"
    mark: str = ""

    def again(self) -> "Wish":
        """The same, from the beginning."""
        return Wish(self.sets, self.agent, self.anew, self.reference, secrets.token_hex(4))

    @property
    def key(self) -> str:
        """What makes a fork another one."""
        agent = self.agent.model_dump(mode="json") if self.agent is not None else None
        anew = sorted(self.anew) if self.anew is not None else None
        return json.dumps([dict(self.sets), agent, anew, self.mark], sort_keys=True, default=str)

    def agent_for(self, own: AgentSpec) -> tuple[AgentSpec, dict[str, Any]]:
        """AgentSpecError."""
        return with_settings(own, self.sets, self.agent)

    def anew_for(self, changed: Mapping[str, Any]) -> tuple[Stage, ...]:
        return anew_for(changed) if self.anew is None else tuple(stage for stage in STAGES if stage in self.anew)


@dataclass(frozen=True, slots=True)
class AtWork:
    """`done` of `of` sessions are behind it, `found` of which were there already; `session`: one that is being replayed, `going`:
    how far that is."""

    done: int
    of: int
    found: int = 0
    session: str = ""
    going: Going | None = None


Telling = Callable[[AtWork], Awaitable[None]]


async def sessions_for(log: Kept, wanted: Wanted | None, most: int) -> tuple[list[str], bool]:
    """The latest `most` closed sessions that are wanted, and whether there are more; no forks."""
    found: list[str] = []
    async for row in Rows(log).each(replace(wanted or Wanted(), forks=False)):
        if row.info.state == "open":
            continue
        if len(found) == most:
            return found, True
        found.append(row.told.session)
    return found, False


async def batch(
    source: Reading, pools: Pools, sessions: Sequence[str], wish: Wish, *, at_once: int = 2, tell: Telling | None = None,
    drop: Callable[[str], Awaitable[None]] | None = None,
) -> Report:  # fmt: skip
    """Replay `sessions`, `at_once` of them at a time. `source`: the log and the archive, where they and their forks are read;
    `pools`: the log whose workers do it, and which keeps the forks; `tell`: how far it is; what it raises ends it; `drop`:
    deletes a fork for good, whose session was deleted while it was replayed. Cancelled, what is done is kept, and found by the
    next that wishes the same. BusError, ArchiveError: nothing goes on without; a session that can't be replayed is told in its
    row."""
    many = _Many(source, pools, len(sessions), wish, tell, drop)
    free = asyncio.Semaphore(max(1, at_once))

    async def one(session: str) -> Row:
        async with free:
            return await many.row(session)

    tasks = [asyncio.create_task(one(session), name=f"replaying {session}") for session in sessions]
    try:
        return Report(list(await asyncio.gather(*tasks)))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Many:
    def __init__(
        self, source: Reading, pools: Pools, of: int, wish: Wish, tell: Telling | None,
        drop: Callable[[str], Awaitable[None]] | None,
    ) -> None:  # fmt: skip
        self._source, self._pools, self._of, self._wish, self._tell, self._drop = source, pools, of, wish, tell, drop
        self._done = self._found = 0
        self._stopped: BaseException | None = None

    async def row(self, session: str) -> Row:
        try:
            row = await self._row(session)
        except (BusError, ArchiveError):
            raise
        except AntiphonError as error:
            if error is self._stopped:
                raise
            row = Row(session, error=str(error))
        self._done += 1
        await self._say(session)
        return row

    async def _row(self, session: str) -> Row:
        await self._say(session)
        before = await events_to_replay(self._source, session)
        if not before or not isinstance(before[-1], SessionEnded):
            raise AntiphonError(
                f"{session} is over, and its log has no session.ended: part of it is lost; it can't be replayed"
            )
        fork = fork_id(session, self._wish.key)
        while not await self._is_there(fork):
            try:
                await self._replay(session, before, fork)
                break
            except Taken:
                await asyncio.sleep(_WAITS)
                await self._say(session)
        else:
            self._found += 1
        if self._drop is not None and await self._source.info(session) is None:
            await self._drop(fork)
            raise AntiphonError(f"{session} was deleted while it was replayed; so is its fork")
        was, now = await told(self._source, session), await told(self._source, fork)
        after = [event async for event in events_of(self._source, fork)]

        def compared() -> Row:
            diff = differences(was, now)
            return row_of(session, fork, diff, before, after, self._wish.reference, self._wish.anew or ())

        return await asyncio.to_thread(compared)  # word by word: whoever shares the loop does not wait for it

    async def _is_there(self, fork: str) -> bool:
        info = await self._source.info(fork)
        return info is not None and info.state == "closed"

    async def _replay(self, session: str, events: Sequence[Event], fork: str) -> None:
        agent, changed = self._wish.agent_for(started(session, events).agent)
        going: asyncio.Queue[Going] = asyncio.Queue(1)

        def follow(how: Going) -> None:
            if not going.full():
                going.put_nowait(how)

        async def pass_on() -> None:
            while True:
                await self._say(session, await going.get())

        telling = asyncio.create_task(pass_on())
        replaying = asyncio.create_task(
            replay_stages(
                self._source, session, events, self._pools, stage="all", anew=self._wish.anew_for(changed), agent=agent,
                changed=changed, going=follow, sound=False, name=fork,
            )
        )  # fmt: skip
        try:
            await asyncio.wait({telling, replaying}, return_when=asyncio.FIRST_COMPLETED)
            if not replaying.done():
                telling.result()  # it raised: somebody stops it
            forked = await replaying
        finally:
            telling.cancel()
            replaying.cancel()
            await asyncio.gather(telling, replaying, return_exceptions=True)
        if forked.broken_off:
            raise asyncio.CancelledError

    async def _say(self, session: str, going: Going | None = None) -> None:
        if self._tell is not None:
            try:
                await self._tell(AtWork(self._done, self._of, self._found, session, going))
            except BaseException as error:
                self._stopped = error
                raise
