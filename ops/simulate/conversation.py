"""A conversation in a test: one says something, and looks at what came of it. It is held on a thread of its own, so that any
event loop may wait for it, and none is held up."""

import asyncio
import threading
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

from ops.simulate.expecting import called, says
from ops.simulate.line import TextLine
from ops.simulate.model import Awaited, Scripted, reply_of
from ops.simulate.observed import Observed, Spoken, ToolUse, observed
from ops.simulate.places import Chosen, choose, own_llm, scene_of
from ops.simulate.scenario import Caller
from ops.simulate.scene import Scene
from ops.stack.here import agents_here, settings_here
from schemas.events import Event

__all__ = ["Call", "Conversation", "Scenes"]

T = TypeVar("T")
_OPENS_WITHIN, _CLOSES_WITHIN = 60.0, 30.0


class Call(dict[str, Any]):
    """A reply by script that calls a tool: Call("book", guests=4)."""

    def __init__(self, name: str, /, **arguments: Any) -> None:
        super().__init__(call=name, arguments=arguments)


class Said(list[str]):
    """What the agent said, an item a turn. `"…" in said`: a part of a text, whatever the case, or a "/regular expression/"."""

    def __contains__(self, wanted: object) -> bool:
        return isinstance(wanted, str) and any(says(text, wanted) for text in (" ".join(self), *self))


class Calls(list[ToolUse]):
    """Calls of a tool that are as they should be; empty, it tells which there were instead."""

    def __init__(self, found: Sequence[ToolUse], wanted: str, all_of_them: Sequence[ToolUse]) -> None:
        super().__init__(found)
        self._wanted, self._all = wanted, list(map(str, all_of_them))

    def __repr__(self) -> str:
        if self:
            return super().__repr__()
        return f"<no call of {self._wanted}; there were: {'; '.join(self._all) or 'none'}>"


class _Thread:
    """An event loop on a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="antiphon conversations", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_CLOSES_WITHIN)
        self.loop.close()


class Scenes:
    """Where a test run's conversations take place: one for each set of agents, opened with the first conversation."""

    def __init__(self) -> None:
        self.thread = _Thread()
        self._stack = AsyncExitStack()
        self._open: dict[Path | None, tuple[Scene, Scripted]] = {}

    def begin(self, agent: str, source: Path | None, root: Path = Path()) -> "Conversation":
        """With the agent of that name or path; `source`: AGENTS, None: the settings', else `agents` here or in `root`.
        AgentSpecError."""
        settings = settings_here()
        chosen = choose(agent, source or agents_here(settings) or agents_here(settings, root))
        scene, script = self.thread.submit(self._scene(chosen)).result(_OPENS_WITHIN)
        return Conversation(self.thread, scene, script, chosen)

    async def _scene(self, chosen: Chosen) -> tuple[Scene, Scripted]:
        source = chosen.agents.source
        if source not in self._open:
            settings = settings_here()
            llm = Awaited(settings, lambda: own_llm(settings))
            self._open[source] = await self._stack.enter_async_context(scene_of(settings, llm, chosen.agents))
        return self._open[source]

    def close(self) -> None:
        try:
            self.thread.submit(self._stack.aclose()).result(_CLOSES_WITHIN)
        finally:
            self.thread.close()


