"""An API with a LiveKit server that nobody asks: tokens are made without it."""

import json
from pathlib import Path
from typing import Any

import jwt
import pytest

from api.house import House
from schemas.access.new_key import new_key
from schemas.config.settings import Settings

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def agents_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "agents"
    folder.mkdir()
    for name in ("default", "receptionist", "helper"):
        (folder / f"{name}.toml").write_text(f'name = "{name}"\n')
    return folder


@pytest.fixture
def options() -> dict[str, Any]:
    """Settings of the test's own."""
    return {}


@pytest.fixture
def settings(agents_folder: Path, options: dict[str, Any]) -> Settings:
    return Settings(
        _env_file=None,
        **{
            "livekit_url": "ws://livekit:7880",
            "livekit_public_url": "wss://rooms.example.com",
            "livekit_api_key": "key",
            "livekit_api_secret": SECRET,
            "agents": agents_folder,
            **options,
        },
    )


async def a_caller(house: House) -> dict[str, str]:
    """What somebody sends who has a caller's key; from then on nobody is let in without one."""
    key, shown = new_key("ann", "caller", await house.bus.now())
    assert await house.bus.add_key(key)
    house.gate._read = float("-inf")  # what takes a second elsewhere
    return {"Authorization": f"Bearer {shown}"}


def claims(token: str) -> dict[str, Any]:
    """What a token of ours says, its signature checked."""
    found: dict[str, Any] = jwt.decode(token, SECRET, algorithms=["HS256"], issuer="key")
    return found


def call_in(token: str) -> dict[str, Any]:
    """The call's metadata that comes along likewise."""
    agents = claims(token).get("roomConfig", {}).get("agents", [])
    told: dict[str, Any] = json.loads(agents[0].get("metadata") or "{}") if agents else {}
    return {key: value for key, value in told.items() if key != "agent"}


def agent_in(token: str) -> tuple[str, str]:
    """(agent_name, agent file) that come along when the token makes the room; ("", "") for none."""
    for dispatch in claims(token).get("roomConfig", {}).get("agents", []):
        metadata = dispatch.get("metadata", "")
        return dispatch.get("agentName", ""), json.loads(metadata).get("agent", "") if metadata else ""
    return "", ""
