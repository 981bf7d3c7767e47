"""The embedded chat server as a process, for tests."""

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import aiohttp
import pytest

from ops.stack.system import free_port

_START = 30.0


@pytest.fixture(scope="session")
def embedded() -> Iterator[str]:
    """The base URL of `antiphon llm-server` with the packaged model, one for all tests.

    On one thread: two that wait for each other at every step of the model are four times as slow where all cores are busy."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "ops.cli", "llm-server", "--port", str(port)],
        env={**os.environ, "MODEL_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + _START
        while True:
            with contextlib.suppress(OSError):
                if urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).status == 200:
                    break
            assert process.poll() is None, "the LLM server ended while starting"
            assert time.monotonic() < end, "the LLM server was not ready in time"
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        assert process.wait(10) == 0


async def healthy(base_url: str) -> bool:
    async with aiohttp.ClientSession() as http, http.get(base_url.removesuffix("/v1") + "/health") as answer:
        return answer.status == 200
