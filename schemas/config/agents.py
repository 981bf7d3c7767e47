"""Which agent a session gets: by name, from a folder of agent files or one file; without either, the built-in default."""

import logging
from pathlib import Path

from schemas.config.agent import AgentSpec, load_agent
from schemas.errors import AgentSpecError

log = logging.getLogger("antiphon.gateway.agents")


class Agents:
    """`source`: AGENTS. A file is read again when it has changed; one that has become wrong keeps its last good state.

    AgentSpecError at once for a file that is wrong at the start, so that a typo is found before the first caller.
    """

    def __init__(self, source: Path | None = None):
        self._source = source
        self._read: dict[Path, tuple[int, AgentSpec]] = {}
        if source is not None and not source.exists():
            raise AgentSpecError(f"AGENTS={source}: no such file or folder; give an agent file, or a folder of them")
        for path in self._files().values():
            self._load(path)

    @property
    def source(self) -> Path | None:
        """AGENTS."""
        return self._source

    @property
    def files(self) -> dict[str, Path]:
        """Name → the file it is read from; the built-in default has none."""
        return self._files()

    @property
    def usual(self) -> str:
        """The name of the agent that those get who ask for none."""
        files = self._files()
        return next(iter(files)) if len(files) == 1 else "default"

    @property
    def names(self) -> list[str]:
        """Agents that can be asked for."""
        return sorted({"default", *self._files()})

    def find(self, name: str = "") -> AgentSpec:
        """The agent called `name` ("": the default one). AgentSpecError: there is none, or its file is wrong."""
        files = self._files()
        if not name or name == "default":
            if "default" in files:
                return self._load(files["default"])
            if len(files) == 1 and not name:
                return self._load(next(iter(files.values())))
            return AgentSpec()
        if name not in files:
            raise AgentSpecError(
                f"no agent {name[:80]!r} here; there is {', '.join(self.names)} (setting: AGENTS)",
                told="there is no such agent here",
            )
        return self._load(files[name])

    def _files(self) -> dict[str, Path]:
        if self._source is None:
            return {}
        if self._source.is_dir():
            return {path.stem: path for path in sorted(self._source.glob("*.toml"))}
        return {self._source.stem: self._source}

    def _load(self, path: Path) -> AgentSpec:
        known = self._read.get(path)
        try:
            changed = path.stat().st_mtime_ns
            if known and known[0] == changed:
                return known[1]
            spec = load_agent(path)
        except (OSError, AgentSpecError) as error:
            if known is None:
                raise error if isinstance(error, AgentSpecError) else AgentSpecError(f"{path}: {error}") from None
            log.error("%s (the last good version stays in use)", error)
            return known[1]
        self._read[path] = (changed, spec)
        return spec
