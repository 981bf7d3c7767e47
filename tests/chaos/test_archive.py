"""`antiphon chaos --archive`, short; and that its judge can convict."""

from pathlib import Path

import pytest

from ops.chaos.archive import ArchiveChaos, Before, chaos, lost_or_altered
from schemas.archive import archive_session, open_archive
from schemas.events import Event
from schemas.log import MemoryBus
from tests.schemas.archive.calls import ended


@pytest.mark.chaos
@pytest.mark.timeout(120)
async def test_the_logs_server_dies_while_calls_are_archived() -> None:
    """All are in the archive afterwards, as they were."""
    figures = await chaos(ArchiveChaos(kills=2, workers=1, server_share=1.0, at_once=True))
    assert figures["first_violations"] == []
    assert (figures["sessions"], figures["server_kills"]) == (6, 2)


async def test_what_is_lost_or_altered_is_found(tmp_path: Path) -> None:
    """A call that is nowhere, an event that is another, a sound that is another or gone: each is named."""
    log = MemoryBus()
    await log.start()
    was = await ended(log, "s1", 1)
    sounds = dict(was.sounds)
    key = next(iter(sounds))
    async with open_archive(f"sqlite:///{tmp_path / 'a.sqlite'}", str(tmp_path / "sound"), upgrade=True) as archive:
        await archive_session(log, archive, "s1")

        async def wrong(events: list[Event], sounds: dict[str, bytes]) -> list[str]:
            return await lost_or_altered(archive, {"s1": Before(events, sounds)})

        assert await wrong(was.events[:-1], sounds) == []
        assert await wrong(was.events[:-2], sounds) == ["s1: its events are not those the log had"]
        assert await wrong(was.events[:-1], sounds | {key: b"\0\0"}) == [f"s1: {key} is not what it was"]
        assert (await lost_or_altered(archive, {"s2": Before([], {})}))[0].startswith("s2: neither in the log")
        next((tmp_path / "sound").rglob("*.sound")).unlink()
        assert "is not in the archive" in (await wrong(was.events[:-1], sounds))[0]
