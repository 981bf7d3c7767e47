"""The whole suite in lanes at once, as `make test` runs it: `python -m tests.lanes`, with options of pytest for all of
them, e.g. `-x` (`make test ARGS=-x` is something else: one plain pytest).

What waits in real time has two lanes and its cores when it needs them: conversations by real models and workers that are killed;
people in rooms, phones and chaos. In each one test follows the other, and mostly waits for somebody who speaks. What computes
has what is left of the machine (nice), in two lanes, for there is some waiting in it, and in more when nobody speaks any more: as
one lane is through the next begins. Browsers compute as well: those in which nobody speaks begin when the first two lanes are
through, and go before what else computes; those that speak, in real time, come last, with no more than one lane beside them, of
those that compute in one process. A new test is in one of the lanes that compute unless it lies under `REAL_TIME`.
"""

import asyncio
import ctypes
import os
import re
import signal
import sys
import time
from dataclasses import dataclass, field

CONVERSATIONS = (
    "tests/e2e",
    "tests/workers/llm/test_providers.py",
    "tests/workers/runtime/test_processes.py",
    "tests/ops/commands/test_talk.py",
)
ROOMS = (
    "tests/gateway/rooms/livekit/site",
    "tests/api/livekit/site",
    "tests/chaos/test_chaos.py",
    "tests/chaos/test_rooms.py",
    "tests/gateway/rooms/sip/test_baresip.py",
    "tests/gateway/rooms/sip/test_linphone.py",
    "tests/gateway/rooms/sip/test_sipp.py",
    "tests/fuzz/test_sip.py",
    "tests/e2e/test_pizza.py",
)
BROWSERS = ("tests/e2e/test_browser.py",)
PAGES = ("tests/e2e/test_pages.py",)
REAL_TIME = (*CONVERSATIONS, *ROOMS)
GATEWAY = ("tests/gateway", "tests/fuzz")
STACKS = ("tests/ops/stack", "tests/ops/deploy", "tests/ops/commands", "tests/ops/bench")
OPERATORS = ("tests/ops",)
API = ("tests/api",)
_PYTEST = (sys.executable, "-u", "-m", "pytest", "--durations=30")
_AT_ONCE = 4
"""Lanes. Each waits half of its time, so that two cores are full."""
_NICE = 7
"""A fifth of what one of the first two lanes gets where both want a core: all of these tests have passed on that. It counts among
the processes of one session only, so nothing here may begin one of its own (`start_new_session`)."""
_LITTLE = 1
"""After those in real time, before what else computes."""
_LIBC = ctypes.CDLL(None)
_PR_CAPBSET_DROP, _CAP_SYS_NICE = 24, 23


def _give_way(nice: int) -> None:
    """Root's Chromium would put what it draws before all else on the machine (nice -8), whatever it was started at."""
    os.nice(nice)
    if nice and sys.platform == "linux":
        _LIBC.prctl(_PR_CAPBSET_DROP, _CAP_SYS_NICE, 0, 0, 0)


@dataclass(eq=False)
class Lane:
    """One pytest. Its progress is printed as it comes; its report, which begins with the second ruled line, when it is done.
    `after`: the lanes that are to be through before this one begins; `at_once`: the most there may be while it runs."""

    name: str
    arguments: tuple[str, ...]
    nice: int = 0
    after: "tuple[Lane, ...]" = ()
    at_once: int = _AT_ONCE
    report: list[str] = field(default_factory=list)
    seconds: float = 0.0
    code: int = -1
    process: asyncio.subprocess.Process | None = None
    interrupted: bool = False

    async def run(self) -> None:
        if self.interrupted:
            return
        began = time.monotonic()
        self.process = await asyncio.create_subprocess_exec(
            *_PYTEST,
            f"--color={'yes' if sys.stdout.isatty() else 'no'}",
            *self.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=1 << 24,
            process_group=0,  # Ctrl-C comes to us alone, and we tell it once
            preexec_fn=lambda: _give_way(self.nice),
        )
        assert self.process.stdout is not None
        rules = 0
        async for raw in self.process.stdout:
            line = raw.decode(errors="replace").rstrip("\n")
            rules += "=====" in line
            if rules > 1:
                self.report.append(line)
            else:
                print(f"{self.name} │ {line}", flush=True)
        self.code = await self.process.wait()
        self.seconds = time.monotonic() - began
        print(f"\n{self.name}: its report\n", *self.report, sep="\n", flush=True)

    @property
    def verdict(self) -> list[str]:
        """What failed, said again where it is seen; then the lane's own last line."""
        last = next((line for line in reversed(self.report) if "=====" in line), "it never came to its end")
        return [
            *(f"{self.name} │ {line}" for line in self.report if re.match(r"\S*(FAILED|ERROR)\S* \S*tests/", line)),
            f"{self.name}: {last.strip('= ')}; {self.seconds:.0f} s with its start; exit code {self.code}",
        ]

    def interrupt(self) -> None:
        """As Ctrl-C: its tests take down what they had started."""
        self.interrupted = True
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)


def _without(*paths: str) -> tuple[str, ...]:
    return tuple(f"--ignore={path}" for path in paths)


def _lanes(options: tuple[str, ...]) -> list[Lane]:
    """In the order in which they begin."""
    computes = (*_without(*REAL_TIME), *options)
    talks = Lane("conversations", (*CONVERSATIONS, *_without(*ROOMS, *BROWSERS, *PAGES), *options))
    rooms = Lane("rooms", (*ROOMS, *options))
    gateway = Lane("gateway", (*GATEWAY, *computes), _NICE)
    rest = Lane("the rest", ("tests", *_without(*GATEWAY, *OPERATORS, *API), *computes), _NICE)
    pages = Lane("pages", (*PAGES, *options), _LITTLE, after=(talks, rooms))
    stacks = Lane("stacks", (*STACKS, *computes), _NICE)
    operators = Lane("operators", (*OPERATORS, *_without(*STACKS), *computes), _NICE)
    browsers = Lane("browsers", (*BROWSERS, *options), after=(talks, rooms, gateway, rest, pages, stacks), at_once=2)
    api = Lane("api", (*API, *computes), _NICE, after=(operators,))
    return [talks, rooms, gateway, rest, pages, stacks, operators, browsers, api]


async def _run(lanes: list[Lane]) -> None:
    """All of them, each as soon as there is room for it."""
    waiting, running = [*lanes], dict[asyncio.Task[None], Lane]()
    while waiting or running:
        for lane in [*waiting]:
            now = [*running.values()]
            fits = len(now) < min(one.at_once for one in (lane, *now))
            if fits and not {*lane.after} & {*waiting, *now}:
                waiting.remove(lane)
                running[asyncio.create_task(lane.run())] = lane
        done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            del running[task]
            await task


async def main(options: tuple[str, ...]) -> int:
    """0 where every lane ends with 0, else the greatest of their exit codes."""
    lanes = _lanes(options)

    def interrupt() -> None:
        for lane in lanes:
            lane.interrupt()

    for received in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(received, interrupt)
    await _run(lanes)
    print("", *(line for lane in lanes for line in lane.verdict), sep="\n", flush=True)
    return max(abs(lane.code) for lane in lanes)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(tuple(sys.argv[1:]))))
