"""`antiphon bench reading`: what a command that reads costs, from the shell's call to its last line.

A real log holds `sessions` calls that have ended, of eight turns each. Each command is run `runs` times as a process of its own;
its figure is the median of the CPU seconds (user and system) that the kernel counted for it. What a list says of a session that
is over is kept with its log by whoever lists it first (`schemas/session/kept_row`); `sessions_first` is that one.
`sessions_archived`: the same list once the log has let go of all of them, and an archive on this machine has them.
"""

import asyncio
import os
import statistics
import tempfile
from pathlib import Path
from typing import Any

import redis.asyncio

from ops.bench import machine
from ops.bench._turns import talk
from ops.stack.embedded.valkey import Valkey
from ops.stack.supervisor import ANTIPHON
from schemas.config.settings import Settings
from schemas.errors import AntiphonError
from schemas.log import connected, keys

_TURNS, _RUNS = 8, 10
_UNSET = ("PYTHONDONTWRITEBYTECODE", "ARCHIVE_URL", "ARCHIVE_BLOBS")
"""The first would have each run compile all it loads; the others name an archive that is none of the bench's."""
_COMMANDS = {
    "help": ["--help"],
    "sessions": ["sessions"],
    "show": ["show", "last"],
    "state": ["state", "last"],
    "export": ["export", "last", "out.zip"],
    "stats": ["stats"],
    "top": ["top", "--once"],
}


class DidNotRead(AntiphonError):
    """A command failed: nothing was measured."""


async def bench(sessions: int = 50, **_: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="antiphon-bench-") as folder:
        async with Valkey(Path(folder) / "valkey", appendfsync="everysec") as server:
            async with connected(Settings(_env_file=None, redis_url=server.url)) as bus:
                for number in range(sessions):
                    await talk(bus, f"call-{number}", _TURNS)
            environment = {name: value for name, value in os.environ.items() if name not in _UNSET}
            environment |= {"REDIS_URL": server.url, "ANTIPHON_DATA": folder}
            figures = await asyncio.to_thread(_medians, _COMMANDS, environment, folder)
            figures["sessions_first_cpu_s"] = round(statistics.median(
                [await _first(server.url, sessions, environment, folder) for _run in range(_RUNS)]
            ), 3)  # fmt: skip
            await asyncio.to_thread(_cpu, [*ANTIPHON, "archive", "run"], environment, folder)
            figures |= await asyncio.to_thread(_medians, {"sessions_archived": ["sessions"]}, environment, folder)
    return {**figures, "sessions": sessions, "turns": _TURNS, "runs": _RUNS, **machine()}


async def _first(url: str, sessions: int, environment: dict[str, str], folder: str) -> float:
    """CPU seconds of a list of which no row is kept."""
    async with redis.asyncio.Redis.from_url(url) as raw:
        for number in range(sessions):
            await raw.hdel(keys.session_hash(0, f"call-{number}"), "row")
    return await asyncio.to_thread(_cpu, [*ANTIPHON, "sessions"], environment, folder)


def _medians(commands: dict[str, list[str]], environment: dict[str, str], folder: str) -> dict[str, float]:
    """CPU seconds of each, one after the other, so that a busy moment of the machine falls on all. What the first run compiles
    is there for the others."""
    spent: dict[str, list[float]] = {name: [] for name in commands}
    for _run in range(_RUNS + 1):
        for name, arguments in commands.items():
            spent[name].append(_cpu([*ANTIPHON, *arguments], environment, folder))
    return {f"{name}_cpu_s": round(statistics.median(took[1:]), 3) for name, took in spent.items()}


def _cpu(command: list[str], environment: dict[str, str], folder: str) -> float:
    """Seconds, its children's included. DidNotRead."""
    quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    here = os.getcwd()
    os.chdir(folder)  # posix_spawn has no folder of its own to give
    try:
        pid = os.posix_spawn(command[0], command, environment, file_actions=quiet)
    finally:
        os.chdir(here)
    _, status, used = os.wait4(pid, 0)
    if status != 0:
        raise DidNotRead(
            f"`{' '.join(command)}` ended with {os.waitstatus_to_exitcode(status)}; run it by hand to see why"
        )
    return used.ru_utime + used.ru_stime
