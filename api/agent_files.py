"""Agent files: read, and written by people in the web app. Whoever runs agents reads them again by itself when they change.

What is here waits for the disk, and for long texts: it is called in threads."""

import errno
import fcntl
import hashlib
import os
import re
import tempfile
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from api.problems import Problem, missing
from schemas.config.agent import (
    AGENT_FILE,
    INSTRUCTIONS_FILE,
    KNOWLEDGE,
    SCENARIOS,
    AgentSpec,
    agent_from,
    is_folder,
    parse_agent,
)
from schemas.config.agents import Agents
from schemas.config.conversation import CODE_FILE
from schemas.config.explain import Complaint, complaints
from schemas.drafts import PREFIX, is_draft
from schemas.errors import AgentSpecError

_NEW = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_BUILT_IN = (
    "# The built-in agent. Every field has its default; the file of an agent of yours says what is other with it.\n"
)
_BESIDE = (INSTRUCTIONS_FILE, CODE_FILE, SCENARIOS, KNOWLEDGE)
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True, slots=True)
class AgentFile:
    """`path`: None for the built-in default; `problem`: what is wrong with its text, "" nothing; `folder`: it is that of an
    agent's folder."""

    name: str
    path: Path | None
    toml: str
    problem: str
    folder: bool = False

    @property
    def note(self) -> str:
        """What of the agent lies beside this file, and is not edited here; "" nothing."""
        if self.path is None or not self.folder:
            return ""
        there = [name for name in _BESIDE if (self.path.parent / name).exists()]
        return (
            f"Beside it in {self.path.parent} lie {', '.join(there)}: they are edited there, not here." if there else ""
        )

    def spec(self) -> AgentSpec | None:
        """What the file says, with the instructions beside it; None: it is wrong."""
        try:
            return None if self.problem else _spec(self.path, self.toml, self.name, folder=self.folder)
        except AgentSpecError:
            return None

    @property
    def etag(self) -> str:
        return etag_of(self.toml)


@dataclass(frozen=True, slots=True, eq=False)
class Folder:
    """All agents, as they lay there. `files`: by name; `usual`: the name of the one those get who ask for none; `locked`: why one
    can't be saved, by name, "" where it can."""

    files: Sequence[AgentFile]
    usual: str
    locked: Mapping[str, str]


def etag_of(toml: str) -> str:
    return f'"{hashlib.blake2b(toml.encode(), digest_size=12).hexdigest()}"'


def read_all(agents: Agents) -> Folder:
    """As they lie there now."""
    files = agents.files
    found = [_read(name, files.get(name), folder=agents.folder(name) is not None) for name in agents.names]
    return Folder(found, agents.usual, {name: locked(agents, name) for name in agents.names})


def mark_of(agents: Agents) -> Hashable:
    """Another one whenever a file came, went or was written to, or may be saved where it might not: none is read for it."""
    return tuple(
        (name, _stamp(path), _stamp(path.with_name(INSTRUCTIONS_FILE)), os.access(path.parent, os.W_OK))
        for name, path in agents.files.items()
    )


def _stamp(path: Path) -> Hashable:
    try:
        seen = path.stat()
    except OSError as error:
        return error.errno
    return seen.st_mtime_ns, seen.st_size, seen.st_ino, seen.st_mode


def read_one(agents: Agents, name: str) -> AgentFile:
    """Problem 404."""
    files = agents.files
    if name not in files and name != "default":
        raise missing("agent", name)
    return _read(name, files.get(name), folder=agents.folder(name) is not None)


def _read(name: str, path: Path | None, *, folder: bool = False) -> AgentFile:
    if path is None:
        return AgentFile(name, None, _BUILT_IN, "")
    try:
        toml = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else f"byte {error.start} is not UTF-8"
        return AgentFile(name, path, "", f"{path.name} cannot be read ({why})", folder)
    return AgentFile(name, path, toml, told(complaints(AgentSpec, toml)) or _wrong(path, toml, name, folder), folder)


def _spec(path: Path | None, toml: str, name: str, *, folder: bool) -> AgentSpec:
    """AgentSpecError, which names no folder."""
    if path is None:
        return parse_agent(toml, name, name)
    return agent_from(toml, path, name, folder=folder)


