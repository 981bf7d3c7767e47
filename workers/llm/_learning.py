"""What is asked of an endpoint while warming up: its models, a first answer, whether it goes on with what it is given."""

import asyncio
import contextlib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from schemas.errors import ProviderError
from workers._answers import opened, read_some
from workers._http import TROUBLE
from workers.llm.models import FIRST, Known, listed
from workers.providers import ChatRequest, Llm

if TYPE_CHECKING:
    from openai import AsyncOpenAI

__all__ = ["CONTINUING", "continues", "first_answer", "models"]

CONTINUING: Mapping[str, Any] = {"continue_final_message": True, "add_generation_prompt": False}
"""What vLLM wants beside a prefill."""
_LISTING = 3.0  # seconds
_LISTEN = 2.0  # seconds of a first answer: longer ones tell nothing more
_MOST = 4 << 20
_COUNT = ChatRequest(
    [{"role": "user", "content": "Count from one to ten in words, nothing else."}],
    max_tokens=12,
    temperature=0.0,
    prefill="one, two, three, four,",
)


async def models(client: "AsyncOpenAI") -> Known:
    """The list of models, in whichever shape; nothing where there is none: not every endpoint has one."""
    with contextlib.suppress(TimeoutError, RecursionError, ProviderError, *TROUBLE):
        async with asyncio.timeout(_LISTING):
            response = await opened(client.models.with_streaming_response.list())
            async with contextlib.aclosing(response):
                return listed(json.loads(await read_some(response, _MOST)))
    return Known()


async def first_answer(llm: Llm) -> None:
    """Have a model answer something short, and see whether its reasoning shows. ProviderError: it doesn't answer."""
    now = asyncio.get_running_loop().time
    text, until = "", None
    async with contextlib.aclosing(llm.stream(FIRST)) as deltas:
        async for delta in deltas:
            until = until or now() + _LISTEN
            text = delta.text if delta.forget else text + delta.text
            if re.match(r"\W*ready\b", text, re.IGNORECASE) or now() > until:
                return


async def continues(llm: Llm) -> bool:
    """Whether an assistant's message at the end is gone on with: the next number comes, not the first."""
    text = ""
    try:
        async with asyncio.timeout(_LISTEN), contextlib.aclosing(llm.stream(_COUNT)) as deltas:
            async for delta in deltas:
                text += delta.text
    except (ProviderError, TimeoutError):
        pass
    return re.match(r"\W*five\b", text, re.IGNORECASE) is not None
