"""From the log into the archive: everything, once, and nothing forgotten before that is certain."""

import asyncio
import sqlite3
from collections.abc import Collection
from pathlib import Path

import pytest

from schemas.archive import Archive, Archived, archive_session
from schemas.archive._sound import decoded, encoded
from schemas.archive.store import Superseded
from schemas.bus import Outcome, Publication, SessionInfo
from schemas.errors import ArchiveDamaged, BusUnavailable
from schemas.events import Event, SessionEnded
from schemas.log import MemoryBus
from schemas.session.cache import folded
from schemas.session.fold import fold_all
from tests.schemas.archive.calls import call, ended, kept, speech


async def test_what_is_archived_is_what_the_log_had(archive: Archive, log: MemoryBus) -> None:
    """Events, sound bit by bit, what is said of it in short; and the log has nothing of it any more."""
    before = await ended(log, "s1", 9)
    assert await archive_session(log, archive, "s1") is Archived.DONE
    assert await archive.read("s1") == before.events
    assert {key: await archive.get_blob(key) for key in before.sounds} == before.sounds
    info = await archive.info("s1")
    assert info is not None
    assert (info.state, info.seq, info.last_activity, info.epoch, info.partition) == (
        "closed", before.info.seq, before.info.last_activity, 1, 0,
    )  # fmt: skip
    assert [one.session for one in await archive.closed()] == ["s1"]
    assert [(one.session, one.at) for one in await archive.touched("closed", 9)] == [("s1", info.last_activity)]
    assert (await log.info("s1"), await log.read("s1"), log.blobs) == (None, [], {})
    assert (await archive.read("other"), await archive.info("other"), await archive.get_blob("other")) == (
        [],
        None,
        None,
    )


async def test_pages_are_as_the_logs(archive: Archive, log: MemoryBus) -> None:
    """From any event, as many as are asked for, over the borders of the pieces it is kept in."""
    before = await ended(log, "s1", 40, sound=False)
    assert len(before.events) > 600
    await archive_session(log, archive, "s1")
    for after in (0, 1, 24, 255, 256, 257, 511, 512, 600, len(before.events) - 1, len(before.events), 10_000):
        for count in (1, 25, 256, 500, None):
            end = None if count is None else after + count
            assert await archive.read("s1", after, count) == before.events[after:end], (after, count)


async def test_the_state_at_any_event_is_the_folds(archive: Archive, log: MemoryBus) -> None:
    """From the nearest kept fold on, it is what folding from the beginning gives."""
    before = await ended(log, "s1", 90, sound=False)
    await archive_session(log, archive, "s1")
    fold = await archive.snapshot_before("s1", 1_100)
    assert fold is not None
    assert fold.seq == 1024
    for seq in (1, 300, 1023, 1024, 1025, len(before.events)):
        assert await folded(archive, "s1", seq) == fold_all(before.events[:seq])


async def test_once_is_enough_and_twice_is_no_harm(archive: Archive, log: MemoryBus) -> None:
    """Again, or both at once: one ends it, and the other finds it so."""
    before = await ended(log, "s1")
    again = await asyncio.gather(*(archive_session(log, archive, "s1") for _ in range(4)))
    assert Archived.DONE in again
    assert set(again) <= {Archived.DONE, Archived.ELSEWHERE}
    assert await archive_session(log, archive, "s1") is Archived.DONE
    assert await archive.read("s1") == before.events
    standing = await archive.standing("s1")
    assert standing is not None
    await archive.read_back("s1", standing.seq, standing.hash)
    assert standing.hash != ""


async def test_what_goes_on_is_left_alone(archive: Archive, log: MemoryBus) -> None:
    """An open session is not archived; what the log has never heard of isn't either."""
    await call(log, "s1", over=False)
    assert await archive_session(log, archive, "s1") is Archived.OPEN
    assert await archive_session(log, archive, "nobody") is Archived.GONE
    assert await archive.closed() == []
    assert await log.info("s1") is not None


async def test_sound_that_was_gone_is_counted(archive: Archive, log: MemoryBus) -> None:
    """Whatever else there is of the session is kept."""
    before = await ended(log, "s1")
    lost = next(iter(before.sounds))
    del log.blobs[lost]
    assert await archive_session(log, archive, "s1") is Archived.DONE
    assert await archive.get_blob(lost) is None
    assert sum(sound.object == "" for sound in await archive.sounds("s1")) == 1
    assert await archive.read("s1") == before.events


