"""The agents' files, looked at once a second for all who watch them; read only when they were changed.

Not by the system's own notices of changes: those do not come from network disks, nor from a container's host.
"""

import asyncio
from collections.abc import AsyncIterator, Hashable

from api import agent_files
from api.agent_files import Folder
from api.shared_look import SharedLook
from schemas.config.agents import Agents
from schemas.errors import BusError


class AgentWatch:
    """One a process; nothing is looked at while nobody watches."""

    def __init__(self) -> None:
        self._shared = SharedLook[Folder]()
        self._seen: tuple[Hashable, Folder] | None = None

    async def each(self, agents: Agents) -> AsyncIterator[Folder | None]:
        """For ever: what lies there now, then what does whenever that is something else; None: nothing was changed for long."""
        async for found in self._shared.each(lambda: asyncio.to_thread(self._look, agents)):
            assert not isinstance(found, BusError)  # the log has nothing to do with it
            yield found

    def _look(self, agents: Agents) -> Folder:
        mark = agent_files.mark_of(agents)  # before they are read: what is written meanwhile is seen the next time
        if self._seen is None or self._seen[0] != mark:
            self._seen = (mark, agent_files.read_all(agents))
        return self._seen[1]
