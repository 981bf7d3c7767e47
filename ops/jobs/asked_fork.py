"""A session is forked: replayed from a turn on with other settings, and kept as a session of its own."""

import asyncio
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.jobs.doing import Doing, Progress, keep
from schemas.config.agent import AgentSpec
from schemas.errors import AntiphonError
from schemas.events import Event, SessionStarted

__all__ = ["Forked", "fork", "fork_name", "forked", "is_fork"]

_FORK = re.compile(r"-fork-[0-9a-f]{6}$")
_LONGEST = 200
_TURNS = ("turn_taking", "limits", "name", "greeting", "fallback", "filler", "patience", "repeat")
"""What turn-taking decides by."""


@dataclass(frozen=True, slots=True)
class Forked:
    """`events`: of the fork; `notes`: what was estimated, or is gone, a sentence each."""

    session: str
    events: list[Event]
    notes: list[str]


async def fork(doing: Doing, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """`request`: `session`, `from_turn` (None: all of it), `agent` (the whole spec, as JSON values), `changed` (what is other
    in it, by its path)."""
    session = str(request["session"])
    made = await forked(
        doing,
        session,
        AgentSpec.model_validate(request["agent"]),
        request["changed"],
        request.get("from_turn"),
        progress,
    )
    return {"session": made.session, "events": len(made.events), "notes": made.notes}


async def forked(
    doing: Doing,
    session: str,
    agent: AgentSpec,
    changed: Mapping[str, Any],
    from_turn: int | None,
    progress: Progress,
    *,
    done: int = 0,
    of: int = 3,
) -> Forked:
    """`done`, `of`: how far all is of which this is a part. AntiphonError: it can't be replayed so."""
    await progress(done, of, f"reading {session}")
    events = await doing.events(session)
    if not events or not isinstance(events[0], SessionStarted):
        raise AntiphonError(f"{session}: its log does not begin with session.started; it can't be replayed")
    await progress(done + (of > 1), of, f"replaying {session}")
    replayed, notes = await _replayed(events, session, agent, changed, from_turn)
    await progress(done + 2 * (of > 1), of, "keeping the fork")
    name = fork_name(session)
    if missing := await keep(doing, name, replayed):
        notes.append(f"{missing} of its sounds were gone already")
    return Forked(name, replayed, notes)


async def _replayed(
    events: list[Event], session: str, agent: AgentSpec, changed: Mapping[str, Any], from_turn: int | None
) -> tuple[list[Event], list[str]]:
    """Here the stages that depend on what changed are done again. (Turn-taking alone, so far.)"""
    from ops.replay.turns import replay

    if others := [name for name in changed if name.partition(".")[0] not in _TURNS]:
        raise AntiphonError(f"{', '.join(others[:5])}: only what turn-taking decides by can be replayed here yet")
    found = await asyncio.to_thread(replay, events, agent, session=session, changed=changed, from_turn=from_turn)
    notes = [f"turn {note.turn}: {note.what}" if note.turn else note.what for note in found.notes]
    if not found.exact:
        notes.insert(0, "its log is from before edges of speech were kept: they are read off its facts")
    return found.events, notes[:50]


def is_fork(session: str) -> bool:
    """By its name."""
    return _FORK.search(session) is not None


def fork_name(session: str) -> str:
    """A fork's fork is called after the first of them."""
    return f"{_FORK.sub('', session)[:_LONGEST]}-fork-{secrets.token_hex(3)}"
