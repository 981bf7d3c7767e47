"""A session is forked: replayed from a turn on with other settings, and kept as a session of its own."""

import asyncio
from typing import Any

from ops.jobs.doing import Doing, Progress
from ops.replay.settings import anew_for
from ops.replay.stages import Going, replay_stages
from ops.replay.turns import events_to_replay
from schemas.config.agent import AgentSpec
from schemas.errors import AntiphonError

__all__ = ["fork"]

_NOTES = 50


async def fork(doing: Doing, request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """`request`: `session`, `from_turn` (None: all of it), `agent` (the whole spec, as JSON values), `changed` (what is other
    in it, by its path). What depends on what changed is done again by the pools. Its progress is in seconds of the call."""
    session, changed = str(request["session"]), request["changed"]
    await progress(0, 0, f"reading {session}")
    events = await events_to_replay(doing.both, session)
    latest: asyncio.Queue[Going] = asyncio.Queue(1)

    def follow(going: Going) -> None:
        if not latest.full():
            latest.put_nowait(going)

    async def pass_on() -> None:
        while True:
            going = await latest.get()
            length = max(1, round(going.length))
            await progress(min(round(going.at), length - 1), length, f"replaying {session}")

    telling = asyncio.create_task(pass_on())
    replaying = asyncio.create_task(
        replay_stages(
            doing.both, session, events, doing.log, stage="all", anew=anew_for(changed),
            agent=AgentSpec.model_validate(request["agent"]), changed=changed, from_turn=request.get("from_turn"),
            going=follow,
        )
    )  # fmt: skip
    try:
        await asyncio.wait({telling, replaying}, return_when=asyncio.FIRST_COMPLETED)
        if not replaying.done():
            replaying.cancel()  # somebody stops it: what was made is kept
            await replaying
            telling.result()
        made = await replaying
    finally:
        telling.cancel()
        replaying.cancel()
        await asyncio.gather(telling, replaying, return_exceptions=True)
    if await doing.both.info(session) is None:  # looked at once the fork is kept: whoever erases looks again after that
        await doing.letting_go.remove([made.session], "session", progress.by)
        raise AntiphonError(f"session {session!r} was deleted while it was replayed; so is its fork")
    notes = [f"turn {note.turn}: {note.what}" if note.turn else note.what for note in made.notes[:_NOTES]]
    if not made.exact:
        notes.insert(0, "its log is from before edges of speech were kept: they are read off its facts")
    if made.gone:
        notes.append(f"{made.gone} of its sounds were gone already")
    jobs = {stage: dict(counts) for stage, counts in made.jobs().items()}
    return {"session": made.session, "events": len(made.events), "notes": notes, "jobs": jobs}
