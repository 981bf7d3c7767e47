"""Which routes a path may be for. FastAPI asks every router for every request, and the one that it is for twice; there are two
dozen of them, and asking them all takes longer than most answers."""

from collections import defaultdict

from fastapi.routing import APIRouter, iter_route_contexts
from starlette.routing import BaseRoute, Match
from starlette.types import Message, Receive, Scope, Send


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
        """HEAD is answered as GET is, without the body, wherever there is no answer of its own to it."""
        match, route, child = self._found(scope)
        if scope.get("method") == "HEAD" and match is not Match.FULL:
            asked: Scope = {**scope, "method": "GET"}
            as_get, getting, child_of_get = self._found(asked)
            if as_get is Match.FULL and getting is not None:
                asked.update(child_of_get)
                await _without_body(getting, scope, asked, receive, send)
                return
        if route is None:
            await self._router.default(scope, receive, send)
            return
        scope.update(child)
        await route.handle(scope, receive, send)

    def _found(self, scope: Scope) -> tuple[Match, BaseRoute | None, Scope]:
        """The first that fits, else the first that fits but for the method."""
        partly: tuple[Match, BaseRoute | None, Scope] = (Match.NONE, None, {})
        for route in self._by_beginning.get(_beginning(scope["path"]), ()):
            match, child = route.matches(scope)
            if match is Match.FULL:
                return match, route, child
            if match is Match.PARTIAL and partly[1] is None:
                partly = (match, route, child)
        return partly


class _Enough(Exception):
    """The head of the answer is sent, and nothing of its body is made."""


async def _without_body(route: BaseRoute, scope: Scope, asked: Scope, receive: Receive, send: Send) -> None:
    """`asked`: `scope`, as if it were GET; whoever looks at `scope` afterwards finds in it which route that was."""

    async def head(message: Message) -> None:
        if message["type"] != "http.response.start":
            return
        scope.update({name: value for name, value in asked.items() if name != "method"})
        await send(message)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        raise _Enough

    try:
        await route.handle(asked, receive, head)
    except _Enough:
        pass


def _beginning(path: str) -> tuple[str, ...]:
    return tuple(path.split("/", 3)[1:3])
