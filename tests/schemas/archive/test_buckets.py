"""Sound in a bucket of a real S3 server: put away, read in stretches, let go; each trouble one clear error that harms nobody."""

import asyncio
import os
from pathlib import Path

import pytest

from schemas.archive import Archive, Archived, archive_session, open_archive
from schemas.archive._objects import Objects
from schemas.errors import ArchiveDamaged, ArchiveDenied, ArchiveError, ArchiveUnavailable
from schemas.log import MemoryBus
from tests.buckets import SECRET, STRANGER, Buckets, altering, buckets, shared_buckets
from tests.schemas.archive.calls import Kept, ended, kept

__all__ = ["buckets", "shared_buckets"]


async def is_whole(archive: Archive, was: Kept) -> None:
    assert await archive.read(was.session) == was.events
    assert {key: await archive.get_blob(key) for key in was.sounds} == was.sounds
    standing = await archive.standing(was.session)
    assert standing is not None
    await archive.read_back(was.session, standing.seq, standing.hash)


async def test_a_call_in_a_bucket(buckets: Buckets, log: MemoryBus, tmp_path: Path) -> None:
    """Kept beneath a prefix, read back as it was, and nothing of it left once it is gone; others stay."""
    name = buckets.bucket()
    first, second = await ended(log, "s1"), await ended(log, "s2")
    url = f"sqlite:///{tmp_path / 'archive.sqlite'}"
    async with open_archive(url, f"s3://{name}/calls/sound", upgrade=True) as archive:
        assert [await archive_session(log, archive, one) for one in ("s1", "s2")] == [Archived.DONE] * 2
        assert {str(file).partition(f"/{name}/")[2][:12] for file in buckets.files(name)} == {"calls/sound/"}
        for was in (first, second):
            await is_whole(archive, was)
        await archive.drop_sound("s1")
        assert [await archive.get_blob(key) for key in first.sounds] == [None] * len(first.sounds)
        await is_whole(archive, second)
        await archive.condemn(["s1", "s2"], "session", "ann")
        await archive.purge("s1")
        await archive.purge("s2")
    assert buckets.files(name) == []


async def test_a_file_of_many_parts(buckets: Buckets, tmp_path: Path) -> None:
    """It is sent in parts, and is what it was; nobody sees half of it."""
    objects = Objects(f"s3://{buckets.bucket()}")
    file, back = tmp_path / "file", tmp_path / "back"
    file.write_bytes(os.urandom(12 << 20))
    digest, size = await objects.put_file("a/b", file)
    assert size == 12 << 20
    assert [await objects.digest("a/b"), await objects.get_file("a/b", back)] == [digest, digest]
    assert back.read_bytes() == file.read_bytes()
    assert await objects.get("a/b", 5 << 20, 3) == file.read_bytes()[5 << 20 : (5 << 20) + 3]
    assert [one.name for one in await objects.list("a/")] == ["a/b"]
    await objects.delete(["a/b", "a/never"])
    assert await objects.list() == []
    with pytest.raises(FileNotFoundError):
        await objects.digest("a/b")


