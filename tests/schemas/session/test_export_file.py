"""The export file: self-contained, streamed, checked to the byte; what is damaged is refused with the place, and salvaged."""

import asyncio
import io
import json
import os
import random
import re
import struct
import tracemalloc
import wave
import zipfile
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schemas.audio import AudioRef
from schemas.bus import Reading
from schemas.errors import EventError, ExportError
from schemas.events import ClipReady, Event, SayRequested, UtteranceCaptured
from schemas.session.cache import folded
from schemas.session.export import Export, ExportFile, export, open_export
from schemas.session.export._naming import Names
from schemas.session.export._zip import Source, Writer, pieces
from schemas.session.fold import fold_all
from schemas.session.listing import Rows
from schemas.session.snapshot import view
from tests.archive import Archive
from tests.golden import scenarios

OLD = Path(__file__).with_name("export-1.zip")
"""`scenarios.barge_in` as the first version of the file had it."""


def with_sound(log: list[Event], seed: int = 1) -> Archive:
    """The session with its blobs: noise, which no two have alike."""
    made, archive = random.Random(seed), Archive(log)
    for ref in refs(log):
        archive.blobs[ref.key] = made.randbytes(2 * min(ref.samples, 4_000))
    return archive


def refs(log: list[Event]) -> list[AudioRef]:
    found = [ref for event in log if isinstance(event, UtteranceCaptured) for ref in event.audio]
    return found + [event.audio for event in log if isinstance(event, ClipReady)]


def long_log(count: int) -> list[Event]:
    """`count` events."""
    first, *_, last = scenarios.plain()
    said = [SayRequested(seq=seq, at=first.at + seq, text=f"say {seq} " + "x" * (seq % 90)) for seq in range(2, count)]
    return [first, *said, last.model_copy(update={"seq": count, "at": first.at + count})]


async def written(folder: Path, log: list[Event] | None = None, name: str = "call.zip", **more: Any) -> Path:
    file = folder / name
    await export(with_sound(log if log is not None else scenarios.barge_in()), "s1", file, **more)
    return file


def opened(path: Path, *, salvage: bool = False) -> ExportFile | str:
    """The file, or why it is refused."""
    try:
        return open_export(path, salvage=salvage)
    except ExportError as error:
        return str(error)


async def all_of(file: Reading, session: str = "s1", size: int | None = 7) -> list[Event]:
    found: list[Event] = []
    while page := await file.read(session, found[-1].seq if found else 0, size):
        found += page
    return found


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


def json_lines(file: Path, name: str) -> list[dict[str, Any]]:
    with zipfile.ZipFile(file) as zipped:
        return [json.loads(line) for line in zipped.read(name).splitlines()]


# ── cut off ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def heads(file: Path) -> list[tuple[int, str]]:
    """Where each piece begins, and which it is."""
    with zipfile.ZipFile(file) as zipped:
        return [(info.header_offset, info.filename) for info in zipped.infolist()]


