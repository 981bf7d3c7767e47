"""The tool calls of one reply: begun, run side by side, and told in the log, each once.

An event says that a call begins before it does, another what came of it. So whoever goes on with this job after a crash knows:
what has returned is not called again; what had begun is, only if the tool may be; else the model is told that nobody knows.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from schemas.bus import Outcome
from schemas.events import Event, ToolCalled, ToolReturned, ToolWanted
from schemas.jobs import QUEUED, LlmJob, ToolJob
from schemas.process.tasks import Tasks
from schemas.session.chat import UNKNOWN
from schemas.session.fold import fold_all
from schemas.session.state import Reply, SessionState
from schemas.session.state import Tool as ToolCall
from schemas.text.clean import DEEPEST, too_deep
from schemas.text.sentences import sentences
from workers import fields
from workers._stage import Work
from workers.agents import Tool
from workers.llm._calls import plain
from workers.llm._reply import ReplyUnderWay
from workers.providers import CalledTool
from workers.tools import (
    Call,
    Doing,
    Moves,
    Returned,
    Saying,
    Toolbox,
    all_posted,
    call,
    context_of,
    notes_fields,
    stamped,
)

__all__ = ["MOST_AT_ONCE", "Next", "Rounds", "Verdict", "wanted"]

log = logging.getLogger("antiphon.llm")

MOST_AT_ONCE = 8
"""Calls of one round; more are refused."""
_ARGUMENTS = 16_000
"""Characters of a call's arguments, as JSON."""

Next = Literal["ask", "pool", "stop", "silent", "left"]
"""After a round: the model is asked again, or the pool works on, or the reply is over, or the job isn't ours any more."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to become of a call: as it is or was changed; `vetoed`: what the model is told instead; `answer`: its result,
    without a call."""

    call: CalledTool
    vetoed: str = ""
    answer: str | None = None


@dataclass(slots=True)
class _Begun:
    call: Call
    patience: float
    cancel: bool