def _wrong(path: Path, toml: str, name: str, folder: bool) -> str:
    """What is wrong with a file that is a right one by itself; "" nothing."""
    try:
        _spec(path, toml, name, folder=folder)
    except AgentSpecError as error:
        return str(error).replace(f"{path.parent}{os.sep}", "")
    return ""


def told(found: list[Complaint]) -> str:
    """As one text, a line for each."""
    return "\n".join(f"line {one.line}: {one.message}" if one.line else one.message for one in found)


def check(toml: str, path: Path | None = None, *, folder: bool = False) -> None:
    """Problem 422: it is no agent; `path`: where it is to lie."""
    found = told(complaints(AgentSpec, toml)) or (_wrong(path, toml, "agent", folder) if path else "")
    if found:
        raise Problem(422, "agent", found)


def locked(agents: Agents, name: str) -> str:
    """Why it can't be saved, "" where it can: as far as can be told before."""
    try:
        path = _place(agents, name)
    except Problem as problem:
        return str(problem)
    return "" if os.access(path.parent, os.W_OK) else str(_unwritable(path, "no right to write"))


def save(agents: Agents, name: str, toml: str, *, matches: str | None) -> AgentFile:
    """Put it in its file's place, all of it or nothing. `matches`: the etag it was read with, None: it shall be new.

    Problem 404, 409 (the built-in, or a folder that can't be written), 412, 422, 428, 507."""
    check(toml)
    path, folder = _place(agents, name), agents.folder(name) is not None
    check(toml, path, folder=folder)
    with _alone(path):
        old = _read(name, path, folder=folder) if path.exists() else None
        if old is None and matches is not None:
            raise Problem(412, "changed", f"{path.name} is gone; save it without If-Match to make it anew")
        if old is not None and matches is None:
            raise Problem(428, "precondition", f"{path.name} exists; send If-Match with the etag you have read it with")
        if old is not None and matches not in ("*", old.etag):
            raise Problem(
                412, "changed", f"{path.name} was changed meanwhile; read it again, and save your changes to that"
            )
        _replace(path, toml)
    with suppress(AgentSpecError):
        agents.find(name)
    return _read(name, path, folder=folder)


def reach(file: AgentFile) -> str:
    """Who has what was saved. Which folder a gateway reads is not known here."""
    return (
        f"Saved in {file.path}. Gateways that read this file have it from the next call on; calls that go on keep what they "
        "began with. A gateway whose AGENTS is another folder, on another machine perhaps, does not have it: copy it there."
    )


def _place(agents: Agents, name: str) -> Path:
    """Where an agent is saved: its own file, or a new one in the folder; nowhere else. Problem: there is no such place."""
    source, files = agents.source, agents.files
    if source is None:
        raise Problem(
            409, "built_in", "AGENTS is not set, so there is but the built-in agent; set it to a folder to save any"
        )
    if name in files:
        return files[name]
    if not source.is_dir():
        raise Problem(
            409, "one_file", f"AGENTS={source} is one file, and no other agent can be saved; name a folder instead"
        )
    if source / AGENT_FILE in files.values() and is_folder(source / AGENT_FILE):
        raise Problem(
            409,
            "one_file",
            f"AGENTS={source} is one agent, and no other can be saved; name the folder it lies in instead",
        )
    if is_draft(name) or not _NEW.fullmatch(name):
        raise Problem(
            422, "name", f"an agent's name has up to 64 letters, digits, - and _, and does not begin with {PREFIX}; this is none"
        )  # fmt: skip
    return source / f"{name}.toml"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """No other API process saves into this folder meanwhile."""
    try:
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise _unwritable(path, error.strerror) from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _replace(path: Path, toml: str) -> None:
    new = ""
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
        descriptor, new = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=".new", dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(toml)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError as error:
        if new:
            with suppress(OSError):
                os.unlink(new)
        if error.errno in _NO_SPACE:
            raise Problem(507, "disk_full", f"the disk with {path.parent} is full; free some space there") from None
        if error.errno in _READ_ONLY:
            raise _unwritable(path, error.strerror) from None
        raise Problem(409, "unwritable", f"{path} cannot be written ({error.strerror})") from None


def _unwritable(path: Path, why: str | None) -> Problem:
    return Problem(
        409,
        "read_only",
        f"{path.parent} (AGENTS) cannot be written here ({why}); let the API write there, or change {path.name} at its source",
    )
