"""The embedded LiveKit server: it comes up by itself, keeps its key, comes back as it was, and holds real rooms."""

import os
from pathlib import Path

import pytest
from livekit import api, rtc

from ops.stack.embedded.livekit import LiveKit, LiveKitServerError, find_binary, pinned_version, redis_configuration


async def test_a_participant_gets_in(livekit: LiveKit) -> None:
    """LiveKit's own client joins a room with a token signed by the server's random key."""
    token = (
        api.AccessToken(livekit.api_key, livekit.api_secret)
        .with_identity("someone")
        .with_grants(api.VideoGrants(room_join=True, room="lobby"))
        .to_jwt()
    )
    room = rtc.Room()
    await room.connect(livekit.url, token)
    assert room.isconnected()
    await room.disconnect()


async def test_it_comes_back_as_it_was(livekit: LiveKit) -> None:
    """After SIGKILL it has the same address and the same key, and the key file is its owner's only."""
    before = livekit.environment
    await livekit.kill()
    assert not await livekit.answers()
    await livekit.start()
    assert livekit.environment == before
    assert livekit.key_file.stat().st_mode & 0o077 == 0
    assert len(livekit.api_secret) >= 32


async def test_rooms_are_kept_in_redis(livekit: LiveKit) -> None:
    """It keeps SIP trunks, which it refuses without Redis."""
    async with api.LiveKitAPI(livekit.url, livekit.api_key, livekit.api_secret) as client:
        trunk = api.SIPInboundTrunkInfo(name="line", numbers=["+15105550100"])
        await client.sip.create_inbound_trunk(api.CreateSIPInboundTrunkRequest(trunk=trunk))
        found = await client.sip.list_inbound_trunk(api.ListSIPInboundTrunkRequest())
    assert [one.name for one in found.items] == ["line"]


def test_no_server_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where there is no server, the message names the three ways to one."""
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("ops.stack.embedded.livekit._REPOSITORY", tmp_path)
    with pytest.raises(LiveKitServerError, match=r"make livekit.*PATH.*LIVEKIT_URL"):
        find_binary()


def test_what_was_built_comes_before_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The pinned version wins over whatever else is installed."""
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path}/path")
    for file in (tmp_path / "path" / "livekit-server", tmp_path / "bin" / f"livekit-server-{pinned_version()}"):
        file.parent.mkdir()
        file.write_text("#!/bin/sh\n")
        os.chmod(file, 0o755)
    assert find_binary() == str(tmp_path / "bin" / f"livekit-server-{pinned_version()}")


def test_it_uses_the_redis_we_use() -> None:
    """Our REDIS_URL, with user, password, TLS and database, becomes LiveKit's own section."""
    assert redis_configuration("rediss://me:p%40ss@log:7000/3") == {
        "address": "log:7000",
        "username": "me",
        "password": "p@ss",
        "db": 3,
        "use_tls": True,
    }
    with pytest.raises(LiveKitServerError, match="TCP"):
        redis_configuration("unix:///run/redis.sock")
