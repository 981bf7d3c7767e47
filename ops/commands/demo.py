"""`antiphon demo`: the whole stack, a scripted caller in real time, and then everything that can be said about it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.status import Status

from ops import console
from ops.audio import read_speech, write_stereo
from ops.caller import Caller, Message
from ops.commands.call import summary
from ops.demo.script import Step, script
from ops.stack import Plan, Stack, data_folder
from schemas.settings import load

_AGENTS = Path(__file__).parent.parent / "agents"
_REPLY = 15.0  # seconds a reply may take to end
_OVER = 1.2  # seconds of the agent's speech before it is interrupted
_MANNERS = 0.5  # seconds between the agent's last sample and the caller's next word


async def demo(wav: Path | None, out: Path | None, livekit: bool, json: bool) -> bool:
    """Hold the conversation, through a WebSocket or (`livekit`) a LiveKit room; True when every step was answered."""
    steps = [Step(wav.name, await asyncio.to_thread(read_speech, wav))] if wav else script()
    began = time.monotonic()
    screen = _Screen(json)
    agents = _AGENTS / "demo.toml" if livekit else _AGENTS  # a room's agent is the only one there is
    plan = Plan(data_folder() / "demo", free_ports=True, livekit=livekit, environment={"AGENTS": str(agents)})
    screen.status("starting the log, the models and the gateway …")
    if livekit:
        screen.line("A LiveKit server is built first, where there is none (two minutes, once).", "dim")
    async with Stack(plan, load()) as stack, _caller(stack, livekit, screen) as caller:
        screen.line(f"Everything runs, after {time.monotonic() - began:.1f} s: {_parts(stack)}", "dim")
        await caller.connect()
        screen.line(f"Session {caller.session}\n", "dim")
        await _finished(caller, 0.0)  # the greeting
        answered = [await _take(caller, step, screen) for step in steps]
        await caller.hang_up()
        path = out or plan.folder / f"{caller.session}.wav"
        await asyncio.to_thread(write_stereo, path, *caller.recording(), caller.rate)
        screen.done()
        await _explain(stack, caller, path, json, answered)
    if not json:
        console.out.print(f"\n{time.monotonic() - began:.0f} s in all.", style="dim")
    return all(answered)


@asynccontextmanager
async def _caller(stack: Stack, livekit: bool, screen: "_Screen") -> AsyncIterator[Caller]:
    if not livekit:
        yield Caller(stack.gateways[0], agent="demo", on_message=screen.message)
        return
    from ops.livekit_caller import LiveKitCaller
    from schemas.log import connect
    from schemas.settings import Settings

    bus = connect(Settings(redis_url=stack.redis_url))
    await bus.start()
    try:
        yield LiveKitCaller(stack.livekit_access(), bus, on_message=screen.message)
    finally:
        await bus.aclose()


def _parts(stack: Stack) -> str:
    return ", ".join(f"{row['name']} ({row['pid']})" for row in stack.supervisor.table())


async def _take(caller: Caller, step: Step, screen: "_Screen") -> bool:
    """Say one line when its time has come, and hear the answer out, unless the next line interrupts it."""
    screen.line(f"  ── {step.title}", "dim")
    if step.when == "over":
        await _speaking(caller, time.monotonic())
        await asyncio.sleep(_OVER)
    began = time.monotonic()
    screen.status("the caller speaks …")
    await caller.speak(step.pcm)
    if step.title.endswith("…"):
        return True  # the next line is spoken into this one's answer, and judged there
    return await _finished(caller, began)


async def _speaking(caller: Caller, since: float) -> None:
    await caller.wait_for(lambda message: message.get("state") == "speaking", _REPLY, since)


async def _finished(caller: Caller, since: float) -> bool:
    """Wait for the end of the reply, in the log and in the ear."""
    ended = await caller.wait_for(
        lambda message: message["type"] == "turn" and message["how"] in ("played", "failed", "expired"), _REPLY, since
    )
    await asyncio.sleep(max(0.0, caller.silent_at - time.monotonic()) + _MANNERS)
    return ended is not None and ended["how"] == "played"


class _Screen:
    """One changing line for what happens now, and lines that stay for what was said. Nothing at all with --json."""

    def __init__(self, quiet: bool):
        self._status = None if quiet else Status("", console=console.out, spinner="dots")
        if self._status:
            self._status.start()

    def status(self, text: str) -> None:
        if self._status:
            self._status.update(f"[dim]{text}[/]")

    def line(self, text: str, style: str = "") -> None:
        if self._status:
            console.out.print(text, style=style, markup=False, soft_wrap=True)

    def done(self) -> None:
        if self._status:
            self._status.stop()

    def message(self, message: Message) -> None:
        match message:
            case {"type": "transcript", "final": False, "text": text}:
                self.status(f"caller: {text} …")
            case {"type": "transcript", "final": True, "text": text} if text:
                self.line(f"caller  {text}", "cyan")
            case {"type": "sentence", "text": text}:
                self.line(f" agent  {text}", "green")
            case {"type": "turn", "how": "interrupted", "heard": heard}:
                self.line(f"        interrupted: the caller had heard {heard!r}", "yellow")
            case {"type": "state", "state": state}:
                self.status(f"the agent is {state} …")
            case {"type": "error", "message": text}:
                self.line(f" error  {text}", "red")


async def _explain(stack: Stack, caller: Caller, wav: Path, json: bool, answered: list[bool]) -> None:
    """The waterfall of every turn from the log, the recording, and what to try next."""
    from ops.reading import print_waterfalls, waterfalls
    from schemas.log import connect
    from schemas.settings import Settings

    bus = connect(Settings(redis_url=stack.redis_url))
    await bus.start()
    try:
        if json:
            result: dict[str, Any] = summary(caller) | {
                "answered": sum(answered),
                "steps": len(answered),
                "waterfalls": await waterfalls(bus, caller.session),
                "recording": str(wav),
            }
            console.emit(result)
            return
        console.out.print("\nHow long every part took, from the caller's last sample to the agent's first:\n")
        await print_waterfalls(bus, caller.session)
    finally:
        await bus.aclose()
    console.out.print(f"\nListen    {wav} (left the caller, right the agent)", soft_wrap=True)
    console.out.print(f"Look in   antiphon show {caller.session}")
    console.out.print(f"          antiphon state {caller.session} --at 20")
    console.out.print(f"          antiphon export {caller.session} demo.zip")
    console.out.print("Your turn antiphon demo --wav YOUR.wav     antiphon up")
