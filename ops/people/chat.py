"""A conversation in text, in the terminal or a line a command: what `antiphon chat` does."""

import asyncio
import contextlib
import json
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ops import console
from ops.people.call import hanging_up, print_line, print_where_to_look, refuse
from ops.people.entry import client_token, gateway_url
from ops.people.person import CallError
from ops.people.talk import typed_lines
from ops.people.text_caller import Answer, TextCaller, ToolUse
from ops.stack.here import data_folder, running, settings_here
from ops.stack.private import write_private
from schemas.access.tokens import Grant
from schemas.bus import Reading
from schemas.client import ErrorMessage, ReadyMessage, SentenceMessage, ToClient, TurnMessage
from schemas.errors import BusError
from schemas.log import connected
from schemas.session.fold import fold_all
from schemas.text.clean import json_line, printable, shortened

_NAME = re.compile(r"[\w.-]{1,64}")
_LONGEST = 200
"""Characters of a tool's arguments or result that a terminal is shown."""


@dataclass(frozen=True, slots=True)
class Options:
    """`text`: one line, None to type; `name`: of a conversation that goes on from command to command, "" for one that ends with
    this one; `anew`: begin it again; `end`: hang up afterwards; `wait`: seconds an answer may take."""

    agent: str = ""
    text: str | None = None
    name: str = ""
    url: str | None = None
    token: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    anew: bool = False
    end: bool = False
    wait: float = 60.0
    json: bool = False


async def chat(options: Options) -> bool:
    """False: the agent did not answer whole, or the conversation was over before. It exits where there is no getting in."""
    if options.name and not _NAME.fullmatch(options.name):
        console.fail(f"--session {options.name[:80]!r}: expected up to 64 letters, digits, . - and _", console.USAGE)
    kept = None if options.anew else _kept(options.name)
    async with _log() as log:
        url = options.url or (kept or {}).get("url")
        agent = options.agent or (kept or {}).get("agent", "")
        caller = TextCaller(
            gateway_url(url), agent=agent, token=client_token(options.token, Grant(agent=agent)),
            metadata=options.metadata, log=log,
        )  # fmt: skip
        if kept is not None:
            caller.session, caller.ticket = kept["session"], kept["ticket"]
        try:
            return await _converse(caller, options, known=kept is not None)
        except CallError as error:
            _refuse(error, options, agent, known=kept is not None)
        finally:
            await caller.aclose()
    return False


def _refuse(error: CallError, options: Options, agent: str, *, known: bool) -> None:
    if known and error.code in ("over", "ticket"):
        console.fail(f"conversation {options.name} is over; begin it again with --new", console.FAILED)
    if error.code == "unreachable" and running() is None:
        console.fail(
            f"{error}; start one: {console.me()} dev {agent or 'AGENT'}, or {console.me()} up", console.UNREACHABLE
        )
    refuse(error, agent)


async def _converse(caller: TextCaller, options: Options, *, known: bool) -> bool:
    if not options.json:
        caller.on_message = _print
    await caller.connect()
    if options.name:
        _keep(options.name, caller)
    greeting = Answer() if known else await caller.greeting()
    if options.text is None:
        answers = await _type(caller, options)
    else:
        answers = [await caller.say(options.text, options.wait)]
        if not options.json:
            _print_tools(answers[-1].tools)
            _print_state(caller)
    if options.end or not options.name:
        await caller.hang_up()
        _forget(options.name)
    if options.json:
        came = [one.as_json() for one in answers]
        told = {"session": caller.session, "name": options.name, "resumed": known, "greeting": list(greeting.said)}
        console.emit(told | (came[-1] if options.text is not None else {"answers": came}) | _state(caller))
    elif options.text is None:
        print_where_to_look(caller.session)
    return all(answer.whole and not answer.errors for answer in answers)


