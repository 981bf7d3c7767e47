"""`antiphon up`: the whole stack on one machine, until Ctrl-C or SIGTERM, or in the background until `antiphon down`."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from ops import console
from ops.commands._options import Json

if TYPE_CHECKING:
    from ops.stack.stack import Plan, Stack
    from ops.stack.supervisor import Supervised

log = logging.getLogger("antiphon.up")


def up(
    gateways: Annotated[int, typer.Option(min=1, help="Gateway processes.")] = 1,
    stt: Annotated[int, typer.Option(min=0, help="STT worker processes.")] = 1,
    llm: Annotated[int, typer.Option(min=0, help="LLM worker processes.")] = 1,
    tts: Annotated[int, typer.Option(min=0, help="TTS worker processes.")] = 1,
    tools: Annotated[
        int | None, typer.Option(min=0, help="Tools' worker processes; 1 if an agent may want their pool.")
    ] = None,
    free_ports: Annotated[bool, typer.Option(help="Use free ports instead of the well-known ones.")] = False,
    livekit: Annotated[bool, typer.Option("--livekit", help="A LiveKit server too; its rooms get the agent.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="In the background; returns once it is ready.")
    ] = False,
    json: Json = False,
) -> None:
    """Start everything on this machine, until Ctrl-C.

    What dies is started again. What REDIS_URL and LLM_BASE_URL name is used; what they don't name is started beside them. With
    --detach it goes on until `antiphon down`; `antiphon status` and `antiphon logs` tell of it. Ends with 0 when it was stopped,
    with 130 when a second Ctrl-C killed it.

    \b
    Examples:
      antiphon up
      antiphon up --stt 2 --detach
      AGENTS=my-agents antiphon up --livekit
    """
    us = Up(json, detach)
    us.listen()  # before what follows is loaded: whoever presses Ctrl-C meanwhile is answered, too
    us.say("Starting the log, the models, the gateway and the web app …")
    from ops.stack.background import in_background
    from ops.stack.here import data_folder

    folder = data_folder() / "up"
    if detach:
        us.ready = in_background(folder / "logs" / "up.log")
    from ops.stack.stack import Plan

    plan = Plan(
        folder, gateways, stt, llm, tts, tools, free_ports, livekit, api=True, jobs=1,
        on_restart=us.tell_restart, on_wait=us.tell_wait, on_warn=us.tell_trouble, on_ready=us.tell_ready,
    )  # fmt: skip
    console.run(lambda: us.run(plan))
    if us.told > 1:
        raise typer.Exit(130)


class Up:
    """One stack from its start to its end, and what is said meanwhile: told to end, it stops; told again, it kills. `ready` is
    called once everything is."""

    def __init__(self, json: bool, detached: bool = False) -> None:
        self._json, self._detached = json, detached
        self.ready: Callable[[], None] = lambda: None
        self._nobody_reads = False
        self._running: asyncio.Future[None] | None = None
        self._stack: Stack | None = None
        self.told = 0

    def listen(self) -> None:
        """Not by the loop: whoever presses Ctrl-C while it is busy is answered at once, too."""
        for sent in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sent, self.told_to_end)

    async def run(self, plan: "Plan") -> None:
        from ops.stack.here import agents_here
        from ops.stack.models import use_models_here
        from ops.stack.stack import Stack
        from schemas.config.settings import load

        for sentence in use_models_here():
            self.say(sentence)
        settings = load()
        if (here := agents_here(settings)) != settings.agents:
            os.environ["AGENTS"] = str(here)  # all that is started reads it
            self.say(f"AGENTS is not set: those of {here}/ answer")
        self._stack = Stack(plan, load())
        self._loop = asyncio.get_running_loop()
        self._running = asyncio.ensure_future(self._until_told(self._stack))
        with contextlib.suppress(asyncio.CancelledError):
            await self._running

    async def _until_told(self, stack: "Stack") -> None:
        from ops.commands import _up_page
        from ops.stack.log_files import own_words_kept
        from schemas.config.settings import strangers

        with own_words_kept(stack.plan.folder / "logs" / "up.log"):
            for told in strangers():
                self._warn(told)
            async with stack:
                log.info(
                    "everything runs: %s",
                    ", ".join(f"{row['name']} ({row['pid']})" for row in stack.supervisor.table()),
                )
                unmanned = await _up_page.unmanned_by(stack)
                if self._json:
                    stages = [seen.stage for seen in unmanned]
                    console.emit(stack.endpoints() | {"processes": stack.supervisor.table(), "unmanned": stages})
                else:
                    _up_page.show(stack, unmanned, detached=self._detached)
                self._nobody_reads = self._detached
                self.ready()
                await asyncio.Event().wait()

    def told_to_end(self, *_: object) -> None:
        self.told += 1
        if self.told == 1:
            log.info("stopping")
            self._say_at_once("Stopping … (Ctrl-C again kills)" if not self._detached else "Stopping …")
        elif self.told == 2:
            log.info("killing")
            self._say_at_once("Killing what is left …")
        if self._running is None:  # nothing is begun; an exception would end in whichever module is being loaded
            os._exit(console.STOPPED if self._detached else console.DONE)  # --detach: 0 once it runs, and never else
        self._loop.call_soon_threadsafe(self._end)

    def _end(self) -> None:
        assert self._running is not None
        assert self._stack is not None
        if not self._running.cancelling():  # type: ignore[attr-defined]
            self._running.cancel()
        if self.told > 1:  # perhaps before the first was heard
            self._stack.end_at_once()

    # ── what is said ─────────────────────────────────────────────────────────────────────────────────────────────────

    def say(self, sentence: str) -> None:
        if not self._json and not self._nobody_reads:
            console.out.print(sentence, style="dim", soft_wrap=True)

    def _say_at_once(self, sentence: str) -> None:
        """From a signal's handler, which may have come in the middle of another sentence: that would be said again."""
        if not self._json and not self._nobody_reads:
            with contextlib.suppress(OSError):  # nobody reads it
                os.write(sys.stdout.fileno(), f"{sentence}\n".encode())

    def tell_ready(self, one: "Supervised") -> None:
        self.say(f"  {one.command.name:<12} ready after {one.ready_after:.1f} s")

    def tell_wait(self, sentence: str) -> None:
        """For what a long start waits."""
        log.info("%s", sentence)
        self.say(sentence)

    def tell_trouble(self, sentence: str) -> None:
        """For what it has waited long, or that it is another port."""
        self._warn(sentence)

    def tell_restart(self, name: str) -> None:
        from ops.stack import disk

        assert self._stack is not None
        why, code = disk.trouble(self._stack.plan.folder), self._stack.supervisor[name].row()["exit"]
        self._warn(f"{name} died and was started again{f': {why}' if why else f' (it ended with {code})'}")

    def _warn(self, sentence: str) -> None:
        log.warning("%s", sentence)
        if not self._nobody_reads:
            console.err.print(sentence, style="yellow", markup=False, soft_wrap=True)
