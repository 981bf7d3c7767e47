"""The agents of this machine in a table, as `antiphon agents` prints them, and for somebody who asks for one that isn't there."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.table import Table
from rich.text import Text

from ops import console
from ops.stack.agent_folder import beside
from ops.stack.first_look import doubtful, wrong_agents
from ops.stack.here import agents_here, as_the_stack, running
from ops.stack.models import answering, speaking
from schemas.config.agent import AgentSpec
from schemas.config.agents import Agents
from schemas.config.settings import Settings

More = Callable[[Agents, str, Sequence[str]], list[str]]
_UNCUT = 500
"""Columns where no terminal reads."""


@dataclass(frozen=True, slots=True)
class Listed:
    """`name`: to ask for it; `file`: "" of the built-in agent; `default`: whoever names none gets it; `called`: in sessions;
    `model`, `voice`: its own, else the settings', "" where only its provider knows; `problems`: why its file is no
    agent (then the rest is empty), or what of its folder can't be read; `doubts`: what of it changes little in its language."""

    name: str
    file: str
    default: bool
    called: str = ""
    language: str = ""
    model: str = ""
    voice: str = ""
    problems: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def _listed(agents: Agents, settings: Settings, more: More = lambda *_: []) -> list[Listed]:
    """By name."""
    wrong, files, usual = wrong_agents(agents, settings), agents.files, agents.usual
    doubts = doubtful(agents)
    rows = []
    for name in agents.names:
        file, default = str(files.get(name, "")), name == usual
        broken, odd = beside(agents, name)
        if name in wrong:
            rows.append(Listed(name, file, default, problems=(*wrong[name].splitlines(), *broken)))
            continue
        spec, broken = agents.find(name), [*broken, *more(agents, name, broken)]
        model, voice = _model(spec, settings), _voice(spec, settings)
        doubted = (*doubts.get(name, ()), *odd)
        rows.append(Listed(name, file, default, spec.name, spec.language, model, voice, tuple(broken), doubted))
    return rows


def _with_calling(rows: list[Listed], agents: Agents, settings: Settings) -> list[Listed]:
    """And that a model calls none of its agent's tools. An endpoint that runs is asked, now and then."""
    specs: Mapping[str, AgentSpec] = {row.name: agents.find(row.name) for row in rows if row.called}
    if not any(spec.has_tools for spec in specs.values()):
        return rows
    from ops.stack.tool_calling import ask  # what asks takes a moment to be imported

    stack = running() or {}
    url = settings.llm_base_url if "llm_base_url" in settings.model_fields_set else stack.get("llm_base_url")
    asked = asyncio.run(ask(settings, specs, answering(settings), url, anew=False))
    told = {row.name: f"{row.file or row.name}: {asked.told(row.name)}" for row in rows if asked.told(row.name)}
    return [replace(row, doubts=(*row.doubts, told[row.name])) if row.name in told else row for row in rows]


def _model(spec: AgentSpec, settings: Settings) -> str:
    own = spec.llm.provider in ("", settings.llm_provider)
    return spec.llm.model or (answering(settings) if own else "")


def _voice(spec: AgentSpec, settings: Settings) -> str:
    own = spec.tts.provider in ("", settings.tts_provider)
    return spec.voice.name or (speaking(settings) if own else "")


def _as_the_stack(settings: Settings) -> tuple[Settings, str | None, str]:
    """Settings with AGENTS and the models as the stack has them that runs here, where this terminal names none; what AGENTS is
    there ("": not set; None: no stack runs, or none that has gateways); and that in a sentence."""
    stack = running()
    settings = as_the_stack(stack, settings)
    theirs = (stack or {}).get("agents")
    if theirs is None:
        return settings.model_copy(update={"agents": agents_here(settings)}), None, ""
    told = f"AGENTS={theirs}" if theirs else "AGENTS is not set there"
    if "agents" not in settings.model_fields_set:
        agents = _from_here(Path(theirs)) if theirs else None
        return settings.model_copy(update={"agents": agents}), theirs, f"as the stack that runs here has them: {told}"
    own = str(settings.agents.absolute()) if settings.agents else ""
    if own == theirs:
        return settings, theirs, "as the stack that runs here has them"
    return settings, theirs, f"the stack that runs here has others: {told} (without AGENTS here, they are listed)"


def _from_here(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) and path != here else path


def list_agents(settings: Settings, *, json: bool, more: More = lambda *_: []) -> bool:
    """Print them; `more`: what is wrong with one beside what is told. False when a file is wrong. AgentSpecError: AGENTS names
    nothing that is there."""
    settings, theirs, whose = _as_the_stack(settings)
    agents = Agents(settings.agents, strict=False)
    rows = _with_calling(_listed(agents, settings, more), agents, settings)
    problems = [line for row in rows for line in row.problems]
    if json:
        console.emit({"source": str(settings.agents or ""), "stack": theirs, "agents": [asdict(row) for row in rows]})
        return not problems
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    for column in ("agent", "lang", "model", "voice", "file"):  # what one types or opens stays whole
        table.add_column(column, no_wrap=column in ("agent", "lang", "file"), overflow="ellipsis")
    for row in rows:
        called = f" ({row.called})" if row.called not in ("", row.name) else ""
        cells = (row.name + called, row.language or "any", row.model or "–", row.voice or "–", row.file or "built in")
        if row.problems:
            cells = (row.name, "–", "–", "–", row.file)
        cut = (Text(cell, no_wrap=True, overflow="ellipsis") for cell in cells)
        table.add_row(*cut, style="red" if row.problems else "")
    (console.out if console.out.is_terminal else console.terminal(width=_UNCUT)).print(table)
    console.hang("", Text(agents.explain_usual(), style="dim"))
    if whose:
        console.hang("", Text(whose, style="dim"))
    for style, lines in (("red", problems), ("yellow", [line for row in rows for line in row.doubts])):
        for number, line in enumerate(lines):
            console.hang("" if number else "\n", Text(line, style=style))
    return not problems


def where_agents_are(settings: Settings, wanted: str) -> str:
    """What somebody can do whose gateway has no agent called `wanted`."""
    settings, _, _ = _as_the_stack(settings)
    names = [row.name for row in _listed(Agents(settings.agents, strict=False), settings) if not row.problems]
    me = console.me()
    if wanted in names:
        return f"there is one here (`{me} agents`), and that gateway's log says why it has none: `{me} logs gateway`"
    return f"those here are {', '.join(names)} (`{me} agents` lists them; what that gateway has, its log says)"
