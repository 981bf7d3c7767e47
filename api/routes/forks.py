"""Sessions again: one forked from a turn with other settings, many at once; two compared."""

import asyncio
import json
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from api import jobs
from api.access.who import Operator
from api.house import Here, House
from api.jobs import JobView
from api.problems import Problem
from api.routes.asks import LONGEST_INSTRUCTIONS
from api.routes.sessions import SessionId
from api.sessions.compared import CompareView, Comparing
from api.sessions.shapes import forked_from
from api.sessions.stories import LONGEST_ID
from api.times import Moment, iso, micros
from schemas.config.agent import AgentSpec
from schemas.config.changing import with_settings
from schemas.errors import AgentSpecError
from schemas.events import SessionStarted, TransportName
from schemas.log.keys import forks_begin
from schemas.session.summary import Wanted

router = APIRouter(prefix="/v1", tags=["replay"])

MOST_AT_ONCE = 200
"""Sessions of a batch."""
_MOST_EVENTS = 100_000
_FORKS, _LOOKED_AT = 20, 50
"""Of a session's forks, those that are told, and sessions whose ids are looked at for it."""
_MAY_SET = (
    "instructions", "greeting", "fallback", "filler", "patience", "repeat", "language", "voice", "turn_taking", "limits",
    "greeting_interruptible", "idle.after", "idle.say", "idle.times", "idle.goodbye",
    "stt.model", "stt.end_of_turn", "stt.complete", "stt.partials", "llm.model", "llm.temperature", "llm.max_tokens", "llm.seed",
    "tts.model",
)  # fmt: skip
"""Whom a provider is, and how it is reached, stands in files that admins save: a key would go wherever an address says."""
_comparing = Comparing(most_events=_MOST_EVENTS)

Name = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[a-z_]+(\.[a-z_]+)*$")]
Value = bool | int | float | Annotated[str, StringConstraints(max_length=4_000)] | list[
    Annotated[str, StringConstraints(max_length=200)]
]  # fmt: skip
_Settings = Annotated[dict[Name, Value], Field(max_length=60)]


class _Changes(BaseModel):
    """`agent`: one of the agents there are, in place of the recorded one; the rest is changed in it. `settings`: by their path in
    an agent file, `turn_taking.commit_max`."""

    model_config = ConfigDict(extra="forbid")

    agent: Annotated[str, StringConstraints(max_length=256)] = ""
    instructions: Annotated[str, StringConstraints(max_length=LONGEST_INSTRUCTIONS)] | None = None
    model: Annotated[str, StringConstraints(max_length=200)] | None = None
    settings: _Settings = {}

    def sets(self) -> dict[str, Any]:
        """Problem 422: one of them is not to be set here."""
        found: dict[str, Any] = dict(self.settings)
        for name in found:
            if not any(name == known or name.startswith(f"{known}.") for known in _MAY_SET):
                raise Problem(
                    422, "setting", f"settings.{name}: this is set in the agent's file; here {', '.join(_MAY_SET)} are"
                )
        if self.instructions is not None:
            found["instructions"] = self.instructions
        if self.model is not None:
            found["llm.model"] = self.model
        return found


class ForkAsk(_Changes):
    """`from_turn`: what was before this turn is as it was; null: nothing is."""

    from_turn: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class ForkView(BaseModel):
    """`turn`, `changed`: as `forked_from` of a session."""

    session: str
    made_at: str
    turn: int | None
    changed: dict[str, Any]


class Forks(BaseModel):
    """The latest first."""

    forks: list[ForkView]


class BatchFilter(BaseModel):
    """Which sessions, as in GET /v1/sessions; only those that are over, and no forks."""

    model_config = ConfigDict(extra="forbid")

    agent: Annotated[str, StringConstraints(max_length=200)] = ""
    caller: Annotated[str, StringConstraints(max_length=200)] = ""
    transport: TransportName | None = None
    since: Moment | None = None
    slow_ms: Annotated[float, Field(ge=0, le=1e7)] = 0
    failed: bool | None = None
    q: Annotated[str, StringConstraints(max_length=200)] = ""


class BatchAsk(_Changes):
    """`most`: the latest so many of those that are wanted."""

    filter: BatchFilter = BatchFilter()
    most: Annotated[int, Field(ge=1, le=MOST_AT_ONCE)] = 50


