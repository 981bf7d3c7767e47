"""LIVEKIT_URL of something that is no LiveKit server: the gateway says so, whatever that does instead."""

import pytest

from schemas.access.livekit import Access
from tests.gateway.rooms.livekit.site.test_trouble import SECRET, problem_of
from tests.servers import ODDITIES, odd_server


@pytest.mark.parametrize("how", ODDITIES)
async def test_what_is_no_livekit_server_is_named(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a bound there is one sentence with the address and what to check, and no secret in it."""
    monkeypatch.setattr("gateway.rooms.livekit._worker._REGISTER_WITHIN", 0.3)
    async with odd_server(how) as place:
        said = await problem_of(Access(f"ws://{place}", "key", SECRET))
    assert place in said
    assert "LIVEKIT_URL" in said
    assert SECRET not in said
    assert "\n" not in said
