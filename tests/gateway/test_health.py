"""A gateway's health pages: on a port of their own."""

import aiohttp

from gateway.main import start_gateway
from schemas.log import MemoryBus
from schemas.settings import Settings


async def test_health_has_a_port_of_its_own() -> None:
    """/healthz, /readyz and /metrics answer on the health port only; a gateway that drains is not ready."""
    gateway = await start_gateway(Settings(gateway_port=0, _env_file=None), MemoryBus())  # type: ignore[call-arg]
    async with aiohttp.ClientSession() as http:

        async def page(port: int, path: str) -> tuple[int, str]:
            async with http.get(f"http://127.0.0.1:{port}{path}") as answer:
                return answer.status, await answer.text()

        health, public = gateway.health.port, gateway.server.port
        assert (await page(health, "/readyz"))[0] == 200
        assert (await page(health, "/healthz"))[0] == 200
        assert "antiphon_gateway_sessions" in (await page(health, "/metrics"))[1]
        for path in ("/readyz", "/healthz", "/metrics"):
            assert (await page(public, path))[0] == 404
        async with http.get(f"http://127.0.0.1:{health}/metrics", headers={"Host": "rebound.example"}) as answer:
            assert answer.status == 403  # a page that came by another name (DNS rebinding) reads no figures
        gateway.reception.draining = True
        assert await page(health, "/readyz") == (503, '{"ready": false, "because": ["shutting down"]}')
        assert (await page(health, "/healthz"))[0] == 200
    await gateway.aclose()
