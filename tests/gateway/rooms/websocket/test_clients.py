"""The two clients of docs/websocket.md do what it says, as they stand there."""

import asyncio
import json
import re
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from schemas.events import SessionEnded, SessionResumed
from tests.gateway.door import door
from tests.gateway.pools import Pools

ROOT = Path(__file__).parents[4]
DOCS = (ROOT / "docs/websocket.md").read_text()
BROWSER = Path(__file__).with_name("browser.mjs")


def written(language: str) -> str:
    """The one program of that language in the docs."""
    (program,) = re.findall(rf"^```{language}\n(.*?)^```$", DOCS, re.MULTILINE | re.DOTALL)
    return str(program)


async def run(*arguments: str, folder: Path, given: str = "") -> str:
    """What a program prints."""
    process = await asyncio.create_subprocess_exec(
        *arguments, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        out, err = await process.communicate(given.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_the_python_client(tmp_path: Path) -> None:
    """It says a file, prints both sides once each, keeps the answer's sound, and hangs up."""
    (tmp_path / "say.py").write_text(written("python"))
    with wave.open(str(tmp_path / "hello.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.full(9_600, 5000, "<i2").tobytes())
    async with door() as gateway, Pools(gateway.bus, says=["I hear you."], seconds=0.5):
        url = f"ws://127.0.0.1:{gateway.server.port}/ws"
        said = await run(sys.executable, "say.py", "hello.wav", url, folder=tmp_path)
        assert said.splitlines() == ["you:   hello there.", "agent: I hear you."]
        with wave.open(str(tmp_path / "answer.wav")) as answer:
            assert answer.getparams()[:3] == (1, 2, 24_000)
            assert answer.getnframes() == pytest.approx(12_000, abs=24)
        (session,) = [one.session for one in await gateway.bus.closed(10)]
        *_, last = await gateway.bus.read(session)
        assert isinstance(last, SessionEnded)
        assert last.reason == "hang_up"


@pytest.fixture(scope="module")
def node() -> str:
    found = subprocess.run([ROOT / "ops/locks/node.sh"], capture_output=True, text=True, check=True)
    return f"{found.stdout.strip()}/node"


async def test_the_browser_client(node: str, tmp_path: Path) -> None:
    """The page's script talks and hears, shows each line once, comes back with its ticket, and goes on in the same session."""
    async with door() as gateway, Pools(gateway.bus, says=["I hear you."], seconds=0.5):
        url = f"ws://127.0.0.1:{gateway.server.port}/ws"
        arguments = [node, "--experimental-websocket", str(BROWSER), url, "2"]
        told = json.loads(await run(*arguments, folder=tmp_path, given=written("html")))
        assert told["lines"] == ["hello there.", "I hear you."] * 2
        assert told["states"][:4] == ["listening", "thinking", "speaking", "listening"]
        assert (told["worklet"], told["connections"]) == ("microphone", 2)
        assert told["played"] == pytest.approx(2 * 12_000, abs=48)
        (session,) = [one.session for one in await gateway.bus.closed(10)]
        assert not [event for event in await gateway.bus.read(session) if isinstance(event, SessionResumed)]


@pytest.mark.parametrize(("language", "most"), [("python", 30), ("html", 60)])
def test_they_are_short(language: str, most: int) -> None:
    """A client is nothing to be afraid of."""
    assert len([line for line in written(language).splitlines() if line.strip()]) <= most
