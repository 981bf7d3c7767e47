"""`antiphon memory list | show | forget`: what agents remember of callers (docs/collecting.md)."""

from typing import TYPE_CHECKING, Annotated

import typer

from ops import console
from ops.commands._archived import over_archive, over_both
from ops.commands._looking import Agent
from ops.commands._options import Json

if TYPE_CHECKING:
    from schemas.archive.store import Archive, Erasure
    from schemas.bus import Bus
    from schemas.config.settings import Settings

_Caller = Annotated[str, typer.Argument(metavar="CALLER", help="A phone number, or the identity of a token, whole.")]


def list_all(
    count: Annotated[int, typer.Option("--count", "-n", min=1, max=10_000, help="How many at most.")] = 20,
    agent: Agent = "",
    json: Json = False,
) -> None:
    """List the callers that agents remember, the latest first.

    Examples:
      antiphon memory list
      antiphon memory list --agent receptionist --json
    """
    _print(count, agent, "", json, whole=False)


def show(caller: _Caller, agent: Agent = "", json: Json = False) -> None:
    """Show what is remembered of a caller.

    Example: antiphon memory show +4930123456
    """
    _print(100, agent, caller, json, whole=True)


def forget(
    caller: _Caller,
    agent: Agent = "",
    by: Annotated[str, typer.Option(help="Who asked for it, for the proof.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    json: Json = False,
) -> None:
    """Forget a caller for good, and prove it.

    Their conversations stay (`antiphon archive erase` deletes these, too); what was to be made of one is made no more.

    Example: antiphon memory forget +4930123456 --by privacy-desk
    """
    if not caller.strip():
        console.fail("an empty name is nobody's; expected a phone number or an identity", console.USAGE)
    if not yes and not json:
        typer.confirm(f"Forget what is known of {caller!r} for good?", abort=True)

    async def main(bus: "Bus", archive: "Archive", settings: "Settings") -> "Erasure | None":
        from ops.jobs.letting_go import LettingGo

        return await LettingGo(bus, archive, settings).forget(caller, by or console.whoever(), agent=agent)

    erasure = over_both(main)
    if json:
        console.emit({"erasure": erasure.view() if erasure is not None else None})
    elif erasure is None:
        console.out.print("Nothing is remembered of a caller of this name.")
    else:
        console.out.print(f"Erasure {erasure.id}: {len(erasure.removed)} forgotten.")


def _print(count: int, agent: str, person: str, json: bool, *, whole: bool) -> None:
    async def main(archive: "Archive") -> None:
        from dataclasses import asdict

        from schemas.clock import iso

        found = await archive.memories(count, agent=agent, person=person)
        if json:
            moments = ("updated_at", "expires_at")
            rows = [asdict(one) | {name: iso(getattr(one, name)) or None for name in moments} for one in found]
            for row, one in zip(rows, found, strict=True):
                row["expires_at"] = row["expires_at"] if one.expires_at else None
            console.emit({"memories": rows})
            return
        for one in found:
            made = f"{one.agent}, {iso(one.updated_at)}, of {one.sessions} session{'' if one.sessions == 1 else 's'}"
            text = one.text if whole or len(one.text) <= 60 else f"{one.text[:57]}…"
            console.hang(f"{one.caller}  ", f"{made}: {text}")
        if not found:
            console.out.print(
                "Nothing is remembered of a caller of this name." if person else "Nobody is remembered yet."
            )

    over_archive(main)
