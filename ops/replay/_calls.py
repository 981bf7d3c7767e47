"""What tools did in a recorded session. A replay calls none: what was recorded is given for the same call. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ops.replay._recorded import Answer, Did, Recording
from schemas.events import (
    ActionRequested,
    Cause,
    EndRequested,
    Event,
    ReplyFinished,
    ReplySentence,
    SayRequested,
    StageExpired,
    StageFailed,
    ToolCalled,
    ToolReturned,
)

__all__ = ["NOT_CALLED", "Calls", "as_call", "asker_of", "call_of", "calls_of", "cause_of_call", "returns"]

NOT_CALLED = (
    "not called in a replay: what it would have answered is not known, since the recorded session has no such call; "
    "go on without it"
)
"""What the model is told of a call for which nothing is recorded."""
_TOOLS = "tools/"


def asker_of(event: Event) -> str:
    """The call that asked for this of the session while it worked; "": none did. (`workers.tools` names requests so.)"""
    asked = event.request if isinstance(event, SayRequested | EndRequested | ActionRequested) else ""
    call, slash, _ = asked.rpartition("/")
    return call if slash else ""


def call_of(event: Event) -> str:
    """The call that this came of; "": of none."""
    match event:
        case ToolReturned():
            return event.call
        case StageFailed(stage="tools", will_retry=False) | StageExpired(stage="tools"):
            return event.job.removeprefix(_TOOLS)
        case _:
            return asker_of(event)


def returns(event: Event) -> bool:
    """Whether a call is over with it, however it went."""
    return isinstance(event, ToolReturned | StageFailed | StageExpired)


def as_call(event: Event, call: str) -> Event:
    """The same of the call `call`."""
    match event:
        case ToolReturned():
            return event.model_copy(update={"call": call})
        case StageFailed() | StageExpired():
            return event.model_copy(update={"job": f"{_TOOLS}{call}"})
        case SayRequested() | EndRequested():
            return event.model_copy(update={"request": f"{call}/{event.request.rpartition('/')[2]}"})
        case ActionRequested():
            return event.model_copy(update={"request": f"{call}/{event.request.rpartition('/')[2]}", "call": call})
        case _:
            return event


def cause_of_call(call: str) -> Cause:
    return Cause(job=f"{_TOOLS}{call}", attempt=1)


def calls_of(answers: Iterable[Answer]) -> dict[str, Did]:
    """All that were made, by their ids, in the order in which they began."""
    found = [did for answer in answers for did in _calls_in(answer)]
    return {did.call: did for did in sorted(found, key=lambda did: did.began)}


def _calls_in(answer: Answer) -> list[Did]:
    called = {event.call: (delay, event) for delay, event in answer.parts if isinstance(event, ToolCalled)}
    last = _last(answer.parts)
    return [
        Did(
            call=call,
            name=event.name,
            arguments=dict(event.arguments),
            began=answer.asked + began,
            parts=tuple((max(0.001, delay - began), part) for delay, part in answer.parts if call_of(part) == call),
            pool=event.pool,
            timeout=event.timeout,
            patience=event.patience,
            last=call in last,
        )
        for call, (began, event) in called.items()
    ]


def _last(parts: Sequence[tuple[float, Event]]) -> set[str]:
    """After which the reply was over, and nothing more was said."""
    since: set[str] = set()
    for _, event in parts:
        match event:
            case ToolReturned():
                since.add(event.call)
            case ReplySentence():
                since.clear()
            case ReplyFinished(reason="stop" | "silent"):
                return since
            case _:
                pass
    return set()


class Calls:
    """Recorded calls, to be given for the same ones: with the same name and arguments, in order; one that is made more often than
    it was gets the last of them."""

    def __init__(self, recording: Recording) -> None:
        self._known: dict[str, list[Did]] = {}
        for did in recording.calls.values():
            if any(returns(event) for _, event in did.parts):
                self._known.setdefault(_key(did.name, did.arguments), []).append(did)
        self._given: dict[str, int] = {}

    def given(self, name: str, arguments: Mapping[str, Any]) -> Did | None:
        """None: there was no such call, or it never returned."""
        key = _key(name, arguments)
        known = self._known.get(key)
        if known is None:
            return None
        place = self._given.get(key, 0)
        self._given[key] = place + 1
        return known[min(place, len(known) - 1)]


def _key(name: str, arguments: Mapping[str, Any]) -> str:
    return f"{name} {json.dumps(dict(arguments), sort_keys=True, ensure_ascii=False, default=str)}"
