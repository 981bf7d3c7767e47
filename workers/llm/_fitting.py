"""The chat made to fit, and made to go on: messages in, messages out. Pure."""

from collections.abc import Sequence
from typing import Any

__all__ = ["shorter", "size", "trimmed", "without_tools"]

Message = dict[str, Any]

_NO_TOOLS = "There are no tools in this conversation: answer in plain words, from what you know."


def size(messages: Sequence[Message]) -> int:
    """Characters, all in all."""
    return sum(
        len(str(message.get("content") or "")) + len(str(message.get("tool_calls") or "")) for message in messages
    )


def shorter(messages: Sequence[Message]) -> list[Message] | None:
    """Without the older half of what was said before the question; None: there is nothing left to leave out."""
    begin, end = _past(messages)
    if begin == end:
        return _shorter_question(messages)
    return _without(messages, begin, end, begin + (end - begin + 1) // 2)


def _shorter_question(messages: Sequence[Message]) -> list[Message] | None:
    """Questions that nobody answered stand in one message with the last, a line each."""
    place = _past(messages)[1]
    lines = str(messages[place].get("content") or "").split("\n") if place < len(messages) else []
    if len(lines) < 2:
        return None
    kept = "\n".join(lines[(len(lines) + 1) // 2 :])
    return [*messages[:place], messages[place] | {"content": kept}, *messages[place + 1 :]]


def trimmed(messages: Sequence[Message], most: int) -> list[Message]:
    """Without the oldest, as far as that is needed and possible, to stay within `most` characters."""
    kept = list(messages)
    while size(kept) > most and (begin := _past(kept)[0]) != (end := _past(kept)[1]):
        kept = _without(kept, begin, end, begin + 1)
    return kept


def without_tools(messages: Sequence[Message], said: Sequence[str]) -> list[Message]:
    """The request once more, after a call of a tool that doesn't exist: `said` came before the call."""
    if said:
        spoken = [{"role": "assistant", "content": " ".join(said)}]
        return [*messages, *spoken, {"role": "user", "content": f"({_NO_TOOLS} Go on, without repeating yourself.)"}]
    if messages and messages[0].get("role") == "system":
        return [messages[0] | {"content": f"{messages[0]['content']}\n\n{_NO_TOOLS}"}, *messages[1:]]
    return [{"role": "system", "content": _NO_TOOLS}, *messages]


def _past(messages: Sequence[Message]) -> tuple[int, int]:
    """Where what may be left out begins and ends: behind the instructions, before the last thing the users said."""
    begin = next((place for place, message in enumerate(messages) if message.get("role") != "system"), len(messages))
    asked = [place for place, message in enumerate(messages) if message.get("role") == "user"]
    return begin, max(begin, asked[-1] if asked else begin)


def _without(messages: Sequence[Message], begin: int, end: int, to: int) -> list[Message]:
    """Left out from `begin` to `to`, and on to a message of the users': chats begin with them."""
    while to < end and messages[to].get("role") != "user":
        to += 1
    return [*messages[:begin], *messages[to:]]
