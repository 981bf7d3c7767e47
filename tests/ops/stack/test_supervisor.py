"""The supervisor keeps processes alive, says why one could not start, and leaves nothing behind."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from ops.stack.supervisor import Command, Failed, Supervisor
from ops.stack.system import free_port

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def supervisor(folder: Path, restarted: list[str] | None = None) -> Supervisor:
    return Supervisor(folder, dict(os.environ), (restarted if restarted is not None else []).append)


async def until(condition: object, seconds: float = 10.0) -> None:
    for _ in range(int(seconds / 0.02)):
        if condition():  # type: ignore[operator]
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen")


async def test_a_killed_process_comes_back(tmp_path: Path) -> None:
    """A process that dies is started again, and whoever watches is told its name."""
    restarted: list[str] = []
    keeper = supervisor(tmp_path, restarted)
    await keeper.start([Command("sleeper", SLEEP)])
    try:
        first = keeper["sleeper"].pid
        keeper["sleeper"].kill(signal.SIGKILL)
        await until(lambda: keeper["sleeper"].pid not in (None, first))
        assert restarted == ["sleeper"]
        assert keeper["sleeper"].restarts == 1
    finally:
        await keeper.stop()


async def test_what_cannot_start_says_why(tmp_path: Path) -> None:
    """A process that ends while starting fails the start with its own last words."""
    words = [sys.executable, "-c", "raise SystemExit('no model at /nowhere')"]
    keeper = supervisor(tmp_path)
    with pytest.raises(Failed, match="no model at /nowhere"):
        await keeper.start([Command("broken", words, ready=f"http://127.0.0.1:{free_port()}/readyz")])
    await keeper.stop()


async def test_who_is_told_again_waits_for_nobody(tmp_path: Path) -> None:
    """A stop that gives its processes long is over at once when they are to be ended at once, and none is started again."""
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    restarted: list[str] = []
    keeper = supervisor(tmp_path, restarted)
    await keeper.start([Command("deaf", [sys.executable, "-c", deaf])])
    await until(lambda: keeper["deaf"].log_file.read_text() == "up\n")
    stopping = asyncio.create_task(keeper.stop(grace=600))
    await asyncio.sleep(0)
    keeper.end_at_once()
    await stopping
    assert (keeper["deaf"].pid, restarted) == (None, [])


async def test_a_child_of_who_died_is_not_heard_on(tmp_path: Path) -> None:
    """It holds the pipe of the process before; once that is started again, only the new one writes into its file."""
    parent = "import subprocess, time; subprocess.Popen(['sleep', '600']); print('up', flush=True); time.sleep(600)"
    keeper = supervisor(tmp_path)
    await keeper.start([Command("parent", [sys.executable, "-c", parent])])
    groups: list[int] = []
    try:
        await until(lambda: keeper["parent"].log_file.read_text() == "up\n")
        groups += [keeper["parent"].pid or 0]
        keeper["parent"].kill()
        await until(lambda: keeper["parent"].log_file.read_text() == "up\nup\n")
        groups += [keeper["parent"].pid or 0]
        assert len([task for task in asyncio.all_tasks() if task.get_name() == "hear parent"]) == 1
    finally:
        await keeper.stop()
        for group in groups:
            os.killpg(group, signal.SIGKILL)


async def test_what_becomes_of_processes_is_told(tmp_path: Path) -> None:
    """Whoever tells others of the processes hears of each change: started, ready, died, started again."""
    seen: list[tuple[str, int]] = []

    def look() -> None:
        for row in keeper.table():
            if (now := (row["state"], row["restarts"])) not in seen[-1:]:
                seen.append(now)

    keeper = Supervisor(tmp_path, dict(os.environ), on_change=look)
    await keeper.start([Command("sleeper", SLEEP, metrics="http://127.0.0.1:1/metrics")])
    try:
        keeper["sleeper"].kill(signal.SIGKILL)
        await until(lambda: ("running", 1) in seen)
        (row,) = keeper.table()
    finally:
        await keeper.stop()
    assert seen == [("starting", 0), ("running", 0), ("ended", 0), ("running", 1)]
    assert (row["exit"], row["metrics"]) == (-signal.SIGKILL, "http://127.0.0.1:1/metrics")


async def test_stop_leaves_no_process_behind(tmp_path: Path) -> None:
    """After stop every process is gone, one that ignores SIGTERM and one that is stopped included."""
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    keeper = supervisor(tmp_path)
    await keeper.start([Command("deaf", [sys.executable, "-c", deaf]), Command("frozen", SLEEP)])
    await until(lambda: keeper["deaf"].log_file.read_text() == "up\n")
    keeper["frozen"].kill(signal.SIGSTOP)
    pids = [one.pid for one in keeper.processes]
    await keeper.stop(grace=0.3)
    for pid in pids:
        assert pid is not None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