TROUBLES = [
    pytest.param(
        {"AWS_SECRET_ACCESS_KEY": "wrong"}, "", ArchiveDenied,
        r"its server does not know us \(SignatureDoesNotMatch\); look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        id="secret",
    ),
    pytest.param(
        {"AWS_ACCESS_KEY_ID": "nobody"}, "", ArchiveDenied, r"its server does not know us \(InvalidAccessKeyId\); look at",
        id="key",
    ),
    pytest.param(
        {"AWS_ACCESS_KEY_ID": STRANGER[0], "AWS_SECRET_ACCESS_KEY": STRANGER[1]}, "", ArchiveDenied,
        r"we may not read or write there \(AccessDenied\); look at its rights", id="denied",
    ),
    pytest.param({}, "s3://nowhere/x", ArchiveDenied, r"there is no such bucket; make it, or name another", id="missing"),
    pytest.param(
        {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "", ArchiveUnavailable, r"does not answer.*is AWS_ENDPOINT_URL right\?",
        id="away",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("environment", "place", "kind", "says"), TROUBLES)
async def test_what_a_bucket_says(
    environment: dict[str, str],
    place: str,
    kind: type[ArchiveError],
    says: str,
    buckets: Buckets,
    log: MemoryBus,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One sentence with the setting, whatever is asked of it, and no secret in it; the log keeps the call, the bucket what
    it had, and once it is mended all goes on."""
    name = buckets.bucket()
    right = f"s3://{name}/sound"
    url = f"sqlite:///{tmp_path / 'archive.sqlite'}"
    other, was = await ended(log, "other"), await ended(log, "s1")
    async with open_archive(url, right, upgrade=True) as archive:
        await archive_session(log, archive, "other")
        there = {file: file.read_bytes() for file in buckets.files(name)}
    with monkeypatch.context() as wrong:
        for variable, value in environment.items():
            wrong.setenv(variable, value)
        async with open_archive(url, place or right) as archive:
            with pytest.raises(kind) as told:
                await archive_session(log, archive, "s1")
            for ask in (archive.get_blob(next(iter(other.sounds))), archive.strays(0.0), archive.delete_objects(["x"])):
                with pytest.raises(kind):
                    await ask
    assert str(told.value).startswith(f"ARCHIVE_BLOBS={place or right}: ")
    told.match(says)
    assert not {SECRET, "wrong", STRANGER[1], "\n"} & set(str(told.value).split(" "))
    assert "xml" not in str(told.value)
    assert await kept(log, "s1") == was
    assert {file: file.read_bytes() for file in buckets.files(name)} == there
    async with open_archive(url, right) as archive:
        assert await archive_session(log, archive, "s1") is Archived.DONE
        for one in (was, other):
            await is_whole(archive, one)


async def test_what_is_altered_on_its_way(
    buckets: Buckets, log: MemoryBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server refuses what is not what was sent (its checksum is signed): nothing of it is stored, the log keeps the call."""
    name = buckets.bucket()
    was = await ended(log, "s1")
    between = await altering(buckets, b"PUT ")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{between.sockets[0].getsockname()[1]}")
    url = f"sqlite:///{tmp_path / 'archive.sqlite'}"
    async with open_archive(url, f"s3://{name}", upgrade=True) as archive:
        with pytest.raises(
            ArchiveUnavailable, match=r"what was sent is not what arrived \(XAmzContentSHA256Mismatch\)"
        ):
            await archive_session(log, archive, "s1")
    between.close()
    assert buckets.files(name) == []
    assert await kept(log, "s1") == was
    monkeypatch.setenv("AWS_ENDPOINT_URL", buckets.endpoint)
    async with open_archive(url, f"s3://{name}") as archive:
        assert await archive_session(log, archive, "s1") is Archived.DONE
        await is_whole(archive, was)


async def test_what_is_altered_in_the_bucket(buckets: Buckets, log: MemoryBus, tmp_path: Path) -> None:
    """It is found when it is read back, with its name; so is what somebody deleted there."""
    name = buckets.bucket()
    await ended(log, "s1")
    await ended(log, "s2")
    url = f"sqlite:///{tmp_path / 'archive.sqlite'}"
    async with open_archive(url, f"s3://{name}", upgrade=True) as archive:
        for one in ("s1", "s2"):
            await archive_session(log, archive, one)
        objects = Objects(f"s3://{name}")
        first, second = [(await archive.sounds(one))[0].object for one in ("s1", "s2")]
        body = await objects.get(first)
        await objects.put(first, body[:-1] + bytes([body[-1] ^ 1]))
        await objects.delete([second])
        for one, says in (("s1", "is not what was written"), ("s2", "is not in the archive")):
            standing = await archive.standing(one)
            assert standing is not None
            with pytest.raises(ArchiveDamaged, match=says):
                await archive.read_back(one, standing.seq, standing.hash)


@pytest.mark.timeout(120)
async def test_a_server_that_is_killed(log: MemoryBus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In mid-archive: the call is in the log until the server is back, and then whole in the bucket."""
    server = await asyncio.to_thread(Buckets)
    try:
        await asyncio.to_thread(server.start)
        for variable, value in (
            ("AWS_ENDPOINT_URL", server.endpoint), ("AWS_ACCESS_KEY_ID", "antiphon"), ("AWS_SECRET_ACCESS_KEY", SECRET),
        ):  # fmt: skip
            monkeypatch.setenv(variable, value)
        was = await ended(log, "s1")
        url = f"sqlite:///{tmp_path / 'archive.sqlite'}"
        async with open_archive(url, f"s3://{server.bucket()}", upgrade=True) as archive:
            await asyncio.to_thread(server.kill)
            with pytest.raises(ArchiveUnavailable):
                await archive_session(log, archive, "s1")
            assert await kept(log, "s1") == was
            await asyncio.to_thread(server.start)
            assert await archive_session(log, archive, "s1") is Archived.DONE
            await is_whole(archive, was)
    finally:
        await asyncio.to_thread(server.close)
