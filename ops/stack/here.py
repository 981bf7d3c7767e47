"""The stack that runs on this machine, as other commands find it: its data folder, its endpoints, its LiveKit server."""

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ops.stack.private import write_private
from schemas.config.settings import Settings, load

if TYPE_CHECKING:
    from schemas.access.livekit import Access

_STATE = "stack.json"


def data_folder() -> Path:
    """Where stacks keep their data: ANTIPHON_DATA, else .antiphon in the current folder."""
    return Path(os.environ.get("ANTIPHON_DATA") or ".antiphon")


def tell(folder: Path, endpoints: dict[str, Any]) -> None:
    """This process runs a stack in `folder`: for this user's other commands only, since the log's password is in its URL."""
    write_private(folder / _STATE, json.dumps(endpoints | {"pid": os.getpid(), "started": time.time()}))


def take_back(folder: Path) -> None:
    (folder / _STATE).unlink(missing_ok=True)


def running(folder: Path | None = None) -> dict[str, Any] | None:
    """The endpoints of a stack that runs on this machine from our data folder, the latest started first; None if none."""
    found = []
    for state in (folder or data_folder()).glob(f"*/{_STATE}"):
        try:
            value = json.loads(state.read_text())
            os.kill(value["pid"], 0)
        except (OSError, ValueError, KeyError):
            continue
        found.append(value)
    return max(found, key=lambda value: value["started"], default=None)


def settings_here(**options: object) -> Settings:
    """The settings of a process that is to work beside the stack that runs here: where they name no log and no LLM, its."""
    settings = load(**options)
    stack = running() if "redis_url" not in settings.model_fields_set else None
    if stack is None:
        return settings
    found = {"redis_url": stack["redis_url"]}
    if "llm_base_url" not in settings.model_fields_set:
        found["llm_base_url"] = stack["llm_base_url"]
    return load(**(found | options))


def livekit_access(settings: Settings) -> "Access":
    """The settings' LiveKit server, else that of the running stack. SettingsError: there is neither."""
    from schemas.access.livekit import Access, access

    stack = running()
    if not settings.livekit_url and stack and "livekit_url" in stack:
        key, _, secret = Path(stack["livekit_keys"]).read_text().strip().partition(": ")
        return Access(stack["livekit_url"], key, secret)
    return access(settings)
