"""What is let go of: by age, by size, for good; and that it can be proven."""

import json
from collections.abc import Collection
from pathlib import Path

import pytest

from ops.jobs.archiving import Archiving
from ops.jobs.integrity import verify
from ops.jobs.letting_go import KeptFor, LettingGo, kept_for
from schemas.archive import Archive, Archived, archive_session
from schemas.archive._tables import SESSIONS
from schemas.archive.store import Attempt
from schemas.bus import Outcome
from schemas.config.settings import Settings
from schemas.errors import AntiphonError
from schemas.log import MemoryBus
from tests.schemas.archive.calls import call, ended


def settings(**given: object) -> Settings:
    return Settings(_env_file=None, **given)  # type: ignore[arg-type]


async def aged(archive: Archive, **days: float) -> None:
    """As if these had ended so many days ago."""
    now = await archive.now()
    async with archive._database.writing() as connection:
        for name, ago in days.items():
            ended_at = int(now - ago * 86_400_000_000)
            await connection.execute(SESSIONS.update().where(SESSIONS.c.session == name).values(ended_at=ended_at))


async def _kept(log: MemoryBus, archive: Archive, *names: str) -> None:
    for name in names:
        await ended(log, name, 1)
        await archive_session(log, archive, name)


def objects(folder: Path) -> list[Path]:
    return [path for path in (folder / "sound").rglob("*") if path.is_file()]


def database_files(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("archive.sqlite*"))


def test_days_by_agent() -> None:
    """As they are written in a setting."""
    made = settings(archive_days=90, archive_sound_days=30, archive_agents="desk=30/7, demo=1")
    assert kept_for(made) == (KeptFor(90, 30), {"desk": KeptFor(30, 7), "demo": KeptFor(1, 0)})
    assert kept_for(settings()) == (KeptFor(0, 0), {})
    with pytest.raises(ValueError, match="agent=days"):
        settings(archive_agents="desk:30")


async def test_what_is_old_goes_and_sound_before_text(log: MemoryBus, archive: Archive, tmp_path: Path) -> None:
    """Each by its own days; what is younger stays, and nothing goes by default."""
    await _kept(log, archive, "old", "quiet", "young")
    await aged(archive, old=91, quiet=31, young=29)
    assert await LettingGo(log, archive, settings()).retain() == (0, 0)
    assert await LettingGo(log, archive, settings(archive_days=90, archive_sound_days=30)).retain() == (1, 1)
    assert [info.session for info in await archive.closed()] == ["young", "quiet"]
    sounds = await archive.sounds("quiet")
    assert await archive.get_blob(sounds[0].key) is None
    assert len(await archive.read("quiet")) > 10
    assert await archive.get_blob((await archive.sounds("young"))[0].key) is not None
    assert len(objects(tmp_path)) == 1
    (proof,) = await archive.erasures()
    assert (proof.kind, len(proof.removed), proof.done_at > 0) == ("retention", 1, True)
    standing = await archive.standing("quiet")
    assert standing is not None
    await archive.read_back("quiet", standing.seq, standing.hash)


async def test_an_agent_may_have_other_days(log: MemoryBus, archive: Archive) -> None:
    """Shorter or longer than the others'."""
    await _kept(log, archive, "s1", "s2")
    async with archive._database.writing() as connection:
        await connection.execute(SESSIONS.update().where(SESSIONS.c.session == "s2").values(agent="desk"))
    await aged(archive, s1=20, s2=20)
    assert await LettingGo(log, archive, settings(archive_days=10, archive_agents="desk=30")).retain() == (1, 0)
    assert [info.session for info in await archive.closed()] == ["s2"]
    assert await LettingGo(log, archive, settings(archive_agents="desk=15")).retain() == (1, 0)
    assert await archive.closed() == []


async def test_what_is_too_much_goes_the_oldest_first(log: MemoryBus, archive: Archive) -> None:
    """Sound until that is enough; then sessions."""
    await _kept(log, archive, "s1", "s2", "s3")
    await aged(archive, s1=3, s2=2, s3=1)
    amount = await archive.amount()
    all_of_it, text = amount.bytes + amount.sound_bytes, amount.bytes
    let_go = LettingGo(log, archive, settings(archive_gib=(all_of_it - 1) / 2**30))
    assert await let_go.retain() == (0, 1)
    assert (await archive.get_blob((await archive.sounds("s1"))[0].key)) is None
    assert (await archive.get_blob((await archive.sounds("s2"))[0].key)) is not None
    assert await LettingGo(log, archive, settings(archive_gib=(text - 1) / 2**30)).retain() == (1, 2)
    assert [info.session for info in await archive.closed()] == ["s3", "s2"]


