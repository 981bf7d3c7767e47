"""A gateway's health pages: on a port of their own."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.main import run_gateway, start_gateway
from ops.stack.embedded.valkey import Valkey
from ops.stack.system import free_port
from schemas.config.settings import Settings
from schemas.events import STAGES
from schemas.log import MemoryBus


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


async def test_a_gateway_says_who_answers_those_that_name_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At its start, in its own log: it may run without `up`, which says it, too."""
    caplog.set_level(logging.INFO, "antiphon.gateway")
    (tmp_path / "desk.toml").write_text('greeting = "Hello."\n')
    settings = Settings(gateway_port=0, agents=tmp_path, _env_file=None)  # type: ignore[call-arg]
    await (await start_gateway(settings, MemoryBus())).aclose()
    rule = f"who names no agent gets desk ({tmp_path / 'desk.toml'}: there is no other file)"
    assert [record.levelname for record in caplog.records if record.getMessage() == rule] == ["INFO"]


async def test_a_gateway_without_workers_stays_ready_and_says_what_is_missing() -> None:
    """An orchestrator that took it away would hang up the calls it has, and help nobody."""
    bus = MemoryBus()
    gateway = await start_gateway(Settings(gateway_port=0, _env_file=None), bus)  # type: ignore[call-arg]
    await gateway.reception.pools.look()
    async with aiohttp.ClientSession() as http:

        async def ready() -> tuple[int, dict[str, Any]]:
            async with http.get(f"http://127.0.0.1:{gateway.health.port}/readyz") as answer:
                return answer.status, await answer.json()

        status, told = await ready()
        assert (status, told["ready"], told["because"]) == (200, True, [])
        assert [missing.partition(" for ")[0] for missing in told["missing"]] == [
            "no stt worker", "no llm worker", "no tts worker",
        ]  # fmt: skip
        for stage in STAGES:
            await bus.take(stage, 0, f"{stage}-1", 1)
        await gateway.reception.pools.look()
        assert await ready() == (200, {"ready": True, "because": []})
    await gateway.aclose()


async def test_a_gateway_without_its_log_is_alive_and_says_what_it_waits_for(tmp_path: Path) -> None:
    """Before its log is there a gateway's health page names the setting it waits for; it is let live, and then works."""
    log = Valkey(tmp_path / "valkey", free_port())
    settings = Settings(  # type: ignore[call-arg]
        redis_url=log.url, gateway_port=0, health_port=free_port(), _env_file=None
    )
    stop = asyncio.Event()
    running = asyncio.create_task(run_gateway(settings, stop=stop))
    async with aiohttp.ClientSession() as http:

        async def page(path: str) -> tuple[int, dict[str, Any]]:
            try:
                async with http.get(f"http://127.0.0.1:{settings.health_port}{path}") as answer:
                    return answer.status, await answer.json()
            except aiohttp.ClientError:
                return 0, {}

        async def until(status: int) -> dict[str, Any]:
            async with asyncio.timeout(20):
                while (found := await page("/readyz"))[0] != status:
                    await asyncio.sleep(0.05)
            return found[1]

        (because,) = (await until(503))["because"]
        assert "REDIS_URL" in because
        assert log.password not in because
        assert (await page("/healthz"))[0] == 200
        await log.start()
        await until(200)
    stop.set()
    await running
    await log.stop()