@router.post("/sessions/{session}/forks", status_code=202)
async def fork(house: Here, who: Operator, session: SessionId, ask: ForkAsk) -> JobView:
    """Replay the session with other settings, from a turn on: as a session of its own, which `result.session` names; this one
    stays as it is. 404: there is no such session or turn; 409: it goes on; 422: a setting can't be so, or nothing is changed."""
    story = await house.sessions.stories.told(session)
    if not story.state.ended:
        raise Problem(409, "open", f"session {session[:200]!r} goes on; it can be forked once it has ended")
    if ask.from_turn is not None and ask.from_turn not in story.state.turns:
        raise Problem(404, "missing", f"there is no turn {ask.from_turn} in this session")
    spec, changed = _changed(story.state.agent, ask, await _named(house, ask.agent))
    if not changed:
        raise Problem(
            422, "unchanged", "everything is as it was recorded; change something, then it is another session"
        )
    request = {
        "session": session, "from_turn": ask.from_turn, "changed": changed, "agent": spec.model_dump(mode="json"),
        "agent_name": ask.agent,
    }  # fmt: skip
    return await jobs.ask(house, "fork", request, who.name)


@router.get("/sessions/{session}/forks")
async def forks(house: Here, who: Operator, session: SessionId) -> Forks:
    """What was made of it by replays: the latest 20. 404: there is no such session."""
    await house.sessions.stories.exists(session)
    begins = forks_begin(session)
    rows, _ = await house.sessions.page(Wanted(text=begins.casefold()), _LOOKED_AT, "")
    names = [name for row in rows if (name := json.loads(row)["session"]).startswith(begins)]
    found = await asyncio.gather(*(_fork(house, name, session) for name in names))
    return Forks(forks=[one for one in found if one is not None][:_FORKS])


async def _fork(house: House, name: str, original: str) -> ForkView | None:
    """None: it is another's, whose id begins alike, or gone meanwhile."""
    first = await house.sessions.stories.reader.read(name, 0, 1)
    if not first or not isinstance(first[0], SessionStarted):
        return None
    origin = forked_from(first[0].metadata)
    if origin is None or origin.session != original:
        return None
    return ForkView(session=name, made_at=iso(first[0].at), turn=origin.turn, changed=origin.changed)


@router.post("/batches", status_code=202)
async def batch(house: Here, who: Operator, ask: BatchAsk) -> JobView:
    """Replay many sessions with another setting. `result`: `figures` (before and after), `waits_ms`, and of each of the
    `sessions` its fork and whether it got better, worse, or neither. 422: a setting can't be so, or nothing is changed."""
    sets, other = ask.sets(), await _named(house, ask.agent)
    if not sets and other is None:
        raise Problem(422, "unchanged", "everything would be as it was recorded; give a setting, or an agent")
    _changed(AgentSpec(), ask, other)
    asked = ask.filter
    wanted = {
        "agent": asked.agent, "caller": asked.caller.casefold(), "transport": asked.transport or "",
        "since": micros(asked.since), "slow": asked.slow_ms / 1e3, "failed": asked.failed, "text": asked.q.casefold(),
    }  # fmt: skip
    spec = other.model_dump(mode="json") if other is not None else None
    request = {"filter": wanted, "most": ask.most, "set": sets, "agent": spec, "agent_name": ask.agent}
    return await jobs.ask(house, "batch", request, who.name)


@router.get("/compare")
async def compare(
    house: Here,
    who: Operator,
    a: Annotated[str, Query(min_length=1, max_length=LONGEST_ID, description="A session's id.")],
    b: Annotated[
        str, Query(min_length=1, max_length=LONGEST_ID, description="Another's, the subject of each sentence.")
    ],
) -> CompareView:
    """Where two sessions part, turn by turn: what was heard, decided, said, and how long it took. 404: there is no such session;
    413: one is too long."""
    return await _comparing.compare(house.sessions.stories, a, b)


async def _named(house: House, name: str) -> AgentSpec | None:
    """Problem 404: there is no such agent, or its file is wrong."""
    if not name:
        return None
    try:
        return await asyncio.to_thread(house.agents.find, name)
    except AgentSpecError as error:
        raise Problem(404, "missing", str(error)) from None


def _changed(agent: AgentSpec, ask: _Changes, other: AgentSpec | None) -> tuple[AgentSpec, dict[str, Any]]:
    try:
        return with_settings(agent, ask.sets(), other)
    except AgentSpecError as error:
        raise Problem(422, "setting", str(error)[:2_000]) from None
