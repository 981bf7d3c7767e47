"""What `antiphon dev` shows while an agent is written: what changed of it, what is wrong, and what is said."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from rich.text import Text

from ops import console
from ops.simulate.matching import wrong_files
from ops.stack.agent_folder import beside, code_and_scenarios
from ops.stack.first_look import doubtful, wrong_agents
from schemas.bus import FORK, Reading, Watching
from schemas.clock import Micros
from schemas.config.agent import AgentSpec
from schemas.config.agents import Agents
from schemas.config.settings import Settings
from schemas.errors import AgentSpecError, AntiphonError, BusError
from schemas.events import (
    DtmfReceived,
    Event,
    MessageReceived,
    ParticipantJoined,
    SessionEnded,
    SessionStarted,
    StageFailed,
    ToolCalled,
    ToolReturned,
    TranscriptFinal,
    TurnEnded,
)
from schemas.text.clean import json_line, shortened

_EVERY = 0.4
"""Seconds between two looks at the files, and at the log."""
_SESSIONS = 20
_LONGEST = 300
"""Characters of a tool's arguments or result."""

Line = tuple[str, str, str]


def line(who: str, text: str, style: str) -> None:
    console.hang(Text(f"{who:<7}", style=style), text)


def as_json(who: str, text: str, _: str) -> None:
    console.emit({"who": who, "text": text})


class Files:
    """One agent's files, looked at again and again."""

    def __init__(self, agents: Agents, name: str, settings: Settings) -> None:
        self._agents, self.name, self._settings = agents, name, settings
        self._stamps = self._look()
        self._spec = self._found()

    def _look(self) -> dict[Path, tuple[int, int]]:
        folder, own = self._agents.folder(self.name), self._agents.files.get(self.name)
        paths = code_and_scenarios(folder) if folder is not None else [own] if own is not None else []
        stamps = {}
        for path in paths:
            try:
                seen = path.stat()
            except OSError:
                continue
            stamps[path] = seen.st_mtime_ns, seen.st_size
        return stamps

    def _found(self) -> AgentSpec | None:
        try:
            return self._agents.find(self.name)
        except AgentSpecError:
            return None

    def wrong(self) -> Iterator[Line]:
        """What is wrong with them now, and what is doubtful."""
        fresh = Agents(self._agents.source, strict=False)  # reads anew: what was right before does not count
        broken, odd = beside(fresh, self.name)
        wrong = wrong_agents(fresh, self._settings).get(self.name, "").splitlines()
        more = [] if wrong else wrong_files(fresh, self.name, broken)
        for text in (*wrong, *broken, *more):
            yield "wrong", text, "red"
        for text in (*doubtful(fresh).get(self.name, ()), *odd):
            yield "look", text, "yellow"

    def news(self) -> list[Line]:
        """What was changed since the last look, and what that means."""
        now = self._look()
        if now == self._stamps:
            return []
        before, self._stamps = self._stamps, now
        changed = sorted(path.name for path in before.keys() | now.keys() if before.get(path) != now.get(path))
        was, self._spec = self._spec, self._found()
        said: list[Line] = [("file", f"{', '.join(changed)} changed{_what(was, self._spec)}", "cyan")]
        wrong = list(self.wrong())
        if any(who == "wrong" for who, _, _ in wrong):
            return [*said, *wrong]
        return [*said, *wrong, ("", "the next conversation has it", "dim")]


def _what(was: AgentSpec | None, now: AgentSpec | None) -> str:
    if was is None or now is None:
        return ""
    fields = [name for name in AgentSpec.model_fields if getattr(was, name) != getattr(now, name)]
    return f": {', '.join(fields)}" if fields else ""


class _Log(Reading, Watching, Protocol):
    """A log, and the archive beside it: what is short is over, and put away, before it is looked at."""

    async def now(self) -> Micros: ...


class Conversations:
    """What is said in conversations with an agent that begin from now on."""

    def __init__(self, log: _Log, agent: str) -> None:
        self._log, self._agent = log, agent
        self._read: dict[str, int] = {}
        self._passed: set[str] = set()
        self._since = Micros(0)

    async def begin(self) -> None:
        """What goes on already is somebody else's."""
        self._since = await self._log.now()
        self._passed = {one.session for one in await self._log.touched("open", _SESSIONS)}

    async def _there(self) -> list[str]:
        """Ids of the latest that go on, and of those that were over before anybody looked at them; no replays."""
        on, over = [await self._log.touched(state, _SESSIONS, self._since) for state in ("open", "closed")]
        return [one.session for one in (*on, *over) if not one.session.startswith(FORK)]

    async def news(self) -> list[Line]:
        """Lines since the last look."""
        said: list[Line] = []
        for session in await self._there():
            if session not in self._passed:
                self._read.setdefault(session, 0)
        for session, seen in list(self._read.items()):
            events = await self._log.read(session, seen)
            if not events:
                continue
            if not seen and isinstance(events[0], SessionStarted) and events[0].agent.name != self._agent:
                self._passed.add(session)
                del self._read[session]
                continue
            self._read[session] = events[-1].seq
            said += [found for event in events if (found := told(event, session)) is not None]
            if isinstance(events[-1], SessionEnded):
                self._passed.add(session)
                del self._read[session]
        return said


def told(event: Event, session: str) -> Line | None:
    """An event as a line; None: it needs none."""
    match event:
        case SessionStarted(transport=transport):
            return "", f"── {session} ({transport}) · {console.me()} show {session}", "dim"
        case ParticipantJoined(name=name, participant=participant):
            return "", f"{name or participant} is there", "dim"
        case TranscriptFinal(text=text) if text.strip():
            return "caller", text, "cyan"
        case MessageReceived(text=text):
            return "caller", text, "cyan"
        case DtmfReceived(digits=digits):
            return "keys", digits, "cyan"
        case ToolCalled(name=name, arguments=arguments):
            return "tool", shortened(f"{name}({json_line(arguments)})", _LONGEST), "magenta"
        case ToolReturned(name=name, result=result, error=error, took=took):
            came = shortened(f"{name} → {f'error: {error}' if error else result}", _LONGEST)
            return "tool", f"{came} ({took:.2f} s)", "magenta"
        case TurnEnded(heard=heard, how=how, reason=reason) if heard or how in ("failed", "expired"):
            more = "" if how == "played" else f" ({how}: {reason})"
            return "agent", f"{heard}{more}", "green" if how == "played" else "yellow"
        case StageFailed(stage=stage, message=message, will_retry=again):
            return "wrong", f"{stage}: {message}{'; it is tried again' if again else ''}", "red"
        case SessionEnded(reason=reason):
            return "", f"── {session} is over ({reason})", "dim"
        case _:
            return None


async def follow(
    files: Files, log: _Log, say: Callable[[str, str, str], None] = line, begun: Callable[[], None] = lambda: None
) -> None:
    """Tell of both, for ever. `begun`: called once; of what begins from then on nothing is missed."""
    for one in files.wrong():
        say(*one)
    conversations = Conversations(log, ((spec := files._spec) and spec.name) or files.name)
    listens = away = False
    while True:
        for one in await asyncio.to_thread(files.news):
            say(*one)
        try:
            if not listens:
                await conversations.begin()
                listens = True
                begun()
            for one in await conversations.news():
                say(*one)
            away = False
        except BusError as error:
            if not away:
                say("wrong", str(error), "red")
            away = True
        except AntiphonError as error:  # a log of somebody else's making
            say("look", str(error), "yellow")
        await asyncio.sleep(_EVERY)
