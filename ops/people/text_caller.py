"""A person who writes and reads: a conversation with an agent through all its stages but sound.

async with aclosing(TextCaller(url, agent="pizza", log=log)) as caller:
    await caller.connect()
    greeting = await caller.greeting()
    answer = await caller.say("A table for four, please.")
    answer.said, answer.tools, answer.ended
"""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ops.people.caller import Caller
from ops.people.person import CallError
from schemas.bus import Reading
from schemas.client import (
    EndedMessage,
    ErrorMessage,
    SentenceMessage,
    StateMessage,
    ToClient,
    TurnMessage,
    TypedMessage,
)
from schemas.errors import BusError
from schemas.events import Event, SessionStarted, ToolCalled, ToolReturned

_BEGINS = 1.0
"""Seconds within which an agent that has a greeting says so, where no log tells whether it has one."""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One call of a tool. `returned`: result or error is there; `took`: seconds."""

    call: str
    name: str
    arguments: Mapping[str, Any]
    returned: bool = False
    result: str = ""
    error: str = ""
    took: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `said`: sentence by sentence; `tools`: of the log, () where none is read; `latency`: seconds to the first
    sentence, None where there was none; `whole`: the agent is done (else the time was up); `ended`: why the conversation is over,
    None while it is not; `errors`: what the gateway complained of."""

    said: tuple[str, ...] = ()
    turns: tuple[TurnMessage, ...] = ()
    tools: tuple[ToolUse, ...] = ()
    latency: float | None = None
    whole: bool = True
    ended: str | None = None
    errors: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All that was said."""
        return " ".join(self.said)

    def as_json(self) -> dict[str, Any]:
        """For a command's `--json`."""
        return {
            "said": list(self.said),
            "tools": [asdict(tool) for tool in self.tools],
            "turns": [turn.model_dump(exclude={"type"}) for turn in self.turns],
            "latency": None if self.latency is None else round(self.latency, 4),
            "whole": self.whole,
            "ended": self.ended,
            "errors": list(self.errors),
        }


class TextCaller(Caller):
    """One who types, with no microphone and no loudspeaker. `log`: where the session's log is read, for the tools that were
    called; `name`, `metadata`: as in `start`."""

    sound = False

    def __init__(
        self, url: str, *, agent: str = "", participant: str = "caller", token: str = "", name: str = "",
        metadata: Mapping[str, Any] = {}, log: Reading | None = None, on_message: Callable[[ToClient], None] | None = None,
    ):  # fmt: skip
        super().__init__(
            url, agent=agent, participant=participant, token=token, name=name, metadata=metadata, on_message=on_message
        )
        self.log = log
        self.events: list[Event] = []
        """Of the log, as far as it was read."""

    async def greeting(self, within: float = 30.0) -> Answer:
        """What the agent says before anybody has spoken: nothing, where it has no greeting."""
        await self._read()
        if self.log is not None and self.events:
            begun = self.events[0]
            greets = isinstance(begun, SessionStarted) and bool(begun.agent.greeting.strip())
        else:
            greets = await self.wait_for(StateMessage, _BEGINS, fits=lambda one: one.state != "listening") is not None
        return await self._answer(0.0, 0, within, lambda turn: turn.why != "filler") if greets else Answer()

    async def say(self, text: str, within: float = 60.0) -> Answer:
        """Write `text`, and read until the agent is done, the conversation is over, or `within` seconds have passed. CallError:
        the line is down; ValueError: `text` says nothing, or too much."""
        message = TypedMessage(type="message", text=text)
        if not self.connected:
            why = self._why_ended()
            raise CallError(f"the conversation is over ({why})" if why else "the line to the gateway is down")
        if not self.events:
            await self._read()  # what was before is not of this answer
        place, sent = len(self.messages), time.monotonic()
        try:
            await self.send(message)
        except ConnectionError:
            raise CallError("the line to the gateway is down") from None
        return await self._answer(sent, place, within, lambda turn: turn.why in ("text", "fallback", "repeat"))

    async def until_quiet(self, within: float = 60.0) -> Answer:
        """What comes by itself meanwhile, until the agent is done."""
        return await self._answer(time.monotonic(), len(self.messages), within, lambda turn: True)

    async def _answer(self, sent: float, place: int, within: float, is_it: Callable[[TurnMessage], bool]) -> Answer:
        """All from message `place` on, until a turn that `is_it` has ended and the agent listens again."""
        whole = await self._done(place, time.monotonic() + within, is_it)
        before = len(self.events)
        await self._read()
        new = self.messages[place:]
        told = [(when, one) for when, one in new if isinstance(one, SentenceMessage)]
        return Answer(
            said=tuple(one.text for _, one in told),
            turns=tuple(one for _, one in new if isinstance(one, TurnMessage)),
            tools=tools_in(self.events[before:], self.events),
            latency=told[0][0] - sent if told and sent else None,
            whole=whole,
            ended=self._why_ended(),
            errors=tuple(one.message for _, one in new if isinstance(one, ErrorMessage)),
        )

    async def _done(self, place: int, until: float, is_it: Callable[[TurnMessage], bool]) -> bool:
        """Looks at every message once, as they come. `state` is told as it is decided, the end of a turn once the log has it."""
        over, listens = False, self._listened(place)
        while True:
            for _, message in self.messages[place:]:
                place += 1
                match message:
                    case StateMessage(state=state):
                        listens = state == "listening"
                    case TurnMessage() if is_it(message) and message.reason != "barge_in":
                        over = True
                    case ErrorMessage(code="too_many") | EndedMessage():
                        return True
                    case _:
                        pass
            if over and listens:
                return True
            left = until - time.monotonic()
            if left <= 0 or self._gone:
                return self.ended.is_set()
            if len(self.messages) == place:
                await self._wait_for_news(min(left, 0.5))

    def _listened(self, place: int) -> bool:
        states = [one.state for _, one in self.messages[:place] if isinstance(one, StateMessage)]
        return not states or states[-1] == "listening"

    async def _read(self) -> None:
        if self.log is None or not self.session:
            return
        with contextlib.suppress(BusError):  # what it has is told with the next answer
            self.events += await self.log.read(self.session, self.events[-1].seq if self.events else 0)

    def _why_ended(self) -> str | None:
        return next((one.reason for _, one in self.messages if isinstance(one, EndedMessage)), None)


def tools_in(new: Sequence[Event], known: Sequence[Event]) -> tuple[ToolUse, ...]:
    """The calls that began or returned in `new`, as they stand at the end of `known`, which holds it."""
    touched = [event.call for event in new if isinstance(event, ToolCalled | ToolReturned)]
    found: dict[str, ToolUse] = {}
    for event in known:
        if isinstance(event, ToolCalled) and event.call in touched:
            found[event.call] = ToolUse(event.call, event.name, event.arguments)
        elif isinstance(event, ToolReturned) and event.call in touched:
            called = found.get(event.call)
            arguments = called.arguments if called is not None else {}
            found[event.call] = ToolUse(
                event.call, event.name, arguments, True, event.result, event.error, event.took
            )  # fmt: skip
    return tuple(found.values())