def _state(caller: TextCaller) -> dict[str, Any]:
    """Of the log, as far as it is read."""
    if not caller.events:
        return {"state": None}
    state = fold_all(caller.events)
    return {
        "state": {
            "agent": state.agent.name,
            "floor": state.floor,
            "turns": state.totals.turns,
            "step": state.agent.step or None,
            "fields": {name: one.value for name, one in state.fields.items()},
            "data": dict(state.data),
            "end_requested": state.end_requested,
            "ended": state.ended,
        }
    }


async def _type(caller: TextCaller, options: Options) -> list[Answer]:
    """Until the lines end, or the conversation does, or Ctrl-C."""
    by_hand = sys.stdin.isatty()
    if not options.json:
        print_line("", "type a line and press Enter; Ctrl-D or Ctrl-C ends it", "dim")
    answers: list[Answer] = []

    async def lines() -> None:
        async with typed_lines(sys.stdin.fileno()) as typed:
            async for line in typed:
                if not (text := line.strip()):
                    continue
                if not (by_hand or options.json):
                    print_line("you", text, "cyan")
                try:
                    answers.append(await caller.say(text, options.wait))
                except ValueError:
                    console.fail("a line has at most 4,000 characters", console.USAGE)
                if not options.json:
                    _print_tools(answers[-1].tools)

    with hanging_up() as hung_up:
        tasks = [asyncio.ensure_future(one) for one in (lines(), hung_up.wait(), caller.ended.wait())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return answers


# ── what is shown ────────────────────────────────────────────────────────────────────────────────────────────────────


def _print(message: ToClient) -> None:
    match message:
        case ReadyMessage(warnings=warnings):
            for warning in warnings:
                print_line("look", warning, "yellow")
        case SentenceMessage(text=text):
            print_line("agent", text, "green")
        case TurnMessage(how="interrupted"):
            print_line("", "interrupted", "yellow")
        case ErrorMessage(message=text):
            print_line("error", text, "red")
        case _:
            pass


def _print_tools(tools: tuple[ToolUse, ...]) -> None:
    for tool in tools:
        came = f"error: {tool.error}" if tool.error else tool.result if tool.returned else "not returned yet"
        given = ", ".join(f"{name}={json_line(value)}" for name, value in tool.arguments.items())
        print_line(
            "tool", printable(f"{tool.name}({shortened(given, _LONGEST)}) → {shortened(came, _LONGEST)}"), "magenta"
        )


def _print_state(caller: TextCaller) -> None:
    """What the conversation has brought so far, if anything: the step, what was collected, what the tools remember."""
    state = _state(caller)["state"]
    if state is None:
        return
    kept = {"step": state["step"]} if state["step"] else {}
    for name, value in (kept | state["fields"] | state["data"]).items():
        print_line("state", printable(f"{name} = {shortened(json_line(value), _LONGEST)}"), "dim")


# ── a conversation from command to command ───────────────────────────────────────────────────────────────────────────


def _file(name: str) -> Path:
    return data_folder() / "chats" / f"{name}.json"


def _kept(name: str) -> dict[str, str] | None:
    """Its session and ticket; None: none goes on under this name."""
    if not name:
        return None
    try:
        found = json.loads(_file(name).read_text())
        return {key: str(found[key]) for key in ("url", "agent", "session", "ticket")}
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _keep(name: str, caller: TextCaller) -> None:
    path = _file(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {"url": caller.url, "agent": caller.agent, "session": caller.session, "ticket": caller.ticket}
    write_private(path, json.dumps(known))  # who has the ticket has the conversation


def _forget(name: str) -> None:
    if name:
        _file(name).unlink(missing_ok=True)


@asynccontextmanager
async def _log() -> AsyncIterator[Reading | None]:
    """The log beside which we are; None: there is none that can be read from here."""
    settings = settings_here()
    async with contextlib.AsyncExitStack() as open_here:
        log: Reading | None = None
        if "redis_url" in settings.model_fields_set:
            with contextlib.suppress(BusError):
                log = await open_here.enter_async_context(connected(settings))
        yield log
