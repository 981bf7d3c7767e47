"""Files that are sent lie where API and jobs both reach them: whole or not at all, for as long as somebody may want them."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.archive.store import MEMORY
from schemas.archive.uploads import TooLarge, Uploads
from schemas.errors import ArchiveFull


async def sent(*pieces: bytes, error: Exception | None = None) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
    if error is not None:
        raise error


@pytest.fixture(params=["folder", MEMORY])
def uploads(request: pytest.FixtureRequest, tmp_path: Path) -> Uploads:
    """In a folder, and in a store that is none, as a bucket is."""
    return Uploads(str(tmp_path) if request.param == "folder" else MEMORY)


async def test_what_was_sent_is_read_until_it_is_dropped(uploads: Uploads) -> None:
    name, size = await uploads.keep(sent(b"abc", b"", b"de"), 5)
    assert size == 5
    async with uploads.read(name) as file:
        assert file.read_bytes() == b"abcde"
    await uploads.drop(name)
    with pytest.raises(FileNotFoundError):
        async with uploads.read(name):
            pass


async def test_of_what_is_too_large_or_breaks_off_nothing_is_left(uploads: Uploads) -> None:
    with pytest.raises(TooLarge):
        await uploads.keep(sent(b"abc", b"def"), 5)
    with pytest.raises(RuntimeError):
        await uploads.keep(sent(b"abc", error=RuntimeError("gone")), 5)
    assert await uploads.sweep(older=-1.0) == 0


async def test_how_much_lies_there_is_known(uploads: Uploads) -> None:
    """Of what came whole."""
    assert await uploads.lying() == 0
    name, _ = await uploads.keep(sent(b"abc"), 5)
    await uploads.keep(sent(b"de"), 5)
    with pytest.raises(RuntimeError):
        await uploads.keep(sent(b"abc", error=RuntimeError("gone")), 5)
    assert await uploads.lying() == 5
    await uploads.drop(name)
    assert await uploads.lying() == 2


async def test_what_a_full_disk_cuts_off_does_not_stay_on_it(small_disk: Path) -> None:
    """Not even the part that was there."""
    uploads = Uploads(str(small_disk))
    with pytest.raises(ArchiveFull, match=r"ARCHIVE_BLOBS=.*its disk is full"):
        await uploads.keep(sent(*[b"x" * 300_001] * 20), 1 << 30)
    assert list((small_disk / "uploads").iterdir()) == []


@pytest.mark.parametrize("name", ["", "../../x", "0" * 31, "/etc/passwd", "G" * 32])
async def test_only_what_was_given_out_is_a_name(uploads: Uploads, name: str) -> None:
    await uploads.drop(name)
    with pytest.raises(FileNotFoundError):
        async with uploads.read(name):
            pass


async def test_what_nobody_asks_for_is_swept(uploads: Uploads) -> None:
    await uploads.keep(sent(b"abc"), 5)
    assert await uploads.sweep() == 0
    assert await uploads.sweep(older=-1.0) == 1
