"""The hooks of an agent in the LLM stage: those that decide over a reply, as part of it, and those beside, as jobs of their own.

An event tells that a hook is called, before it is, and another what it decided, in one commit with where it leads (another step,
another agent). Who goes on with the job after a crash reads that there and does not call it again.

on_user_turn may have effects, and a reply that is made before its turn is committed may be made in vain. So it runs only once the
turn is committed; a job that comes earlier stops before its first word, like one before a tool, and goes on when it is. Only one
that says of itself that it does nothing but look (`pure`) is asked at once, and again whenever the reply is made anew.
"""

import asyncio
import json
import zlib
from collections.abc import Sequence
from typing import Any, Literal

from schemas.bus import Outcome, Seen
from schemas.config.conversation import HookName
from schemas.events import Event, HookBegan, HookCalled
from schemas.jobs import HookJob, LlmJob
from schemas.process.tasks import Tasks
from schemas.session.cache import Folds
from schemas.session.state import Hooked, SessionState, Turn
from schemas.text.sentences import sentences
from workers._stage import Work
from workers.agents import AgentTurn, Ending, Silence, ToolCall, UserTurn
from workers.llm._hook_calls import Looking, called
from workers.llm._reply import ReplyUnderWay
from workers.llm._rounds import Rounds, Verdict
from workers.providers import CalledTool
from workers.tools import Doing, Moves, Saying, Toolboxes, all_posted, by_the_gateway, context_of, posted, stamped

__all__ = ["ReplyHooks", "run_hook"]

UNKNOWN = "its worker died while it was at work: it is unknown how far it was done, and it is not called again"
_LEFT = "the user went on meanwhile: it was stopped, and what it did by then is unknown"
_TOLD = 200
"""Turns that on_exit is told."""


class ReplyHooks:
    """Those that decide over one reply."""

    def __init__(self, work: Work, job: LlmJob, rounds: Rounds, reply: ReplyUnderWay, boxes: Toolboxes, tasks: Tasks):
        self._work, self._job, self._rounds, self._reply = work, job, rounds, reply
        self._boxes, self._tasks = boxes, tasks
        if "on_tool" in self._state.agent.hooked:
            rounds.asks = self._before_tool

    @property
    def _state(self) -> SessionState:
        return self._rounds.state

    async def begin(self) -> Literal["ask", "left"]:
        """Before anything else is done for the reply. `left`: it is over with this, or not to be begun yet."""
        if await self.enter() == "left":
            return "left"
        turn = self._state.turns.get(self._job.turn)
        kind = self._state.agent.hooked.get("on_user_turn")
        words = turn.words if turn is not None else ""
        if kind is None or turn is None or not words or turn.own or (turn.commit and turn.commit.why == "tool"):
            return "ask"
        if kind == "once" and not self._job.committed:
            await self._reply.finish("tool")
            return "left"
        call = f"on_user_turn/{turn.id}.{self._job.generation}"
        about = UserTurn(words, bool(turn.letters), _last_speaker(turn))
        return await self._obey(await self._ask("on_user_turn", call, about))

    async def enter(self) -> Literal["ask", "left"]:
        """An agent to which the conversation was handed over enters by its own hook; the first one did so with the session."""
        state = self._state
        if "on_tool" in state.agent.hooked:
            self._rounds.asks = self._before_tool
        else:
            self._rounds.asks = None
        if not (self._job.committed and state.agents and not state.entered and "on_enter" in state.agent.hooked):
            return "ask"
        return await self._obey(await self._ask("on_enter", f"on_enter/{state.agents}", None))

    async def _obey(self, hooked: Hooked | None) -> Literal["ask", "left"]:
        if hooked is None or self._work.cancelled.is_set():
            return "left"
        match hooked.decision:
            case "vetoed":
                await self._reply.finish("stop" if self._reply.before or self._reply.said else "silent")
            case "answered" | "greeted" if hooked.text:
                told = sentences(hooked.text)
                said = self._reply.said
                again = said == told[: len(said)]  # by whoever had this job before
                await self._reply.finish("stop", told[len(said) :] if again else told)
            case _:
                return "ask"
        return "left"

    async def _before_tool(self, call: str, one: CalledTool) -> Verdict:
        arguments = one.arguments or {}
        mark = zlib.crc32(json.dumps([one.name, arguments], sort_keys=True, default=str).encode())
        about = ToolCall(one.name, dict(arguments))
        hooked = await self._ask("on_tool", f"on_tool/{call}/{mark:08x}", about)
        match hooked:
            case Hooked(decision="changed", arguments=changed) if changed is not None:
                return Verdict(CalledTool(one.name, dict(changed), one.raw))
            case Hooked(decision="vetoed", text=reason):
                return Verdict(one, vetoed=reason or "it may not be called now")
            case Hooked(decision="answered", text=text):
                return Verdict(one, answer=text)
        return Verdict(one)

    async def _ask(self, name: HookName, call: str, about: Any) -> Hooked | None:
        """What it decides, or has decided: None: the job is no longer ours."""
        known = self._state.hooks.get(call)
        if known is not None and known.over:
            return known
        work, job, state = self._work, self._job, self._state
        own: dict[str, Any] = {"turn": job.turn, "generation": job.generation, "cause": work.cause}
        if known is not None:  # whoever had this job before died
            return await self._told(call, [HookCalled(call=call, hook=name, error=UNKNOWN, **own)])
        code = await self._boxes.code(state.agent)
        hook = code.hooks.get(name)
        if not (hook is not None and hook.pure):
            began = HookBegan(call=call, hook=name, **own)
            if await work.step([began]) not in (Outcome.OK, Outcome.DUP):
                return None
            self._rounds.known([began])
        saying = Saying(lambda text: self._reply.say(sentences(text)), self._tasks)
        moves = Moves(state, self._boxes.agent, name)
        doing = Doing(work.bus, job.session, call, saying, moves)
        context = context_of(state, job.session, job.turn, call, doing)
        if hook is not None and hook.pure:
            context.actions = Looking()
        event = await _unless_cancelled(work, called(name, call, code, context, about, state))
        if event is None:
            if work.left == "stale":
                event = HookCalled(call=call, hook=name, error=_LEFT, turn=job.turn, generation=job.generation)
                await posted(work.bus, job.session, f"hook/{call}", event)
            return None
        await doing.done()
        await saying.done()
        moved = stamped(moves.events, job.turn, job.generation, work.cause)
        return await self._told(call, [event.model_copy(update=own), *moved])

    async def _told(self, call: str, events: Sequence[Event]) -> Hooked | None:
        """In the log: by this job's commit, or, its reply being void, by itself."""
        if await self._work.step(events) in (Outcome.OK, Outcome.DUP):
            self._rounds.known(events)
            return self._state.hooks.get(call)
        if self._work.left == "stale":
            await all_posted(self._work.bus, self._job.session, f"hook/{call}", events)
        return None


