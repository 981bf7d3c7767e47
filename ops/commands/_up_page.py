"""What `antiphon up` shows once everything runs: one address to open; what else somebody may want to know, smaller."""

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from api.built import HOW, built_app
from ops import console
from ops.commands.doctor import languages, phones
from ops.stack.models import models_line
from ops.stack.pools import has_none, stages, unmanned_line
from schemas.config.agents import Agents
from schemas.config.settings import load

if TYPE_CHECKING:
    from ops.stack.stack import Stack
    from schemas.bus import StageSeen
    from schemas.config.settings import Settings


async def unmanned_by(stack: "Stack") -> "list[StageSeen]":
    """Stages for which no worker was to be started, and that have none from elsewhere."""
    mine = {"stt": stack.plan.stt, "llm": stack.plan.llm, "tts": stack.plan.tts}
    if 0 not in mine.values():
        return []
    settings = load()
    there = await stages(settings, stack.redis_url)
    return [seen for seen in there if not mine[seen.stage] and has_none(seen, settings.lease)]


def show(stack: "Stack", lacking: "list[StageSeen]", detached: bool) -> None:
    assert stack.api is not None
    settings = load()
    console.out.print(f"\n  Open  {stack.api.url}\n", style="bold", soft_wrap=True)
    if built_app(settings.api_web) is None:
        console.hang("", Text(f"There the API answers; {HOW}.\n", style="yellow"))
    me = console.me()
    if settings.gateway_token_secret.get_secret_value():
        console.hang(
            "", Text(f"It asks for a key, since GATEWAY_TOKEN_SECRET is set: {me} key add NAME --role admin\n")
        )
    for sentence in (*languages.unspoken_here(settings), *languages.doubts_of(Agents(settings.agents))):
        console.hang("", Text(sentence, style="yellow"))
    for seen in lacking:
        console.hang("", Text(unmanned_line(seen, settings.lease), style="red"))
    _show_parts(stack, settings)
    more = [f"{me} talk", f"{me} call FILE.wav", f"{me} sessions", f"{me} status", f"{me} logs -f"]
    lead = "or here  " if detached else "or, in another terminal  "
    console.hang(Text(lead, style="dim"), Text("\n".join(more), style="dim"))
    end = f"{me} down stops everything" if detached else "Ctrl-C stops everything"
    console.out.print(f"\n{end}; the log stays in {stack.plan.folder}", style="dim", soft_wrap=True)


def _show_parts(stack: "Stack", settings: "Settings") -> None:
    table = Table(box=None, pad_edge=False, style="dim", header_style="dim")
    for column in ("process", "pid", "metrics"):
        table.add_column(column, no_wrap=True)
    for row in stack.supervisor.table():
        table.add_row(row["name"], str(row["pid"]), row["metrics"] or "-")
    console.out.print(table)
    shown = stack.endpoints()
    lines = [f"log      {shown['redis_url']}", f"LLM      {shown['llm_base_url']}"]
    lines += [f"gateway  {url}" for url in stack.gateways]
    if "models" in shown:
        lines.append(f"models   {models_line(shown['models'])}")
    if "sip" in shown:
        who = "no SIP_TRUNKS, so nobody may call" if settings.sip_trunks is None else str(settings.sip_trunks)
        lines.append(f"phones   sip:NUMBER@{phones.address(settings)} (who may call: {who})")
    if stack.livekit is not None:
        lines.append(f"LiveKit  {stack.livekit.url} (key and secret: {stack.livekit.key_file})")
    lines.append(f"agents   {Agents(settings.agents).explain_usual()}")
    for line in ["", *lines, ""]:
        console.out.print(line, style="dim", soft_wrap=True)
