"""Which agent a session gets: by name, from a folder of agents or one of them; without either, the built-in default.

An agent is a file, `NAME.toml`, or a folder, `NAME/agent.toml`, with what else belongs to it beside that (docs/agents.md). Who
names none gets the one that says `default = true`, else the one called `default`, else the only one, else the built-in one.
Files are looked at whenever a session begins: what was changed or added counts from then on, sessions that go on keep theirs.
"""

import logging
from pathlib import Path

from schemas.config import knowledge
from schemas.config.agent import AGENT_FILE, INSTRUCTIONS_FILE, AgentSpec, code_files, is_folder, load_agent, name_of
from schemas.config.explain import line_of
from schemas.errors import AgentSpecError

log = logging.getLogger("antiphon.gateway.agents")

_Stamp = tuple[object, ...]
"""When an agent's file, and what lies beside it, were last written to."""


class Agents:
    """`source`: AGENTS. A file is read again when it has changed; one that has become wrong keeps its last good state.

    AgentSpecError at once, with all that is wrong, if there are such files at the start: a typo is found before the first caller.
    Not so with `strict=False`, for who looks only: `problems` has it.
    """

    def __init__(self, source: Path | None = None, *, strict: bool = True):
        self._source = source
        self._read: dict[Path, tuple[_Stamp, AgentSpec]] = {}
        self._said: dict[Path, str] = {}
        if source is not None and not source.exists():
            raise AgentSpecError(f"AGENTS={source}: no such file or folder; give an agent file, or a folder of them")
        if strict and (found := self.problems()):
            raise AgentSpecError("\n".join(found.values()))

    @property
    def source(self) -> Path | None:
        """AGENTS."""
        return self._source

    @property
    def files(self) -> dict[str, Path]:
        """Name → the file it is read from; the built-in default has none."""
        return self._files()

    def folder(self, name: str) -> Path | None:
        """The folder of the agent called `name`, by its place or by what its file says; None: a file, or none."""
        files = self._files()
        path = files.get(name) or next((path for path in files.values() if self._called(path) == name), None)
        return path.parent if path is not None and self._is_folder(path) else None

    @property
    def usual(self) -> str:
        """The name of the agent that those get who ask for none."""
        return self._usual(self._files()) or "default"

    def explain_usual(self) -> str:
        """Who that is, and by which rule, in a sentence. Where several files say `default = true`, the first of them."""
        files = self._files()
        name = self._usual(files)
        if not name:
            why = (
                "AGENTS is not set" if self._source is None
                else f"{self._source} holds no agent file" if not files
                else f"none of {', '.join(path.name for path in files.values())} is called default.toml or says `default = true`"
            )  # fmt: skip
            return f"who names no agent gets the built-in one: {why}"
        flagged = files[name] if name in self._flagged(files) else None
        why = (
            "it says `default = true`" if flagged
            else "for its name" if name == "default"
            else "there is no other file"
        )  # fmt: skip
        return f"who names no agent gets {name} ({files[name]}: {why})"

    @property
    def names(self) -> list[str]:
        """Agents that can be asked for."""
        return sorted({"default", *self._files()})

    def problems(self) -> dict[str, str]:
        """What keeps files from being agents, by the name they would have: a line for each complaint, with file and line. None of
        one that was right when it was read first."""
        found, files = {}, self._files()
        for name, path in files.items():
            try:
                self._load(path)
            except AgentSpecError as error:
                found[name] = str(error)
            if self._source is not None and path.parent.parent == self._source:
                twin = self._source / f"{name}.toml"
                if twin.exists():
                    found[name] = (
                        f"{twin}: {path} is an agent of that name, too, and the one that is had; remove one of them"
                    )
        flagged = self._flagged(files)
        if len(flagged) > 1:
            where = [_place(files[name]) for name in flagged]
            found[flagged[0]] = (
                f"{where[0]}: default = true; expected in one file of the folder only, and it stands in "
                f"{' and '.join(where[1:])}, too"
            )
        return found

    def find(self, name: str = "") -> AgentSpec:
        """The agent called `name` ("": the default one). AgentSpecError: there is none, or its file is wrong."""
        files = self._files()
        name = name or self._usual(files) or "default"
        if name == "default" and name not in files:
            return AgentSpec()
        if name not in files:
            raise AgentSpecError(
                f"no agent {name[:80]!r} here; there is {', '.join(self.names)} (setting: AGENTS)",
                told="there is no such agent here",
            )
        return self._load(files[name]).model_copy(update={"default": False})

    def beside(self, agent: str, name: str) -> Path | None:
        """Where the file `name` lies that `agent` names: beside its own, else beside any; None: nowhere."""
        files = self._files()
        mine = [files[agent].parent] if agent in files else []
        folders = dict.fromkeys((*mine, *(path.parent for path in files.values())))
        return next((folder / name for folder in folders if (folder / name).is_file()), None)

    def _usual(self, files: dict[str, Path]) -> str:
        """The name of the file that those get who ask for none; "": the built-in agent."""
        flagged = self._flagged(files)
        if flagged:
            return flagged[0]
        return "default" if "default" in files else next(iter(files)) if len(files) == 1 else ""

    def _flagged(self, files: dict[str, Path]) -> list[str]:
        """Names of the files that say `default = true`; one that is wrong says nothing."""
        found = []
        for name, path in files.items():
            try:
                if self._load(path).default:
                    found.append(name)
            except AgentSpecError:
                continue
        return found

    def _files(self) -> dict[str, Path]:
        if self._source is None:
            return {}
        if self._source.is_dir():
            own = self._source / AGENT_FILE
            files = sorted(self._source.glob("*.toml"))
            folders = sorted(
                path for path in self._source.glob(f"*/{AGENT_FILE}") if not path.parent.name.startswith(".")
            )
            if files == [own] and not folders and is_folder(own):
                return {name_of(own): own}
            found = {path.stem: path for path in files} | {path.parent.name: path for path in folders}
            return dict(sorted(found.items()))
        return {name_of(self._source): self._source}

    def _load(self, path: Path) -> AgentSpec:
        known = self._read.get(path)
        try:
            changed = _stamp(path, folder=self._is_folder(path))
            if known and known[0] == changed:
                return known[1]
            spec = load_agent(path, folder=self._is_folder(path))
        except (OSError, AgentSpecError) as error:
            if known is None:
                raise error if isinstance(error, AgentSpecError) else AgentSpecError(f"{path}: {error}") from None
            if self._said.get(path) != str(error):  # once, however many sessions begin
                self._said[path] = str(error)
                log.error("%s (the last good version stays in use)", error)
            return known[1]
        self._said.pop(path, None)
        self._read[path] = (changed, spec)
        return spec

    def _is_folder(self, path: Path) -> bool:
        return path.name == AGENT_FILE and (path.parent.parent == self._source or is_folder(path))

    def _called(self, path: Path) -> str:
        try:
            return self._load(path).name
        except AgentSpecError:
            return ""


def _stamp(path: Path, *, folder: bool) -> _Stamp:
    """Another one when what an agent is read from was changed. OSError: it is not there."""
    beside = [path.with_name(INSTRUCTIONS_FILE), *code_files(path.parent)] if folder else []
    schemas = tuple(sorted((one.name, one.stat().st_mtime_ns) for one in path.parent.glob("*.json")))
    try:
        known = knowledge.stamp(path.parent) if folder else ()
    except knowledge.WrongKnowledgeError as error:
        raise AgentSpecError(str(error)) from None
    return path.stat().st_mtime_ns, *(one.stat().st_mtime_ns if one.exists() else -1 for one in beside), schemas, known


def _place(path: Path) -> str:
    line = line_of(path.read_text("utf-8"), ("default",))
    return f"{path}, line {line}" if line else str(path)