async def _unless_cancelled(work: Work, calling: Any) -> HookCalled | None:
    """None: the job is void, or somebody else's. What the hook does then it does in vain, and is told nowhere."""
    running = asyncio.ensure_future(calling)
    gone = asyncio.ensure_future(work.cancelled.wait())
    try:
        await asyncio.wait({running, gone}, return_when=asyncio.FIRST_COMPLETED)
        return running.result() if running.done() else None
    finally:
        for one in (running, gone):
            one.cancel()
        await asyncio.gather(running, gone, return_exceptions=True)


def _last_speaker(turn: Turn) -> str:
    if turn.letters:
        return turn.letters[-1].participant
    return turn.utterances[-1].participant if turn.utterances else ""


# ── beside the replies ───────────────────────────────────────────────────────────────────────────────────────────────


async def run_hook(work: Work, job: HookJob, folds: Folds, boxes: Toolboxes, tasks: Tasks) -> None:
    """Call it, unless the log says that it was."""
    state = await folds.folded(job.session, job.answers, job.id)
    work.seen = Seen(state.seq, state.at)
    if (known := state.hooks.get(job.call)) is not None:
        unknown = HookCalled(call=job.call, hook=job.hook, error=UNKNOWN, turn=job.turn, cause=work.cause)
        await work.finish([] if known.over else [unknown])
        return
    code = await boxes.code(state.agent)
    began = HookBegan(call=job.call, hook=job.hook, turn=job.turn, cause=work.cause)
    if await work.step([began]) not in (Outcome.OK, Outcome.DUP):
        return
    moves = Moves(state, boxes.agent, job.hook)
    saying = Saying(by_the_gateway(work.bus, job.session, f"hook/{job.call}"), tasks)
    doing = Doing(work.bus, job.session, job.call, saying, moves)
    context = context_of(state, job.session, job.turn or 0, job.call, doing)
    event = await _unless_cancelled(work, called(job.hook, job.call, code, context, _about(job, state), state))
    if event is None:
        return
    if job.hook == "on_idle" and doing.did and not (event.decision or event.error):
        event = event.model_copy(update={"decision": "said"})  # what it had done is its answer to the silence
    await doing.done()
    await saying.done()
    own: dict[str, Any] = {"turn": job.turn, "cause": work.cause}
    await work.finish([event.model_copy(update=own), *stamped(moves.events, job.turn, None, work.cause)])


def _about(job: HookJob, state: SessionState) -> Any:
    told = job.about
    match job.hook:
        case "on_agent_turn":
            return AgentTurn(
                str(told.get("said", "")), str(told.get("heard", "")), bool(told.get("interrupted"))
            )  # fmt: skip
        case "on_idle":
            return Silence(int(told.get("count", 1)), bool(told.get("last")))
        case "on_exit":
            return Ending(str(told.get("reason", "")), _transcript(state))
    return None


def _transcript(state: SessionState) -> Sequence[tuple[str, str]]:
    lines = []
    for turn in list(state.turns.values())[-_TOLD:]:
        lines += [("user", turn.text)] if turn.text and not turn.own else []
        lines += [("agent", turn.heard)] if turn.heard else []
    return tuple(lines)
