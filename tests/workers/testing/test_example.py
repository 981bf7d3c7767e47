"""A stranger's package of providers: installed, found by its entry points, at work, tested with what we ship for it."""

import asyncio
import contextlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from hatchling.builders.wheel import WheelBuilder

from ops.stack.embedded.valkey import Valkey
from ops.stack.system import free_port
from schemas.audio import AudioRef
from schemas.bus import Publication
from schemas.config.agent import AgentSpec
from schemas.events import SessionStarted, TranscriptFinal
from schemas.jobs import SttJob
from schemas.languages import Announced
from schemas.log import RedisBus

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "tests" / "workers" / "example_provider"
SOUND = np.full(32_000, 900, np.int16)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder into which the example was installed by pip, offline."""
    source, site = tmp_path_factory.mktemp("source") / "example", tmp_path_factory.mktemp("site")
    shutil.copytree(EXAMPLE, source)
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet")
    subprocess.run([sys.executable, "-m", "pip", "install", *offline, "--target", str(site), str(source)], check=True)
    return site


def environment(package: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(package), **more}


async def ready(port: int, process: asyncio.subprocess.Process) -> None:
    async with aiohttp.ClientSession() as http:
        while process.returncode is None:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)
    raise AssertionError(f"the worker ended with {process.returncode}")


async def test_it_does_a_job(package: Path, valkey: Valkey, tmp_path: Path) -> None:
    """`antiphon worker stt` finds the provider by its entry point, tells its language and transcribes what is in the log."""
    page, port = tmp_path / "page.txt", free_port()
    page.write_text("It was the best of times, it was the worst of times.")
    bus = RedisBus(valkey.url)
    await bus.start()
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ops.cli", "worker", "stt"),
        env=environment(
            package, STT_PROVIDER="example", EXAMPLE_PAGE=str(page), REDIS_URL=valkey.url, HEALTH_PORT=str(port)
        ),
        cwd=ROOT,
    )
    try:
        async with asyncio.timeout(50):
            await ready(port, worker)
            agent = AgentSpec()
            claimed = await bus.open(
                "a", "gw", "open", [SessionStarted(room="r", transport="memory", agent=agent, gateway="gw")]
            )
            key = await bus.put_blob("a", "u1", SOUND.tobytes())
            audio = [AudioRef(key=key, rate=16_000, samples=len(SOUND))]
            job = SttJob.of(agent, "a", 1, "u1", "ann").model_copy(update={"audio": audio})
            await bus.publish("a", claimed.epoch, Publication(1, jobs=[job]))
            while not (heard := [e for e in await bus.read("a") if isinstance(e, TranscriptFinal)]):
                await asyncio.sleep(0.02)
            assert [(event.text, event.model) for event in heard] == [("It was the best of times, it", "page")]
            while not (told := await bus.announced("stt")):
                await asyncio.sleep(0.02)
            assert told == [Announced("stt", ["en"], "EXAMPLE_PAGE=page.txt", "example")]
    finally:
        if worker.returncode is None:
            worker.kill()
        await worker.wait()
        await bus.aclose()


def test_it_keeps_the_promises(package: Path, tmp_path: Path) -> None:
    """Its own tests, the contract suites among them, pass where there is nothing of our tests."""
    shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    shutil.copy(EXAMPLE / "pyproject.toml", tmp_path)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environment(package),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert int(re.findall(r"(\d+) passed", run.stdout)[0]) > 50


def test_the_kit_is_in_the_wheel() -> None:
    """Whoever installs Antiphon's wheel has the suites, the virtual clock and the stages to try a provider with."""
    shipped = {file.distribution_path for file in WheelBuilder(str(ROOT)).recurse_included_files()}
    ours = {str(path.relative_to(ROOT)) for path in (ROOT / "workers" / "testing").rglob("*.py")}
    assert {"workers/testing/contracts/stt.py", "workers/testing/virtual_time.py"} <= ours <= shipped
    assert not [path for path in shipped if path.startswith("tests/")]


@pytest.mark.parametrize("quoted", ["example_provider/stt.py", "pyproject.toml", "tests/test_providers.py"])
def test_the_page_quotes_the_example(quoted: str) -> None:
    """What docs/writing-a-provider.md shows of the example stands there as it is in its files."""
    page = (ROOT / "docs" / "writing-a-provider.md").read_text("utf-8")
    file = (EXAMPLE / quoted).read_text("utf-8")
    blocks = [
        block for name, block in re.findall(r"^`([\w./]+)`\n+```\w+\n(.*?)^```", page, re.M | re.S) if name == quoted
    ]
    assert blocks, f"the page quotes nothing of {quoted}"
    assert all(block in file for block in blocks)
