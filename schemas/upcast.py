"""Older bodies made current: a log may have been written by any earlier version of this program.

When an event class changes in a way its old bodies don't survive (a field renamed, removed, newly required,
or given another default), raise the default of its `v` and add here the function that turns a body of the
version before into one of the next. Bodies are dicts as they stand in the log: without `seq`, `at`, `type`,
and without what equals a default.
"""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.errors import EventError, FutureEvent

Body = dict[str, Any]
Upcaster = Callable[[Body], Body]
Registry = Mapping[str, Mapping[int, Upcaster]]
"""Event type → the version it takes → the function that makes the next version of it."""


def _without_regret(body: Body) -> Body:
    """Nobody could take a turn back once its reply sounded, and so its decisions are taken again."""
    agent = body.get("agent") or {}
    rules = {"regret": 0.0, **(agent.get("turn_taking") or {})}
    return {**body, "agent": {**agent, "turn_taking": rules}}


UPCASTERS: Registry = {"session.started": {1: _without_regret}}


def upcast(kind: str, body: Body, current: int, registry: Registry = UPCASTERS) -> Body:
    """`body` at version `current`. FutureEvent if it is newer than that; EventError if a step is missing."""
    version = body.get("v", 1)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise EventError(f"event {kind}: its version is {version!r}; a whole number from 1 was expected")
    if version > current:
        raise FutureEvent(f"event {kind}: written in version {version}, {current} is known here; update this program")
    for step in range(version, current):
        function = registry.get(kind, {}).get(step)
        if function is None:
            raise EventError(f"event {kind}: no way from version {step} to {step + 1}; add one to schemas/upcast.py")
        body = {**function(body), "v": step + 1}
    return body
