"""The HTTP API: which routes there are. Each file of `api/routes` is one topic, with its own models."""

import asyncio
import json
from functools import cache
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from api.access.cors import Beforehand, Readable
from api.built import built_app
from api.guard import Guard
from api.house import House
from api.pages import Pages
from api.problems import MEDIA_TYPE, ProblemBody, handle_problems
from api.routes import (
    agents,
    asks,
    audit,
    dead_letters,
    erasures,
    events,
    files,
    follow_ups,
    forks,
    gateways,
    health,
    jobs,
    keys,
    latency,
    listen,
    livekit,
    login,
    phones,
    queues,
    rooms,
    sessions,
    sip,
    sound,
    start,
    tickets,
    transcript,
    webhooks,
)
from api.signpost import Signpost
from schemas.process.origins import named

_TOPICS = (
    agents, asks, audit, dead_letters, erasures, events, files, follow_ups, forks, gateways, health, jobs, keys, latency,
    listen, livekit, login, phones, queues, rooms, sessions, sip, sound, start, tickets, transcript, webhooks,
)  # fmt: skip
ROUTERS = tuple(topic.router for topic in _TOPICS)

_PROBLEM = {"$ref": "#/components/schemas/ProblemBody"}


class _Guarded(FastAPI):
    """Nothing is answered past the guard, errors of ours included."""

    described: dict[str, Any] | None = None
    described_text = b""

    def setup(self) -> None:
        """Anybody may ask for the description: FastAPI would write it out each time, six milliseconds of the loop."""

        async def description(_: Request) -> Response:
            if not self.described_text:
                self.described_text = await asyncio.to_thread(lambda: json.dumps(self.openapi()).encode())
            return Response(self.described_text, media_type="application/json")

        self.add_route(str(self.openapi_url), description, include_in_schema=False)

    def openapi(self) -> dict[str, Any]:
        """Problems are described as what they are sent as: FastAPI takes them for what the route answers else. The first time
        takes a while: ask for it in a thread."""
        if self.described is None:
            described = super().openapi()
            for operation in (operation for path in described["paths"].values() for operation in path.values()):
                for answer in operation["responses"].values():
                    (described_as, *others) = answer.get("content", {}).values() or [{}]
                    if described_as.get("schema") == _PROBLEM and not others:
                        answer["content"] = {MEDIA_TYPE: described_as}
            self.described = described
        return self.described

    def build_middleware_stack(self) -> ASGIApp:
        house: House = self.state.house
        origins = named(house.settings.api_allowed_origins)
        if not origins:
            return Guard(super().build_middleware_stack(), house)
        return Readable(Guard(Beforehand(super().build_middleware_stack(), origins), house), origins)


@cache
def _routes() -> tuple[BaseRoute, ...]:
    """What FastAPI makes of the routers, once a process: it takes a fifth of a second, and tests make an app each."""
    model = FastAPI(openapi_url=None, responses={"4XX": {"model": ProblemBody}, "5XX": {"model": ProblemBody}})
    for router in ROUTERS:
        model.include_router(router)
    return tuple(model.router.routes)


def create_app(house: House) -> FastAPI:
    """The application over what a process has; whoever made `house` opens and closes it."""
    app = _Guarded(
        title="Antiphon",
        version="1",
        summary="Voice agents as an ordered log: who talks, what was said, and why it took as long as it did.",
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        redirect_slashes=False,  # to wherever the Host header says
        separate_input_output_schemas=False,
    )
    app.state.house = house
    app.state.paths = frozenset(
        route.path for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)
    )
    handle_problems(app)
    app.router.routes.extend(_routes())
    app.router.middleware_stack = Signpost(app.router)
    app.router.default = Pages(house, lambda: built_app(house.settings.api_web))
    return app
