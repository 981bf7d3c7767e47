"""The tools' own pool (`antiphon worker tools`): tools that take long, and must hold no LLM's slot."""

import asyncio
from collections.abc import Sequence

from schemas.bus import Seen
from schemas.config.settings import Settings
from schemas.events import Event, Stage, ToolReturned
from schemas.jobs import ToolJob
from schemas.process.tasks import Tasks
from schemas.session.cache import Folds
from schemas.session.chat import UNKNOWN
from workers._stage import Work
from workers.tools._moving import Moves, stamped
from workers.tools._running import Call, Doing, Returned, all_posted, call, context_of, posted
from workers.tools._saying import Saying, by_the_gateway
from workers.tools._toolbox import Toolboxes

__all__ = ["ToolStage"]

_SLOTS = 32


class ToolStage:
    """Calls tools. What had begun when a worker died is called again only if the tool may be."""

    stage: Stage = "tools"
    batch = 1

    def __init__(self, settings: Settings):
        self.slots = settings.worker_slots or _SLOTS
        self._boxes = Toolboxes(settings)
        self._folds: Folds | None = None
        self._tasks = Tasks()

    async def warm_up(self) -> None:
        pass

    async def aclose(self) -> None:
        await self._tasks.aclose()
        await self._boxes.aclose()

    async def run(self, works: Sequence[Work]) -> None:
        for work in works:
            await self._run(work)

    async def _run(self, work: Work) -> None:
        job = work.job
        assert isinstance(job, ToolJob)
        begun = work.delivery.last_step >= 0
        self._folds = self._folds or Folds(work.bus)
        state = await self._folds.folded(job.session, job.answers, job.id)
        work.seen = Seen(state.seq, state.at)
        box = await self._boxes.of(state.agent)
        tool = box.tools.get(job.name)
        if begun and not job.repeat:
            await self._finish(work, job, Returned(error=UNKNOWN))
            return
        if tool is None:
            await self._finish(work, job, Returned(error=f"there is no tool {job.name} any more"))
            return
        if not begun:
            await work.step([])  # from here on it has begun
        if work.cancelled.is_set():
            return

        saying = Saying(by_the_gateway(work.bus, job.session, f"tool/{job.call}"), self._tasks)
        doing = Doing(work.bus, job.session, job.call, saying, Moves(state, box.find, job.name))
        context = context_of(state, job.session, job.turn, job.call, doing)
        most = state.agent.tools.result_characters
        running = asyncio.ensure_future(call(Call(job.call, tool, job.arguments, job.timeout, most), context, doing))
        cancelled = asyncio.ensure_future(work.cancelled.wait())
        try:
            await asyncio.wait({running, cancelled}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                await saying.done()
                await self._finish(work, job, running.result(), doing.moves)
                return
            stopped = Returned(error="it was cancelled: the user interrupted; it is unknown how far it was done")
            if work.left == "stale":
                await posted(work.bus, job.session, f"returned/{job.call}", _event(job, stopped, work))
        finally:
            for one in (running, cancelled):
                one.cancel()
            await asyncio.gather(running, cancelled, return_exceptions=True)

    async def _finish(self, work: Work, job: ToolJob, returned: Returned, moves: Moves | None = None) -> None:
        moved = stamped(moves.events if moves is not None else [], job.turn, job.reply, work.cause)
        events: list[Event] = [_event(job, returned, work), *moved]
        await work.finish(events)
        if work.left == "stale":  # it was cancelled as it came to its end
            await all_posted(work.bus, job.session, f"returned/{job.call}", events)


def _event(job: ToolJob, returned: Returned, work: Work) -> ToolReturned:
    return ToolReturned(
        call=job.call,
        name=job.name,
        result=returned.result,
        error=returned.error,
        state=returned.state,
        silent=returned.silent,
        took=returned.took,
        turn=job.turn,
        generation=job.reply,
        cause=work.cause,
    )
