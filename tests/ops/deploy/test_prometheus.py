"""Prometheus itself reads the pages of a whole deployment, and takes our rules and queries."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from api.main import run_api
from gateway.main import run_gateway
from ops.jobs.worker import run_jobs
from ops.stack.embedded.valkey import Valkey
from ops.stack.system import free_port
from schemas.config.settings import Settings
from schemas.events import STAGES
from schemas.process.tasks import Tasks
from tests.pages import ROOT, figures
from tests.servers import own_logging, unable
from tests.test_metrics import RULES, queries
from workers.main import run_worker

__all__ = ["own_logging"]

FOLDER = RULES.parent
PAGES = ("gateway", "api", "jobs", *STAGES)


def program(name: str) -> str:
    """prometheus or promtool; without it the test is skipped with the reason, or fails where CI is set."""
    data = Path(os.environ.get("ANTIPHON_DATA") or ROOT / ".antiphon")
    found = shutil.which(name) or shutil.which(name, path=data / "bin")
    if found is None:
        unable(f"there is no {name}: ops/locks/prometheus.sh fetches it where apt is, or install prometheus")
    return found


@pytest.mark.parametrize(
    "check", [["check", "rules", RULES.name], ["test", "rules", "antiphon.rules.test.yml"], ["check", "config", "prometheus.yml"]]
)  # fmt: skip
def test_promtool_takes_the_rules(check: list[str]) -> None:
    """They are what Prometheus understands, and fire when they should."""
    done = subprocess.run([program("promtool"), *check], cwd=FOLDER, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_would_notice(tmp_path: Path) -> None:
    """A limit that nobody reaches makes the rules' own tests fail."""
    changed = RULES.read_text("utf-8").replace("antiphon_workers) == 0", "antiphon_workers) == -1")
    (tmp_path / RULES.name).write_text(changed, "utf-8")
    shutil.copy(FOLDER / "antiphon.rules.test.yml", tmp_path)
    command = [program("promtool"), "test", "rules", "antiphon.rules.test.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "AntiphonStageWithoutWorkers" in done.stdout + done.stderr


class Prometheus:
    """One that reads `pages` (name → port) each second."""

    def __init__(self, url: str, http: aiohttp.ClientSession):
        self._url, self._http = url, http

    async def ask(self, path: str, **parameters: str) -> dict[str, Any]:
        """What it answers under `data`. AssertionError: it refuses, and why."""
        async with self._http.get(f"{self._url}/api/v1/{path}", params=parameters) as answer:
            told = await answer.json()
        assert told["status"] == "success", f"{parameters}: {told.get('error')}"
        return dict(told["data"])

    async def query(self, expression: str) -> list[dict[str, Any]]:
        return list((await self.ask("query", query=expression))["result"])

    async def until(self, expression: str) -> list[dict[str, Any]]:
        """What a query answers once it answers anything; or the test's time runs out."""
        while not (found := await self.query(expression)):
            await asyncio.sleep(0.1)
        return found


@asynccontextmanager
async def prometheus(folder: Path, pages: dict[str, int]) -> AsyncIterator[Prometheus]:
    binary, port = program("prometheus"), free_port()
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {
                "job_name": "antiphon",
                "static_configs": [
                    {"targets": [f"127.0.0.1:{port}"], "labels": {"page": name}} for name, port in pages.items()
                ],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), "utf-8")
    process = await asyncio.create_subprocess_exec(
        binary,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    )
    try:
        async with aiohttp.ClientSession() as http:
            one = Prometheus(f"http://127.0.0.1:{port}", http)
            await answers(http, f"http://127.0.0.1:{port}/-/ready")
            yield one
    finally:
        process.terminate()
        await process.wait()


async def answers(http: aiohttp.ClientSession, url: str) -> None:
    while True:
        try:
            async with http.get(url) as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.05)


