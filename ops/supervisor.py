"""Keeps the processes of one machine alive: starts them, waits until they are ready, restarts what dies, stops them in order."""

import asyncio
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from ops.system import dying_with_parent

log = logging.getLogger("antiphon.supervisor")

_BACKOFF_FIRST, _BACKOFF_LAST = 0.2, 5.0
_STEADY = 10.0  # seconds alive after which a death is a new story


@dataclass(frozen=True, slots=True)
class Command:
    """One process to keep. `environment`: added to ours; `ready`: a URL that answers 200 once it can work, or a function."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: str | Callable[[], Awaitable[bool]] | None = None


class Failed(Exception):
    """A process that could not be brought up; the message holds the end of what it said."""


class Supervised:
    """One command, kept alive until `stop`."""

    def __init__(self, command: Command, logs: Path, base: Mapping[str, str], *, on_restart: Callable[[str], None]):
        self.command = command
        self.log_file = logs / f"{command.name}.log"
        self.restarts = 0
        self.process: asyncio.subprocess.Process | None = None
        self._base = base
        self._on_restart = on_restart
        self._stopping = False
        self._keeper: asyncio.Task[None] | None = None
        self._early_death = asyncio.Event()

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.process.returncode is None else None

    async def start(self) -> None:
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.command.name}")

    async def _spawn(self) -> None:
        with self.log_file.open("ab") as sink:
            self.process = await asyncio.create_subprocess_exec(
                *dying_with_parent(self.command.arguments),
                env={**self._base, **self.command.environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,  # Ctrl-C reaches only us: we stop the others in order
            )

    async def _keep(self) -> None:
        backoff = _BACKOFF_FIRST
        while True:
            assert self.process is not None
            born = time.monotonic()
            code = await self.process.wait()
            if self._stopping:
                return
            self._early_death.set()
            if time.monotonic() - born > _STEADY:
                backoff = _BACKOFF_FIRST
            log.warning("%s ended with %s; starting it again in %.1f s", self.command.name, code, backoff)
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _BACKOFF_LAST)
            self.restarts += 1
            self._on_restart(self.command.name)
            await self._spawn()

    async def ready(self, http: aiohttp.ClientSession, timeout: float) -> None:
        """Wait until the process says it can work. Failed: it died, or took longer than `timeout` seconds."""
        if self.command.ready is None:
            return
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if self._early_death.is_set():
                raise Failed(f"{self.command.name} ended while starting:\n{self.last_words()}")
            if await _is_ready(self.command.ready, http):
                return
            await asyncio.sleep(0.05)
        raise Failed(f"{self.command.name} was not ready within {timeout:.0f} s:\n{self.last_words()}")

    def last_words(self, lines: int = 12) -> str:
        """The end of its log file."""
        try:
            text = self.log_file.read_text("utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join("  " + line for line in text.splitlines()[-lines:])

    def kill(self, sent: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal; the keeper starts the process again if it dies of it."""
        if self.process and self.process.returncode is None:
            self.process.send_signal(sent)

    async def stop(self, grace: float) -> None:
        self._stopping = True
        if self.process and self.process.returncode is None:
            self.process.send_signal(signal.SIGCONT)  # a stopped process could not hear SIGTERM
            self.process.terminate()
            try:
                await asyncio.wait_for(self.process.wait(), grace)
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        if self._keeper:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)


async def _is_ready(ready: str | Callable[[], Awaitable[bool]], http: aiohttp.ClientSession) -> bool:
    if callable(ready):
        return await ready()
    try:
        async with http.get(ready, timeout=aiohttp.ClientTimeout(total=2)) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


class Supervisor:
    """Several commands. Stopped in the reverse order of their start, those started together at once."""

    def __init__(self, logs: Path, environment: Mapping[str, str], on_restart: Callable[[str], None] = lambda _: None):
        logs.mkdir(parents=True, exist_ok=True)
        self._logs = logs
        self._environment = environment
        self._on_restart = on_restart
        self._groups: list[list[Supervised]] = []
        self._http: aiohttp.ClientSession | None = None

    @property
    def processes(self) -> list[Supervised]:
        return [one for group in self._groups for one in group]

    def __getitem__(self, name: str) -> Supervised:
        return next(one for one in self.processes if one.command.name == name)

    async def start(self, commands: Sequence[Command], timeout: float = 60.0) -> None:
        """Start `commands` together and wait until all are ready."""
        self._http = self._http or aiohttp.ClientSession()
        group = [
            Supervised(command, self._logs, self._environment, on_restart=self._on_restart) for command in commands
        ]
        self._groups.append(group)
        for one in group:
            await one.start()
        await asyncio.gather(*(one.ready(self._http, timeout) for one in group))

    async def stop(self, grace: float = 5.0) -> None:
        for group in reversed(self._groups):
            await asyncio.gather(*(one.stop(grace) for one in group))
        if self._http:
            await self._http.close()

    def table(self) -> list[dict[str, Any]]:
        return [
            {"name": one.command.name, "pid": one.pid, "restarts": one.restarts, "log": str(one.log_file)}
            for one in self.processes
        ]
