"""What operators do, recorded: each request of theirs that is more than a look, with what came of it."""

import logging

from starlette.requests import Request

from api.access.who import Role, Who, acts
from schemas.access.audit import Deed
from schemas.bus import Bus
from schemas.errors import BusError
from schemas.process.numbers import numbers_shortened
from schemas.text.clean import one_line

log = logging.getLogger("antiphon.api.audit")

_LONGEST = 120


def about(request: Request, **what: str) -> None:
    """Something else to be recorded of this request: which key, say. No secret, nothing anybody said."""
    request.state.about = {**getattr(request.state, "about", {}), **what}


def is_deed(request: Request) -> None:
    """This one is recorded though it only looks."""
    request.state.is_deed = True


async def record(request: Request, status: int, bus: Bus) -> None:
    """If it is an operator's deed, or one they were refused; not what came too often, of which nothing was done, nor HEAD, by
    which nothing is taken. (Callers are refused without end, where somebody wants the record to forget.) Where it can't be kept
    now, the process' log has it."""
    who: Who | None = getattr(request.state, "who", None)
    requires: Role = getattr(request.state, "requires", "caller")
    taken = getattr(request.state, "is_deed", False) and request.method != "HEAD"
    heard = taken and "caller" not in (requires, who and who.role)
    if who is None or status == 429 or not (heard or acts(request, who, requires)):
        return
    path = getattr(request.scope.get("route"), "path", "")
    places = dict(request.path_params)
    session = _fit(str(places.pop("session", "")))
    more = {**places, **getattr(request.state, "about", {})}
    told = " ".join(
        f"{name}={one_line(str(value), 8) if name == 'key' else _fit(str(value))}" for name, value in more.items()
    )
    action, address = f"{request.method} {path}", getattr(request.state, "address", "")
    try:
        await bus.record(
            Deed(await bus.now(), who.name, who.role, who.key, address, action, session, told[: 4 * _LONGEST], status)
        )
    except BusError as error:
        log.error("not recorded (%s): %s, %s, %s %s: %d", error, who.name, action, session, told, status)


def _fit(text: str) -> str:
    return numbers_shortened(one_line(text, _LONGEST), bare=True)
