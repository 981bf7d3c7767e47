"""Sessions are deleted for good, or whatever there is of a person; the answer is the proof of it."""

from typing import Any

from ops.jobs.doing import Doing, Progress
from ops.jobs.letting_go import Erased
from schemas.errors import AntiphonError

__all__ = ["erase", "remove"]


async def remove(doing: Doing, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """`request`: `sessions`."""
    sessions = [str(one) for one in request["sessions"]]
    await progress(0, len(sessions), "deleting")
    found = await doing.letting_go.remove(sessions, "session", progress.by)
    if found.open:
        raise AntiphonError(f"{', '.join(found.open[:5])} goes on; it can be deleted once it has ended")
    await progress(len(sessions), len(sessions))
    return _told(found)


async def erase(doing: Doing, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """`request`: `person`: an identity or a name."""
    await progress(0, 1, "looking for what there is")
    found = await doing.letting_go.erase(str(request["person"]), progress.by)
    await progress(1, 1)
    return _told(found)


def _told(found: Erased) -> dict[str, Any]:
    return {"proof": found.erasure.view() if found.erasure is not None else None, "open": list(found.open)}
