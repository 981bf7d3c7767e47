"""`antiphon archive follow-ups | again | webhook`: what follows once a session is archived."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ops import console
from ops.commands._archived import over_archive
from ops.commands._options import Json

if TYPE_CHECKING:
    from schemas.archive import Archive

Kind = Literal["webhook", "summary", "recording", "result", "memory"]
_Kind = Annotated[Kind | None, typer.Option("--kind", help="Only these.")]


def list_all(
    session: Annotated[str, typer.Argument(help="Of this session; else of all.")] = "",
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many at most.")] = 20,
    kind: _Kind = None,
    failed: Annotated[bool, typer.Option("--failed", help="Those that were given up, and why.")] = False,
    waiting: Annotated[bool, typer.Option("--waiting", help="Those that are still to be done.")] = False,
    json: Json = False,
) -> None:
    """List webhooks, summaries and recordings, the latest first.

    What became of each, how often it was tried, and when it is tried next.

    \b
    Examples:
      antiphon archive follow-ups --failed
      antiphon archive follow-ups SESSION
    """
    if failed and waiting:
        console.fail("--failed or --waiting: give one", console.USAGE)
    state: Literal["failed", "pending"] | None = "failed" if failed else "pending" if waiting else None

    async def main(archive: "Archive") -> None:
        from dataclasses import asdict

        from schemas.clock import iso

        found = await archive.follow_ups(count, session=session, kind=kind, state=state)
        if json:
            console.emit({"follow_ups": [asdict(one) for one in found]})
            return
        for one in found:
            what = one.about or one.kind
            if one.state == "done":
                became = f"done {iso(one.done_at)}"
            elif one.state == "failed":
                became = f"given up after {one.failures} tries: {one.error}"
            else:
                became = f"next {iso(one.due_at)}" + (
                    f" after {one.failures} tries: {one.error}" if one.failures else ""
                )
            console.hang(f"{one.id}  ", f"{what} of {one.session}, {became}")
        if not found:
            console.out.print("None.")

    over_archive(main)


def again(
    ids: Annotated[
        list[str], typer.Argument(metavar="ID…", help="Of follow-ups (antiphon archive follow-ups), or sessions' ids.")
    ],
    kind: _Kind = None,
    json: Json = False,
) -> None:
    """Deliver a webhook again; make a summary or a recording anew.

    The jobs worker does it at once, and tries for a day. A webhook keeps its id, by which its receiver knows it. With a session's
    id and --kind it is done for that session, whether it ever was or not.

    \b
    Examples:
      antiphon archive again msg_0123…
      antiphon archive again SESSION --kind recording
    """

    async def main(archive: "Archive") -> bool:
        became: dict[str, str] = {}
        for given in ids:
            became[given] = await _again(archive, given, kind)
            if not json:
                console.hang(f"{given}  ", became[given])
        if json:
            console.emit({"again": became})
        return all(one == "due" for one in became.values())

    if not over_archive(main):
        raise typer.Exit(console.FAILED)


async def _again(archive: "Archive", given: str, kind: Kind | None) -> str:
    from ops.jobs.following import ENDED
    from schemas.archive.store import follow_up_id

    if await archive.follow_up(given) is not None:
        return "due" if await archive.follow_again(given) else "somebody is at it"
    if kind is None:
        return "no such follow-up; for a session say --kind webhook, summary or recording"
    about = ENDED if kind == "webhook" else ""
    if not await archive.follow(given, [(kind, about)]):
        return "no archived session"
    return "due" if await archive.follow_again(follow_up_id(given, kind, about)) else "somebody is at it"


def recordings(
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many at most.")] = 20, json: Json = False
) -> None:
    """List the recordings that are kept with calls, the latest first.

    `antiphon recording SESSION FILE` fetches one.

    Example: antiphon archive recordings
    """

    async def main(archive: "Archive") -> None:
        from dataclasses import asdict

        found = await archive.recordings(count)
        if json:
            console.emit({"recordings": [asdict(one) for one in found]})
            return
        for one in found:
            gone = f", {one.missing} sounds were gone" if one.missing else ""
            console.hang(f"{one.session}  ", f"{one.codec}, {one.seconds:.1f} s, {one.bytes / 2**20:.1f} MiB{gone}")
        if not found:
            console.out.print("No call has one: RECORDINGS=opus, or antiphon archive again SESSION --kind recording")

    over_archive(main)


def webhook(
    agent: Annotated[str, typer.Option(help="Where this agent's sessions are told.")] = "",
    json: Json = False,
) -> None:
    """Send a webhook as a trial, and say what was answered.

    Signed, to the address that settings name, of the type `webhook.trial`: no session is told of.

    Example: antiphon archive webhook
    """

    async def main() -> tuple[str, int]:
        import secrets
        import time

        from ops.jobs.webhooks import Webhooks, message
        from ops.stack.here import settings_here
        from schemas.clock import Micros
        from schemas.config.settings import without_password

        webhooks = Webhooks(settings_here())
        if not (url := webhooks.url_of(agent)):
            console.fail("WEBHOOK_URL is not set: nobody is told of sessions that end", console.USAGE)
        now = time.time()
        body = message("webhook.trial", Micros(round(now * 1e6)), {})
        try:
            status = await webhooks.send(url, f"msg_{secrets.token_hex(16)}", int(now), body)
        finally:
            await webhooks.aclose()
        return without_password(url), status

    url, status = console.run(main)
    if json:
        console.emit({"url": url, "status": status})
    else:
        console.out.print(f"{url}: it answered {status}", soft_wrap=True)
