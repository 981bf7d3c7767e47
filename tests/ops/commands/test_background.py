"""A stack in the background: begun, looked at, listened to and stopped by commands, as scripts do."""

import asyncio
import json
import os
import re
import signal
import stat
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from typer.testing import CliRunner

from ops import cli, console
from ops.commands.up import Up
from ops.stack.here import Told, told_in
from ops.stack.stack import Plan
from ops.stack.supervisor import ANTIPHON

FEW = ("--free-ports", "--stt", "0", "--llm", "0", "--tts", "0")
"""No models: log, gateway and API."""


@pytest.fixture(autouse=True)
def _own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("REDIS_URL", "LLM_BASE_URL", "AGENTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LLM_PROVIDER", "simulated")


async def antiphon(*words: str) -> tuple[int, str, str]:
    """As a process: exit code, stdout, stderr."""
    process = await asyncio.create_subprocess_exec(
        *ANTIPHON,
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()  # ends only once nobody has our pipes any more
    assert process.returncode is not None
    return process.returncode, out.decode(), error.decode()


def invoke(*words: str) -> tuple[int, str, str]:
    """In this process: a few of them cost what one of their own would."""
    result = CliRunner().invoke(cli.app, list(words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


async def status() -> tuple[int, dict[str, Any]]:
    code, out, _ = await asyncio.to_thread(invoke, "status", "--json")
    return code, json.loads(out.splitlines()[-1])


@pytest.mark.timeout(120)
async def test_a_stack_in_the_background(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`up --detach` returns once everything is ready; `status` tells each process, also one that was killed and came back;
    `logs -f` goes on until `down`, which waits until nothing is left. A typo in the environment is told by all."""
    typo = "environment: there is no setting GATEWAY_PROT; did you mean GATEWAY_PORT?"
    monkeypatch.setenv("GATEWAY_PROT", "hunter2")
    code, out, error = await antiphon("up", "--detach", *FEW)
    assert code == console.DONE, error
    assert error.splitlines() == [typo]
    lines = out.splitlines()
    ready = [line.split()[0] for line in lines if "ready after" in line]
    assert ready[0] == "valkey"
    assert {*ready} == {"valkey", "api", "gateway-1"}
    assert " talk\n" in out
    assert any(line.startswith("  Open  http://") for line in lines)
    assert "who names no agent gets the built-in one: AGENTS is not set" in out

    lacking = [f"no {stage} worker (nothing waits): start one: " for stage in ("stt", "llm", "tts")]
    assert [line for line in lacking if line not in out] == []

    code, told = await status()
    rows = {row["name"]: row for row in told["processes"]}
    assert (code, told["unmanned"]) == (console.FAILED, ["stt", "llm", "tts"])  # whatever callers say waits
    seen = (await asyncio.to_thread(invoke, "status"))[1]
    assert [line for line in lacking if line not in seen] == []
    assert {name: row["state"] for name, row in rows.items()} == {
        "valkey": "running",
        "api": "ready",
        "gateway-1": "ready",
    }
    password = (tmp_path / "data" / "up" / "valkey" / "password").read_text()
    told_to_others = tmp_path / "data" / "up" / "stack.json"
    assert stat.S_IMODE(told_to_others.stat().st_mode) == 0o600
    assert [text for text in (out, error, json.dumps(told), told_to_others.read_text()) if password in text] == []
    assert rows["gateway-1"]["metrics"] in out
    async with aiohttp.ClientSession() as http:
        for name in ("api", "gateway-1"):
            async with http.get(rows[name]["metrics"]) as answer:
                assert "# TYPE" in await answer.text()
    following = asyncio.create_task(antiphon("logs", "-f", "-n", "all"))
    os.kill(rows["valkey"]["pid"], signal.SIGKILL)
    while (log := {row["name"]: row for row in (await status())[1]["processes"]}["valkey"])["restarts"] == 0:
        await asyncio.sleep(0.05)
    assert (log["state"], log["exit"], log["pid"] == rows["valkey"]["pid"]) == ("running", -9, False)
    pids = [told["pid"], log["pid"], rows["api"]["pid"], rows["gateway-1"]["pid"]]

    code, out, error = await antiphon("down")
    assert (code, out.splitlines()[-1]) == (console.DONE, f"Stopped. The log stays in {tmp_path / 'data' / 'up'}."), (
        error
    )
    assert [pid for pid in pids if Path(f"/proc/{pid}/exe").exists()] == []  # noqa: ASYNC240
    code, out, error = await following
    assert code == console.DONE, error
    told_by = {line.partition(" | ")[0].strip() for line in out.splitlines()}
    assert told_by == {"valkey", "api", "gateway-1", "up"}
    assert out.count("Valkey is starting") == 2  # before it was killed, and after
    assert "valkey died and was started again" in out
    assert [
        line.count("(it ended with -9)") for line in out.splitlines() if re.search(r"\bvalkey (died|ended)", line)
    ] == [1]
    assert {line.partition(" | ")[0].strip() for line in out.splitlines() if typo in line} >= {"api", "gateway-1"}
    assert "hunter2" not in out
    code, out, _ = await asyncio.to_thread(invoke, "logs", "gateway", "-n", "1")  # they stay
    assert (code, len(out.splitlines())) == (console.DONE, 1)


async def test_nobody_need_read_a_start_in_the_background(tmp_path: Path) -> None:
    """`up --detach | head -1`: the reader is gone after a line, and the stack comes up."""
    read, write = os.pipe()
    process = await asyncio.create_subprocess_exec(*ANTIPHON, "up", "--detach", *FEW, stdout=write, stderr=write)
    os.close(write)
    with os.fdopen(read, "rb") as said:
        assert await asyncio.to_thread(said.readline) != b""
    assert await process.wait() == console.DONE
    told = told_in(tmp_path / "data" / "up")
    assert told is not None
    assert (told["state"], {row["name"] for row in told["processes"]}) == ("running", {"valkey", "api", "gateway-1"})
    code, _, error = await asyncio.to_thread(invoke, "down")
    assert code == console.DONE, error


async def test_who_is_told_at_once_stops_at_once() -> None:
    """Ctrl-C before anything is begun is answered as any other, and nothing is begun."""
    process = await asyncio.create_subprocess_exec(*ANTIPHON, "up", *FEW, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert (await process.stdout.readline()).startswith(b"Starting")
    process.send_signal(signal.SIGINT)
    assert (await process.stdout.read()).decode() == "Stopping … (Ctrl-C again kills)\n"
    assert await process.wait() == console.DONE
    assert told_in(Path(os.environ["ANTIPHON_DATA"]) / "up") is None


async def test_a_background_that_never_was_is_no_success() -> None:
    """`up --detach` and Ctrl-C before anything is begun: a script that goes on after it would find nothing running."""
    process = await asyncio.create_subprocess_exec(*ANTIPHON, "up", "--detach", *FEW, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    assert (await process.stdout.readline()).startswith(b"Starting")
    process.send_signal(signal.SIGINT)
    await process.stdout.read()
    assert await process.wait() == console.STOPPED
    assert told_in(Path(os.environ["ANTIPHON_DATA"]) / "up") is None


async def test_what_can_not_start_in_the_background_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`up --detach` that fails ends with the cause and its exit code, and nothing runs."""
    monkeypatch.setenv("LEASE", "0.2")
    code, out, error = await antiphon("up", "--detach", *FEW)
    assert code == console.USAGE
    assert error == "antiphon: LEASE=0.2: expected a number from 1 to 30 (left out: 2.0)\n"
    assert told_in(tmp_path / "data" / "up") is None
    assert "Open" not in out


@pytest.mark.parametrize("at_once", [True, False])
async def test_who_is_told_twice_kills(at_once: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Told to end a second time, however soon after the first, a stack is killed: nothing of it is left."""
    plan = Plan(tmp_path / "data" / "up", gateways=0, stt=0, llm=0, tts=0, free_ports=True)
    us = Up(json=True)
    running = asyncio.create_task(us.run(plan))
    while not (said := capsys.readouterr().out):
        await asyncio.sleep(0.02)
    (log,) = json.loads(said)["processes"]
    us.told_to_end()
    if not at_once:
        while (told := told_in(plan.folder)) is not None and told["state"] != "stopping":
            await asyncio.sleep(0)
    us.told_to_end()
    await running
    assert us.told == 2
    assert not Path(f"/proc/{log['pid']}/exe").exists()  # noqa: ASYNC240
    assert told_in(plan.folder) is None


def test_nothing_runs(tmp_path: Path) -> None:
    """Where nothing runs: `status` says so and ends with 3, `down` with 0, `logs` has none to show."""
    assert invoke("status")[0] == console.UNREACHABLE
    assert json.loads(invoke("status", "--json")[1]) == {"version": 1, "state": "stopped", "processes": []}
    assert invoke("down")[:2] == (console.DONE, f"Nothing runs in {tmp_path / 'data' / 'up'}.\n")
    assert json.loads(invoke("down", "--json")[1]) == {"version": 1, "stopped": False, "pid": None}
    code, _, error = invoke("logs")
    assert (code, "no logs in" in error) == (console.FAILED, True)


def test_logs_are_asked_for_by_process(tmp_path: Path) -> None:
    """A process is named, or all of a kind; one that isn't there, or no number, is told with what there is. Controls in a line
    are spelled out, and with --json each line is an object."""
    folder = tmp_path / "data" / "up" / "logs"
    folder.mkdir(parents=True)
    (folder / "stt-1.log").write_text("one\n\x1b[2Jtwo\n")
    (folder / "stt-2.log").write_text("three\n")
    (folder / "api.log").write_text("four\n")
    assert invoke("logs", "stt-1", "-n", "1")[1] == "\\x1b[2Jtwo\n"
    assert [line.split(" | ")[1] for line in invoke("logs", "stt")[1].splitlines()] == ["one", "\\x1b[2Jtwo", "three"]
    assert [json.loads(line) for line in invoke("logs", "api", "--json")[1].splitlines()] == [
        {"version": 1, "process": "api", "line": "four"}
    ]
    for words, says in (
        (["llm"], "no process 'llm' here; there is api, stt-1, stt-2"),
        (["-n", "few"], "-n few: expected"),
    ):
        code, _, error = invoke("logs", *words)
        assert (code, says in error) == (console.USAGE, True)


def test_status_says_why(tmp_path: Path) -> None:
    """A process that died, or doesn't answer, is told with the reason, and the command ends with 1."""
    folder = tmp_path / "data" / "up"
    folder.mkdir(parents=True)
    row = {"pid": 1, "began": 0.0, "restarts": 2, "exit": -9, "health": "", "metrics": "", "log": ""}
    rows = [
        row | {"name": "valkey", "state": "running"},
        row | {"name": "stt-1", "state": "ended", "pid": None},
        row | {"name": "tts-1", "state": "running", "health": "http://127.0.0.1:1/readyz"},
    ]
    Told(folder).tell({"state": "running", "processes": rows})
    code, out, _ = invoke("status")
    assert code == console.FAILED
    assert "stt-1: ended with -9; it is being started again" in out
    assert "tts-1: it doesn't answer (Connection refused)" in out
    assert "antiphon logs tts-1" in out.replace(console.me(), "antiphon")
