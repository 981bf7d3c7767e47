"""`antiphon archive …`: what is kept of sessions that are over, looked at, looked after, and let go."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops import console
from ops.commands._archived import over_archive, over_both
from ops.commands._looking import Agent, Since, wanted
from ops.commands._options import Json

if TYPE_CHECKING:
    from schemas.archive import Archive
    from schemas.bus import Bus
    from schemas.config.settings import Settings

_PLURALS = {"webhook": "webhooks", "summary": "summaries", "recording": "recordings"}
_Sessions = Annotated[list[str], typer.Argument(metavar="SESSION…", help="Sessions' ids.")]
_By = Annotated[str, typer.Option("--by", help="Who asks for it: stands in the proof.")]
_Yes = Annotated[bool, typer.Option("--yes", "-y", help="Without asking back.")]


def status(json: Json = False) -> None:
    """Show how much the archive has, and what waits.

    Ends with 1 when something could not be archived, is not what was written, or when a webhook, a summary or a recording was
    given up.

    Example: antiphon archive status
    """

    async def main(archive: "Archive") -> bool:
        amount, now, counts = await archive.amount(), await archive.now(), await archive.follow_up_counts()
        follow_ups: dict[str, dict[str, int]] = {}
        for (kind, state), count in counts.items():
            follow_ups.setdefault(kind, {})[state] = count
        left = sum(count for (_, state), count in counts.items() if state == "failed")
        waits = max(0, now - amount.oldest_due) / 1e6 if amount.oldest_due else 0.0
        if json:
            console.emit(
                {
                    "sessions": amount.sessions,
                    "bytes": amount.bytes,
                    "sound_bytes": amount.sound_bytes,
                    "damaged": amount.damaged,
                    "waits_s": round(waits, 1),
                    "follow_ups": follow_ups,
                }
            )
        else:
            states = amount.sessions
            console.hang("archived   ", _sessions(states.get("done", 0)))
            console.hang("size       ", f"{_mib(amount.bytes)} of text, {_mib(amount.sound_bytes)} of sound")
            console.hang("waiting    ", f"{states.get('pending', 0):,}, the first for {waits:.0f} s")
            console.hang("given up   ", f"{states.get('failed', 0):,} (antiphon archive list --failed)")
            console.hang("damaged    ", f"{amount.damaged:,}")
            for kind, found in sorted(follow_ups.items()):
                told = f"{found.get('done', 0):,} done, {found.get('pending', 0):,} to do, {found.get('failed', 0):,} given up"
                console.hang(f"{_PLURALS[kind]:<11}", f"{told} (antiphon archive follow-ups --kind {kind})")
        return bool(amount.damaged or amount.sessions.get("failed") or left)

    if over_archive(main):
        raise typer.Exit(console.FAILED)


def list_all(
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many at most.")] = 20,
    agent: Agent = "",
    since: Since = None,
    failed: Annotated[bool, typer.Option("--failed", help="Those that could not be archived, and why.")] = False,
    json: Json = False,
) -> None:
    """List archived sessions, or those that could not be.

    \b
    Examples:
      antiphon archive list -n 50
      antiphon archive list --failed
    """

    async def main(archive: "Archive") -> None:
        if failed:
            given_up = await archive.standings("failed", count)
            if json:
                console.emit(
                    {
                        "failed": [
                            {"session": one.session, "tries": one.failures, "error": one.error} for one in given_up
                        ]
                    }
                )
            for one in [] if json else given_up:
                console.hang(f"{one.session}  ", f"{one.failures} tries: {one.error}")
            if not given_up and not json:
                console.out.print("None was given up.")
            return
        rows = await archive.recalled(wanted(agent=agent, since=since), count)
        if json:
            console.emit({"sessions": [row.view() for row in rows]})
            return
        if rows:
            from ops.reading import print_rows

            print_rows(rows, await archive.now())
        else:
            console.out.print("No such session." if agent or since else "No session is archived yet.")

    over_archive(main)


def run(
    sessions: Annotated[list[str] | None, typer.Argument(metavar="SESSION…", help="These; all that is due.")] = None,
    json: Json = False,
) -> None:
    """Archive what has ended, now and here.

    As the jobs worker does, which need not run. Sessions that were given up are tried again when they are named.

    \b
    Examples:
      antiphon archive run
      antiphon archive run SESSION
    """

    async def main(bus: "Bus", archive: "Archive", settings: "Settings") -> int:
        from ops.jobs.archiving import Archiving
        from ops.jobs.following import follows_of
        from ops.jobs.letting_go import LettingGo
        from schemas.archive.place import belongs_to, place_of

        if unknown := [
            name for name in sessions or () if not await bus.info(name) and not await archive.standing(name)
        ]:
            console.fail(f"no session {', '.join(unknown)}; nothing was archived", console.USAGE)
        belongs_to(place_of(settings), settings.redis_url)  # else who reads this log is not shown what it lets go of
        archiving = Archiving(bus, archive, "archive-run", sound=settings.archive_sound, follows=follows_of(settings))
        names = list(sessions or ())
        if not names:
            due = await archiving.sweep()
            await LettingGo(bus, archive, settings).finish([one.session for one in due if one.state == "deleting"])
            names = [one.session for one in due if one.state != "deleting"]
        became: dict[str, str] = {}
        for name in names:
            if sessions:
                await archive.note([name])
            became[name] = await archiving.archive(name) or "failed"
            if not json:
                console.hang(f"{name}  ", became[name])
        if json:
            console.emit({"sessions": became})
        elif not names:
            console.out.print("Nothing is due.")
        return sum(one in ("failed", "gone") for one in became.values())

    if over_both(main):
        raise typer.Exit(console.FAILED)


def verify(
    sessions: Annotated[list[str] | None, typer.Argument(metavar="SESSION…", help="These; else all.")] = None,
    json: Json = False,
) -> None:
    """Read sessions back: are they what was written?

    Every event, fold and sound is read and hashed. Ends with 1 when one is not what was written; it is to be restored from a
    backup (docs/operating/archive.md).

    Example: antiphon archive verify
    """

    async def main(archive: "Archive") -> bool:
        from ops.jobs.integrity import verify as verify_all
        from ops.jobs.integrity import verify_one

        if not sessions:
            found = await verify_all(archive, within=float("inf"))
            checked, damaged = found.sessions, found.damaged
        else:
            checked, damaged = len(sessions), {}
            for name in sessions:
                standing = await archive.standing(name)
                if standing is None or standing.state != "done":
                    console.fail(
                        f'no archived session "{name}"; `{console.me()} archive list` lists them', console.USAGE
                    )
                if wrong := await verify_one(archive, standing):
                    damaged[name] = wrong
        if json:
            console.emit({"sessions": checked, "damaged": damaged})
        else:
            for wrong in damaged.values():
                console.err.print(wrong, style="red", markup=False, soft_wrap=True)
            console.out.print(f"{_sessions(checked)} read back, {len(damaged)} damaged.")
        return bool(damaged)

    if over_archive(main):
        raise typer.Exit(console.FAILED)


def remove(sessions: _Sessions, by: _By = "", yes: _Yes = False, json: Json = False) -> None:
    """Delete sessions for good.

    Out of the archive and out of the log, with their sound; those that go on stay. What was deleted, when and for whom, stands in
    `antiphon archive erasures`.

    Example: antiphon archive remove SESSION --by ann
    """
    if not yes and not json:
        typer.confirm(f"Delete {len(sessions)} session(s) for good?", abort=True)

    async def main(bus: "Bus", archive: "Archive", settings: "Settings") -> None:
        from ops.jobs.letting_go import LettingGo

        known = [name for name in sessions if await bus.info(name) or await archive.standing(name)]
        if unknown := sorted(set(sessions) - set(known)):
            console.fail(f"no session {', '.join(unknown)}; nothing was deleted", console.USAGE)
        _proof(await LettingGo(bus, archive, settings).remove(known, "session", by or console.whoever()), json)

    over_both(main)


def erase(
    person: Annotated[str, typer.Argument(help="A participant's identity or name, whole.")],
    by: _By = "",
    yes: _Yes = False,
    json: Json = False,
) -> None:
    """Delete all sessions of a person, and prove it.

    Every session in which somebody has this identity or name, whole, out of the archive and out of the log. The proof says when,
    who asked, and which events (by hash) are gone; nothing in it says whose they were. Sessions that go on are named: ask again
    once they are over. Before anything is deleted it is said how many there are, and asked.

    Example: antiphon archive erase "Ann Caller" --by privacy-desk
    """
    if not person.strip():
        console.fail("an empty name is nobody's; expected a participant's identity or name", console.USAGE)
    nothing = "Nobody is called so in a session that is over; nothing was deleted."

    async def look(bus: "Bus", archive: "Archive", settings: "Settings") -> tuple[list[str], list[str]]:
        from ops.jobs.letting_go import LettingGo

        return await LettingGo(bus, archive, settings).found(person)

    async def main(bus: "Bus", archive: "Archive", settings: "Settings") -> None:
        from ops.jobs.letting_go import LettingGo

        erased = await LettingGo(bus, archive, settings).erase(person, by or console.whoever())
        _proof(erased, json, nothing=nothing)

    if not yes and not json:
        over, going = over_both(look)
        if over:
            stays = "goes on, and stays" if len(going) == 1 else "go on, and stay"
            stay = f" {_sessions(len(going))} {stays} for now." if going else ""
            typer.confirm(f"{person!r} is in {_sessions(len(over))}.{stay} Delete for good, whole?", abort=True)
    over_both(main)


def _proof(erased: Any, json: bool, nothing: str = "No session that is over; nothing was deleted.") -> None:
    erasure = erased.erasure
    if json:
        console.emit({"erasure": erasure.view() if erasure is not None else None, "open": list(erased.open)})
        return
    if erasure is None:
        console.out.print(nothing)
    else:
        done = "" if erasure.done_at else "; the rest follows, by the jobs worker"
        console.out.print(f"Erasure {erasure.id}: {_sessions(len(erasure.removed))}{done}.", soft_wrap=True)
    if erased.open:
        console.err.print(f"These go on, and stay for now: {', '.join(erased.open)}", style="yellow", soft_wrap=True)


def erasures(
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many at most.")] = 20, json: Json = False
) -> None:
    """List what was deleted, when, and who asked.

    Example: antiphon archive erasures --json
    """

    async def main(archive: "Archive") -> None:
        from schemas.clock import iso

        found = await archive.erasures(count)
        if json:
            console.emit({"erasures": [one.view() for one in found]})
            return
        for one in found:
            done = f"done {iso(one.done_at)}" if one.done_at else "not done yet"
            console.hang(
                f"{one.id}  ",
                f"{one.kind}, {_sessions(len(one.removed))}, asked {iso(one.asked_at)} by {one.asked_by}, {done}",
            )
        if not found:
            console.out.print("Nothing was deleted yet.")

    over_archive(main)


def backup(
    folder: Annotated[Path, typer.Argument(help="Where to; an older backup there is brought up to date.")],
    json: Json = False,
) -> None:
    """Copy the archive, while it is used.

    Its database as of one moment, and every sound that names. PostgreSQL and buckets have tools of their own
    (docs/operating/archive.md).

    Example: antiphon archive backup /backup/calls
    """

    async def main(archive: "Archive") -> None:
        from ops.jobs.backup import back_up

        done = await back_up(archive, folder)
        if json:
            console.emit({"folder": str(folder), "objects": done.objects, "fresh": done.fresh, "missing": done.missing})
            return
        gone = f"; {done.missing} were deleted meanwhile" if done.missing else ""
        console.out.print(f"{folder}: {done.objects} objects of sound, {done.fresh} of them new{gone}", soft_wrap=True)

    over_archive(main)


def upgrade(json: Json = False) -> None:
    """Make the archive's tables, or bring them up to date.

    The jobs worker does so when it starts; who reads never does.

    Example: antiphon archive upgrade
    """

    async def main(archive: "Archive") -> None:
        before = await archive.upgrade()
        await archive.check()
        if json:
            console.emit({"was": before})
        else:
            console.out.print(f"The archive was at {before or 'nothing'}; its tables are up to date.")

    over_archive(main, checked=False)


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"


def _sessions(count: int) -> str:
    return "1 session" if count == 1 else f"{count:,} sessions"