async def test_one_that_was_cut_off_is_refused_with_the_place(tmp_path: Path) -> None:
    """At the end of each piece, in its head, in its middle, in the directory: which piece, and which byte."""
    whole = await written(tmp_path)
    content, cut = whole.read_bytes(), tmp_path / "cut.zip"
    places = heads(whole)
    for number, (at, name) in enumerate(places, 1):
        end = places[number][0] if number < len(places) else content.index(b"PK\1\2")
        for byte in {at, at + 20, (at + 32 + end) // 2, end - 1}:
            cut.write_bytes(content[:byte])
            with pytest.raises(ExportError) as caught:
                open_export(cut)
            if number == 1 and byte < at + 30 + len(name):
                assert "export" in str(caught.value)
            elif byte > at:
                assert f"cut off at byte {byte:,}, in piece {number}" in str(caught.value), (number, byte)
                assert f"`antiphon import {cut} --salvage`" in str(caught.value)
    for byte in range(content.index(b"PK\1\2"), len(content), 37):
        cut.write_bytes(content[:byte])
        with pytest.raises(ExportError, match="cut off at byte"):
            open_export(cut)


async def test_of_one_that_was_cut_off_what_came_before_is_salvaged(tmp_path: Path) -> None:
    """Wherever it was cut: the events up to there, the sounds that are whole, and what is lost in a sentence."""
    log = long_log(3_000)
    captured = next(event for event in scenarios.barge_in() if isinstance(event, UtteranceCaptured))
    log[1_000] = captured.model_copy(update={"seq": 1_001, "at": log[999].at})
    kept = with_sound(log)
    whole = tmp_path / "call.zip"
    await export(kept, "s1", whole)
    content, cut, counts = whole.read_bytes(), tmp_path / "cut.zip", []
    for byte in range(1_500, len(content), len(content) // 25):
        cut.write_bytes(content[:byte])
        file = opened(cut, salvage=True)
        if isinstance(file, str):
            assert "holds no events" in file
            continue
        with file:
            found = await all_of(file, size=1_000)
            counts.append(len(found))
            assert found == log[: len(found)]
            assert len(found) == file.events
            assert "cut off at byte" in file.lost
            sounds = {ref.key: await file.get_blob(ref.key) for ref in refs(found)}
            assert all(pcm in (None, kept.blobs[key]) for key, pcm in sounds.items())
    assert counts == sorted(counts)
    assert (0 < counts[0] < 2_000, counts[-1]) == (True, 3_000)


# ── altered ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_no_altered_byte_goes_unnoticed(tmp_path: Path) -> None:
    """A flipped bit is refused with the place, wherever it is; also where what is unpacked is still the same."""
    log = scenarios.plain()
    kept = Archive(log)
    for ref in refs(log):
        kept.blobs[ref.key] = random.Random(2).randbytes(300)
    whole = tmp_path / "call.zip"
    await export(kept, "s1", whole)
    content, altered = whole.read_bytes(), tmp_path / "altered.zip"
    dice = random.Random(3)
    for byte in sorted(dice.sample(range(len(content)), 700)):
        flipped = bytearray(content)
        flipped[byte] ^= 1 << dice.randrange(8)
        altered.write_bytes(flipped)
        why = opened(altered)
        assert isinstance(why, str), byte
        assert str(altered) in why
        assert re.search(r"piece \d+|export|version", why)


async def test_however_it_is_damaged_what_is_salvaged_can_be_read(tmp_path: Path) -> None:
    """Bytes flipped, left out, put in and moved, a dozen at once: a sentence, or the beginning of the session; never anything
    else."""
    log = scenarios.barge_in()
    content, damaged, dice, salvaged = (
        (await written(tmp_path, log)).read_bytes(),
        tmp_path / "x.zip",
        random.Random(5),
        0,
    )
    for _ in range(250):
        made = bytearray(content)
        for _ in range(dice.randrange(1, 5)):
            at, size = dice.randrange(len(made)), dice.choice([1, 4, 300])
            match dice.randrange(4):
                case 0:
                    made[at] = dice.randrange(256)
                case 1:
                    del made[at : at + size]
                case 2:
                    made[at:at] = dice.randbytes(size)
                case _:
                    made[at:at] = made[:size]
        damaged.write_bytes(made)
        assert isinstance(opened(damaged), str) or made == content
        found = opened(damaged, salvage=True)
        if isinstance(found, str):
            assert "\n" not in found
            continue
        with found:
            salvaged += 1
            events = await all_of(found, found.session)
            assert events == log[: len(events)]
            for ref in refs(events):
                await found.get_blob(ref.key)
    assert salvaged > 50


async def test_an_altered_sound_is_named_and_the_rest_salvaged(tmp_path: Path) -> None:
    """The place is the sound's piece; without it all else is there."""
    log = scenarios.barge_in()
    file = await written(tmp_path, log)
    content = bytearray(file.read_bytes())
    (at,) = [at for at, name in heads(file) if name == "audio/u1.wav"]
    content[at + 2_000] ^= 1
    file.write_bytes(content)
    with pytest.raises(ExportError, match=r"altered in piece \d+ \(audio/u1\.wav\), bytes? [\d,]+"):
        open_export(file)
    with open_export(file, salvage=True) as found:
        assert await all_of(found) == log
        missing = [ref.key for ref in refs(log) if await found.get_blob(ref.key) is None]
        assert missing == [ref.key for ref in refs(log) if ref.key.endswith("/u1")]
        assert "audio/u1.wav" in found.lost


async def test_after_an_altered_piece_of_events_none_is_believed(tmp_path: Path) -> None:
    """A session with a hole in it would be another session."""
    log = long_log(9_000)
    file = await written(tmp_path, log)
    content = bytearray(file.read_bytes())
    (at,) = [at for at, name in heads(file) if name == "events.00003.jsonl"]
    content[at + 500] ^= 4
    file.write_bytes(content)
    with open_export(file, salvage=True) as found:
        events = await all_of(found, size=1_000)
        assert events == log[: len(events)]
        assert len(events) == json_lines(tmp_path / "call.zip", "pieces.jsonl")[3]["last_event"]


async def test_pieces_left_out_or_put_in_are_noticed(tmp_path: Path) -> None:
    """Packed anew with another program, one is missing, or has another's content: refused."""
    file = await written(tmp_path)
    with zipfile.ZipFile(file) as zipped:
        content = {name: zipped.read(name) for name in zipped.namelist()}

    def repacked(**others: bytes | None) -> Path:
        target = tmp_path / "again.zip"
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
            for name, held in (content | others).items():
                if held is not None:
                    made.writestr(name, held)
        return target

    for others in ({}, {"audio/u1.wav": None}, {"audio/u1.wav": b"RIFF"}, {"more.txt": b"x"}):
        with pytest.raises(ExportError, match=r"altered in piece \d+"):
            open_export(repacked(**others))


async def test_what_is_appended_is_noticed(tmp_path: Path) -> None:
    """Nothing may follow the end."""
    file = await written(tmp_path)
    whole = file.stat().st_size
    with file.open("ab") as raw:
        raw.write(b"more")
    with pytest.raises(ExportError, match=rf"altered in piece \d+ \(the directory\), byte {whole:,}"):
        open_export(file)


async def test_a_file_that_changes_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    """What was sound when it was opened, and is no more, is no sound."""
    log = scenarios.barge_in()
    file = await written(tmp_path, log)
    with open_export(file) as found:
        size = file.stat().st_size
        with file.open("r+b") as raw:
            raw.seek(200)
            raw.write(os.urandom(size - 200))
        with pytest.raises(ExportError, match="has changed since"):
            await found.get_blob(refs(log)[0].key)
        with pytest.raises(ExportError, match="has changed since"):
            await found.read("s1")


# ── what is none of ours ─────────────────────────────────────────────────────────────────────────────────────────────


def made_of(file: Path, *contents: tuple[str, bytes]) -> Path:
    """A file of these pieces, in this order, each with its right checksum."""
    writer = Writer()
    file.write_bytes(b"".join(writer.piece(name, content, 6) for name, content in contents) + writer.directory())
    return file


HEAD = ("antiphon.json", b'{"format": "antiphon.session", "version": 2, "session": "s1", "partitions": 1}')


@pytest.mark.parametrize(
    ("contents", "says"),
    [
        ([("antiphon.json", HEAD[1].replace(b"2,", b"3,"))], "written in version 3 of the export file, 2 is known here"),
        ([("antiphon.json", b"[]")], "none of ours"),
        ([("antiphon.json", b"{" * 9_000)], "none of ours"),
        ([("antiphon.json", HEAD[1].replace(b'"s1"', b'"../../s1"'))], "none of ours"),
        ([("antiphon.json", HEAD[1].replace(b'"s1"', b'7'))], "none of ours"),
        ([("word/document.xml", b"<x/>")], "a zip, but no export: it begins with 'word/document.xml'"),
        ([("\x1b[2Jx", b"")], "it begins with '\\\\x1b[2Jx'"),
        ([HEAD], "its pieces.jsonl is missing"),
        ([HEAD, ("events.jsonl", b'{"seq": 1}\n')], "event 1 was expected, found"),
        ([HEAD, ("events.jsonl", b'{"seq": 2, "at": 1, "type": "x"}\n')], "event 1 was expected, found"),
        ([HEAD, ("events.jsonl", b"[" * 100_000 + b"\n")], "event 1 was expected, found"),
        ([HEAD, ("events.jsonl", b'{"seq": 1, "at": 1, "type": "x"}')], "its last line does not end"),
        ([HEAD, ("events.00002.jsonl", b"")], "events.jsonl was expected"),
    ],
)  # fmt: skip
def test_what_is_no_export_is_one_sentence(contents: list[tuple[str, bytes]], says: str, tmp_path: Path) -> None:
    """A newer version, another program's zip, a head or an event of no sense: which file, and what was found in it."""
    with pytest.raises(ExportError) as caught:
        open_export(made_of(tmp_path / "odd.zip", *contents))
    assert str(caught.value).startswith(f"{tmp_path / 'odd.zip'}: ")
    assert says in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"PK", b"RIFF....WAVEfmt ", b"PK\5\6" + bytes(18), os.urandom(5_000)])
