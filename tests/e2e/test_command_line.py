"""The commands as processes, as a person or a script runs them: `up`, a call that survives, and reading what happened."""

import asyncio
import json
import os
import secrets
import signal
import sys
import wave
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ops.people.audio import write_stereo
from ops.stack.here import running
from schemas.access.tokens import Grant, mint
from schemas.audio import Pcm
from schemas.config.settings import Settings
from schemas.log import connect

Lines = Callable[[str], Pcm]


async def antiphon(*arguments: str, folder: Path, code: int = 0) -> str:
    """Run a command in `folder` to its end; answers its stdout."""
    process = await _begin(*arguments, folder=folder)
    async with asyncio.timeout(100):
        out, error = await process.communicate()
    assert process.returncode == code, f"{arguments} ended with {process.returncode}\n{out.decode()}\n{error.decode()}"
    return out.decode()


async def _begin(*arguments: str, folder: Path) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("antiphon")), *arguments, cwd=folder, stdout=pipe, stderr=pipe
    )


def last_object(out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


@asynccontextmanager
async def up(folder: Path) -> AsyncIterator[dict[str, int]]:
    """`antiphon up` in `folder`; answers the pids of its processes. After SIGTERM it ends with 0 and leaves none of them."""
    process = await _begin("up", "--free-ports", "--json", folder=folder)
    assert process.stdout is not None
    async with asyncio.timeout(60):
        started = json.loads(await process.stdout.readline())
    pids = {row["name"]: row["pid"] for row in started["processes"]}
    try:
        yield pids
    finally:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            await process.communicate()
    assert process.returncode == 0
    assert [name for name, pid in pids.items() if os.path.exists(f"/proc/{pid}")] == []  # noqa: ASYNC240


async def begun(folder: Path) -> None:
    """Wait until somebody is heard in a session of the stack that runs in `folder`."""
    stack = running(folder / ".antiphon")
    assert stack is not None
    bus = connect(Settings(redis_url=stack["redis_url"]))
    await bus.start()
    async with asyncio.timeout(60):
        while True:
            for info in await bus.sessions():
                if any(event.type == "speech.started" for event in await bus.read(info.session)):
                    await bus.aclose()
                    return
            await asyncio.sleep(0.1)


def recorded(folder: Path, pcm: Pcm) -> str:
    write_stereo(folder / "question.wav", pcm, pcm, 16_000)
    return "question.wav"


async def test_a_call_survives_its_gateway_and_can_be_read(tmp_path: Path, lines: Lines) -> None:
    """`call`, let in and named by its token, comes back as who it was when its gateway is killed under it; sessions, show, state
    and export tell of it, also afterwards."""
    question = recorded(tmp_path, lines("story"))
    secret = secrets.token_hex(16)
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "default.toml").write_text("llm.max_tokens = 12\n")
    (tmp_path / ".env").write_text(f"GATEWAY_TOKEN_SECRET={secret}\nAGENTS=agents\n")
    ann = mint(secret, Grant(participant="ann"))
    async with up(tmp_path) as pids:
        calling = asyncio.create_task(
            antiphon("call", question, "--token", ann, "--out", "conversation.wav", "--json", folder=tmp_path)
        )
        await begun(tmp_path)
        os.kill(pids["gateway-1"], signal.SIGKILL)
        called = last_object(await calling)
        assert called["replies"]
        write_stereo(tmp_path / "silence.wav", *(np.zeros(4_000, np.int16),) * 2, 16_000)
        session = called["session"]
        several, silent, healthy, listed, state, followed = await asyncio.gather(
            antiphon("call", question, "--sessions", "2", "--json", folder=tmp_path),
            antiphon("call", "silence.wav", "--wait", "1", folder=tmp_path, code=1),
            antiphon("doctor", "--json", folder=tmp_path),
            antiphon("sessions", "--json", folder=tmp_path),
            antiphon("state", session, "--at", "2", "--json", folder=tmp_path),
            antiphon("show", session, "--follow", "--json", folder=tmp_path),
        )
        assert last_object(several)["answered"] == 2
        assert "no answer came" in silent
        assert last_object(healthy)["healthy"]
    with wave.open(str(tmp_path / "conversation.wav")) as sound:
        both = np.frombuffer(sound.readframes(sound.getnframes()), "<i2").reshape(-1, 2)
    assert np.abs(both.astype(int)).max(axis=0).min() > 1000  # somebody on either side
    assert session in {row["session"] for row in last_object(listed)["sessions"]}
    assert last_object(state)["seq"] == 2
    seqs = [json.loads(line)["seq"] for line in followed.splitlines()]
    assert seqs == list(range(1, len(seqs) + 1))
    told = await antiphon("show", session, folder=tmp_path)
    assert "takes over" in told
    assert "ann" in told
    assert "caller" not in told
    assert "ms from the user's last word to the agent's first sound" in told
    await antiphon("export", session, "call.zip", folder=tmp_path)
    with zipfile.ZipFile(tmp_path / "call.zip") as archive:
        assert archive.testzip() is None
        assert {"events.jsonl", "session.wav", "state.json"} <= set(archive.namelist())


async def test_the_demo_converses_with_ones_own_recording(tmp_path: Path, lines: Lines) -> None:
    """`demo --wav` answers it, explains each turn in parts that sum, leaves a stereo WAV, and its session can be read."""
    question = recorded(tmp_path, lines("capital"))
    told = last_object(await antiphon("demo", "--wav", question, "--json", folder=tmp_path))
    assert told["answered"] == told["steps"] == 1
    shown = await antiphon("show", told["session"], "--json", folder=tmp_path)
    events = [json.loads(line) for line in shown.splitlines()]
    # A busy machine says once that its answer is on its way.
    fillers = [event for event in events if event["type"] == "turn.committed" and event["why"] == "filler"]
    assert len(fillers) <= 1
    assert [shape["kind"] for shape in told["waterfalls"]] == ["own", *["own" for _ in fillers], "voice"]
    for shape in told["waterfalls"]:
        assert abs(sum(shape["parts"].values()) - shape["total"]) < 1e-6
    with wave.open(str(tmp_path / told["recording"])) as sound:
        assert sound.getnchannels() == 2
    assert "Hello, this is Antiphon." in await antiphon("show", told["session"], folder=tmp_path)
