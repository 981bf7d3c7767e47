"""Tools that a replay calls again, because somebody asked for it (`antiphon replay --tools real`)."""

from collections.abc import Mapping
from typing import get_args

from ops.replay._calls import cause_of_call
from ops.replay.turns import ReplayError
from schemas.bus import Outcome, Receipt
from schemas.clock import Micros
from schemas.config.agent import AgentSpec, Builtin
from schemas.config.settings import Settings
from schemas.config.steps import in_step
from schemas.events import Event, ToolReturned
from schemas.jobs import ToolJob
from schemas.session.state import SessionState
from workers.agents import Tool
from workers.tools import Call, Doing, Moves, Toolboxes, call, context_of, notes_fields

__all__ = ["RealTools", "opened"]

_TO_A_CALL = {*get_args(Builtin), "goto", "hand_over"} - {"weather"}


class RealTools:
    """`may`: those that are called again, by name. The rest gets what was recorded."""

    def __init__(self, agent: AgentSpec, boxes: Toolboxes, may: Mapping[str, Tool]) -> None:
        self.may = may
        self._agent, self._boxes = agent, boxes

    def timeout(self, name: str) -> float:
        """Seconds."""
        own = self.may[name].timeout
        return self._agent.tools.timeout if own is None else own

    async def call(self, job: ToolJob, state: SessionState) -> list[tuple[float, Event]]:
        """What it asked of the session, and what came of it, and after how many seconds. Its key is made of the fork's name: of a
        call of its own, so that whoever keeps such keys does it again. Nothing is done to any call: nobody is transferred."""
        asked = _Asked()
        moves = Moves(state, self._boxes.agent, job.name)  # where they lead nobody goes
        doing = Doing(asked, job.session, job.call, lambda text: None, moves)
        context = context_of(state, job.session, job.turn, job.call, doing)
        made = Call(job.call, self.may[job.name], job.arguments, job.timeout, self._agent.tools.result_characters)
        came = await call(made, context, doing)
        returned = ToolReturned(
            call=job.call, name=job.name, result=came.result, error=came.error, state=came.state, silent=came.silent,
            took=came.took, turn=job.turn, generation=job.reply, cause=cause_of_call(job.call),
        )  # fmt: skip
        after = max(0.001, came.took)
        return [*((after, event) for event in asked.events), (after, returned)]

    async def aclose(self) -> None:
        await self._boxes.aclose()


class _Asked:
    """Where it would be posted: kept for the fork, and not done."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def post(self, session: str, request: str, event: Event) -> Receipt:
        self.events.append(event)
        return Receipt(Outcome.OK, 0, Micros(0))


async def opened(agent: AgentSpec, settings: Settings, *, unrepeatable: bool) -> RealTools:
    """Of the agent's own functions, MCP servers and APIs, in whatever step, those that say of themselves that they may be called
    again, and, if `unrepeatable`, all. Not those that every agent can have: what they do is done to a call. `settings`: where
    agents are, and what tools need. ReplayError: there is none, or a hook decides over calls, which is not asked here."""
    boxes = Toolboxes(settings)
    own: dict[str, Tool] = {}
    problems: dict[str, None] = {}
    try:
        if "on_tool" in {*agent.hooked, *(await boxes.code(agent)).hooks}:  # forks are made without
            raise ReplayError(
                f"--tools real: the agent {agent.name} has on_tool, which may forbid or change a call, and is not asked in a "
                "replay; leave --tools real out: calls are answered as they were"
            )
        for each in [in_step(agent, step.name) for step in agent.steps] or [agent]:
            box = await boxes.of(each)
            own |= {name: tool for name, tool in box.tools.items() if name not in _TO_A_CALL and not notes_fields(tool)}
            problems |= dict.fromkeys(box.problems)
        may = {name: tool for name, tool in own.items() if tool.repeat or unrepeatable}
        if not may:
            why = "; ".join(problems) or (
                f"of {', '.join(own)} none has repeat = true; --yes calls them all the same"
                if own
                else "it has none here"
            )
            raise ReplayError(f"--tools real: there is no tool of {agent.name} that may be called again: {why}")
    except BaseException:
        await boxes.aclose()
        raise
    return RealTools(agent, boxes, may)
