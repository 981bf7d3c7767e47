"""The `antiphon` command: which commands there are, a line each. What one does is loaded when it is called, not before.

A new command is one file in `ops/commands`: a function with its options and, as its docstring, its help, ending in an example.
And it is one line here: its name, where the function is, and the first line of that help. What it does is imported in its
function, so that nobody's `--help` waits for models and servers.
"""

import importlib
import os
from collections.abc import Callable, Mapping
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from ops.stack.private import MASK

COMMANDS = {
    "demo": ("ops.commands.demo:demo", "Hold a spoken conversation, and explain it."),
    "up": ("ops.commands.up:up", "Start everything on this machine, until Ctrl-C."),
    "status": ("ops.commands.status:status", "Show what runs on this machine, process by process."),
    "logs": ("ops.commands.logs:logs", "Print what the processes of `antiphon up` said."),
    "down": ("ops.commands.down:down", "Stop what `antiphon up` runs here, and wait for it."),
    "open": ("ops.commands.open:open_session", "Open a session in the web app."),
    "gateway": ("ops.commands.gateway:gateway", "Run one gateway."),
    "api": ("ops.commands.api:api", "Run the HTTP API, and the web app with it."),
    "worker": ("ops.commands.worker:worker", "Run one worker of a stage."),
    "llm-server": ("ops.commands.llm_server:llm_server", "Run the embedded OpenAI-compatible LLM server."),
    "talk": ("ops.commands.talk:talk", "Talk with an agent, in the terminal."),
    "call": ("ops.commands.call:call", "Call a gateway with a recording."),
    "join": ("ops.commands.join:join", "Send the agent into a LiveKit room, without a dispatch."),
    "token": ("ops.commands.token:token", "Make a client's token, with --livekit for a LiveKit room."),
    "dial": ("ops.commands.phone:dial", "Have a running gateway call somebody."),
    "transfer": ("ops.commands.phone:transfer", "Hand a caller on to somebody else."),
    "keys": ("ops.commands.phone:keys", "Press keys in a phone call, as the agent's phone."),
    "hangup": ("ops.commands.phone:hangup", "Hang up a phone call."),
    "sessions": ("ops.commands.reading:sessions", "List the sessions."),
    "show": ("ops.commands.reading:show", "Tell a session event by event, with each turn's timing."),
    "state": ("ops.commands.reading:state", "Show a session as it was after any event."),
    "export": ("ops.commands.reading:export", "Write a session into one file."),
    "stats": ("ops.commands.stats:stats", "Tell how fast answers came over many calls, part by part."),
    "top": ("ops.commands.top:top", "Watch queues, workers, gateways and open sessions."),
    "doctor": ("ops.commands.doctor:doctor", "Check everything a conversation needs."),
    "bench": ("ops.commands.bench:bench", "Run one benchmark."),
    "chaos": ("ops.commands.chaos:chaos", "Kill everything all the time, then check every log."),
}
SIP = {
    "inbound": ("ops.commands.sip:inbound", "Let calls in."),
    "outbound": ("ops.commands.sip:outbound", "Let calls out."),
    "rule": ("ops.commands.sip:rule", "Send calls to rooms, with the agent."),
    "list": ("ops.commands.sip:list_all", "Trunks and rules."),
    "remove": ("ops.commands.sip:remove", "Delete a trunk or a rule."),
    "call": ("ops.commands.sip:call", "Call somebody into a room where the agent is."),
    "calls": ("ops.commands.sip:calls", "The phones that are in rooms now."),
    "hang-up": ("ops.commands.sip:hang_up", "End one call."),
    "transfer": ("ops.commands.sip:transfer", "Hand a call to another number."),
}
KEY = {
    "add": ("ops.commands.key:add", "Make a key for the HTTP API."),
    "list": ("ops.commands.key:list_all", "List the keys."),
    "remove": ("ops.commands.key:remove", "Remove a key."),
}

_PLAIN: dict[str, Any] = {"add_completion": False, "pretty_exceptions_enable": False, "rich_markup_mode": None}
_NO_HELP_ASKED = {"default_map": {"help": False}}
"""Else Typer loads pydantic for each mistyped command, to learn that None is no `--help`."""


class Table(TyperGroup):
    """A group whose commands are but names and lines until one of them is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, found, rest = super().resolve_command(ctx, args)
        if isinstance(found, TyperCommand) and found.callback is not None:
            found = found.callback()
        return name, found, rest


def table(rows: Mapping[str, tuple[str, str]], help: str) -> typer.Typer:
    """A group of `rows`: name → (module:function, the first line of its help)."""
    made = typer.Typer(cls=Table, no_args_is_help=True, help=help, context_settings=_NO_HELP_ASKED, **_PLAIN)
    for name, (place, line) in rows.items():
        made.command(name, help=line)(_loader(name, place))
    return made


def _loader(name: str, place: str) -> Callable[[], Any]:
    def load() -> Any:
        """The command itself, with its options and its whole help."""
        module, _, function = place.partition(":")
        alone = typer.Typer(**_PLAIN)
        alone.command(name)(getattr(importlib.import_module(module), function))
        return typer.main.get_command(alone)

    return load


app = table(COMMANDS, "Antiphon: voice agents as an ordered log. Try `antiphon demo`, then what it suggests.")
app.add_typer(table(SIP, "Phones in LiveKit rooms: trunks, rules, calls."), name="sip")
app.add_typer(table(KEY, "Keys of the HTTP API: who may use it."), name="key")


def main() -> None:
    os.umask(MASK)
    app()


if __name__ == "__main__":
    main()