class Rounds:
    """`state`: the session as this reply knows it, its own events folded in. `afterwards`: what outlives this job: a tool that a
    barge-in leaves alone."""

    def __init__(
        self, work: Work, job: LlmJob, state: SessionState, box: Toolbox, reply: ReplyUnderWay, afterwards: Tasks,
        latest: Callable[[], Awaitable[SessionState]],
    ) -> None:  # fmt: skip
        """`latest`: reads the session as it is now."""
        self.state = state
        self.asks: Callable[[str, CalledTool], Awaitable[Verdict]] | None = None
        """The agent's on_tool, if it has one: asked before each call, by its id."""
        self._latest, self._bridged = latest, False
        reply.written = self.known
        self._work, self._job, self._box, self._reply, self._afterwards = work, job, box, reply, afterwards

    @property
    def left(self) -> int:
        """How many rounds there may still be."""
        return max(0, self.state.agent.tools.rounds - self._round)

    @property
    def _tools(self) -> tuple[ToolCall, ...]:
        reply = self._standing
        return reply.tools if reply is not None else ()

    @property
    def _standing(self) -> Reply | None:
        turn = self.state.turns.get(self._job.turn)
        reply = turn.reply if turn is not None else None
        return reply if reply is not None and reply.generation == self._job.generation else None

    @property
    def _round(self) -> int:
        return max((tool.round for tool in self._tools), default=0)

    def known(self, events: Sequence[Event]) -> None:
        """Fold our own events in; they stand in the log."""
        own = {
            "turn": self._job.turn,
            "generation": self._job.generation,
            "cause": self._work.cause,
            "at": self.state.at,
        }
        self.state = fold_all([event.model_copy(update={**own, "seq": self.state.seq}) for event in events], self.state)

    def take(self, box: Toolbox) -> None:
        """Another one from here on: the conversation is in another step, or with another agent."""
        self._box = box

    async def tell(self, event: Event) -> bool:
        """Something that the model is given. False: the job is not ours any more."""
        return await self._step([event])

    # ── rounds ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def take_up(self) -> Next:
        """What an earlier attempt had begun, what the pool never did, and what a speculative reply wanted."""
        mine = [tool for tool in self._tools if not tool.returned]
        again: list[_Begun] = []
        lost: list[ToolReturned] = []
        pool = False
        for tool in mine:
            found = self._box.tools.get(tool.name)
            if tool.pool and tool.job == self._job.id:
                pool = True
            elif found is not None and tool.repeat and not tool.pool and tool.job == self._job.id:
                again.append(self._begun(tool.call, found, dict(tool.arguments)))
            else:
                lost.append(ToolReturned(call=tool.call, name=tool.name, error=UNKNOWN))
        if lost and not await self._step(lost):
            return "left"
        if again:
            return await self._run(again, pool=pool)
        if pool:
            return "pool"
        reply = self._standing
        if reply is not None and reply.wanted and not any(tool.job == self._job.id for tool in reply.tools):
            return await self.run([CalledTool(one.name, dict(one.arguments)) for one in reply.wanted])
        return self._after(self._round) if mine else "ask"

    async def run(self, calls: Sequence[CalledTool]) -> Next:
        """A round. What can't be called is told to the model at once."""
        number = self._round + 1
        begun: list[_Begun] = []
        events: list[Event] = []
        jobs: list[ToolJob] = []
        refused: list[Event] = []
        for place, one in enumerate(calls, len(self._tools)):
            id = f"{self._job.turn}.{self._job.generation}.{place}"
            one = self._meant(one)
            tool = self._box.tools.get(one.name)
            why = self._refusal(one, len(events))
            verdict = Verdict(one) if why or self.asks is None else await self.asks(id, one)
            if self._work.cancelled.is_set():
                return "left"
            one, why = verdict.call, why or verdict.vetoed or self._refusal(verdict.call, len(events))
            arguments = one.arguments if one.arguments is not None and not _unfit(one.arguments) else {}
            made = self._begun(id, tool, arguments) if tool is not None else None
            told = why or verdict.answer is not None
            pool = tool is not None and not told and self._in_pool(tool.pool)
            events.append(
                ToolCalled(
                    call=id,
                    name=one.name[:64],
                    arguments=arguments,
                    round=number,
                    timeout=0.0 if made is None or told else made.call.timeout + (QUEUED if pool else 0.0),
                    patience=0.0 if made is None or told else made.patience,
                    repeat=tool is not None and tool.repeat,
                    pool=pool,
                )
            )
            if told:
                answer = "" if why else verdict.answer or ""
                refused.append(ToolReturned(call=id, name=one.name[:64], result=answer, error=why))
            elif pool and made is not None:
                jobs.append(self._job_of(made))
            elif made is not None:
                begun.append(made)
        if not await self._step([*events, *refused], jobs):
            return "left"
        return await self._run(begun, pool=bool(jobs))

    def _meant(self, one: CalledTool) -> CalledTool:
        """By the tool's own name, where only one comes near: some write `functions.book_table` or `Book-Table`."""
        if one.name in self._box.tools:
            return one
        near = [name for name in self._box.tools if plain(name) == plain(one.name)]
        return replace(one, name=near[0]) if len(near) == 1 else one

    def _in_pool(self, asked: bool | None) -> bool:
        return self.state.agent.tools.pool if asked is None else asked

    def _refusal(self, one: CalledTool, before: int) -> str:
        if before >= MOST_AT_ONCE:
            return f"more than {MOST_AT_ONCE} calls at once; this one was not made"
        if one.name not in self._box.tools:
            return f"there is no tool {one.name[:64]}; there are {', '.join(self._box.tools)}"
        if one.arguments is None:
            return f"the arguments are no JSON object: {one.raw[:200]}"
        return _unfit(one.arguments)

    def _begun(self, id: str, tool: Tool, arguments: dict[str, Any]) -> _Begun:
        agent = self.state.agent
        timeout = agent.tools.timeout if tool.timeout is None else tool.timeout
        patience = agent.patience if tool.patience is None else tool.patience
        made = Call(id, tool, arguments, timeout, agent.tools.result_characters)
        return _Begun(made, patience if agent.filler.strip() else 0.0, tool.cancel)

    def _job_of(self, one: _Begun) -> ToolJob:
        job, made = self._job, one.call
        return ToolJob(
            id=f"tools/{made.id}",
            session=job.session,
            turn=job.turn,
            generation=job.generation if one.cancel else None,
            reply=job.generation,
            deadline=made.timeout + QUEUED,
            call=made.id,
            name=made.tool.name,
            arguments=dict(made.arguments),
            timeout=made.timeout,
            repeat=made.tool.repeat,
            trace=job.trace,
        )

    async def _run(self, begun: Sequence[_Begun], *, pool: bool) -> Next:
        """Side by side, to the last; as the caller interrupts, those that may be are cancelled and the rest left alone."""
        number = self._round
        tasks = {self._afterwards.spawn(self._one(one), f"tool {one.call.tool.name}"): one for one in begun}
        gone = asyncio.ensure_future(self._work.cancelled.wait())
        patience = min((one.patience for one in begun if one.patience > 0), default=None)
        pending: set[asyncio.Future[Any]] = set(tasks)
        try:
            while pending and not gone.done():
                done, _ = await asyncio.wait({*pending, gone}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                pending -= done
                if not done and patience is not None:
                    patience = None
                    await self._bridge()
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
        if self._work.cancelled.is_set():
            for task, one in tasks.items():
                if one.cancel and self._work.left == "stale":
                    task.cancel()
            return "left"
        self.known([event for task in tasks for event in task.result()])
        return "pool" if pool else self._after(number)

    async def _bridge(self) -> None:
        """It takes long: say so, once in a turn."""
        filler, turn = self.state.agent.filler.strip(), self._job.turn
        if self._bridged or not filler:
            return
        self._bridged = True
        state = await self._latest()
        fillers = [one for one in state.turns.values() if one.id > turn and one.commit and one.commit.why == "filler"]
        reply = self._standing
        said = reply is not None and any(one.text == filler for one in reply.sentences.values())
        if not fillers and not said:
            await self._reply.say([filler])

    def _after(self, number: int) -> Next:
        """What comes behind a round in which all have returned."""
        round_ = [tool for tool in self._tools if tool.round == number]
        reply = self._standing
        spoken = bool(reply is not None and reply.sentences)
        if any(tool.silent for tool in round_):
            return "stop" if spoken else "silent"
        last = [tool for tool in round_ if (found := self._box.tools.get(tool.name)) is not None and found.last]
        return "stop" if spoken and round_ and len(last) == len(round_) and not any(t.error for t in last) else "ask"

    async def _one(self, one: _Begun) -> Sequence[Event]:
        """One call, and its result in the log, with where it leads: by this job's commit, or, its reply being void, by itself."""
        made, saying = one.call, Saying(lambda text: self._reply.say(sentences(text)), self._afterwards)
        if notes_fields(made.tool):
            return await self._note(made)
        moves = Moves(self.state, self._box.find, made.tool.name)
        doing = Doing(self._work.bus, self._job.session, made.id, saying, moves)
        context = context_of(self.state, self._job.session, self._job.turn, made.id, doing)
        try:
            returned = await call(made, context, doing)
        except asyncio.CancelledError:
            if not one.cancel or self._work.left != "stale":
                raise
            returned = Returned(error="it was cancelled: the user interrupted; it is unknown how far it was done")
        await saying.done()
        event = ToolReturned(
            call=made.id,
            name=made.tool.name,
            result=returned.result,
            error=returned.error,
            state=returned.state,
            silent=returned.silent,
            took=returned.took,
            turn=self._job.turn,
            generation=self._job.generation,
            cause=self._work.cause,
        )
        events = [event, *stamped(moves.events, self._job.turn, self._job.generation, self._work.cause)]
        if await self._work.step(events) in (Outcome.OK, Outcome.DUP):
            return events
        if self._work.left == "stale":
            await all_posted(self._work.bus, self._job.session, f"returned/{made.id}", events)
        return ()

    async def _note(self, made: Call) -> Sequence[Event]:
        """A field, in the very step that tells what the model is answered."""
        collected, answer = fields.call(self.state, self._job.turn, made.arguments)
        own: dict[str, Any] = {
            "turn": self._job.turn,
            "generation": self._job.generation,
            "cause": self._work.cause,
        }
        events: list[Event] = [] if collected is None else [collected.model_copy(update=own)]
        returned = ToolReturned(call=made.id, name=made.tool.name, result=answer, **own)
        if await self._work.step([*events, returned]) not in (Outcome.OK, Outcome.DUP):
            return ()
        self.known(events)  # at once: the next call of this round answers by it
        return (returned,)

    async def _step(self, events: Sequence[Event], jobs: Sequence[ToolJob] = ()) -> bool:
        if await self._work.step(events, jobs) not in (Outcome.OK, Outcome.DUP):
            return False
        self.known(events)
        return True


def _unfit(arguments: dict[str, Any]) -> str:
    """Why they can't stand in the log; "": they can."""
    if too_deep(arguments):
        return f"the arguments are nested more than {DEEPEST} deep"
    return f"the arguments have more than {_ARGUMENTS:,} characters" if len(str(arguments)) > _ARGUMENTS else ""


def wanted(calls: Sequence[CalledTool]) -> list[ToolWanted]:
    """For a reply that stops before its calls, since its turn is not committed yet."""
    return [
        ToolWanted(name=one.name[:64], arguments=one.arguments)
        for one in calls[:MOST_AT_ONCE]
        if one.arguments is not None and not _unfit(one.arguments)
    ]