def test_a_file_of_another_kind_is_one_sentence(content: bytes, tmp_path: Path) -> None:
    """Also with --salvage."""
    file = tmp_path / "odd.zip"
    file.write_bytes(content)
    for salvage in (False, True):
        with pytest.raises(ExportError, match=r"odd\.zip: .*export"):
            open_export(file, salvage=salvage)
    with pytest.raises(ExportError, match=r"none\.zip: cannot be read \(No such file"):
        open_export(tmp_path / "none.zip")
    with pytest.raises(ExportError, match="cannot be read"):
        open_export(tmp_path)


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        ({"at": -1}, "has at -1, which no log has"),
        ({"at": 1 << 60}, "which no log has"),
        ({"ago": 1e300}, "has ago 1e+300"),
        ({"ago": float("inf")}, "event 2 was expected"),
        ({"ago": float("nan")}, "event 2 was expected"),
        ({"ago": "soon"}, "has ago 'soon'"),
        ({"audio": [{"key": "k", "rate": 0, "samples": 5}]}, "has a sound of 5 samples at 0 Hz"),
        ({"audio": [{"key": "k", "rate": 16_000, "samples": 1 << 40}]}, "samples at 16000 Hz"),
        ({"audio": [{"key": "k", "rate": 16_000, "samples": -1}]}, "has a sound of -1 samples"),
    ],
)  # fmt: skip
def test_times_and_sounds_that_cannot_be_are_refused(odd: dict[str, Any], says: str, tmp_path: Path) -> None:
    """Who made them wants to see what divides by them."""
    lines = [json_line_of(scenarios.plain()[0]), json.dumps({"seq": 2, "at": 1, "type": "utterance.captured"} | odd)]
    file = made_of(tmp_path / "odd.zip", HEAD, ("events.jsonl", "\n".join([*lines, ""]).encode()))
    with pytest.raises(ExportError, match=re.escape(says)):
        open_export(file)


