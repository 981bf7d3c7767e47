"""Which route a request comes to."""

import httpx2
import pytest
from fastapi.routing import iter_route_contexts

from api.app import create_app
from api.house import House
from api.signpost import Signpost


def test_every_route_is_found_where_it_is_looked_for(house: House) -> None:
    """No route is left out because of how its path begins."""
    app = create_app(house)
    post = Signpost(app.router)
    found = [one.path for some in post._by_beginning.values() for one in iter_route_contexts(some)]
    there = [one.path for one in iter_route_contexts(app.routes)]
    assert len(there) > 60
    assert set(found) == set(there)


def test_few_routers_are_asked(house: House) -> None:
    """However many topics there are, a request is compared with those that begin as it does."""
    post = Signpost(create_app(house).router)
    assert len(post._by_beginning["v1", "queues"]) == 1
    assert max(len(some) for some in post._by_beginning.values()) < 12


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1", 404),
        ("GET", "/v1/", 404),
        ("GET", "//v1/me", 404),
        ("PATCH", "/v1/queues", 405),
        ("GET", "/v1/me", 200),
    ],
)
async def test_what_is_no_route(client: httpx2.AsyncClient, method: str, path: str, status: int) -> None:
    """A path that only resembles one is none; one with other methods says so."""
    assert (await client.request(method, f"http://127.0.0.1{path}")).status_code == status