class Dying(MemoryBus):
    """A log that breaks at its `after`-th call."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.after = after

    def _one_more(self) -> None:
        self.after -= 1
        if self.after == 0:
            raise BusUnavailable("the log is gone")

    async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
        self._one_more()
        return await super().read(session, after, count)

    async def get_blob(self, key: str) -> bytes | None:
        self._one_more()
        return await super().get_blob(key)

    async def forget(self, session: str, seq: int, sounds: Collection[str] = ()) -> Outcome:
        self._one_more()
        return await super().forget(session, seq, sounds)


async def test_a_try_that_breaks_off_anywhere_is_begun_anew(archive: Archive) -> None:
    """At each call to the log: until it is done nothing of it is read here and all of it there, and the next try ends it."""
    for calls in range(1, 40):
        log, name = Dying(10**9), f"s{calls}"
        before = await ended(log, name, 2)
        log.after = calls
        try:
            became = await archive_session(log, archive, name)
        except BusUnavailable:
            there = await archive.info(name) is not None
            assert there or await archive.read(name) == []
            log.after = 10**9
            assert await kept(log, name) == before
            became = await archive_session(log, archive, name)
        assert became is Archived.DONE
        assert await archive.read(name) == before.events
        assert {key: await archive.get_blob(key) for key in before.sounds} == before.sounds
        assert await log.info(name) is None
        if log.after > 10**8:
            continue
        return
    pytest.fail("the log was asked more often than this test thought")


async def test_an_older_try_can_write_no_more(archive: Archive, log: MemoryBus) -> None:
    """Whoever was thought dead and comes back is refused, whatever it does next."""
    await ended(log, "s1")
    old = await archive.begin("s1")
    new = await archive.begin("s1")
    assert old is not None
    assert new is not None
    with pytest.raises(Superseded):
        await archive.put(old, 1, [("session.started", 1, b"\x80")], None, [], 0)
    assert await archive_session(log, archive, "s1") is Archived.DONE
    with pytest.raises(Superseded):
        await archive.put(new, 1, [("session.started", 1, b"\x80")], None, [], 0)
    assert await archive.begin("s1") is None


async def test_a_session_deleted_in_mid_archive_stays_deleted(archive: Archive, log: MemoryBus) -> None:
    """Its archiver is refused at its next write, and nothing of it is left, in whichever order."""
    await ended(log, "s1")

    class Deleting(MemoryBus):
        async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
            await archive.condemn([session], "session", "ann")
            return await log.read(session, after, count)

        async def info(self, session: str) -> SessionInfo | None:
            return await log.info(session)

        async def get_blob(self, key: str) -> bytes | None:
            return await log.get_blob(key)

    assert await archive_session(Deleting(), archive, "s1") is Archived.DELETED
    assert await archive_session(log, archive, "s1") is Archived.DELETED
    await archive.purge("s1")
    assert (await archive.standing("s1"), await archive.sounds("s1"), await archive.read("s1")) == (None, [], [])


async def test_a_log_that_lost_its_tail_after_that_is_archived_anew(archive: Archive, log: MemoryBus) -> None:
    """What the archive has is the session as it ended last."""
    await call(log, "s1", 1, over=False)
    info = await log.info("s1")
    assert info is not None
    saved = log.save()
    await log.close("s1", 1, Publication(1_000, [SessionEnded(reason="hang_up")]))
    ended_log = log.save()
    assert await archive_session(log, archive, "s1") is Archived.DONE
    log.restore(saved)
    assert await archive_session(log, archive, "s1") is Archived.OPEN
    await log.close("s1", 1, Publication(1_000, [SessionEnded(reason="limit")]))
    other = await kept(log, "s1")
    assert await archive_session(log, archive, "s1") is Archived.DONE
    assert await archive.read("s1") == other.events
    assert await log.info("s1") is None
    assert ended_log is not None


async def test_hour_long_sound_lies_in_few_objects(small: Archive, log: MemoryBus, tmp_path: Path) -> None:
    """And each piece of it is read by its own stretch."""
    before = await ended(log, "s1", 40)
    await archive_session(log, small, "s1")
    objects = [path for path in (tmp_path / "sound").rglob("*") if path.is_file()]
    assert 1 <= len(objects) <= 8
    assert len(before.sounds) == 120
    one = (await small.sounds("s1"))[77]
    assert 0 < one.length < 90_000
    assert await small.get_blob(one.key) == before.sounds[one.key]


async def test_what_was_altered_is_named(small: Archive, log: MemoryBus, tmp_path: Path) -> None:
    """A byte of a sound, a piece of the events, an object that is gone: each is told with its place."""
    for name in ("s1", "s2", "s3"):
        await ended(log, name)
        await archive_session(log, small, name)

    async def check(name: str) -> None:
        standing = await small.standing(name)
        assert standing is not None
        await small.read_back(name, standing.seq, standing.hash)

    await check("s1")
    sound = (await small.sounds("s1"))[2]
    path = tmp_path / "sound" / sound.object
    body = bytearray(path.read_bytes())
    body[sound.begins + sound.length // 2] ^= 1
    path.write_bytes(body)
    with pytest.raises(ArchiveDamaged, match=f"s1: the sound .*{sound.key.rpartition('/')[2]}"):
        await check("s1")
    (tmp_path / "sound" / (await small.sounds("s2"))[0].object).unlink()
    with pytest.raises(ArchiveDamaged, match=r"s2: .*sound is not in the archive"):
        await check("s2")
    with sqlite3.connect(tmp_path / "archive.sqlite") as database:
        database.execute("update chunks set body = (select body from chunks where session = 's1') where session = 's3'")
    with pytest.raises(ArchiveDamaged, match=r"s3: its events are not what was written"):
        await check("s3")
    database.close()


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("samples", [0, 1, 63, 64, 999, 30_000])
def test_flac_is_bit_by_bit(rate: int, samples: int) -> None:
    """Of any length and rate, silence and noise too."""
    for pcm in (speech(samples, 3), bytes(2 * samples), speech(samples, 3)[: max(0, 2 * samples - 1)]):
        codec, body = encoded(pcm, rate, "flac")
        assert decoded(codec, body, rate, len(pcm) // 2) == pcm


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
def test_opus_has_as_many_samples_and_is_small(rate: int) -> None:
    """Who seeks by samples finds the same word."""
    pcm = speech(rate * 3, 5)
    codec, body = encoded(pcm, rate, "opus")
    assert codec == "opus"
    assert len(decoded(codec, body, rate, rate * 3)) == len(pcm)
    assert len(body) * 60 / 3 < 0.6 * 2**20


async def test_opus_by_setting(small: Archive, log: MemoryBus) -> None:
    """What is kept is smaller, and as long."""
    before = await ended(log, "s1")
    assert await archive_session(log, small, "s1", sound="opus") is Archived.DONE
    assert {one.codec for one in await small.sounds("s1")} == {"opus"}
    for key, pcm in before.sounds.items():
        back = await small.get_blob(key)
        assert back is not None
        assert (len(back), back == pcm) == (len(pcm), False)
