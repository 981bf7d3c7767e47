"""Export files taken in: the very session, in a log of any kind, in an archive, in another file."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ops.replay.importing import Exists, Imported, Options, import_export, import_recording
from ops.replay.shelf import Shelf, put_away
from ops.stack.embedded.valkey import Valkey
from schemas.archive import open_archive
from schemas.audio import AudioRef
from schemas.bus import Bus
from schemas.errors import AntiphonError, ArchiveError, ExportError
from schemas.events import Event, audio_of
from schemas.log import MemoryBus, RedisBus
from schemas.session.export import export, open_export
from schemas.session.history import events_of
from schemas.session.promises import violations
from tests.golden import scenarios
from tests.ops.replay.conversations import talk, write
from tests.ops.replay.sounding import sounding


@pytest.mark.parametrize("scenario", scenarios.SOUND, ids=lambda scenario: scenario.__name__)
@pytest.mark.parametrize("partitions", [1, 16])
async def test_an_export_comes_back_whatever_the_partitions(scenario, partitions: int, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Event by event and sound by sound; only where its sounds lie is another place."""
    kept, log = sounding(scenario()), MemoryBus(partitions)
    await export(kept, "s1", tmp_path / "call.zip", partitions=4)
    done = await import_export(tmp_path / "call.zip", log, Options(name="again"))
    assert (done.session, done.events, done.notes) == ("again", len(scenario()), [])
    there = [event async for event in events_of(log, "again")]
    assert len(there) == len(scenario())
    for before, after in zip(scenario(), there, strict=True):
        refs = getattr(after, "audio", None)
        if refs is None:
            assert after == before
            continue
        for old, new in zip(as_list(before.audio), as_list(refs), strict=True):  # type: ignore[union-attr]
            assert new.key.startswith(f"{{p{log.partition('again'):02}}}:blob:again/")
            assert await log.get_blob(new.key) == kept.blobs[old.key]
    assert [info.session for info in await log.closed()] == ["again"]


def as_list(found: Any) -> list[AudioRef]:
    return list(found) if isinstance(found, list) else [found]


async def test_it_is_exported_and_imported_through_real_logs(tmp_path: Path, valkey: Valkey) -> None:
    """Out of one of 4 partitions, into one of 1: the same session, listed among those that ended, and exported the same."""
    file, again = tmp_path / "call.zip", tmp_path / "again.zip"
    await export(sounding(scenarios.barge_in()), "s1", file)

    async def through(partitions: int, source: Path, target: Path) -> list[Event]:
        import redis.asyncio

        raw = redis.asyncio.Redis.from_url(valkey.url)
        await raw.flushall()
        await raw.aclose()
        bus = RedisBus(valkey.url, partitions=partitions)
        await bus.start()
        try:
            await import_export(source, bus, Options())
            await export(bus, "s1", target, partitions=bus.partitions)
            return await bus.read("s1")
        finally:
            await bus.aclose()

    first = await through(4, file, again)
    second = await through(1, again, tmp_path / "third.zip")
    plain = [event.model_dump(exclude={"audio"}) for event in scenarios.barge_in()]
    assert [event.model_dump(exclude={"audio"}) for event in first] == plain
    assert [event.model_dump(exclude={"audio"}) for event in second] == plain
    with open_export(again) as one, open_export(tmp_path / "third.zip") as other:
        assert (one.partitions, other.partitions) == (4, 1)
        assert len(one.sound_keys()) == len(other.sound_keys()) > 0


async def test_what_an_earlier_try_had_taken_in_is_found(tmp_path: Path) -> None:
    """It had died before it could say so: the next one does, wherever the session is by now. To any other import the name is
    taken."""
    file, log = tmp_path / "call.zip", MemoryBus(4)
    await export(sounding(scenarios.barge_in()), "s1", file)
    first = await import_export(file, log, Options(mark="0a1b2c3d"))
    events, sounds = await log.read("s1"), dict(log.blobs)
    (again, archived), elsewhere = (
        [await import_export(file, into, Options(mark="0a1b2c3d", known=log)) for into in (log, MemoryBus())],
        MemoryBus(),
    )
    for found in (again, archived):
        assert (found.session, found.events, found.sounds, found.seconds) == (
            "s1", first.events, first.sounds, first.seconds,
        )  # fmt: skip
        assert found.notes == [
            *first.notes, "an earlier try had taken it in, and was broken off before it could say so",
        ]  # fmt: skip
    for options in (Options(mark="ffffffff", known=log), Options(known=log)):
        for into in (log, elsewhere):
            with pytest.raises(Exists):
                await import_export(file, into, options)
    assert (await log.read("s1"), log.blobs, elsewhere.blobs) == (events, sounds, {})


async def test_of_two_of_one_name_at_once_one_is_kept_whole(bus: Bus, tmp_path: Path) -> None:
    """The other is told that there is one; no sound of it stands in the one that is kept."""
    loud, silent = sounding(scenarios.barge_in()), sounding(scenarios.barge_in())
    silent.blobs = {key: bytes(len(pcm)) for key, pcm in silent.blobs.items()}
    for name, kept in (("loud", loud), ("silent", silent)):
        await export(kept, "s1", tmp_path / f"{name}.zip")
    for log in (MemoryBus(), bus):
        made = await asyncio.gather(
            *(import_export(tmp_path / f"{name}.zip", log, Options()) for name in ("loud", "silent")),
            return_exceptions=True,
        )
        assert sorted(type(one).__name__ for one in made) == ["Exists", "Imported"], made
        kept = (loud, silent)[[isinstance(one, Imported) for one in made].index(True)]
        for before, after in zip(scenarios.barge_in(), await log.read("s1"), strict=True):
            for old, new in zip(audio_of(before), audio_of(after), strict=True):
                assert await log.get_blob(new.key) == kept.blobs[old.key]


