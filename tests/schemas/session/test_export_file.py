"""The export file: self-contained, streamed, and read as a log is."""

import asyncio
import io
import json
import re
import wave
import zipfile
from pathlib import Path

import numpy as np
import pytest

from schemas.audio import AudioRef
from schemas.errors import ExportError
from schemas.events import UtteranceCaptured
from schemas.session.cache import folded
from schemas.session.export import Export, ExportFile, export, open_export
from schemas.session.export._naming import Names
from schemas.session.export._zip import Source, pieces
from schemas.session.fold import fold_all
from schemas.session.listing import Rows
from schemas.session.snapshot import view
from tests.golden import scenarios
from tests.schemas.session.exports import (
    all_of,
    json_lines,
    long_log,
    refs,
    with_sound,
    written,
)

OLD = Path(__file__).with_name("export-1.zip")
"""`scenarios.barge_in` as the first version of the file had it."""


# ── what it holds ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scenario", scenarios.SOUND, ids=lambda scenario: scenario.__name__)
async def test_what_was_written_is_read(scenario, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Every event, every sound and the state come back as they were."""
    log = scenario()
    kept = with_sound(log)
    await export(kept, "s1", tmp_path / "call.zip", partitions=16)
    with open_export(tmp_path / "call.zip") as file:
        assert (file.session, file.version, file.partitions, file.events, file.lost) == ("s1", 2, 16, len(log), "")
        assert await all_of(file) == await all_of(file, size=None) == log
        assert {ref.key: await file.get_blob(ref.key) for ref in refs(log)} == kept.blobs
        assert file.state == json.loads(json.dumps(view(fold_all(log))))
        assert await file.get_blob("{p00}:blob:s1/none") is None
        assert await file.read("s2") == []


async def test_it_is_read_as_a_log_is(tmp_path: Path) -> None:
    """A row, a state at any event, a page from anywhere, twice at once: whoever reads sessions needs no other way."""
    log = scenarios.barge_in()
    with open_export(await written(tmp_path, log)) as file:
        (row,) = (await Rows(file).latest(5))[0]
        assert (row.told.session, row.told.ended, row.info.state, row.orphaned) == ("s1", "hang_up", "closed", False)
        assert (await folded(file, "s1", 9)) == fold_all(log[:9])
        for after in (3, 0, 11, 12, 27, 28, 99):
            assert await file.read("s1", after, 4) == log[after : after + 4]
        assert await asyncio.gather(all_of(file), all_of(file, size=3)) == [log, log]
        assert await file.sessions() == []
        assert await file.now() == log[-1].at


async def test_a_session_that_goes_on_is_exported_as_far_as_it_has_come(tmp_path: Path) -> None:
    """It is an open one in the file, too."""
    log = scenarios.barge_in()[:10]
    with open_export(await written(tmp_path, log)) as file:
        info = await file.info("s1")
        assert info is not None
        assert (info.state, info.seq, file.manifest["ended"]) == ("open", 10, None)
        assert [one.session for one in await file.sessions()] == ["s1"]


async def test_a_long_session_has_its_events_in_pieces(tmp_path: Path) -> None:
    """Each of a few hundred kilobytes, each of them sound by itself; a page from the middle costs no more than one piece."""
    log = long_log(9_000)
    with open_export(await written(tmp_path, log)) as file, zipfile.ZipFile(file.path) as zipped:
        names = [name for name in zipped.namelist() if name.startswith("events")]
        assert names == ["events.jsonl", *(f"events.{number:05}.jsonl" for number in range(2, 6))]
        assert await file.read("s1", 6_543, 3) == log[6_543:6_546]
        assert await all_of(file, size=500) == log


async def test_sounds_of_like_names_are_told_apart(tmp_path: Path) -> None:
    """What a file system would take for one, or what lies under another session's name, keeps its own sound."""
    log = scenarios.plain()
    place = next(place for place, event in enumerate(log) if isinstance(event, UtteranceCaptured))
    keys = ["{p00}:blob:s1/a b", "{p00}:blob:s1/a_b", "{p00}:blob:s1/A_B", "{p00}:blob:s0/a_b", "{p00}:blob:s1/../../x"]
    audio = [AudioRef(key=key, rate=16_000, samples=100) for key in keys]
    log[place] = log[place].model_copy(update={"audio": audio})
    kept = with_sound(log)
    await export(kept, "s1", tmp_path / "call.zip")
    with open_export(tmp_path / "call.zip") as file:
        assert {key: await file.get_blob(key) for key in keys} == {key: kept.blobs[key] for key in keys}
        assert set(file.sound_keys()) == set(kept.blobs)


def test_no_name_of_a_sound_leads_anywhere() -> None:
    """Whatever a key is, its piece is a plain file in `audio/`."""
    names = Names()
    for key in (
        "../../etc/passwd",
        "/etc/passwd",
        "{p00}:blob:s/..",
        "a\\b",
        "",
        "x" * 999,
        "\x00",
        "Ünï",
        "{p00}:blob:s/.x",
    ):
        assert re.fullmatch(r"audio/[\w+-][\w.+~-]{0,210}\.wav", names.of(key))


# ── streamed ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_it_is_made_from_front_to_back(tmp_path: Path) -> None:
    """As chunks to be sent it is the same, byte by byte, and each time; no chunk is larger than one sound."""
    kept = with_sound(scenarios.barge_in())
    made = Export(kept, "s1", partitions=4)
    chunks = [chunk async for chunk in made.chunks()]
    await export(kept, "s1", tmp_path / "call.zip", partitions=4)
    assert b"".join(chunks) == (tmp_path / "call.zip").read_bytes()
    assert made.manifest["pieces"] == len(json_lines(tmp_path / "call.zip", "pieces.jsonl"))


async def test_it_is_read_from_front_to_back(tmp_path: Path) -> None:
    """From a pipe, each piece can be checked as it comes: its size and its checksum stand before it."""
    file = await written(tmp_path)
    with file.open("rb") as raw:
        source = Source(_Pipe(raw))
        found = {}
        for reading in pieces(source):
            found[reading.piece.name] = b"".join(reading.chunks())
    with zipfile.ZipFile(file) as zipped:
        assert zipped.testzip() is None
        assert found == {name: zipped.read(name) for name in zipped.namelist()}


class _Pipe:
    """Gives what there is in odd amounts, and seeks nowhere."""

    def __init__(self, raw: io.BufferedReader) -> None:
        self._raw = raw

    def read(self, most: int, /) -> bytes:
        return self._raw.read(min(most, 1_009))


async def test_every_piece_has_its_checksum_in_the_index(tmp_path: Path) -> None:
    """`sha256sum` of what any zip program unpacks is what `pieces.jsonl` says."""
    import hashlib

    file = await written(tmp_path)
    with zipfile.ZipFile(file) as zipped:
        for row in json_lines(file, "pieces.jsonl"):
            content = zipped.read(row["name"])
            assert (len(content), hashlib.sha256(content).hexdigest()) == (row["bytes"], row["sha256"])
            assert zipped.getinfo(row["name"]).header_offset == row["at"]
        with wave.open(io.BytesIO(zipped.read("session.wav"))) as sound:
            assert (sound.getnchannels(), sound.getframerate()) == (2, 16_000)


# ── files of the first version ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_file_of_the_first_version_is_read() -> None:
    """What was exported before files were streamed: events, sounds and state."""
    log = scenarios.barge_in()
    with open_export(OLD) as file:
        assert (file.version, file.session, file.partitions) == (1, "s1", None)
        events = await all_of(file)
        assert [event.model_dump(exclude={"agent"}) for event in events] == [
            event.model_dump(exclude={"agent"}) for event in log
        ]
        pcm = await file.get_blob(refs(log)[0].key)
        assert pcm is not None
        assert np.frombuffer(pcm, "<i2").max() == 1000
        assert file.state["totals"]["turns"] == 2


async def test_a_cut_file_of_the_first_version_is_refused_and_salvaged(tmp_path: Path) -> None:
    """Which had no index: a zip that does not end, or whose manifest is missing, was cut off."""
    content, cut = OLD.read_bytes(), tmp_path / "old.zip"
    for byte in (len(content) // 8, len(content) // 2, content.index(b"PK\1\2") + 9):
        cut.write_bytes(content[:byte])
        with pytest.raises(ExportError, match="cut off at byte"):
            open_export(cut)
        with open_export(cut, salvage=True) as file:
            events = await all_of(file)
            assert [event.seq for event in events] == list(range(1, len(events) + 1))


async def test_an_export_of_an_export_is_the_same(tmp_path: Path) -> None:
    """Byte by byte, with where it came from."""
    first = await written(tmp_path, partitions=8)
    with open_export(first) as file:
        assert isinstance(file, ExportFile)
        await export(file, "s1", tmp_path / "again.zip", partitions=file.partitions)
    assert (tmp_path / "again.zip").read_bytes() == first.read_bytes()
