"""What `antiphon demo` does: the whole stack, a scripted caller in real time, and then everything that can be said about it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rich.status import Status
from rich.text import Text

from api.built import built_app
from gateway.sound.audio_file import read_speech
from ops import console
from ops.demo.script import Step, script
from ops.people.audio import write_stereo
from ops.people.call import summary
from ops.people.caller import Caller
from ops.people.dialogue import Dialogue
from ops.people.entry import client_token
from ops.people.person import Person
from ops.reading import print_waterfalls, waterfalls
from ops.reading.page import page_of, until_told
from ops.stack.here import data_folder
from ops.stack.models import served_llm
from ops.stack.stack import Plan, Stack
from schemas.access.tokens import Grant
from schemas.client import StateMessage, ToClient, TranscriptMessage, TurnMessage
from schemas.config.settings import Settings, load, without_password
from schemas.log import connected
from schemas.text.clean import printable

_AGENTS = Path(__file__).parent.parent / "agents"
_REPLY = 15.0  # seconds a reply may take to end
_OVER = 1.2  # seconds of the agent's speech before it is interrupted


async def converse(wav: Path | None, out: Path | None, livekit: bool, json: bool) -> bool:
    """Hold the conversation, through a WebSocket or (`livekit`) a LiveKit room; True when every step was answered."""
    steps = [Step(wav.name, await asyncio.to_thread(read_speech, wav))] if wav else script()
    began = time.monotonic()
    screen = _Screen(json)
    agents = _AGENTS / "demo.toml" if livekit else _AGENTS  # a room's agent is the only one there is
    plan = Plan(
        data_folder() / "demo", free_ports=True, livekit=livekit, phones=False, environment={"AGENTS": str(agents)},
        on_wait=lambda sentence: screen.line("", sentence, "dim"),
        on_warn=lambda sentence: screen.line("", sentence, "yellow"),
    )  # fmt: skip
    screen.status("starting the log, the models and the gateway …")
    if livekit:
        screen.line("", "A LiveKit server is built first, where there is none (two minutes, once).", "dim")
    settings = load()
    async with Stack(plan, settings) as stack, _caller(stack, livekit, screen) as caller:
        screen.line("", f"Everything runs, after {time.monotonic() - began:.1f} s: {_parts(stack)}", "dim")
        await caller.connect()
        await caller.hear_greeting()
        answered = [await _take(caller, step, screen) for step in steps]
        await caller.hang_up()
        path = out or plan.folder / f"{caller.session}.wav"
        await asyncio.to_thread(write_stereo, path, *caller.recording(), caller.rate)
        screen.done()
        await _explain(stack, caller, path, json, answered)
    if not json:
        console.out.print(f"\n{time.monotonic() - began:.0f} s in all.", style="dim")
        if lost := answered.count(False):
            console.hang("", Text(_unanswered(lost, len(answered), caller.session), style="red"))
        await _show_page(caller.session, last=_answered_by(stack, settings))
    return all(answered)


def _unanswered(lost: int, lines: int, session: str) -> str:
    """Why it ends with 1: a machine that is busy, mostly."""
    was = "was" if lost == 1 else "were"
    return (
        f"{lost} of {lines} lines {was} not answered to the end: {console.me()} show {session} says what was waited for"
    )


def _answered_by(stack: Stack, settings: Settings) -> str:
    """Which model it was, and how it can be another."""
    if not stack.embeds_llm:
        return f"{settings.llm_model} at {without_password(settings.llm_base_url)}"
    return (
        f"{served_llm()}, a stand-in that fits on this machine. Your own: "
        f"LLM_BASE_URL=… LLM_MODEL=… LLM_API_KEY=… {console.me()} demo"
    )


async def _show_page(session: str, last: str) -> None:
    """The session's page in the web app: served while it is looked at, else the command for it. No demo waits for a build.
    `last`: the line that stands under it."""
    if built_app() is None:
        _end(f"make open ARGS={session}  (it builds the web app first: a minute, once)", last)
    elif not console.out.is_terminal:
        _end(f"{console.me()} open {session}", last)
    else:
        async with page_of(session) as page:
            _end(f"{page.url}  (until Ctrl-C)" if page.ours else page.url, last)
            if page.ours:
                await until_told()


def _end(page: str, last: str) -> None:
    console.hang("See it       ", page)
    console.hang("Answered by  ", last)


@asynccontextmanager
async def _caller(stack: Stack, livekit: bool, screen: "_Screen") -> AsyncIterator[Person]:
    if not livekit:
        token = client_token("", Grant(agent="demo"))
        yield Caller(stack.gateways[0], agent="demo", token=token, on_message=screen.message)
        return
    from ops.people.livekit_caller import LiveKitCaller

    async with connected(Settings(redis_url=stack.redis_url)) as log:
        yield LiveKitCaller(stack.livekit_access(), log, on_message=screen.message)


def _parts(stack: Stack) -> str:
    return ", ".join(f"{row['name']} ({row['pid']})" for row in stack.supervisor.table())


async def _take(caller: Person, step: Step, screen: "_Screen") -> bool:
    """Say one line when its time has come, and hear the answer out, unless the next line interrupts it."""
    screen.line("  ──", step.title, "dim")
    if step.when == "over":
        await _speaking(caller, time.monotonic())
        await asyncio.sleep(_OVER)
    began = time.monotonic()
    screen.status("the caller speaks …")
    await caller.speak(step.pcm)
    if step.title.endswith("…"):
        return True  # the next line is spoken into this one's answer, and judged there
    return await _finished(caller, began)


async def _speaking(caller: Person, since: float) -> None:
    await caller.wait_for(StateMessage, _REPLY, since, lambda message: message.state == "speaking")


async def _finished(caller: Person, since: float) -> bool:
    """Wait for the end of the reply, in the log and in the ear. "One moment, please." is none."""
    ended = await caller.wait_for(
        TurnMessage, _REPLY, since, lambda turn: turn.how in ("played", "failed", "expired") and turn.why != "filler"
    )
    await caller.hear_out()
    return ended is not None and ended.how == "played"


class _Screen:
    """One changing line for what happens now, and lines that stay for what was said. Nothing at all with --json."""

    def __init__(self, quiet: bool):
        self._dialogue = Dialogue(self.line, "caller")
        self._status = None if quiet else Status("", console=console.out, spinner="dots")
        if self._status:
            self._status.start()

    def status(self, text: str) -> None:
        if self._status:
            self._status.update(Text(printable(text), style="dim"))

    def line(self, who: str, text: str, style: str) -> None:
        if self._status:
            console.hang(Text(f"{who:>6}  ", style=style), Text(text, style=style))

    def done(self) -> None:
        if self._status:
            self._status.stop()

    def message(self, message: ToClient) -> None:
        self._dialogue.message(message)
        match message:
            case TranscriptMessage(text=text) if text:
                self.status(f"caller: {text} …")
            case StateMessage(state=state):
                self.status(f"the agent is {state} …")
            case _:
                pass


async def _explain(stack: Stack, caller: Person, wav: Path, json: bool, answered: list[bool]) -> None:
    """The waterfall of every turn from the log, the recording, and what to try next."""
    async with connected(Settings(redis_url=stack.redis_url)) as log:
        if json:
            result: dict[str, Any] = summary(caller) | {
                "answered": sum(answered),
                "steps": len(answered),
                "waterfalls": await waterfalls(log, caller.session),
                "recording": str(wav),
            }
            console.emit(result)
            return
        console.out.print()
        console.hang("", "How long every part took, from the caller's last sample to the agent's first:")
        console.out.print()
        await print_waterfalls(log, caller.session)
    me = console.me()
    console.out.print()
    console.hang("Listen       ", f"{wav} (left the caller, right the agent)")
    console.hang("Look in      ", f"{me} show {caller.session}")
    console.hang("             ", f"{me} state {caller.session} --at 20")
    console.hang("             ", f"{me} export {caller.session} demo.zip")
    console.hang("Your turn    ", f"{me} demo --wav YOUR.wav")
    console.hang("             ", f"{me} up  (then press Talk at the address it prints, or {me} talk)")
