"""`antiphon up`: the whole stack on one machine, until Ctrl-C or SIGTERM."""

import asyncio
import signal

from rich.table import Table

from ops import console
from ops.commands.phones import address
from ops.stack import Plan, Stack, data_folder
from schemas.settings import Settings, load


async def up(gateways: int, stt: int, llm: int, tts: int, free_ports: bool, livekit: bool, json: bool) -> None:
    plan = Plan(data_folder() / "up", gateways, stt, llm, tts, free_ports, livekit, on_restart=_tell_restart)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sent in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sent, stop.set)
    if not json:
        console.out.print("Starting the log, the models and the gateway …", style="dim")
    settings = load()
    async with Stack(plan, settings) as stack:
        if json:
            console.emit(stack.endpoints() | {"processes": stack.supervisor.table()})
        else:
            _show(stack, settings)
        await stop.wait()
        if not json:
            console.out.print("Stopping …", style="dim")


def _show(stack: Stack, settings: Settings) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("process", "pid", "log"):
        table.add_column(column)
    for row in stack.supervisor.table():
        table.add_row(row["name"], str(row["pid"]), row["log"])
    console.out.print(table)
    console.out.print(f"\nlog      {stack.redis_url}\nLLM      {stack.llm_base_url}")
    for url in stack.gateways:
        console.out.print(f"gateway  {url}")
    if "sip" in stack.endpoints():
        who = "no SIP_TRUNKS, so nobody may call" if settings.sip_trunks is None else str(settings.sip_trunks)
        console.out.print(f"phones   sip:NUMBER@{address(settings)} (who may call: {who})", soft_wrap=True)
    if stack.livekit is not None:
        console.out.print(f"LiveKit  {stack.livekit.url} (key and secret: {stack.livekit.key_file})", soft_wrap=True)
    me = console.me()
    console.out.print()
    console.hang("Try, in another terminal:  ", f"{me} call FILE.wav\n{me} sessions\n{me} doctor")
    console.out.print("Ctrl-C stops everything; the log stays in " + str(stack.plan.folder), style="dim")


def _tell_restart(name: str) -> None:
    console.err.print(f"{name} died and was started again", style="yellow")
