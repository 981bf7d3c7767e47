"""Keeps the processes of one machine alive: starts them, waits until they are ready, restarts what dies, stops them in order."""

import asyncio
import contextlib
import logging
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from ops.stack.child import Child
from ops.stack.log_files import LogFile
from ops.stack.output import into_file, pipe
from ops.stack.private import private_folder
from ops.stack.readiness import Ready, look
from schemas.process.backoff import Backoff

log = logging.getLogger("antiphon.supervisor")

ANTIPHON = (sys.executable, "-m", "ops.cli")
"""The `antiphon` command, as processes of ours are started."""
_AGAIN = (0.2, 5.0)
"""Seconds before what died is started again: the first time, and at most."""
_STEADY = 10.0  # seconds alive after which a death is a new story
PATIENCE = 12.0
"""Seconds after which what keeps a process from working won't pass by itself, once whatever it needs is there."""
_LAST_WORDS = 1.0
"""Seconds for what an ended process has written to arrive."""
_FIRST_WORD, _NEXT_WORD = 10.0, 20.0
"""Seconds after which it is said whom the start waits for, and said again."""
_LASTS = 60.0
"""Seconds of a start after which that is a warning."""
_LOADING = 600.0
"""Seconds a process that says that it loads may take: its model may come from far away."""


@dataclass(frozen=True, slots=True)
class Command:
    """One process to keep. `environment`: added to ours; `ready`: how it is asked whether it can work; `needs`: names of those it
    can't work without; `descriptors`: open files of ours that it is to hold, too; `metrics`: where its figures are ("": none)."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready: Ready | None = None
    needs: Sequence[str] = ()
    descriptors: Sequence[int] = ()
    metrics: str = ""


class Failed(Exception):
    """A process that could not be brought up; the message says why, in its own words. `code`: what it ended with; None where it
    lives and can't work."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


def log_restart(name: str) -> None:
    """Where nobody else tells of it."""
    log.warning("%s died and was started again", name)