async def test_a_person_is_erased_everywhere_and_that_is_proven(
    log: MemoryBus, archive: Archive, tmp_path: Path
) -> None:
    """Out of the archive and out of the log; whoever goes on is named; the proof says of nobody who it was, and neither does any
    file that is left."""
    await _kept(log, archive, "archived")
    hashed = await archive.standing("archived")
    assert hashed is not None
    await ended(log, "in-the-log", 1)
    await call(log, "goes-on", 1, over=False)
    erased = await LettingGo(log, archive, settings()).erase("ANN caller", "privacy-desk")
    assert erased.open == ("goes-on",)
    assert erased.erasure is not None
    assert erased.erasure.done_at > 0
    assert (await archive.closed(), await log.closed()) == ([], [])
    assert not [key for key in log.blobs if "in-the-log" in key or "archived" in key]
    assert objects(tmp_path) == []
    (proof,) = await archive.erasures()
    assert (proof.kind, proof.asked_by, len(proof.removed)) == ("person", "privacy-desk", 2)
    assert hashed.hash in {one.hash for one in proof.removed}
    told = json.dumps(proof.view())
    assert not [word for word in ("Ann", "caller", "archived", "in-the-log") if word in told.replace("removed", "")]
    assert not [word for word in (b"Ann Caller", b"in-the-log", b"ann caller") if word in database_files(tmp_path)]
    assert (await LettingGo(log, archive, settings()).erase("Ann", "x")).erasure is None
    info = await log.info("goes-on")
    assert info is not None


async def test_nobody_is_nobody(log: MemoryBus, archive: Archive) -> None:
    """Most people have no name: an empty one erases none of them."""
    await ended(log, "s1", 1)
    for empty in ("", " "):
        with pytest.raises(AntiphonError, match="an empty name is nobody's"):
            await LettingGo(log, archive, settings()).erase(empty, "x")
    assert await log.info("s1") is not None


async def test_what_is_made_of_a_session_while_it_is_erased_goes_too(archive: Archive) -> None:
    """A fork that was kept after the person was looked for."""

    class Busy(MemoryBus):
        async def forget(self, session: str, seq: int, sounds: Collection[str] = ()) -> Outcome:
            if session == "s1":
                await ended(self, "made-of-s1", 1)
            return await super().forget(session, seq, sounds)

    log = Busy()
    await ended(log, "s1", 1)
    erased = await LettingGo(log, archive, settings()).erase("Ann Caller", "x")
    assert erased.erasure is not None
    assert (len(erased.erasure.removed), erased.erasure.done_at > 0, erased.open) == (2, True, ())
    assert await log.closed() == []


async def test_an_erasure_that_was_interrupted_is_ended_by_the_sweep(log: MemoryBus, archive: Archive) -> None:
    """Condemned and no more: nobody reads it, nobody archives it, and the next sweep ends it."""
    await _kept(log, archive, "s1")
    await ended(log, "s2", 1)
    erasure = await archive.condemn(["s1", "s2"], "session", "ann")
    assert await archive.read("s1") == []
    archiving = Archiving(log, archive, "j1")
    assert await archiving.archive("s2") is Archived.DELETED
    assert (await archive.erasures())[0].done_at == 0
    async with archive._database.writing() as connection:
        await connection.execute(SESSIONS.update().values(due_at=0))
    due = await archiving.sweep()
    assert {(one.session, one.state) for one in due} == {("s1", "deleting"), ("s2", "deleting")}
    await LettingGo(log, archive, settings()).finish([one.session for one in due])
    (proof,) = await archive.erasures()
    assert (proof.id, proof.done_at > 0) == (erasure.id, True)
    assert (await archive.standing("s1"), await archive.standing("s2"), await log.info("s2")) == (None, None, None)
    assert await archiving.sweep() == []


async def test_what_is_not_condemned_is_not_deleted(log: MemoryBus, archive: Archive) -> None:
    """Whoever ends a removal by a list of a moment ago: another has ended it, and the call was brought back since."""
    await _kept(log, archive, "s1")
    was = await archive.read("s1")
    await LettingGo(log, archive, settings()).finish(["s1", "nobody"])
    assert (await archive.read("s1"), await archive.standing("nobody")) == (was, None)


async def test_reading_back_finds_what_was_damaged_and_what_was_left(
    log: MemoryBus, archive: Archive, tmp_path: Path
) -> None:
    """Those read back the longest ago first; what nobody names any more goes, once it is old; what is not ours stays, however
    old."""
    await _kept(log, archive, "s1", "s2")
    sound = (await archive.sounds("s2"))[0]
    path = tmp_path / "sound" / sound.object
    path.write_bytes(path.read_bytes()[:-5] + b"12345")
    stray = Attempt("gone", 3).object(0)
    theirs = tmp_path / "sound" / "00" / "theirs.flac"
    for file in (tmp_path / "sound" / stray, theirs):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x")
    found = await verify(archive, within=60)
    assert (found.sessions, list(found.damaged), found.strays) == (2, ["s2"], 0)
    assert (await archive.amount()).damaged == 1
    assert [one.name for one in await archive.strays(older=0.0)] == [stray]
    await archive.delete_objects([one.name for one in await archive.strays(older=0.0)])
    assert theirs.exists()
    again = await verify(archive, within=60, older=3600)
    assert again.sessions == 0