class Conversation:
    """With an agent, in text, through the real turn-taking and the real LLM stage. It begins with the first `say`, or `begin`."""

    def __init__(self, thread: _Thread, scene: Scene, script: Scripted, chosen: Chosen) -> None:
        self._thread, self._scene, self._script = thread, scene, script
        self._chosen = chosen
        self._replies: list[str | Mapping[str, Any]] = []
        self._scripted = False
        self._caller = Caller()
        self._line: TextLine | None = None
        self._found = Observed()
        self._events: Sequence[Event] = ()

    # ── before it begins ─────────────────────────────────────────────────────────────────────────────────────────────

    def model(self, replies: Sequence[str | Mapping[str, Any]]) -> None:
        """What a deterministic model answers, one after another: texts, and calls of tools (`Call`), each followed by what is
        said of its result. Without it the endpoint of the settings answers. More may be given as the conversation goes on."""
        self._scripted = True
        if self._line is None:
            self._replies.extend(replies)
        else:
            self._thread.loop.call_soon_threadsafe(self._script.script, self._line.session, [*map(reply_of, replies)])

    def caller(self, **known: Any) -> None:
        """Who calls: `identity`, `name`, `attributes`, `variant`, before they do."""
        assert self._line is None, "the conversation has begun: say who calls before the first `say`"
        self._caller = Caller(**known)

    # ── the conversation ─────────────────────────────────────────────────────────────────────────────────────────────

    async def begin(self) -> str:
        """Get in, and hear the greeting: which it answers."""
        return await self._on_thread(self._begin())

    async def say(self, text: str) -> str:
        """Say it, and hear the answer out: which it answers. AssertionError: there is none, and why."""
        return await self._on_thread(self._say(text))

    async def hang_up(self) -> None:
        """End it, as the caller."""
        await self._on_thread(self._hang_up())

    # ── what came of it ──────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def said(self) -> Said:
        """By the agent, an item a turn, as far as it was heard."""
        return Said(self._found.said)

    @property
    def tools(self) -> list[ToolUse]:
        """Calls of tools, in order: `name`, `arguments`, `came` (the result, or what failed), `failed`, `returned`."""
        return list(self._found.tools)

    def called(self, name: str, /, **arguments: Any) -> Calls:
        """The calls of this tool with these arguments, and whatever others: none is false."""
        wanted = f"{name}({', '.join(f'{key}={value!r}' for key, value in arguments.items())})"
        return Calls(called(self._found.tools, name, arguments), wanted, self._found.tools)

    @property
    def ended(self) -> bool:
        """Whether the agent has ended it by itself."""
        return self._found.ended_by_itself

    @property
    def fields(self) -> dict[str, Any]:
        """What was collected so far, confirmed or not, by the names of the agent's [[fields]]."""
        return {name: one.value for name, one in self._found.fields.items()}

    @property
    def transcript(self) -> list[Spoken]:
        return list(self._found.transcript)

    @property
    def troubles(self) -> list[str]:
        """What failed, in words."""
        return list(self._found.troubles)

    @property
    def events(self) -> Sequence[Event]:
        """The session's log."""
        return self._events

    @property
    def session(self) -> str:
        """Its id, "" before it begins."""
        return self._line.session if self._line is not None else ""

    def __repr__(self) -> str:
        return f"<conversation with {self._chosen.name}: {len(self._found.transcript)} lines>"

    # ── on its thread ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _on_thread(self, work: Coroutine[Any, Any, T]) -> T:
        return await asyncio.wrap_future(self._thread.submit(work))

    async def _begin(self) -> str:
        if self._line is not None:
            return ""
        spec = self._chosen.agents.find(self._chosen.name)  # as it is now
        if self._scripted:
            spec = spec.model_copy(update={"llm": spec.llm.model_copy(update={"provider": ""})})
        self._line = line = TextLine(self._scene, spec, self._caller, self._chosen.name)
        line.on_enter = self._give_script
        await line.connect()
        return await self._heard(0)

    def _give_script(self, session: str) -> None:
        if self._scripted:
            self._script.script(session, [*map(reply_of, self._replies)])

    async def _say(self, text: str) -> str:
        await self._begin()
        line = self._line
        assert line is not None
        assert not line.over, f"the conversation has ended ({self._found.end}), before {text!r}"
        before, unanswered = len(self._found.said), len(self._found.unanswered)
        await line.say(text)
        heard = await self._heard(before)
        if len(self._found.unanswered) > unanswered:
            raise AssertionError(f"no answer to {text!r}: {'; '.join(self._found.troubles) or 'nobody says why'}")
        return heard

    async def _heard(self, before: int) -> str:
        assert self._line is not None
        self._events = await self._line.events()
        self._found = observed(self._events, [message for _, message in self._line.messages])
        return " ".join(self._found.said[before:])

    async def _hang_up(self) -> None:
        if self._line is not None:
            await self._line.hang_up()
            await self._heard(0)

    def close(self) -> None:
        """Hang up, if nobody has."""
        self._thread.submit(self._hang_up()).result(_CLOSES_WITHIN)
