"""Recordings as callers: how one is found again after a take-over. (Whoever opens a session with one gives it a `FileRoom`.)"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from gateway.rooms.file.room import CALLER, FileRoom
from schemas.clock import Clock
from schemas.events import SessionStarted


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