async def test_a_cut_export_is_refused_or_salvaged(tmp_path: Path) -> None:
    """Refused with the place; with --salvage it is a session that broke off, and says what is lost."""
    await export(sounding(scenarios.barge_in()), "s1", tmp_path / "call.zip")
    content = (tmp_path / "call.zip").read_bytes()
    (tmp_path / "call.zip").write_bytes(content[: content.index(b"audio/") + 40])
    log = MemoryBus()
    with pytest.raises(ExportError, match="cut off at byte"):
        await import_export(tmp_path / "call.zip", log, Options())
    assert await log.closed() == []
    done = await import_export(tmp_path / "call.zip", log, Options(salvage=True))
    assert done.events == len(scenarios.barge_in())
    assert "cut off at byte" in done.notes[0]
    assert "sounds are not in the file" in done.notes[1]


async def test_one_that_had_not_ended_is_kept_as_broken_off(tmp_path: Path) -> None:
    """It ends with an event that says so, and keeps every promise."""
    await export(sounding(scenarios.barge_in()[:12]), "s1", tmp_path / "call.zip")
    log = MemoryBus()
    done = await import_export(tmp_path / "call.zip", log, Options())
    events = await log.read("s1")
    assert (done.events, events[-1].type) == (13, "session.ended")
    assert violations(events) == []
    with pytest.raises(AntiphonError, match="s1: there is a session of this name already; give it another with --as"):
        await import_export(tmp_path / "call.zip", log, Options())


@pytest.mark.parametrize(
    "name", ["a/b", "../../x", ".hidden", "two\nlines", "\x1b[31mred", "x" * 201, "\ud800", "back\\slash"]
)
async def test_a_session_has_a_name_that_can_be_asked_for(tmp_path: Path, name: str) -> None:
    """Whoever names it otherwise is told before anything is kept."""
    await export(sounding(scenarios.barge_in()), "s1", tmp_path / "call.zip")
    log = MemoryBus()
    with pytest.raises(
        AntiphonError, match=r"--as .*: expected a name of at most 200 characters, without / and controls"
    ):
        await import_export(tmp_path / "call.zip", log, Options(name=name))
    with pytest.raises(AntiphonError, match=r"--as .*: expected a name"):
        await import_recording(write(tmp_path / "call.wav", talk().sound()), log, Options(name=name))
    assert await log.closed() == []


async def test_a_shelf_is_where_there_is_no_log(tmp_path: Path) -> None:
    """A recording becomes an export file, which is read as any."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    shelf = Shelf(folder)
    done = await import_recording(write(tmp_path / "call.wav", talk().sound()), shelf, Options(name="mine"))
    await export(shelf, "mine", tmp_path / "mine.zip")
    with open_export(tmp_path / "mine.zip") as file:
        assert (file.session, file.events) == ("mine", done.events)
        assert len(file.sound_keys()) == done.sounds


async def test_what_the_archive_does_not_take_is_not_due_there(tmp_path: Path) -> None:
    """Its folder is none any more: it is said, and nobody waits for a session that does not come."""
    folder = tmp_path / "shelf"
    folder.mkdir()
    shelf = Shelf(folder)
    await import_recording(write(tmp_path / "call.wav", talk().sound()), shelf, Options(name="mine"))
    async with open_archive(f"sqlite:///{tmp_path}/a.sqlite", str(tmp_path / "sound"), upgrade=True) as archive:
        (tmp_path / "sound").rmdir()
        (tmp_path / "sound").touch()
        with pytest.raises(ArchiveError, match="ARCHIVE_BLOBS="):
            await put_away(shelf, archive, "mine")
        assert await archive.standing("mine") is None
        (tmp_path / "sound").unlink()
        await put_away(shelf, archive, "mine")
        assert len(await archive.read("mine")) > 5


async def test_what_came_into_the_archive_meanwhile_stays_as_it_is(tmp_path: Path) -> None:
    """Two of one name were read at once: the one that is there first is kept, the other is told."""
    await export(sounding(scenarios.barge_in()), "s1", tmp_path / "call.zip")
    shelves = [Shelf(tmp_path / name) for name in ("first", "second")]
    for name, shelf in zip(("first", "second"), shelves, strict=True):
        (tmp_path / name).mkdir()
        if name == "first":
            await import_export(tmp_path / "call.zip", shelf, Options())
        else:
            await import_recording(write(tmp_path / "call.wav", talk().sound()), shelf, Options(name="s1"))
    async with open_archive(f"sqlite:///{tmp_path}/a.sqlite", str(tmp_path / "sound"), upgrade=True) as archive:
        await put_away(shelves[0], archive, "s1")
        before = await archive.standing("s1")
        with pytest.raises(Exists):
            await put_away(shelves[1], archive, "s1")
        assert await archive.standing("s1") == before
