"""Agents: which there are, what their files say, and how they are changed."""

import asyncio
from functools import lru_cache
from typing import Annotated

from fastapi import APIRouter, Header, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from api import agent_files
from api.access.who import Admin, Caller, Operator
from api.agent_files import AgentFile, Folder
from api.choice import choosable
from api.event_streams import COMMENT, EventStream, Messages, message
from api.house import Anyhow, Here, House
from schemas.config.agent import AgentSpec, parse_agent
from schemas.config.explain import complaints
from schemas.drafts import KEPT, LARGEST, keep_draft

router = APIRouter(prefix="/v1/agents", tags=["agents"])

AgentName = Annotated[str, Path(max_length=256)]


class AgentRow(BaseModel):
    """`file`: the name of its file, null: the built-in agent; `is_default`: those get it who ask for none; `problem`: what is
    wrong with its file, "" nothing (gateways go on with its last good state); `locked`: why it can't be saved, "" it can;
    `etag`: of its text: another one, another text. Callers are told names only."""

    name: str
    file: str | None = None
    is_default: bool
    problem: str = ""
    locked: str = ""
    etag: str = ""


class AgentRows(BaseModel):
    agents: list[AgentRow]


class AgentText(BaseModel):
    """`spec`: what the text says, with every default, null where it is wrong; `etag`: to be sent as If-Match with a change;
    `note`: what of the agent lies beside the file, and is not edited here, "" nothing."""

    name: str
    toml: str
    spec: AgentSpec | None
    problem: str
    locked: str
    etag: str
    note: str = ""


class SavedText(AgentText):
    """`reach`: who has the change, and who has not, in a sentence or two."""

    reach: str


class NewText(BaseModel):
    """An agent file, TOML."""

    model_config = ConfigDict(extra="forbid")

    toml: Annotated[str, Field(max_length=LARGEST)]


class TextProblem(BaseModel):
    """`line`: from 1, null where it can't be told."""

    line: int | None
    message: str


class Validated(BaseModel):
    """`spec`: what the text says, with every default; null where there are problems."""

    problems: list[TextProblem]
    spec: AgentSpec | None


class Draft(BaseModel):
    """`agent`: the name to start a call with."""

    agent: str
    expires_in: int


@router.get("")
async def agents(house: Anyhow, who: Caller) -> AgentRows:
    """Callers are told of those they may choose, operators of all."""
    if who.may("operator"):
        return _rows(await asyncio.to_thread(agent_files.read_all, house.agents))
    usual = house.agents.usual
    names = choosable(house.settings, house.agents)
    default = usual if usual in names else names[0]
    return AgentRows(agents=[AgentRow(name=name, is_default=name == default) for name in names])


@router.get("/all/stream", response_class=EventStream, responses={200: {"model": AgentRows}})
async def stream(house: Anyhow, _: Operator) -> EventStream:
    """Server-sent events: `agents`, as `GET /v1/agents` answers: now, and whenever a file came, went or was changed."""
    return house.streams.of(_messages(house))


@router.post("/validate")
async def validate(_: Operator, text: NewText) -> Validated:
    """What is wrong with an agent file, line by line; nothing is kept."""
    return await asyncio.to_thread(_validated, text.toml)


@router.post("/reload")
async def reload(house: Anyhow, _: Operator) -> AgentRows:
    """Read all files again, now. Gateways look by themselves whenever a session begins."""
    return _rows(await asyncio.to_thread(agent_files.read_all, house.agents))


@router.post("/drafts", status_code=201)
async def draft(house: Here, _: Admin, text: NewText) -> Draft:
    """Keep an agent for an hour, to be tried in a call before it is saved."""
    await asyncio.to_thread(agent_files.check, text.toml)
    return Draft(agent=await keep_draft(house.bus, text.toml), expires_in=int(KEPT))


@router.get("/{name}")
async def agent(house: Anyhow, _: Operator, name: AgentName, response: Response) -> AgentText:
    """One agent's file."""
    found = await asyncio.to_thread(lambda: _text(house, agent_files.read_one(house.agents, name)))
    response.headers["ETag"] = found.etag
    return found


@router.put("/{name}")
async def save(
    house: Anyhow,
    _: Admin,
    name: AgentName,
    text: NewText,
    response: Response,
    if_match: Annotated[str | None, Header(max_length=200)] = None,
) -> SavedText:
    """Save an agent file, all of it or nothing. With If-Match: a change of what was read with that etag; without: a new
    one. `reach` says which gateways have it."""
    return await asyncio.to_thread(_saved, house, name, text.toml, if_match, response)


async def _messages(house: House) -> Messages:
    async for folder in house.agent_watch.each(house.agents):
        yield COMMENT if folder is None else _message(folder)


@lru_cache(maxsize=1)
def _message(folder: Folder) -> bytes:
    """Made once, however many read it."""
    return message("agents", _rows(folder).model_dump_json().encode())


def _saved(house: House, name: str, toml: str, matches: str | None, response: Response) -> SavedText:
    file = agent_files.save(house.agents, name, toml, matches=matches)
    response.headers["ETag"] = file.etag
    return SavedText(reach=agent_files.reach(file), **dict(_text(house, file)))


def _rows(folder: Folder) -> AgentRows:
    return AgentRows(
        agents=[
            AgentRow(
                name=one.name, file=_shown(one), is_default=one.name == folder.usual,
                problem=one.problem, locked=folder.locked[one.name], etag=one.etag,
            )
            for one in folder.files
        ]
    )  # fmt: skip


def _shown(file: AgentFile) -> str | None:
    """The file's name, with its folder's where it is an agent's own."""
    if file.path is None:
        return None
    return f"{file.path.resolve().parent.name}/{file.path.name}" if file.folder else file.path.name


def _text(house: House, file: AgentFile) -> AgentText:
    return AgentText(
        name=file.name, toml=file.toml, spec=file.spec(), problem=file.problem, note=file.note,
        locked=agent_files.locked(house.agents, file.name), etag=file.etag,
    )  # fmt: skip


def _validated(toml: str) -> Validated:
    problems = [TextProblem(line=one.line, message=one.message) for one in complaints(AgentSpec, toml)]
    return Validated(problems=problems, spec=None if problems else parse_agent(toml, "the text"))