@asynccontextmanager
async def deployment(redis_url: str, data: Path) -> AsyncIterator[tuple[dict[str, int], str]]:
    """A gateway with phones, three workers, the API and a jobs worker whose archive is in `data`, by their own mains: the ports
    of their pages, and where clients begin."""
    pages = {name: free_port() for name in PAGES}
    door = free_port()

    def settings(name: str) -> Settings:
        simulated = {f"{stage}_provider": "simulated" for stage in STAGES}
        return Settings(  # type: ignore[call-arg]
            archive="on", archive_url=f"sqlite:///{data / 'archive.db'}", archive_blobs=str(data / "sounds"),
            redis_url=redis_url, health_port=pages[name], gateway_port=door, api_port=0, sip_listen="127.0.0.1:0",
            _env_file=None, **simulated,  # type: ignore[arg-type]
        )  # fmt: skip

    mains: list[Callable[[], Awaitable[None]]] = [
        *(lambda stage=stage: run_worker(stage, settings(stage)) for stage in STAGES),  # type: ignore[misc]
        lambda: run_gateway(settings("gateway")),
        lambda: run_api(settings("api")),
        lambda: run_jobs(settings("jobs")),
    ]
    tasks = Tasks()
    for main in mains:
        tasks.spawn(main())  # type: ignore[arg-type]
    try:
        async with aiohttp.ClientSession() as http:
            for port in pages.values():
                await answers(http, f"http://127.0.0.1:{port}/readyz")
        yield pages, f"ws://127.0.0.1:{door}/ws"
    finally:
        await tasks.aclose()


async def converse(url: str) -> None:
    """Write to the agent and hear its answer out, then hang up."""
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as client:
        await client.send_json({"type": "start", "version": 1})
        await client.send_json({"type": "message", "text": "Tell me of the capital."})
        async for frame in client:
            told = frame.json() if frame.type is aiohttp.WSMsgType.TEXT else {}
            if told.get("type") == "turn" and told["how"] == "played" and told["why"] == "text":
                await client.send_json({"type": "hang_up"})


@pytest.mark.usefixtures("own_logging")
async def test_prometheus_reads_a_deployment(tmp_path: Path, valkey: Valkey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page is read; each figure of docs/metrics.md stands on one, in its kind, and no other; a call is told by agent,
    provider and model; rules and the board's queries are taken."""
    monkeypatch.setenv("SIMULATED_TTS_CHAR_MS", "2")
    async with deployment(valkey.url, tmp_path) as (pages, door), prometheus(tmp_path, pages) as one:
        await converse(door)
        [ended] = await one.until('antiphon_gateway_sessions_ended_total{reason="hang_up"} > 0')
        assert ended["metric"]["page"] == "gateway"
        for name in PAGES:
            await one.until(f'up{{page="{name}"}} == 1')
        told = await one.ask("metadata")
        kinds = {name: kind[0]["type"] for name, kind in told.items() if name.startswith("antiphon_")}
        assert kinds == {figure.name: figure.kind for figure in figures()}
        assert await one.query('group by (__name__) ({__name__=~".+_created"})') == []
        for expression in (
            'antiphon_gateway_turns_total{agent="default", how="played"} > 0',
            'antiphon_worker_time_to_first_token_seconds_count{provider="simulated", model="simulated"} > 0',
            'antiphon_worker_sound_seconds_total{stage="tts", provider="simulated"} > 0',
            'antiphon_gateway_spoken_seconds_total{agent="default"} > 0',
            'antiphon_gateway_session_seconds_count{agent="default"} > 0',
            *(f'antiphon_workers{{page="{page}", stage="{stage}"}} == 1' for page in ("gateway", "api") for stage in STAGES),
            "antiphon_build_info == 1",
        ):  # fmt: skip
            await one.until(expression)
        for query in queries():
            await one.query(query)
        while True:
            groups = (await one.ask("rules"))["groups"]
            rules = [rule for group in groups for rule in group["rules"]]
            if all(rule["health"] != "unknown" for rule in rules):
                break
            await asyncio.sleep(0.1)
        assert {rule["name"]: rule["health"] for rule in rules} == {rule["name"]: "ok" for rule in rules}
        assert len(rules) == 18
