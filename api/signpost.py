"""Which routes a path may be for. FastAPI asks every router for every request, and the one that it is for twice; there are two
dozen of them, and asking them all takes longer than most answers."""

from collections import defaultdict

from fastapi.routing import APIRouter, iter_route_contexts
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send


class Signpost:
    """In place of the router's own search: only routers are asked that have a route of the same two first parts, `/v1/queues`. No
    path of ours has a parameter there."""

    def __init__(self, router: APIRouter) -> None:
        self._router = router
        self._by_beginning: dict[tuple[str, ...], list[BaseRoute]] = defaultdict(list)
        for route in router.routes:
            for path in {context.path or "" for context in iter_route_contexts([route])}:
                beginning = _beginning(path)
                assert not any("{" in part for part in beginning), path
                if route not in self._by_beginning[beginning]:
                    self._by_beginning[beginning].append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        partly: tuple[BaseRoute, Scope] | None = None
        for route in self._by_beginning.get(_beginning(scope["path"]), ()):
            match, child = route.matches(scope)
            if match is Match.FULL:
                partly = (route, child)
                break
            if match is Match.PARTIAL and partly is None:
                partly = (route, child)
        if partly is None:
            await self._router.default(scope, receive, send)
            return
        route, child = partly
        scope.update(child)
        await route.handle(scope, receive, send)


def _beginning(path: str) -> tuple[str, ...]:
    return tuple(path.split("/", 3)[1:3])
