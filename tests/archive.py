"""Sessions that are over, kept as an archive would keep them: their events and sounds, and no log anywhere."""

from schemas.bus import SessionInfo, Snapshot
from schemas.clock import Micros
from schemas.events import Event


class Archive:
    """`Reading` and `Listing` of `logs`, which are named s1, s2, …; `blobs`: PCM by key."""

    def __init__(self, *logs: list[Event]) -> None:
        self.logs = {f"s{number}": log for number, log in enumerate(logs, 1)}
        self.blobs: dict[str, bytes] = {}

    async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
        return [event for event in self.logs.get(session, []) if event.seq > after][:count]

    async def snapshot(self, session: str) -> Snapshot | None:
        return None

    async def info(self, session: str) -> SessionInfo | None:
        log = self.logs.get(session)
        return SessionInfo(session, 0, log[-1].seq, "closed", "", 1, 0, Micros(0), log[-1].at) if log else None

    async def get_blob(self, key: str) -> bytes | None:
        return self.blobs.get(key)

    async def sessions(self, count: int = 100) -> list[SessionInfo]:
        return []

    async def closed(self, count: int = 100) -> list[SessionInfo]:
        return [info for session in list(self.logs)[:count] if (info := await self.info(session))]

    async def now(self) -> Micros:
        return Micros(max(log[-1].at for log in self.logs.values()))
