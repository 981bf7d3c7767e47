"""The indexes of agents' files, made off the event loop, and anew when a file was changed."""

import asyncio
import logging
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from schemas.config.knowledge import KnowledgeSpec, Stamp, WrongKnowledgeError, read, stamp
from workers.knowledge._index import NONE, Found, Index
from workers.knowledge._passages import passages

__all__ = ["Libraries", "Wanted"]

log = logging.getLogger("antiphon.knowledge")

_KEPT = 32
"""Agents whose indexes are kept."""
_LOOK = 1.0
"""Seconds for which files are taken as they were seen."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question to an agent's files. `language`: the agent's."""

    query: str
    language: str
    spec: KnowledgeSpec


class Libraries:
    """One a process. `folder`: where the agent of a name lies, None: it is not among ours; it is asked in a thread."""

    def __init__(self, folder: Callable[[str], Path | None]) -> None:
        self._folder = folder
        self._kept: OrderedDict[tuple[str, str], _Library] = OrderedDict()

    async def find(self, agent: str, wanted: Wanted) -> Found:
        """Never raises: files that have become wrong stay as they were, those that are not here say nothing, and the log says
        so once."""
        key = agent, wanted.language
        known = self._kept.get(key)
        if known is None:
            known = self._kept[key] = _Library(agent, wanted.language, self._folder)
            if len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        async with known.lock:  # who comes while it is made waits for it, and makes no second one
            index = await asyncio.to_thread(known.present)
        if index is None:
            return NONE
        try:
            return await asyncio.to_thread(index.find, wanted.query, wanted.spec.passages, wanted.spec.characters)
        except sqlite3.Error as error:
            known.tell(f"the knowledge of the agent {agent} can't be searched: {error}")
            return NONE


class _Library:
    def __init__(self, agent: str, language: str, folder: Callable[[str], Path | None]) -> None:
        self.lock = asyncio.Lock()
        self._agent, self._language, self._folder = agent, language, folder
        self._index: Index | None = None
        self._stamp: Stamp | None = None
        self._looked = float("-inf")
        self._said = ""

    def present(self) -> Index | None:
        """As the files are now."""
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return self._index
        self._looked = now
        folder = self._folder(self._agent)
        if folder is None:
            self.tell(
                f"the folder of the agent {self._agent} is not among AGENTS of this worker: its knowledge is left out; "
                "give workers the agents that gateways have"
            )
            return self._index
        try:
            seen = stamp(folder)
            if seen != self._stamp:
                texts = read(folder)
                self._index = Index(
                    (one for file, text in texts.items() for one in passages(file, text)), self._language
                )
                self._stamp, self._said = seen, ""
                log.info("%s: %d passages of %d files", folder, len(self._index), len(texts))
        except sqlite3.Error as error:
            self.tell(f"{folder}: this Python's SQLite can't search its knowledge ({error}); expected one with FTS5")
        except (WrongKnowledgeError, OSError) as error:
            self.tell(f"{error}; the agent's knowledge stays as it was")
        return self._index

    def tell(self, what: str) -> None:
        """Once, until something else is wrong."""
        if what != self._said:
            self._said = what
            log.error("%s", what)
