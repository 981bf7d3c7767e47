"""`antiphon state` and `antiphon sessions`: what a session amounted to at any event, and which sessions there are."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops import console
from schemas.bus import Listing, Reading
from schemas.session import words
from schemas.session.cache import folded
from schemas.session.fold import SessionState
from schemas.session.history import list_sessions, whole
from schemas.text.clean import json_line


async def state(
    log: Reading, session: str, *, at: int | None = None, json: bool = False, out: Console | None = None
) -> None:
    """Print the session as it was after event `at` (None: as it is now)."""
    out = out or console.out
    found = await folded(log, session, at)
    if at is not None and found.seq != at:
        console.fail(f"{session} has events 1 to {found.seq}; there is no event {at}", console.USAGE)
    if json:
        console.emit(whole(found))
        return
    _print(found, out)


def _print(found: SessionState, out: Console) -> None:
    since = (found.at - found.started_at) / 1e6
    ended = f", ended ({found.ended})" if found.ended is not None else ""
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
    chat = whole(found)["messages"]
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


async def sessions(log: Listing, *, count: int = 50, json: bool = False, out: Console | None = None) -> None:
    """Print the sessions: the open ones, then the closed ones whose log is still there; the latest activity first."""
    out = out or console.out
    rows = await list_sessions(log, count)
    if json:
        console.emit({"sessions": rows})
        return
    if not rows:
        out.print(f"No sessions. Hold one: {console.me()} demo, or {console.me()} up and {console.me()} call")
        return
    table = Table("session", "state", "events", "active", "gateway", box=None, pad_edge=False, padding=(0, 1))
    table.columns[0].no_wrap, table.columns[0].min_width = (
        True,
        max(len(row["session"]) for row in rows),
    )  # to be copied
    for row in rows:
        # "held" is a lease's word; beside a phone call it reads as on hold
        state_shown = "open, orphaned" if row["lease"] == "orphaned" else row["state"]
        table.add_row(
            Text(row["session"]),
            state_shown,
            str(row["events"]),
            _ago(row["idle_s"]),
            Text(row["gateway"]),
        )
    out.print(table)


def _ago(seconds: float) -> str:
    for limit, unit, size in ((90, "s", 1), (5400, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{seconds / 86_400:.0f} days ago"
