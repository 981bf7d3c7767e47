"""Whether a process that is being started can work yet, asked of its health page."""

from collections.abc import Awaitable, Callable

import aiohttp

from ops.stack.condition import Look, heard

Ready = str | Callable[[], Awaitable[bool]]
"""A URL that answers 200 once the process can work, or a function."""


async def look(ready: Ready, http: aiohttp.ClientSession) -> Look:
    """Ask once, for two seconds at the most."""
    if callable(ready):
        return Look(await ready())
    try:
        async with http.get(ready, timeout=aiohttp.ClientTimeout(total=2)) as answer:
            return heard(answer.status, await answer.read())
    except (aiohttp.ClientError, TimeoutError, OSError):
        return Look(False)
