"""The API does what its description says, whatever it is sent: schemathesis makes requests of the OpenAPI document, good and bad,
and looks at the answers."""

import asyncio
import os
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from pydantic import SecretStr
from schemathesis.checks import ignored_auth, positive_data_acceptance, unsupported_method
from schemathesis.config import SchemathesisConfig

from api import openapi
from api.app import create_app
from api.house import House
from api.main import house_of
from schemas.access.new_key import new_key
from schemas.config.settings import Settings
from schemas.log import MemoryBus

_CONFIG: dict[str, Any] = {
    "generation": {"with-security-parameters": False},
    "checks": {
        "not_a_server_error": {"expected-statuses": ["2xx", "4xx", "502", "503"]},
        "negative_data_rejection": {"expected-statuses": ["4xx", "5xx"]},  # 413, too
    },
}
SCHEMA = schemathesis.openapi.from_dict(openapi.document(), config=SchemathesisConfig.from_dict(_CONFIG))


_SETTINGS = Settings(
    _env_file=None,
    api_requests_per_minute=10_000_000,
    livekit_url="ws://127.0.0.1:1",  # nobody is there: what is asked of it is made, and can't be sent
    livekit_api_key="key",
    livekit_api_secret=SecretStr("a-secret-of-at-least-thirty-two-characters"),
    sip_listen="127.0.0.1:0",
)
_LEFT_OUT = [
    ignored_auth,  # tests/api/access/test_gate.py asks; this check has no server it could ask again
    positive_data_acceptance,  # a description can't say "this is TOML", "one line", "an address or a user"
]


class Api:
    """The application in process, one event loop for all requests."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self.house: House = self._runner.run(self._made())
        self._app = create_app(self.house)

    async def _made(self) -> House:
        bus = MemoryBus()
        await bus.start()
        made = house_of(_SETTINGS, bus)
        made.waits_for = ""
        key, self.shown = new_key("ann", "admin", await bus.now())
        await bus.add_key(key)
        return made

    def ask(self, case: Any) -> httpx2.Response:
        wanted = requests.Request(**case.as_transport_kwargs(base_url="http://127.0.0.1:8080")).prepare()
        return self._runner.run(self._ask(wanted))

    async def _ask(self, wanted: requests.PreparedRequest) -> httpx2.Response:
        transport = httpx2.ASGITransport(self._app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport) as client:
            async with asyncio.timeout(5):
                headers = {**wanted.headers, "Authorization": f"Bearer {self.shown}"}
                return await client.request(str(wanted.method), str(wanted.url), headers=headers, content=wanted.body)

    def close(self) -> None:
        self._runner.close()


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    made = Api()
    yield made
    made.close()


@SCHEMA.exclude(path_regex="stream").parametrize()
@hypothesis_settings(
    max_examples=5, deadline=None, derandomize=bool(os.environ.get("CI")), database=None,
    suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate),
)  # fmt: skip
def test_it_does_what_it_says(api: Api, case: Any) -> None:
    """No request, however odd, is a fault of ours; each answer has a form and a status that the description knows."""
    left_out = [*_LEFT_OUT]
    if case.operation.path.endswith(
        "/mute"
    ):  # an identity may hold a slash: without it, it is the participant `x/mute`
        left_out.append(unsupported_method)
    case.validate_response(api.ask(case), excluded_checks=left_out)
