"""The tools that every agent can have (`[tools] builtin`)."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from schemas.config.agent import AgentSpec
from workers import fields
from workers.agents import ArgumentsError, Context, Tool, ToolError
from workers.knowledge import Libraries, Wanted
from workers.tools._weather import weather

__all__ = ["builtin", "notes_fields", "search_knowledge"]

_Run = Callable[[Context, dict[str, Any]], Awaitable[Any]]


class _Arguments(BaseModel):
    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)


class _Nothing(_Arguments):
    pass


def builtin(agent: AgentSpec) -> dict[str, Tool]:
    """Those that the agent's file names, as it wants them."""
    made = {name: _MAKERS[name](agent) for name in agent.tools.builtin} | {fields.NOTE_FIELD: _note_field(agent)}
    return {name: tool for name, tool in made.items() if tool is not None}


def notes_fields(tool: Tool) -> bool:
    """Whether it is ours by which fields are noted, and no other of that name."""
    return tool.run is _noted


def _note_field(agent: AgentSpec) -> Tool | None:
    """Whoever has fields has it, named or not. It only reads and writes the session's log, so whoever commits does its work."""
    parameters = fields.parameters_of(agent)
    if parameters is None:
        return None
    return Tool(fields.NOTE_FIELD, fields.TOLD, parameters, dict, _noted, repeat=True, pool=False)


async def _noted(context: Context, arguments: dict[str, Any]) -> str:
    raise ToolError("fields are noted by the LLM's own worker only")


def _tool(name: str, told: str, arguments: type[_Arguments], run: _Run, **options: Any) -> Tool:
    def fit(given: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return arguments.model_validate(dict(given)).model_dump()
        except ValidationError as error:
            wrong = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()[:5]]
            raise ArgumentsError("; ".join(wrong)) from None

    schema = arguments.model_json_schema()
    properties = {
        key: {name: value for name, value in one.items() if name != "title"}
        for key, one in schema.get("properties", {}).items()
    }
    parameters = {"type": "object", "properties": properties, "required": schema.get("required", [])}
    return Tool(name, told, parameters, fit, run, pool=False, **options)


def search_knowledge(agent: AgentSpec, libraries: Libraries) -> Tool | None:
    """None: the agent has no files, or they reach the model otherwise."""
    if not agent.looks_up:
        return None

    class About(_Arguments):
        query: str = Field(
            description="what about, in the words that a text on it would use", min_length=1, max_length=500
        )

    async def run(context: Context, arguments: dict[str, Any]) -> str:
        found = await libraries.find(agent.name, Wanted(arguments["query"], agent.language, agent.knowledge))
        return found.text or "Nothing of that is written there: say so, or search once more in other words."

    told = "Search what is written down for you; do so before you answer a question of fact, and say nothing that is not there."
    return _tool("search_knowledge", told, About, run, repeat=True)


def _end_call(agent: AgentSpec) -> Tool:
    async def run(context: Context, arguments: dict[str, Any]) -> str:
        context.end("agent")
        return "The call ends once you have said goodbye; if the user goes on speaking instead, it goes on."

    return _tool(
        "end_call",
        "End the call: the user has said goodbye, or wants to hang up.",
        _Nothing,
        run,
        last=True,
        repeat=True,
    )


def _wait_quietly(agent: AgentSpec) -> Tool:
    async def run(context: Context, arguments: dict[str, Any]) -> str:
        context.wait_quietly()
        return "You are silent until the user speaks to you."

    told = "The user asks you to wait (“hold on a second”): say nothing until they speak to you again."
    return _tool("wait_quietly", told, _Nothing, run, last=True, repeat=True)


def _transfer(agent: AgentSpec) -> Tool | None:
    targets = agent.tools.transfer_to
    if not targets:
        return None

    class To(_Arguments):
        to: str = Field(description="whom to", json_schema_extra={"enum": [*sorted(targets)]})
        announce: str = Field(
            "", description="a sentence to whoever takes over, about the user; empty: none", max_length=500
        )

    async def run(context: Context, arguments: dict[str, Any]) -> str:
        if arguments["to"] not in targets:
            raise ToolError(f"nobody is called {arguments['to']}; there are {', '.join(sorted(targets))}")
        announce = arguments["announce"]
        context.transfer(targets[arguments["to"]], mode="warm" if announce else "cold", announce=announce)
        return "The user is handed over once you have said so."

    return _tool("transfer", "Hand the user over to somebody else, by telephone.", To, run, last=True)


def _send_digits(agent: AgentSpec) -> Tool:
    class Keys(_Arguments):
        digits: str = Field(description="0-9, *, #", pattern=r"^[0-9*#A-Da-d]{1,32}$")

    async def run(context: Context, arguments: dict[str, Any]) -> str:
        context.send_digits(arguments["digits"])
        return "pressed"

    return _tool("send_digits", "Press keys on the telephone line, for example in another system's menu.", Keys, run)


def _hold(agent: AgentSpec) -> Tool:
    class On(_Arguments):
        on: bool = Field(True, description="false: take them back")

    async def run(context: Context, arguments: dict[str, Any]) -> str:
        context.hold(arguments["on"])
        return "on hold" if arguments["on"] else "taken back"

    return _tool("hold", "Put the user on hold, or take them back.", On, run, repeat=True)


def _say_by_heart(agent: AgentSpec) -> Tool | None:
    texts = agent.tools.by_heart
    if not texts:
        return None

    class Which(_Arguments):
        text: str = Field(description="which", json_schema_extra={"enum": [*sorted(texts)]})

    async def run(context: Context, arguments: dict[str, Any]) -> str:
        if arguments["text"] not in texts:
            raise ToolError(f"there is no such text; there are {', '.join(sorted(texts))}")
        context.say(texts[arguments["text"]])
        return "It is being said, word for word: do not repeat it."

    return _tool("say_by_heart", "Have a fixed text spoken, word for word.", Which, run)


_MAKERS: Mapping[str, Callable[[AgentSpec], Tool | None]] = {
    "end_call": _end_call,
    "wait_quietly": _wait_quietly,
    "transfer": _transfer,
    "send_digits": _send_digits,
    "hold": _hold,
    "say_by_heart": _say_by_heart,
    "weather": lambda agent: _tool(
        "weather",
        "The weather now in a place.",
        _Place,
        weather(agent.tools.places_url, agent.tools.weather_url),
        repeat=True,
    ),
}


class _Place(_Arguments):
    place: str = Field(description="a town, such as Berlin", min_length=1, max_length=100)
