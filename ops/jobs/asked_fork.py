"""A session is forked: replayed from a turn on with other settings, and kept as a session of its own."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ops.jobs.doing import Doing, Progress, keep
from schemas.config.agent import AgentSpec
from schemas.errors import AntiphonError
from schemas.events import Event, SessionStarted
from schemas.log.keys import FORK

if TYPE_CHECKING:
    from ops.replay.stages import Going, Which

__all__ = ["Forked", "fork", "forked", "is_fork", "stage_of"]

_NOTES = 50
_STAGES: "Mapping[Which, tuple[str, ...]]" = {
    "stt": ("stt", "language"),
    "llm": ("instructions", "llm", "prompt_attributes"),
    "tts": ("voice", "tts"),
}
"""Stage → what of an agent it works by; all else is turn-taking's."""


@dataclass(frozen=True, slots=True)
class Forked:
    """`session`: its id; `stage`: what was done anew, "": turn-taking alone; `notes`: what was estimated, or is
    gone, a sentence each."""

    session: str
    stage: str
    events: int
    notes: list[str]


async def fork(doing: Doing, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """`request`: `session`, `from_turn` (None: all of it), `agent` (the whole spec, as JSON values), `changed` (what is other
    in it, by its path)."""
    session, spec = str(request["session"]), AgentSpec.model_validate(request["agent"])
    made = await forked(doing, session, spec, request["changed"], request.get("from_turn"), progress)
    return {"session": made.session, "stage": made.stage, "events": made.events, "notes": made.notes}


async def forked(
    doing: Doing,
    session: str,
    agent: AgentSpec,
    changed: Mapping[str, Any],
    from_turn: int | None,
    progress: Progress,
) -> Forked:
    """It tells `progress` seconds of the call. AntiphonError: it can't be replayed so."""
    await progress(0, 0, "reading the session")
    events = await doing.events(session)
    if not events or not isinstance(events[0], SessionStarted):
        raise AntiphonError(f"{session}: its log does not begin with session.started; it can't be replayed")
    stage = stage_of(changed)
    if stage is None:
        return await _by_turns(doing, session, events, agent, changed, from_turn, progress)
    return await _by_stages(doing, session, events, agent, changed, from_turn, stage, progress)


def stage_of(changed: Mapping[str, Any]) -> "Which | None":
    """The stage that works anew: what follows it and comes out otherwise is made anew by itself. None: turn-taking alone."""
    found: list[Which] = [stage for stage, names in _STAGES.items() if any(_is_of(path, names) for path in changed)]
    return None if not found else found[0] if len(found) == 1 else "all"


def _is_of(path: str, names: tuple[str, ...]) -> bool:
    """Some of what is called so is turn-taking's."""
    own = path not in ("stt.end_of_turn", "stt.partials")
    return own and any(path == name or path.startswith(f"{name}.") for name in names)


async def _by_turns(
    doing: Doing,
    session: str,
    events: list[Event],
    agent: AgentSpec,
    changed: Mapping[str, Any],
    from_turn: int | None,
    progress: Progress,
) -> Forked:
    """In virtual time; everything else is as it was recorded."""
    from ops.replay.turns import replay

    await progress(0, 0, "deciding its turns again")
    found = await asyncio.to_thread(replay, events, agent, session=session, changed=changed, from_turn=from_turn)
    notes = [f"turn {note.turn}: {note.what}" if note.turn else note.what for note in found.notes[:_NOTES]]
    if not found.exact:
        notes.insert(0, "its log is from before edges of speech were kept: they are read off its facts")
    await progress(0, 0, "keeping the fork")
    name = f"{FORK}{session.removeprefix(FORK)[:80]}-{secrets.token_hex(3)}"
    if missing := await keep(doing, name, found.events):
        notes.append(f"{missing} of its sounds were gone already")
    return Forked(name, "", len(found.events), notes)


async def _by_stages(
    doing: Doing,
    session: str,
    events: list[Event],
    agent: AgentSpec,
    changed: Mapping[str, Any],
    from_turn: int | None,
    stage: "Which",
    progress: Progress,
) -> Forked:
    """By the worker pools, as jobs like any other."""
    from ops.replay.stages import replay_stages

    async with _telling(progress) as going:
        found = await replay_stages(
            doing.both,
            session,
            events,
            doing.log,
            stage=stage,
            agent=agent,
            changed=changed,
            from_turn=from_turn,
            going=going,
        )
    if found.broken_off:
        raise asyncio.CancelledError
    notes = [f"turn {note.turn}: {note.what}" if note.turn else note.what for note in found.notes[:_NOTES]]
    for of, counts in found.jobs().items():
        if told := ", ".join(f"{count} {_WORDS[how]}" for how, count in counts.items() if count):
            notes.append(f"{of.upper()}: {told}")
    if found.gone:
        notes.append(f"{found.gone} of its sounds were gone already")
    return Forked(found.session, stage, len(found.events), notes)


_WORDS = {"made": "made anew", "reused": "as recorded", "estimated": "estimated"}


@contextlib.asynccontextmanager
async def _telling(progress: Progress) -> "AsyncIterator[Callable[[Going], None]]":
    """What is told in passing is told on, now and then."""
    last: Going | None = None

    def going(told: "Going") -> None:
        nonlocal last
        last = told

    async def tell() -> None:
        while True:
            if last is not None:
                of = max(1, round(last.length))
                await progress(min(round(last.at), of - 1), of, f"{last.done} jobs done by the workers")
            await asyncio.sleep(0.3)

    telling = asyncio.ensure_future(tell())
    try:
        yield going
    finally:
        telling.cancel()
        await asyncio.gather(telling, return_exceptions=True)


def is_fork(session: str) -> bool:
    """By its name."""
    return session.startswith(FORK)
