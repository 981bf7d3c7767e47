"""Recordings as callers: a session with one, and how it is found again after a take-over."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from gateway.rooms.file.room import CALLER, FileRoom
from gateway.sessions.reception import Reception, new_session
from schemas.clock import Clock
from schemas.events import SessionStarted


async def converse(
    reception: Reception, source: Path, target: Path | None, *, agent: str = "", real_time: bool = True
) -> str:
    """A session with a recording for a caller, to its end; answers the session's id. AudioFileError, AgentSpecError."""
    room = FileRoom(source, target, reception.house.clock, real_time=real_time)
    session = await reception.open(new_session("file"), room, reception.agents.find(agent))
    await session.over.wait()
    await room.closed.wait()
    return session.name


def rejoin_file(
    clock: Clock,
) -> Callable[[str, SessionStarted, Mapping[str, Any], Collection[str]], Awaitable[FileRoom | None]]:
    """After a take-over the recording goes on where it was last held, if this machine has it, as whom the log knows."""

    async def rejoin(
        session: str, beginning: SessionStarted, positions: Mapping[str, Any], present: Collection[str]
    ) -> FileRoom | None:
        source, target, pace = [*beginning.room.split("|"), "", ""][:3]
        if not await asyncio.to_thread(Path(source).is_file):
            return None
        start = float(positions.get("room", 0.0))
        return await asyncio.to_thread(
            FileRoom, Path(source), Path(target) if target else None, clock, real_time=pace != "fast", start=start,
            participant=next(iter(present), CALLER), joins=not present,
        )  # fmt: skip

    return rejoin
