"""Every route there is, asked by everybody who may not."""

import json
import re
from typing import Any, get_args

import httpx2
import pytest
from fastapi.routing import APIRoute
from pydantic import SecretStr
from starlette.routing import Route

from api import openapi
from api.app import ROUTERS, create_app
from api.house import House
from schemas.access.keys import Role
from schemas.config.settings import Settings
from tests.api.access.test_gate import SECRET, bearer, made

PUBLIC = {
    "GET /health",
    "GET /ready",
    "POST /v1/login",  # it is where a key is shown
    "POST /v1/livekit/webhook",  # LiveKit's signature is asked for instead
}
"""Whom nobody asks for a key. Beside these there are the API's description and the files of the web app."""
CALLERS = {
    "POST /api/token",
    "POST /token",
    "GET /v1/agents",
    "GET /v1/livekit/status",
    "POST /v1/livekit/token",
    "POST /v1/login/renew",
    "GET /v1/me",
    "POST /v1/start",
    "POST /v1/ws/ticket",
}
ADMINS = {
    "POST /v1/agents/drafts",
    "PUT /v1/agents/{name}",
    "GET /v1/audit",
    "GET /v1/keys",
    "POST /v1/keys",
    "DELETE /v1/keys/{key}",
}
"""What is in none of these sets is for operators."""
PATHS: dict[str, Any] = openapi.document()["paths"]
ROLES: tuple[Role, ...] = get_args(Role)
OPERATIONS = sorted(
    f"{method} {route.path.replace(':path', '')}"
    for router in ROUTERS
    for route in router.routes
    if isinstance(route, APIRoute)
    for method in route.methods
)
GUARDED = [one for one in OPERATIONS if one not in PUBLIC]


def role_of(operation: str) -> Role:
    return "caller" if operation in CALLERS else "admin" if operation in ADMINS else "operator"


async def ask(client: httpx2.AsyncClient, operation: str, **shown: Any) -> httpx2.Response:
    """With names that are good for something, and no body: who may not is told so before anything else is looked at."""
    method, path = operation.split()
    path = path.replace("{key}", "0123abcd")
    return await client.request(method, re.sub(r"{\w+}", "x", path), **shown)


def refusal(answer: httpx2.Response) -> tuple[int, str]:
    """An answer to HEAD has no body: its status is told twice then."""
    body = answer.content or b'{"code": "%s"}' % (b"key" if answer.status_code == 401 else b"role")
    return answer.status_code, json.loads(body)["code"]


SETTINGS = Settings(
    _env_file=None, livekit_url="ws://127.0.0.1:1", livekit_api_key="key", livekit_api_secret=SecretStr(SECRET),
    api_requests_per_minute=1_000_000,
)  # fmt: skip
"""With everything that a route may be in want of; nobody answers at that LiveKit."""


@pytest.fixture
def settings() -> Settings:
    return SETTINGS


def test_every_route_is_described(house: House) -> None:
    """None is served that is not in the API's description, but the description itself, and HEAD; the sets above name no other."""
    described = {f"{method.upper()} {path}" for path, operations in PATHS.items() for method in operations}
    assert {one for one in OPERATIONS if not one.startswith("HEAD ")} == described
    assert described >= PUBLIC | CALLERS | ADMINS
    others = [route.path for route in create_app(house).routes if isinstance(route, Route)]
    assert others == ["/v1/openapi.json"]


def test_the_description_says_where_a_key_is_asked_for() -> None:
    """For programs that are made of it."""
    described = {
        f"{method.upper()} {path}": told for path, operations in PATHS.items() for method, told in operations.items()
    }
    assert {name for name, told in described.items() if "security" not in told} == PUBLIC


async def test_nobody_gets_in_without_a_key(client: httpx2.AsyncClient, house: House) -> None:
    """Once there are keys: without one, with a wrong one, and with what is no ticket, it is 401, and no more is said."""
    shown = await made(house, "admin")
    wrong: list[dict[str, Any]] = [
        {},
        {"headers": bearer(shown[:-1])},
        {"headers": bearer("x")},
        {"headers": {"Authorization": f"Basic {shown}"}},
        {"headers": {"X-Api-Key": shown}},
        {"params": {"ticket": shown, "key": shown, "token": shown}},
    ]
    for given in wrong:
        answers = {one: refusal(await ask(client, one, **given)) for one in GUARDED}
        assert answers == dict.fromkeys(GUARDED, (401, "key")), given


async def test_a_lower_role_is_refused(client: httpx2.AsyncClient, house: House) -> None:
    """By key and by ticket."""
    for role in ("caller", "operator"):
        shown = await made(house, role)
        ticket = (await client.post("/v1/login", json={"key": shown})).json()["ticket"]
        higher = [one for one in GUARDED if ROLES.index(role_of(one)) > ROLES.index(role)]
        for one in (shown, ticket):
            answers = {operation: refusal(await ask(client, operation, headers=bearer(one))) for operation in higher}
            assert answers == dict.fromkeys(higher, (403, "role")), role


async def test_the_role_itself_is_let_in(client: httpx2.AsyncClient, house: House) -> None:
    """With the key of just that role nothing is refused for want of one."""
    shown = {role: await made(house, role) for role in ROLES}
    for operation in GUARDED:
        if "stream" not in operation:  # they go on
            answer = await ask(client, operation, headers=bearer(shown[role_of(operation)]))
            assert answer.status_code not in (401, 403), operation


@pytest.mark.parametrize("settings", [SETTINGS.model_copy(update={"api_anonymous": "caller"})])
async def test_strangers_hold_conversations_and_nothing_else(client: httpx2.AsyncClient, house: House) -> None:
    """With API_ANONYMOUS=caller what is not for callers is closed to who shows nothing."""
    await made(house, "admin")
    closed = [one for one in GUARDED if one not in CALLERS]
    answers = {one: refusal(await ask(client, one)) for one in closed}
    assert answers == dict.fromkeys(closed, (403, "role"))


async def test_what_is_public_tells_nothing(client: httpx2.AsyncClient, house: House) -> None:
    """Who is asked for no key learns whether it runs, and that a made-up key or signature is none."""
    shown = await made(house, "admin")
    for operation, expected in {"GET /health": 200, "GET /ready": 200, "POST /v1/livekit/webhook": 401}.items():
        assert (await ask(client, operation)).status_code == expected
    answer = await client.post("/v1/login", json={"key": shown[:-1]})
    assert answer.status_code == 401
    assert shown[18:40] not in answer.text


async def test_metrics_are_for_operators(client: httpx2.AsyncClient, house: House) -> None:
    """On the public port Prometheus shows an operator's key: figures tell who talks when, and how much there is of what."""
    assert (await client.get("/metrics")).status_code == 200  # development
    assert (await client.get("/metrics", headers=bearer(await made(house, "operator")))).status_code == 200
    assert (await client.get("/metrics", headers=bearer(await made(house, "caller")))).status_code == 403
    assert (await client.get("/metrics")).status_code == 401
