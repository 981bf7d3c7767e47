"""The stack that runs on this machine, as other commands find it: its data folder, its endpoints and processes."""

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.stack.private import write_private
from schemas.config.settings import Settings, load, without_password

if TYPE_CHECKING:
    from schemas.access.livekit import Access

AGENTS_HERE = Path("agents")
_STATE = "stack.json"
_SECRET = "secrets.json"
_URLS = ("redis_url", "llm_base_url", "stt_base_url", "tts_base_url", "archive_url")
SHARED = (
    "stt_provider", "stt_model", "stt_language", "stt_device", "stt_compute_type", "stt_complete", "stt_base_url",
    "llm_provider", "llm_prefill",
    "tts_provider", "tts_voice", "tts_base_url", "tts_model", "tts_rate", "tts_device",
    "lease", "archive_url", "archive_blobs",
)  # fmt: skip
"""Settings that a stack tells where they are set, none of them a secret: what other commands do beside it, they do with these."""
_ENDPOINTS = ("stt_base_url", "llm_base_url", "tts_base_url", "archive_url")
_PROVIDERS = ("stt_provider", "llm_provider", "tts_provider")
_BEGAN = 22 - 4
"""Where the start is among the fields of /proc/PID/stat (proc(5): the 22nd) that come after the state, the third."""


def data_folder() -> Path:
    """Where stacks keep their data: ANTIPHON_DATA, else .antiphon in the current folder."""
    return Path(os.environ.get("ANTIPHON_DATA") or ".antiphon")


class Told:
    """What this process tells of the stack it runs in `folder`, in `stack.json`: read by this user's other commands, and shown to
    whoever is asked for help. So no password stands there: URLs that have one lie in a file beside it while the stack runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = {
            "pid": os.getpid(),
            "born": _born(os.getpid()),
            "started": time.time(),
            "folder": str(folder.absolute()),
        }

    def tell(self, what: dict[str, Any]) -> None:
        """`what`: `state` (starting, running, stopping), endpoints, processes. OSError: nothing can be written there."""
        shown = what | {name: without_password(what[name]) for name in _URLS if name in what}
        secret = {name: what[name] for name in _URLS if what.get(name, "") != shown.get(name, "")}
        if secret:
            write_private(self._folder / _SECRET, json.dumps(secret))
        new = self._folder / f".{_STATE}"
        write_private(new, json.dumps(self._own | shown))
        new.replace(self._folder / _STATE)  # nobody reads half of it

    def take_back(self) -> None:
        for name in (_STATE, _SECRET):
            (self._folder / name).unlink(missing_ok=True)


def told_in(folder: Path) -> dict[str, Any] | None:
    """What the stack that runs in `folder` tells of itself, whatever it is at; None: there is none, or it was killed."""
    try:
        told: dict[str, Any] = json.loads((folder / _STATE).read_text())
        return told if is_alive(told) else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def is_alive(told: dict[str, Any]) -> bool:
    """Whether the process that told this is there still, and no other of its number."""
    return _born(int(told["pid"])) == float(told["born"])


def stack_in(data: Path) -> dict[str, Any] | None:
    """What runs from a data folder, whatever it is at: that of `antiphon up`, else the latest started (a demo, say)."""
    found = [told for state in data.glob(f"*/{_STATE}") if (told := told_in(state.parent)) is not None]
    return max(found, key=lambda told: (told["folder"].endswith("/up"), told["started"]), default=None)


def log_of(told: dict[str, Any]) -> str | None:
    """The URL of a stack's log, with its password: not to be shown. None: it has none (yet)."""
    return (told | _secrets(Path(told["folder"]))).get("redis_url")


def running(folder: Path | None = None) -> dict[str, Any] | None:
    """The endpoints of a stack that runs on this machine from our data folder, the latest started first; None if none. Its URLs
    with their passwords: not to be shown."""
    found = []
    for state in (folder or data_folder()).glob(f"*/{_STATE}"):
        told = told_in(state.parent)
        if told is not None and told["state"] == "running":
            found.append(told | _secrets(state.parent))
    return max(found, key=lambda told: told["started"], default=None)


