"""One chunk of a chat completion, as endpoints really send them. Pure: what `json.loads` made of it in, a Chunk out.

Whatever can be missing, null or of another shape is: what is understood is used, the rest ignored.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from schemas.events import Usage
from workers.llm._calls import CallPiece

__all__ = ["Chunk", "Finish", "chunk"]

Finish = Literal["stop", "length", "tool", "filter"]

_LENGTH = frozenset({"length", "max_tokens", "model_length", "max_output_tokens", "token_limit", "max_length"})
_FILTER = ("filter", "safety", "recitation", "blocklist", "prohibited", "spii", "sensitive", "moderation", "refus")
_MOST_TOKENS = 1 << 31
_NOT_YET = frozenset({"", "null", "none"})
_WORDS = frozenset({"text", "output_text", "refusal"})
"""Kinds of content parts that are said; others (thinking, images, …) are not."""
_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details", "thinking", "thinking_blocks")


@dataclass(frozen=True, slots=True)
class Chunk:
    """`text`: to be said; `thought`: it holds reasoning, which nobody is told; `called`: a tool, in `calls` as far as they can
    be made out; `error`: what the endpoint complains of, as it stands; `understood`: it looks like a chunk at all; `whole`: it
    holds a message, not a piece of one."""

    text: str = ""
    thought: bool = False
    called: bool = False
    calls: tuple[CallPiece, ...] = ()
    finish: Finish | None = None
    usage: Usage | None = None
    error: Any = None
    understood: bool = True
    whole: bool = False


def chunk(value: Any) -> Chunk:
    if isinstance(value, list):  # some wrap each in a list
        value = next((item for item in value if isinstance(item, dict)), None)
    if not isinstance(value, dict):
        return Chunk(understood=False)
    if value.get("error"):
        return Chunk(error=value["error"])
    usage = _usage(value.get("usage"))
    choice = _first(value.get("choices"))
    if choice is None:
        return Chunk(usage=usage, understood="choices" in value or usage is not None)
    if choice.get("error"):
        return Chunk(error=choice["error"], usage=usage)
    if str(choice.get("finish_reason")).lower() == "error":
        return Chunk(error="the reply ended in an error (finish_reason)", usage=usage)
    parts = choice.get("delta") or choice.get("message")
    delta = parts if isinstance(parts, dict) else {}
    text = _text(delta.get("content")) or _text(delta.get("refusal")) or _text(choice.get("text"))
    thinks = _is_thought(delta)
    return Chunk(
        text="" if thinks else text,
        thought=thinks or any(delta.get(name) for name in _THOUGHTS) or _thinks(delta.get("content")),
        called=bool(delta.get("tool_calls") or delta.get("function_call")),
        calls=_call_pieces(delta),
        finish=_finish(choice.get("finish_reason")),
        usage=usage,
        whole=not choice.get("delta") and "message" in choice,
    )


def _call_pieces(delta: Mapping[str, Any]) -> tuple[CallPiece, ...]:
    """Of `tool_calls`, or of the older `function_call`."""
    given = delta.get("tool_calls")
    listed = given if isinstance(given, list) else [given] if isinstance(given, dict) else []
    old = delta.get("function_call")
    listed = listed or ([{"function": old}] if isinstance(old, dict) else [])
    pieces = []
    for place, one in enumerate(listed):
        function = one.get("function") if isinstance(one, dict) else None
        if not isinstance(function, dict):
            continue
        index, name, arguments = one.get("index"), function.get("name"), function.get("arguments")
        text = arguments if isinstance(arguments, str) else "" if arguments is None else json.dumps(arguments)
        number = index if isinstance(index, int) else place
        pieces.append(CallPiece(number, name if isinstance(name, str) else "", text, str(one.get("id") or "")))
    return tuple(pieces)


def _is_thought(delta: Any) -> bool:
    """Gemini's mark on its thoughts, on a part or, where they come as content, beside it."""
    extra = delta.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    return delta.get("thought") is True or (isinstance(google, dict) and google.get("thought") is True)


def _first(choices: Any) -> dict[str, Any] | None:
    """The choice that counts: the one numbered 0, or the only one."""
    if not isinstance(choices, list):
        return None
    found = [choice for choice in choices if isinstance(choice, dict)]
    return next((choice for choice in found if choice.get("index") in (0, "0", None)), None)


def _text(content: Any) -> str:
    """Text, or the texts of a list of parts: `[{"type": "text", "text": "…"}]`, in whichever of its spellings."""
    if isinstance(content, str):
        return content
    if isinstance(content, int | float) and not isinstance(content, bool):
        return str(content)  # a serializer's idea of "42"
    if isinstance(content, list):
        return "".join(_text(part) for part in content)
    if not isinstance(content, dict) or content.get("type", "text") not in _WORDS or _is_thought(content):
        return ""
    return next((text for name in ("text", "value", "content", "refusal") if (text := _text(content.get(name)))), "")


def _thinks(content: Any) -> bool:
    parts = content if isinstance(content, list) else [content]
    return any(
        isinstance(part, dict) and (part.get("type") in ("thinking", "reasoning") or _is_thought(part))
        for part in parts
    )


def _finish(reason: Any) -> Finish | None:
    if not isinstance(reason, str) or (known := reason.strip().lower()) in _NOT_YET:
        return None
    if known in _LENGTH:
        return "length"
    if "tool" in known or "function" in known:
        return "tool"
    return "filter" if any(word in known for word in _FILTER) else "stop"


def _usage(value: Any) -> Usage | None:
    if not isinstance(value, dict):
        return None
    return Usage(
        prompt_tokens=_count(value.get("prompt_tokens", value.get("input_tokens"))),
        completion_tokens=_count(value.get("completion_tokens", value.get("output_tokens"))),
    )


def _count(value: Any) -> int:
    """A count, however written; 0 for one that is unknown."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return 0
    return int(min(number, _MOST_TOKENS)) if math.isfinite(number) and number > 0 else 0
