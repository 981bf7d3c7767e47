"""What went wrong, as RFC 9457's problem+json: every answer that is no success, whoever raised it, has this one form."""

import logging
import re
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match

from schemas.access.allowance import Allowance, Ledger
from schemas.errors import AntiphonError, ArchiveError, BusError

log = logging.getLogger("antiphon.api")

MEDIA_TYPE = "application/problem+json"
_MOST_FIELDS = 20
_LONGEST = 200
"""Characters of what somebody sent that are said again."""
_SAID_AGAIN = 10.0
_NOTED = Allowance(a_minute=6, at_once=20)
"""What one address is not told and stands in the log: whoever asks in vain without end does not fill it."""
_FIELD = re.compile(r"{[^}]*}")
"""Of a path as it is described."""
_LOG_AWAY = 2
"""Seconds after which it is worth asking again when the log does not answer."""


class Problem(AntiphonError):
    """`code`: for programs; `detail`: for people: what was expected, what was found, what to do; `told`: instead of it, for
    whoever is no operator, where it names settings, addresses or agents."""

    def __init__(
        self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, *, told: str = ""
    ) -> None:
        super().__init__(detail)
        self.status, self.code, self.headers, self.told = status, code, headers, told


class FieldError(BaseModel):
    """`where`: the field's path, such as `body.agent` or `query.limit`."""

    where: str
    problem: str


class ProblemBody(BaseModel):
    """`type`: urn:antiphon:problem:CODE; `title`: of the status; `errors`: of fields, where the request had the wrong form."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[FieldError] = []


def missing(what: str, name: str) -> Problem:
    """404 for something that was named and is not there."""
    return Problem(404, "missing", f"there is no {what} {name[:_LONGEST]!r}")


def over(session: str) -> Problem:
    """409 for a session that has ended."""
    return Problem(409, "closed", f"session {session[:_LONGEST]!r} has ended; nothing more can be asked of it")


def log_away(error: BusError | None = None) -> Problem:
    """503 while the log can't be used. Strangers ask, too: which server that is, and which setting, our own log says."""
    told = error.told if error is not None else BusError.told
    return Problem(503, "log_away", f"{told}; the API's own log says more", {"Retry-After": str(_LOG_AWAY)})


def archive_away(error: ArchiveError) -> Problem:
    """503 while what only the archive has can't be had; calls go on, and their sessions are told."""
    return Problem(503, "archive_away", f"{error.told}; the API's own log says more", {"Retry-After": str(_LOG_AWAY)})


def handle_problems(app: FastAPI) -> None:
    """Have every error of `app` answered in this form."""

    noted = Ledger()

    async def ours(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)
        who = getattr(request.state, "who", None)
        if error.told and (who is None or not who.may("operator")):
            address = getattr(request.state, "address", "")
            if not noted.spend(address, time.monotonic_ns() // 1000, _NOTED):
                log.info("%s %s: %s", request.method, request.url.path, error)
            return _answer(error.status, error.code, error.told, headers=error.headers)
        return answer(error)

    async def form(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        fields = [_field(item) for item in error.errors()[:_MOST_FIELDS]]
        if isinstance(error.body, bytes):  # it was not read as JSON: `curl -d` calls it a form
            return _answer(422, "form", "a body is JSON, and says so: Content-Type: application/json", fields)
        detail = "; ".join(f"{field.where}: {field.problem}" for field in fields[:3])
        return _answer(422, "form", detail or "the request has another form than expected", fields)

    async def http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        if error.status_code == 405:
            allowed = ", ".join(_methods(request))
            detail = f"{request.method[:20]} is nothing that can be done here; {allowed} is"
            return _answer(405, "method", detail, headers={"Allow": allowed})
        unrouted = error.status_code == 404 and error.detail == HTTPStatus.NOT_FOUND.phrase
        detail = "nothing is at this path; /v1/openapi.json lists what there is" if unrouted else str(error.detail)
        return _answer(error.status_code, _code(error.status_code), detail, headers=error.headers)

    said = float("-inf")

    async def away(_: Request, error: Exception) -> JSONResponse:
        nonlocal said
        assert isinstance(error, BusError | ArchiveError)
        if (now := time.monotonic()) - said >= _SAID_AGAIN:
            said = now
            log.warning("%s", error)
        return answer(log_away(error) if isinstance(error, BusError) else archive_away(error))

    async def refused(_: Request, error: Exception) -> JSONResponse:
        return _answer(400, "refused", str(error))

    async def unknown(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return _answer(500, "internal", "something went wrong on our side; the API's log says what")

    for kind, handler in (
        (Problem, ours), (RequestValidationError, form), (HTTPException, http), (BusError, away),
        (ArchiveError, away), (AntiphonError, refused), (Exception, unknown),
    ):  # fmt: skip
        app.add_exception_handler(kind, handler)


def _methods(request: Request) -> list[str]:
    """Of all routes of this path as it is described (/agents/reload is no agent's); what was raised names those of one route."""
    routes = [found.route for found in iter_route_contexts(request.app.routes)]
    fitting = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    nearest = max(map(_path, fitting), key=lambda path: len(_FIELD.sub("", path)), default="")
    same = [route for route in fitting if _path(route) == nearest]
    return sorted({method for route in same for method in getattr(route, "methods", None) or ()})


def _path(route: BaseRoute) -> str:
    return getattr(route, "path", "")


def _field(item: Mapping[str, Any]) -> FieldError:
    return FieldError(where=".".join(str(part) for part in item["loc"])[:_LONGEST], problem=str(item["msg"])[:_LONGEST])


def _code(status: int) -> str:
    return {404: "missing", 405: "method", 413: "too_large", 415: "media_type"}.get(status, "http")


def answer(problem: Problem) -> JSONResponse:
    """For whoever answers before there is a route."""
    return _answer(problem.status, problem.code, str(problem), headers=problem.headers)


def body_of(status: int, code: str, detail: str, errors: list[FieldError] | None = None) -> ProblemBody:
    return ProblemBody(
        type=f"urn:antiphon:problem:{code}", title=HTTPStatus(status).phrase, status=status, code=code, detail=detail,
        errors=errors or [],
    )  # fmt: skip


def _answer(
    status: int,
    code: str,
    detail: str,
    errors: list[FieldError] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    body = body_of(status, code, detail, errors)
    return JSONResponse(body.model_dump(), status, headers, MEDIA_TYPE)
