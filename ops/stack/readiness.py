"""Whether a process can work yet, and, if not, what it says keeps it: asked of its health page."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp

Ready = str | Callable[[], Awaitable[bool]]
"""A URL that answers 200 once the process can work, or a function."""

_SHOWN = 500
"""Characters of a reason that are passed on."""


@dataclass(frozen=True, slots=True)
class Look:
    """`because`: what keeps it, in its own words ("": it doesn't say); `starting`: only that getting ready takes its time."""

    ready: bool
    because: str = ""
    starting: bool = True


async def look(ready: Ready, http: aiohttp.ClientSession) -> Look:
    """Ask once, for two seconds at the most."""
    if callable(ready):
        return Look(await ready())
    try:
        async with http.get(ready, timeout=aiohttp.ClientTimeout(total=2)) as answer:
            if answer.status == 200:
                return Look(True)
            told = await answer.json()
            reasons = [str(reason) for reason in told["because"]]
            return Look(False, "; ".join(reasons)[:_SHOWN], bool(told.get("starting")) or not reasons)
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError, LookupError, TypeError, AttributeError):
        return Look(False)
