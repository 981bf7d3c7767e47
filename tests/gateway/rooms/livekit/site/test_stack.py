"""`antiphon up --livekit`: the server beside the stack."""

from pathlib import Path

import pytest

from ops.people.livekit_caller import LiveKitCaller
from ops.stack.embedded.livekit import LiveKitServerError, find_binary
from ops.stack.here import running
from ops.stack.stack import Plan, Stack
from schemas.config.settings import Settings, load
from schemas.log import connected


@pytest.mark.timeout(90)
async def test_a_stack_with_rooms(tmp_path: Path) -> None:
    """Once the stack is ready a new room gets the agent, and the secret stands in one file only, its owner's."""
    try:
        find_binary()
    except LiveKitServerError as error:
        pytest.skip(str(error))  # where CI is set, the `livekit` fixture fails instead
    plan = Plan(tmp_path / "up", stt=0, llm=0, tts=0, free_ports=True, livekit=True)
    async with Stack(plan, load(llm_provider="simulated")) as stack:
        async with connected(Settings(redis_url=stack.redis_url)) as log:
            caller = LiveKitCaller(stack.livekit_access(), log)
            await caller.connect()
            assert caller.session.startswith("lk-")
            await caller.hang_up()  # and with it the session, for whose end the gateway would wait
        assert stack.livekit is not None
        found = running(tmp_path)
        assert found is not None
        assert found["livekit_url"] == stack.livekit.url
        secret = stack.livekit.api_secret
        holding = _files_with(secret, tmp_path)
    assert holding == [stack.livekit.key_file]
    assert stack.livekit.key_file.stat().st_mode & 0o077 == 0


def test_a_url_is_used_as_it_is(tmp_path: Path) -> None:
    """With LIVEKIT_URL set `--livekit` starts no server of its own."""
    plan = Plan(tmp_path, livekit=True)
    assert not Stack(plan, load(livekit_url="ws://livekit:7880")).embeds_livekit
    assert Stack(plan, load()).embeds_livekit


def _files_with(text: str, folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and text in file.read_text("utf-8", "replace")]
