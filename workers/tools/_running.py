"""One call of a tool: within its time, whatever it does, with an answer the model can read."""

import asyncio
import contextlib
import copy
import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.bus import Posting
from schemas.errors import BusError
from schemas.events import ActionRequested, EndRequested
from schemas.process.backoff import A_POOL, Backoff
from schemas.session.state import SessionState
from workers.agents import ArgumentsError, Caller, Context, Tool, ToolError
from workers.tools._moving import MOVES, Moves
from workers.tools._results import Unreadable, changed, in_short, told
from workers.tools._secrets import hidden

__all__ = ["Call", "Doing", "Returned", "all_posted", "call", "context_of", "posted"]

log = logging.getLogger("antiphon.tools")

_POSTING = 10.0
"""Seconds for which something is tried to be posted."""
_TRACE = 20_000
"""Characters of a traceback that is logged whole."""


@dataclass(frozen=True, slots=True)
class Call:
    """`timeout`: seconds; `most`: characters of the result."""

    id: str
    tool: Tool
    arguments: Mapping[str, Any]
    timeout: float
    most: int


@dataclass(frozen=True, slots=True)
class Returned:
    """A `result` or an `error`; `state`: what changed of it; `silent`: nothing is to be said."""

    result: str = ""
    error: str = ""
    state: dict[str, Any] = field(default_factory=dict)
    silent: bool = False
    took: float = 0.0


class Doing:
    """What a tool wants done in the session while it works. `say` is the caller's: given the text, it returns at once;
    `moves`: by which it goes to another step or agent."""

    def __init__(self, bus: Posting, session: str, call: str, say: Callable[[str], None], moves: Moves):
        self.silent = False
        self.moves = moves
        self._bus, self._session, self._call, self._say = bus, session, call, say
        self._loop = asyncio.get_running_loop()
        self._posts: list[Any] = []
        self._asked = 0
        self.did = False
        """It has had anything done or said."""

    # called from a tool's own thread, or its task

    def say(self, text: str) -> None:
        text = " ".join(str(text).split())[:2_000]
        if text:
            self.did = True
            self._loop.call_soon_threadsafe(self._say, text)

    def end(self, reason: str) -> None:
        self._post(lambda request: EndRequested(reason=str(reason)[:200] or "tool", request=request, said=True))

    def act(self, action: str, arguments: Mapping[str, Any]) -> None:
        if action == "silence":
            self.silent = True
            return
        if action in MOVES:
            self.moves.ask(action, arguments)
            self.did = True
            return
        given: dict[str, Any] = {"action": action, "arguments": dict(arguments), "call": self._call}
        self._post(lambda request: ActionRequested(**given, request=request))

    def _post(self, made: Any) -> None:
        self._asked, self.did = self._asked + 1, True
        event = made(f"{self._call}/{self._asked}")  # the same when the call is made again
        self._posts.append(event)

    async def done(self) -> None:
        """Post what was asked for, in order."""
        posts, self._posts = self._posts, []
        for event in posts:
            await posted(self._bus, self._session, f"tool/{event.request}", event)


async def posted(bus: Posting, session: str, request: str, event: Any) -> None:
    """Whatever becomes of it: a log that is away for long loses it."""
    try:
        async with asyncio.timeout(_POSTING):
            for delay in Backoff(0.05, 1.0, A_POOL):
                try:
                    await bus.post(session, request, event)
                    return
                except BusError:
                    await asyncio.sleep(delay)
    except TimeoutError:
        log.error("%s of session %s could not be posted", event.type, session)


async def all_posted(bus: Posting, session: str, request: str, events: Sequence[Any]) -> None:
    """In order, each once."""
    for place, event in enumerate(events):
        await posted(bus, session, f"{request}/{place}" if place else request, event)


def context_of(state: SessionState, session: str, turn: int, call: str, doing: Doing) -> Context:
    people = list(state.participants.values())
    person = next((one for one in people if one.kind != "agent" and one.present), people[0] if people else None)
    caller = Caller()
    if person is not None:
        number = person.attributes.get("sip.phoneNumber", "")
        caller = Caller(person.identity, person.name, number, dict(person.attributes))
    return Context(
        session=session,
        agent=state.agent.name,
        caller=caller,
        state=copy.deepcopy(dict(state.data)),
        idempotency_key=f"{session}/{call}",
        metadata=dict(state.metadata),
        turn=turn,
        actions=doing,
    )


async def call(one: Call, context: Context, doing: Doing) -> Returned:
    """Never raises, but CancelledError where it is cancelled itself."""
    clock = asyncio.get_running_loop().time
    began, before = clock(), copy.deepcopy(dict(context.state))
    result, error = "", ""
    try:
        arguments = one.tool.fit(one.arguments)
        async with asyncio.timeout(one.timeout):
            answer = await one.tool.run(context, arguments)
            small = answer is None or isinstance(answer, str | int | float)
            result = told(answer, one.most) if small else await asyncio.to_thread(told, answer, one.most)
    except ArgumentsError as wrong:
        error = f"the arguments do not fit ({wrong}); call it again with ones that do, or ask the user"
    except TimeoutError:
        error = f"no result within {one.timeout:g} s; it is unknown whether it was done"
    except ToolError as told_error:
        error = in_short(told_error, 1_000) or "it could not be done"
    except Unreadable as wrong:
        error = str(wrong)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        error = "it was cancelled"  # some libraries raise it where a connection breaks
    except Exception as unforeseen:
        said = in_short(unforeseen)
        _tell(one.tool.name, unforeseen)
        error = f"{type(unforeseen).__name__}{f': {said}' if said else ''}"
    state: dict[str, Any] = {}
    with contextlib.suppress(Exception):
        try:
            state = changed(before, context.state)
        except Unreadable as wrong:
            log.error("the tool %s: %s; nothing of it is kept", one.tool.name, wrong)
    await doing.done()
    return Returned(result, hidden(error), state, doing.silent, round(clock() - began, 4))


def _tell(tool: str, unforeseen: Exception) -> None:
    """With where it was raised, unless that would tell a secret, or tell it at any length."""
    try:
        told = "".join(traceback.format_exception(unforeseen))
    except Exception:  # of one that can't be told
        told = ""
    if told and len(told) < _TRACE and hidden(told) == told:
        log.warning("the tool %s failed", tool, exc_info=unforeseen)
    else:
        log.warning("the tool %s failed: %s: %s", tool, type(unforeseen).__name__, in_short(unforeseen, 600))
