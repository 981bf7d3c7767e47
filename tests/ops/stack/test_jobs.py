"""What `antiphon up` archives: calls that ended are found by the commands that read, while it runs and afterwards."""

import asyncio
from pathlib import Path

import pytest

from ops import reading
from ops.stack.stack import Plan, Stack
from schemas.config.settings import Settings, load
from schemas.events import Event
from schemas.log import connected
from schemas.session.history import events_of
from schemas.session.listing import Rows
from tests.schemas.archive.calls import ended


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))
    for name in ("REDIS_URL", "ARCHIVE_URL", "ARCHIVE_BLOBS"):
        monkeypatch.delenv(name, raising=False)


def plan(folder: Path, warned: list[str] | None = None, *, jobs: int = 1) -> Plan:
    told = (warned if warned is not None else []).append
    return Plan(folder / "data" / "up", gateways=0, stt=0, llm=0, tts=0, free_ports=True, jobs=jobs, on_warn=told)


def commands(settings: Settings, folder: Path, warned: list[str], *, jobs: int = 1) -> dict[str, list[str]]:
    stack = Stack(plan(folder, warned, jobs=jobs), settings)
    return {one.name: [*one.arguments] for one in stack._processes()}


def test_a_stack_archives_unless_it_is_told_not_to(tmp_path: Path) -> None:
    """Behind all calls; not where nobody asked for it, nor where there is no Redis for it."""
    warned: list[str] = []
    told = commands(load(archive="auto", llm_provider="simulated"), tmp_path, warned)
    assert list(told) == ["jobs-1"]
    assert told["jobs-1"][:3] == ["nice", "-n", "10"]
    assert told["jobs-1"][-2:] == ["worker", "jobs"]
    assert commands(load(archive="off", llm_provider="simulated"), tmp_path, warned) == {}
    assert commands(load(archive="on", llm_provider="simulated"), tmp_path, warned, jobs=0) == {}
    assert warned == []
    cluster = load(redis_url="redis://x", redis_cluster=True, archive="on", llm_provider="simulated")
    assert commands(cluster, tmp_path, warned) == {}
    assert "JOBS_REDIS_URL" in warned[0]


async def _read(session: str) -> tuple[list[Event], list[str]]:
    """As a command does: its events, and which sessions there are."""
    async with reading.find_log(session) as found:
        rows = [row.told.session async for row in Rows(found.log).each()]
        return [event async for event in events_of(found.log, found.session)], rows


@pytest.mark.timeout(120)
async def test_what_ended_is_found_wherever_it_is(tmp_path: Path) -> None:
    """Archived by the stack's own worker; read while the stack runs, when it has stopped, and without any log."""
    async with Stack(plan(tmp_path), load(archive="on", llm_provider="simulated")) as stack:
        async with connected(Settings(_env_file=None, redis_url=stack.redis_url)) as bus:
            before = await ended(bus, "s1", 2)
            async with asyncio.timeout(60):
                while await bus.info("s1") is not None:
                    await asyncio.sleep(0.05)
        assert await _read("s1") == (before.events, ["s1"])
        assert await _read("last") == (before.events, ["s1"])
    assert await _read("s") == (before.events, ["s1"])
    (tmp_path / "data" / "up").rename(tmp_path / "elsewhere")
    assert await _read("last") == (before.events, ["s1"])
