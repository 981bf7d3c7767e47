"""An export file is checked to the byte: what is damaged is refused with the place, and salvaged."""

import os
import random
import re
import zipfile
from pathlib import Path

import pytest

from schemas.errors import ExportError
from schemas.events import UtteranceCaptured
from schemas.session.export import export, open_export
from tests.archive import Archive
from tests.golden import scenarios
from tests.schemas.session.exports import all_of, heads, json_lines, long_log, opened, refs, with_sound, written

# ── cut off ──────────────────────────────────────────────────────────────────────────────────────────────────────────


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
        if not isinstance(whole := opened(damaged), str):
            whole.close()
            assert made == content  # a byte may be put where it was
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
