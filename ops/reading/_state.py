"""`antiphon state`: what a session amounted to at any event."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops import console
from schemas.bus import Reading
from schemas.session import ends, words
from schemas.session.fold import SessionState
from schemas.text.clean import json_line


async def state(
    log: Reading, session: str, *, at: int | None = None, json: bool = False, out: Console | None = None
) -> None:
    """Print the session as it was after event `at` (None: as it is now)."""
    from schemas.session.cache import folded  # a state's validator takes time to make, and only this command needs it

    out = out or console.out
    found = await folded(log, session, at)
    if at is not None and found.seq != at:
        console.fail(f"{session} has events 1 to {found.seq}; there is no event {at}", console.USAGE)
    if json:
        console.emit(_whole(found))
        return
    _print(found, out)


def _whole(found: SessionState) -> dict[str, Any]:
    from schemas.session.snapshot import whole

    return whole(found)


def _print(found: SessionState, out: Console) -> None:
    since = (found.at - found.started_at) / 1e6
    ended = f", ended: {ends.in_words(found.ended)}" if found.ended is not None else ""
    console.hang("", Text(f"After event {found.seq}, {since:.2f} s after the beginning{ended}", style="bold"), out)
    _fact(out, "agent", f'"{found.agent.name}", by {found.gateway}, epoch {found.epoch}')
    if found.metadata:
        _fact(out, "metadata", json_line(dict(found.metadata)))
    _fact(out, "people", words.people(found) or "nobody")
    _fact(out, "floor", words.floor(found))
    _fact(out, "generation", str(found.generation))
    for say in found.says:
        _fact(out, "to be said", say.text)
    _turns(found, out)
    chat = _whole(found)["messages"]
    if chat:
        out.print()
        console.hang(
            "", Text("The chat as the LLM is given it (the agent's side is what was heard):", style="bold"), out
        )
    for message in chat:
        content = message["content"] or ", ".join(call["function"]["name"] for call in message.get("tool_calls", ()))
        console.hang(f"  {message['role']:<11}", content, out)


def _fact(out: Console, name: str, value: str) -> None:
    console.hang(f"  {name:<12}", value, out)


def _turns(found: SessionState, out: Console) -> None:
    if not found.turns:
        return
    table = Table("turn", "users", "agent (heard)", "how", box=None, pad_edge=False, padding=(0, 1))
    for turn in found.turns.values():
        table.add_row(str(turn.id), Text(words.users(turn)), Text(turn.heard), words.how(turn))
    out.print()
    out.print(table)
