"""Whether a model calls tools: it is asked to call one, as a conversation would."""

import asyncio
import contextlib
from dataclasses import dataclass

from schemas.errors import Permanent, ProviderError
from schemas.text.clean import one_line
from workers.providers import ChatRequest, Llm

__all__ = ["UNABLE", "Calling", "calls_tools"]

UNABLE = {"smollm2-135m-instruct": "its chat template knows no tools: it is never told of any"}
"""Models that come along, of which it is known, and why: the packaged one's prompt is as long with tools as without."""
_TOOL = {
    "type": "function",
    "function": {
        "name": "clock",
        "description": "The time now in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
_ASKED = ChatRequest(
    [
        {
            "role": "system",
            "content": "You don't know the time. Look it up with the tool `clock` before you tell it.",
        },
        {"role": "user", "content": "What time is it in Berlin?"},
    ],
    max_tokens=400,
    temperature=0.0,
    tools=[_TOOL],
)
_SHOWN = 80
"""Characters of what it said instead."""


@dataclass(frozen=True, slots=True)
class Calling:
    """`why` it does not, "" where it does."""

    calls: bool
    why: str = ""


async def calls_tools(llm: Llm, model: str = "", within: float = 10.0) -> Calling | None:
    """Ask `model` ("": the provider's own) for one call, which is not made. None: it can't be told: the endpoint is away, is too
    busy, or refuses whatever it is asked. `within`: seconds for all of it."""
    request = ChatRequest(_ASKED.messages, model, _ASKED.temperature, _ASKED.max_tokens, tools=_ASKED.tools)
    try:
        async with asyncio.timeout(within):
            try:
                return await _asked(llm, request)
            except Permanent as refusal:
                await _asked(
                    llm, ChatRequest(request.messages, model, 0.0, request.max_tokens)
                )  # does it answer without?
                return Calling(False, f"its endpoint takes no tools: {one_line(str(refusal), 200)}")
    except (ProviderError, TimeoutError):
        return None


async def _asked(llm: Llm, request: ChatRequest) -> Calling | None:
    said, thought = "", False
    async with contextlib.aclosing(llm.stream(request)) as deltas:
        async for delta in deltas:
            said = delta.text if delta.forget else said + delta.text
            thought = thought or delta.thought
            if delta.finish == "tool":
                return Calling(True)
            if delta.finish == "length" and thought and not said:
                return None  # what it would have done nobody knows
    words = one_line(said, _SHOWN)
    return Calling(False, f"asked to call one, it said “{words}”" if words else "asked to call one, it said nothing")
