"""Many sessions are replayed with another setting, and compared each with what it was: what got better, what worse."""

from typing import Any

from ops.jobs.doing import Doing, Progress
from ops.replay.batch import AtWork, Wish, batch, sessions_for
from schemas.config.agent import AgentSpec
from schemas.session.summary import Wanted

__all__ = ["asked_batch"]


async def asked_batch(doing: Doing, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """`request`: `filter` (as Wanted's fields), `most`, `set` (settings by their paths), `agent` (a whole spec, or None: each
    session's own, with what is set); and perhaps `anew` (stages), `reference`, `at_once`, `mark` (another one: all over again).
    A try that died is gone on with: what it made is found."""
    wanted = Wanted(**request["filter"])
    anew = request.get("anew")
    wish = Wish(
        request.get("set") or {},
        AgentSpec.model_validate(request["agent"]) if request.get("agent") else None,
        tuple(anew) if anew is not None else None,
        request.get("reference") or "auto",
        request.get("mark") or "",
    )
    await progress(0, 0, "looking for them")
    sessions, more = await sessions_for(doing.both, wanted, int(request["most"]))

    async def tell(at: AtWork) -> None:
        await progress(at.done, at.of, at.session if at.done < at.of else "")

    async def drop(fork: str) -> None:
        await doing.letting_go.remove([fork], "session", progress.by)

    at_once = int(request.get("at_once") or 2)
    report = await batch(doing.both, doing.log, sessions, wish, at_once=at_once, tell=tell, drop=drop)
    report.more = more
    return report.view()