class Supervised:
    """One command, kept alive until `stop`. `began`: when its process was started (epoch), `ready_after`: seconds until it was
    ready the first time."""

    def __init__(
        self,
        command: Command,
        logs: Path,
        base: Mapping[str, str],
        *,
        on_restart: Callable[[str], None],
        on_change: Callable[[], None],
    ):
        self.command = command
        self.log_file = logs / f"{command.name}.log"
        self.restarts = 0
        self.process: Child | None = None
        self.began = 0.0
        self.ready_after = 0.0
        self._base = base
        self._on_restart = on_restart
        self._on_change = on_change
        self._output = LogFile(self.log_file)
        self._hearing: asyncio.Task[None] | None = None
        self._stopping = False
        self._keeper: asyncio.Task[None] | None = None
        self._early_death = asyncio.Event()
        self._code: int | None = None
        self._log_begins = self.log_file.stat().st_size if self.log_file.exists() else 0
        self.is_ready = False
        self.keeps_waiting = ""
        """Why it isn't ready, as far as it says."""

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process and self.process.returncode is None else None

    async def start(self) -> None:
        self._spawn()
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.command.name}")

    def _spawn(self) -> None:
        self._output.open()
        with pipe() as (end, sink):
            self.process = Child(
                self.command.arguments, {**self._base, **self.command.environment}, sink, self.command.descriptors
            )
            self.began = time.time()
            self._hearing = asyncio.create_task(into_file(end, self._output), name=f"hear {self.command.name}")
        self._on_change()

    async def _last_words_heard(self) -> None:
        """What a process said before it ended is in its file. A child of its own, which goes on, isn't waited for, nor heard any
        more."""
        if self._hearing is not None:
            await asyncio.wait([self._hearing], timeout=_LAST_WORDS)
            self._hearing.cancel()
            await asyncio.gather(self._hearing, return_exceptions=True)

    async def _keep(self) -> None:
        pauses = Backoff(*_AGAIN)
        while True:
            assert self.process is not None
            born = time.monotonic()
            code = await self.process.wait()
            if self._stopping:
                return
            await self._last_words_heard()
            self._code = code
            self._early_death.set()
            self._on_change()
            if time.monotonic() - born > _STEADY:
                pauses.reset()
            await asyncio.sleep(next(pauses))
            self.restarts += 1
            self._on_restart(self.command.name)
            self._spawn()

    async def ready(
        self, http: aiohttp.ClientSession, timeout: float, patience: float, needed: Callable[[], bool]
    ) -> None:
        """Wait until the process says it can work. Failed: it died; or it names what keeps it, with all that it needs there
        (`needed`) for `patience` seconds; or it says nothing for `timeout` seconds."""
        if self.command.ready is None:
            self._is_up(0.0)
            return
        began = since = time.monotonic()
        while True:
            if self._early_death.is_set():
                raise Failed(f"{self.command.name} can't start: {self._why_it_died()}", self._code)
            seen = await look(self.command.ready, http)
            now = time.monotonic()
            if seen.ready:
                self._is_up(now - began)
                return
            self.keeps_waiting = seen.because
            if (
                seen.starting or not needed()
            ):  # while it loads it names nothing: on a busy machine for longer than `patience`
                since = now
            elif now - since > patience:
                raise Failed(f"{self.command.name} can't work: {seen.because}")
            if now - began > (_LOADING if seen.because else timeout):
                why = seen.because or f"the end of {self.log_file}:\n{self.last_words()}"
                raise Failed(f"{self.command.name} was not ready within {now - began:.0f} s; {why}")
            await asyncio.sleep(0.05)

    def _is_up(self, after: float) -> None:
        self.is_ready, self.keeps_waiting, self.ready_after = True, "", after
        self._on_change()

    def _why_it_died(self) -> str:
        """Its own sentence, as a command ends with one; else the end of its log."""
        said = self._said().rpartition("\nantiphon: ")[2] if "\nantiphon: " in self._said() else ""
        return said.strip() or f"it ended with {self._code}; the end of {self.log_file}:\n{self.last_words()}"

    def _said(self) -> str:
        """What it wrote into its log file since it was first started."""
        try:
            with self.log_file.open("rb") as file:
                file.seek(self._log_begins if self._log_begins <= self.log_file.stat().st_size else 0)
                return "\n" + file.read().decode("utf-8", "replace")
        except OSError:
            return ""

    def last_words(self, lines: int = 12) -> str:
        """The end of its log file."""
        return "\n".join("  " + line for line in self._said().strip().splitlines()[-lines:])

    def kill(self, sent: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal; the keeper starts the process again if it dies of it."""
        if self.process and self.process.returncode is None:
            self.process.send_signal(sent)

    async def stop(self, grace: float) -> None:
        self._stopping = True
        if self.process and self.process.returncode is None:
            self.process.send_signal(signal.SIGCONT)  # a stopped process could not hear SIGTERM
            self.process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(grace):
                    await self.process.wait()
            except TimeoutError:
                self.process.send_signal(signal.SIGKILL)
                await self.process.wait()
        if self._keeper:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        await self._last_words_heard()
        self._output.close()

    def end_at_once(self) -> None:
        """SIGKILL, for good; `stop` is still to be awaited."""
        self._stopping = True
        with contextlib.suppress(ProcessLookupError):
            self.kill()

    def row(self) -> dict[str, Any]:
        """To be shown. `state`: starting (it was never ready), running, or ended: it is about to be started again; `exit`: what
        its last process ended with."""
        return {
            "name": self.command.name,
            "state": "ended" if self.pid is None else "running" if self.is_ready else "starting",
            "pid": self.pid,
            "began": self.began,
            "restarts": self.restarts,
            "exit": self._code,
            "health": self.command.ready if isinstance(self.command.ready, str) else "",
            "metrics": self.command.metrics,
            "log": str(self.log_file.absolute()),
        }


class Supervisor:
    """Several commands. Stopped in the reverse order of their start, those started together at once."""

    def __init__(
        self,
        logs: Path,
        environment: Mapping[str, str],
        on_restart: Callable[[str], None] = log_restart,
        on_wait: Callable[[str], None] = lambda _: None,
        patience: float = PATIENCE,
        on_ready: Callable[[Supervised], None] = lambda _: None,
        on_change: Callable[[], None] = lambda: None,
        on_warn: Callable[[str], None] | None = None,
    ):
        """`on_restart` is told the name of who died; `on_wait`, in a sentence, for whom a long start waits, and why; `on_warn`
        (None: `on_wait`) the same of one that is longer than usual; `on_ready`, who can work, the first time; `on_change`, that
        `table` is another."""
        self._patience = patience
        self._on_ready = on_ready
        self._on_change = on_change
        self._on_wait = on_wait
        self._on_warn = on_warn or on_wait
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
        """Start `commands` together and wait until all are ready. Failed: one can't be, and why; `timeout`: seconds one may take
        that says nothing."""
        private_folder(self._logs)
        self._http = self._http or aiohttp.ClientSession()
        group = [
            Supervised(command, self._logs, self._environment, on_restart=self._on_restart, on_change=self._on_change)
            for command in commands
        ]
        self._groups.append(group)
        for one in group:
            await one.start()
        telling = asyncio.create_task(self._tell(group))
        waiting = [asyncio.create_task(self._wait_for(one, self._http, timeout)) for one in group]
        try:
            await asyncio.gather(*waiting)
        finally:
            for task in (telling, *waiting):
                task.cancel()
            await asyncio.gather(telling, *waiting, return_exceptions=True)

    async def _wait_for(self, one: Supervised, http: aiohttp.ClientSession, timeout: float) -> None:
        await one.ready(http, timeout, self._patience, self._needed_by(one))
        self._on_ready(one)

    def _needed_by(self, one: Supervised) -> Callable[[], bool]:
        return lambda: all(other.is_ready for other in self.processes if other.command.name in one.command.needs)

    async def _tell(self, group: Sequence[Supervised]) -> None:
        """Nobody looks at a start for long without being told what takes so long."""
        began = time.monotonic()
        await asyncio.sleep(_FIRST_WORD)
        while True:
            say = self._on_warn if time.monotonic() - began > _LASTS else self._on_wait
            waited_for = [one for one in group if not one.is_ready]
            silent = [one for one in waited_for if not one.keeps_waiting]
            for one in waited_for:
                if one.keeps_waiting:
                    say(f"{one.command.name} isn't ready yet: {one.keeps_waiting}")
            if len(silent) == 1:
                say(f"{silent[0].command.name} isn't ready yet: it doesn't say why yet; its log: {silent[0].log_file}")
            elif silent:  # a slow machine: all of them are still being loaded
                names = ", ".join(one.command.name for one in silent)
                say(f"not ready yet, and they don't say why yet: {names}; their logs: {self._logs}")
            await asyncio.sleep(_NEXT_WORD)

    async def stop(self, grace: float = 5.0) -> None:
        for group in reversed(self._groups):
            await asyncio.gather(*(one.stop(grace) for one in group))
        if self._http:
            await self._http.close()

    def end_at_once(self) -> None:
        """Nobody is given time; `stop`, which is under way or to come, finds them gone."""
        for one in self.processes:
            one.end_at_once()

    def table(self) -> list[dict[str, Any]]:
        return [one.row() for one in self.processes]