def _secrets(folder: Path) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads((folder / _SECRET).read_text())
    except (OSError, ValueError):
        return {}
    return found


def _born(pid: int) -> float | None:
    """When the process began, by which one is told from another that has its number later; None: there is none. In ticks since
    the machine's start where the system tells them, which no step of the clock changes; else in seconds since 1970."""
    if not Path("/proc/self/stat").exists():
        return _created(pid)
    try:
        status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    state, *more = status.rpartition(")")[2].split()  # the name before it may hold anything
    return None if state in "ZX" else float(more[_BEGAN])


def _created(pid: int) -> float | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


def agents_here(settings: Settings, beside: Path = Path()) -> Path | None:
    """AGENTS; where it is not set, the folder `agents` in `beside`, where `antiphon new` writes them. None: neither is there."""
    if "agents" in settings.model_fields_set:
        return settings.agents
    folder = beside / AGENTS_HERE
    return folder if any(folder.glob("*/agent.toml")) or any(folder.glob("*.toml")) else None


def with_its_agents(settings: Settings) -> Settings:
    """`settings` with the agents of the stack that runs here, where they name none and have its log."""
    stack = running() if "agents" not in settings.model_fields_set else None
    if not stack or not stack.get("agents") or stack["redis_url"] != settings.redis_url:
        return settings
    return settings.model_copy(update={"agents": Path(stack["agents"])})


def settings_here(**options: object) -> Settings:
    """The settings of a process that is to work beside the stack that runs here: where they name no log, its log, and what else
    it runs with (`of_stack`)."""
    settings = load(**options)
    stack = running() if "redis_url" not in settings.model_fields_set else None
    if stack is None:
        return settings
    return load(**({"redis_url": stack["redis_url"]} | of_stack(stack, settings) | options))


def as_the_stack(stack: dict[str, Any] | None, settings: Settings) -> Settings:
    """`settings` with what the stack that runs here has instead (`of_stack`), and their own log."""
    found = of_stack(stack, settings) if stack else {}
    whole = load(**found) if found else settings
    return settings.model_copy(update={name: getattr(whole, name) for name in found})


def of_stack(stack: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """What the stack that runs here hears, answers and speaks with, and its lease and archive, as settings: but what `settings`
    name themselves, and nothing of a stage (or the archive) of which they name the endpoint, or another provider. No model that
    answers where it asks no endpoint."""
    own = settings.model_fields_set
    theirs = {name: stack.get(name, Settings.model_fields[name].default) for name in _PROVIDERS}
    others = {name for name in _PROVIDERS if name in own and getattr(settings, name) != theirs[name]}
    apart = {name.partition("_")[0] for name in others | own.intersection(_ENDPOINTS)}
    names = ("llm_base_url", "llm_model", *SHARED)
    return {
        name: stack[name] for name in names if name in stack and name not in own and name.partition("_")[0] not in apart
    }


def from_anywhere(name: str, value: Any) -> Any:
    """A setting as it means the same to whoever is in another folder: its path, where it is one, from the root."""
    if name == "archive_url":
        kind, path = "sqlite:///", str(value).removeprefix("sqlite:///")
        return f"{kind}{Path(path).absolute()}" if path not in (str(value), "", ":memory:") else value
    is_path = (
        (name == "stt_model" and "/" in value and Path(value, "model.bin").is_file())
        or (name == "tts_voice" and Path(value.partition("#")[0]).is_file())
        or (name == "archive_blobs" and bool(value) and "://" not in value)
    )
    return str(Path(value).absolute()) if is_path else value


def livekit_access(settings: Settings) -> "Access":
    """The settings' LiveKit server, else that of the running stack. SettingsError: there is neither."""
    from schemas.access.livekit import Access, access

    stack = running()
    if not settings.livekit_url and stack and "livekit_url" in stack:
        key, _, secret = Path(stack["livekit_keys"]).read_text().strip().partition(": ")
        return Access(stack["livekit_url"], key, secret)
    return access(settings)
