"""What a tool is told of the call it works for, and what it may do there."""

from collections.abc import Generator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

__all__ = ["Actions", "Asked", "Caller", "Context", "Recorded"]


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom the session is: the first person who joined. `number`: the telephone's, "" where there is none."""

    identity: str = ""
    name: str = ""
    number: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


class Asked:
    """Something was asked for; it may be awaited, and never takes time."""

    def __await__(self) -> Generator[Any, None, None]:
        yield from ()


class Actions(Protocol):
    """What a tool may have done in the session; called from its thread or its task, each returns at once."""

    def say(self, text: str) -> None: ...

    def end(self, reason: str) -> None: ...

    def act(self, action: str, arguments: Mapping[str, Any]) -> None:
        """`action`: transfer, dtmf, hold, silence, goto, hand_over. ToolError: it can't be done, and why."""


class Recorded:
    """Actions that are only written down, as (name, argument): for tests of a tool."""

    def __init__(self) -> None:
        self.done: list[tuple[str, Any]] = []

    def say(self, text: str) -> None:
        self.done.append(("say", text))

    def end(self, reason: str) -> None:
        self.done.append(("end", reason))

    def act(self, action: str, arguments: Mapping[str, Any]) -> None:
        self.done.append((action, dict(arguments)))


@dataclass(slots=True)
class Context:
    """A tool's first parameter, where it is annotated with this class; and a hook's.

    `session`: its id; `agent`: its name; `state`: what tools and hooks of this session remember, JSON values by name: what a tool
    changes there is kept when it returns, and found by whichever worker comes next; `idempotency_key`: the same whenever this
    very call is made again (`repeat`), to be handed on to whoever must not do a thing twice; `metadata`: the session's; `turn`:
    the number of the one that is answered, which grows (0 of a hook that belongs to none): nobody agrees in the turn in which
    they are asked.
    """

    session: str = "session"
    agent: str = "agent"
    caller: Caller = field(default_factory=Caller)
    state: MutableMapping[str, Any] = field(default_factory=dict)
    idempotency_key: str = "session/call"
    metadata: Mapping[str, Any] = field(default_factory=dict)
    turn: int = 1
    actions: Actions = field(default_factory=Recorded)

    def say(self, text: str) -> Asked:
        """Speak `text` as it stands, behind what is being said, while the tool works on."""
        self.actions.say(text)
        return Asked()

    def end(self, reason: str = "tool") -> Asked:
        """End the session, once what the agent has to say is said."""
        self.actions.end(reason)
        return Asked()

    def transfer(self, to: str, *, mode: Literal["cold", "warm"] = "cold", announce: str = "") -> Asked:
        """Hand the caller on to the phone number or SIP address `to`, once what the agent has to say is said. `warm`:
        `announce` is spoken before."""
        self.actions.act("transfer", {"to": to, "mode": mode, "announce": announce})
        return Asked()

    def send_digits(self, digits: str) -> Asked:
        """Press keys on the telephone line: 0-9, *, #, A-D."""
        self.actions.act("dtmf", {"digits": digits})
        return Asked()

    def hold(self, on: bool = True) -> Asked:
        """Put the caller on hold, or take them back."""
        self.actions.act("hold", {"on": on})
        return Asked()

    def goto(self, step: str) -> Asked:
        """Go to another step of the conversation (`[[steps]]`): from the next thing the LLM is asked on. ToolError: there is
        none of that name."""
        self.actions.act("goto", {"step": step})
        return Asked()

    def hand_over(self, agent: str, *, context: bool | None = None) -> Asked:
        """Have another agent go on, from the next thing the LLM is asked on. `context`: whether it is told what was said so far
        (None: as `[handover] context` says). ToolError: there is no such agent, or callers are handed round in circles."""
        self.actions.act("hand_over", {"agent": agent, "context": context})
        return Asked()

    def wait_quietly(self) -> Asked:
        """Say nothing to this turn: the agent is silent until it is spoken to."""
        self.actions.act("silence", {})
        return Asked()
