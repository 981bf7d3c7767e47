"""The whole suite in two lanes at once, as `make test` runs it: `python -m tests.lanes`, with options for both, e.g. `-x`.

One lane waits in real time and needs its cores when it needs them; the other computes on what is left (nice). A test belongs
to the first if it is under one of `REAL_TIME`: real models, people in rooms, phones, processes that are killed. Nothing of
them runs beside another of them.
"""

import asyncio
import os
import signal
import sys
import time
from dataclasses import dataclass, field

REAL_TIME = (
    "tests/e2e",
    "tests/chaos",
    "tests/gateway/rooms/livekit/site",
    "tests/gateway/rooms/sip",
)
COMPUTING = ("tests", *(f"--ignore={path}" for path in REAL_TIME))
NICE = 10


@dataclass
class Lane:
    """One pytest. Its progress is printed as it comes; its report, which begins with the second ruled line, when it is done."""

    name: str
    arguments: tuple[str, ...]
    nice: int = 0
    report: list[str] = field(default_factory=list)
    seconds: float = 0.0
    code: int = -1
    process: asyncio.subprocess.Process | None = None

    async def run(self) -> None:
        began = time.monotonic()
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "pytest", "--durations=30", f"--color={'yes' if sys.stdout.isatty() else 'no'}"),
            *self.arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            process_group=0,  # Ctrl-C comes to us alone, and we tell it once
            preexec_fn=lambda: os.nice(self.nice),
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
    def verdict(self) -> str:
        last = next((line for line in reversed(self.report) if line.strip()), "it said nothing")
        return f"{self.name}: {last.strip('= ')}; {self.seconds:.0f} s with its start; exit code {self.code}"

    def interrupt(self) -> None:
        """As Ctrl-C: its tests take down what they had started."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)


async def main(options: tuple[str, ...]) -> int:
    """0 where both lanes end with 0, else the greater of their exit codes."""
    lanes = [
        Lane("real time", (*REAL_TIME, *options)),
        Lane("computing", (*COMPUTING, *options), NICE),
    ]
    for received in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(received, lambda: [lane.interrupt() for lane in lanes])
    await asyncio.gather(*(lane.run() for lane in lanes))
    print("", *(lane.verdict for lane in lanes), sep="\n", flush=True)
    return max(abs(lane.code) for lane in lanes)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(tuple(sys.argv[1:]))))
