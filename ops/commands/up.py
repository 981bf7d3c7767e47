"""`antiphon up`: the whole stack on one machine, until Ctrl-C or SIGTERM."""

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ops import console
from ops.commands._options import Json

if TYPE_CHECKING:
    from ops.stack.stack import Plan, Stack
    from schemas.config.settings import Settings


def up(
    gateways: Annotated[int, typer.Option(min=1, help="Gateway processes.")] = 1,
    stt: Annotated[int, typer.Option(min=0, help="STT worker processes.")] = 1,
    llm: Annotated[int, typer.Option(min=0, help="LLM worker processes.")] = 1,
    tts: Annotated[int, typer.Option(min=0, help="TTS worker processes.")] = 1,
    free_ports: Annotated[bool, typer.Option(help="Use free ports instead of the well-known ones.")] = False,
    livekit: Annotated[bool, typer.Option("--livekit", help="A LiveKit server too; its rooms get the agent.")] = False,
    json: Json = False,
) -> None:
    """Start everything on this machine, until Ctrl-C.

    What dies is started again. What REDIS_URL and LLM_BASE_URL name is used; what they don't name is started beside the rest.

    Example: antiphon up --stt 2
    """
    from ops.stack.here import data_folder
    from ops.stack.stack import Plan

    folder = data_folder() / "up"
    plan = Plan(
        folder, gateways, stt, llm, tts, free_ports, livekit, api=True,
        on_restart=lambda name: _tell_restart(name, folder), on_wait=_tell_wait,
    )  # fmt: skip
    console.run(lambda: _until_told(plan, json))


async def _until_told(plan: "Plan", json: bool) -> None:
    from schemas.config.settings import load

    settings = load()
    if not json:
        console.out.print("Starting the log, the models, the gateway and the web app …", style="dim")
    running = asyncio.ensure_future(_run(plan, settings, json))
    loop = asyncio.get_running_loop()
    for sent in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sent, lambda: _end(running, json))
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def _run(plan: "Plan", settings: "Settings", json: bool) -> None:
    from ops.stack.stack import Stack

    async with Stack(plan, settings) as stack:
        if json:
            console.emit(stack.endpoints() | {"processes": stack.supervisor.table()})
        else:
            _show(stack, settings)
        await asyncio.Event().wait()


def _end(running: "asyncio.Future[None]", json: bool) -> None:
    """Stop, also in the middle of the start; what stops already is left to it."""
    if not running.cancelling():  # type: ignore[attr-defined]
        if not json:
            console.out.print("Stopping …", style="dim")
        running.cancel()


def _show(stack: "Stack", settings: "Settings") -> None:
    """One address to open; what else somebody may want to know, smaller."""
    from api.built import HOW, built_app
    from ops.commands.doctor import languages

    assert stack.api is not None
    console.out.print(f"\n  Open  {stack.api.url}\n", style="bold", soft_wrap=True)
    if built_app() is None:
        console.hang("", Text(f"There the API answers; {HOW}.\n", style="yellow"))
    me = console.me()
    if settings.gateway_token_secret.get_secret_value():
        console.hang(
            "", Text(f"It asks for a key, since GATEWAY_TOKEN_SECRET is set: {me} key add NAME --role admin\n")
        )
    for sentence in languages.unspoken_here(settings):
        console.hang("", Text(sentence, style="yellow"))
    _show_parts(stack, settings)
    console.hang(
        Text("or, in another terminal  ", style="dim"),
        Text(f"{me} call FILE.wav\n{me} sessions\n{me} doctor", style="dim"),
    )
    console.out.print("\nCtrl-C stops everything; the log stays in " + str(stack.plan.folder), style="dim")


def _show_parts(stack: "Stack", settings: "Settings") -> None:
    from rich.table import Table

    from ops.commands.doctor import phones

    table = Table(box=None, pad_edge=False, style="dim", header_style="dim")
    for column in ("process", "pid", "log"):
        table.add_column(column)
    for row in stack.supervisor.table():
        table.add_row(row["name"], str(row["pid"]), row["log"])
    console.out.print(table)
    shown = stack.endpoints()
    lines = [f"log      {shown['redis_url']}", f"LLM      {shown['llm_base_url']}"]
    lines += [f"gateway  {url}" for url in stack.gateways]
    if "sip" in shown:
        who = "no SIP_TRUNKS, so nobody may call" if settings.sip_trunks is None else str(settings.sip_trunks)
        lines.append(f"phones   sip:NUMBER@{phones.address(settings)} (who may call: {who})")
    if stack.livekit is not None:
        lines.append(f"LiveKit  {stack.livekit.url} (key and secret: {stack.livekit.key_file})")
    for line in ["", *lines, ""]:
        console.out.print(line, style="dim", soft_wrap=True)


def _tell_restart(name: str, folder: Path) -> None:
    from ops.stack import disk

    why = disk.trouble(folder)
    console.err.print(
        f"{name} died and was started again{f': {why}' if why else ''}", style="yellow", markup=False, soft_wrap=True
    )


def _tell_wait(sentence: str) -> None:
    """For what a long start waits."""
    console.err.print(sentence, style="yellow", markup=False, soft_wrap=True)