async def test_an_event_of_a_newer_program_is_told_when_it_is_read(tmp_path: Path) -> None:
    """As in any log: the file is sound, and this program too old for it."""
    first = json.loads(json_line_of(scenarios.plain()[0]))
    lines = json.dumps(first) + "\n" + json.dumps({"seq": 2, "at": first["at"], "type": "mood.changed"}) + "\n"
    file = made_of(tmp_path / "odd.zip", HEAD, ("events.jsonl", lines.encode()))
    with open_export(file, salvage=True) as found:
        assert len(await found.read("s1", 0, 1)) == 1
        with pytest.raises(EventError, match=r"mood\.changed"):
            await found.read("s1")


def json_line_of(event: Event) -> str:
    from schemas.codec import event_to_json

    return json.dumps(event_to_json(event))


# ── bombs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@cache
def zeros_packed(zeros: int) -> tuple[bytes, int]:
    """And their CRC."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    chunk, crc = bytes(1 << 20), 0
    packed = b"".join(packer.compress(chunk) for _ in range(zeros >> 20)) + packer.flush()
    for _ in range(zeros >> 20):
        crc = zlib.crc32(chunk, crc)
    return packed, crc


def bomb(name: str, zeros: int) -> Iterator[bytes]:
    """A piece that unpacks to so many bytes: a thousandth of them is read."""
    packed, crc = zeros_packed(zeros)
    yield struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0x21, crc, len(packed), zeros, len(name), 0) + name.encode()
    yield packed


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("events.jsonl", "a line in it is longer than"),
        ("state.json", "it is too long"),
        ("manifest.json", "it is too long"),
        ("pieces.jsonl", "a line in it is longer than"),
        ("session.wav", "unpacks to more than 209,715,200 bytes"),
        ("audio/u1.wav", "unpacks to more than 209,715,200 bytes"),
    ],
)
def test_a_bomb_does_not_go_off(name: str, says: str, tmp_path: Path) -> None:
    """220 MB in 1 MB, wherever: refused with the piece, in a memory of a few lines."""
    writer = Writer()
    file = tmp_path / "bomb.zip"
    file.write_bytes(writer.piece(*HEAD) + b"".join(bomb(name, 220 << 20)))
    tracemalloc.start()
    try:
        with pytest.raises(ExportError, match=re.escape(says)) as caught:
            open_export(file, most=200 << 20)
        assert tracemalloc.get_traced_memory()[1] < 80 << 20
    finally:
        tracemalloc.stop()
    assert name in str(caught.value)


def test_a_file_of_nothing_but_pieces_is_refused(tmp_path: Path) -> None:
    """A head costs 30 bytes; no session has as many as would fill the memory."""
    writer = Writer()
    file = tmp_path / "many.zip"
    with file.open("wb") as raw:
        raw.write(writer.piece(*HEAD))
        head = writer.piece("audio/x.wav", b"")
        for _ in range(60_001):
            raw.write(head)
    with pytest.raises(ExportError, match="more than 60,000 pieces"):
        open_export(file)


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
