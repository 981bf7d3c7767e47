"""What is no export file, or was made to do harm, is refused in a sentence."""

import json
import os
import re
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import EventError, ExportError
from schemas.events import Event
from schemas.session.export import open_export
from schemas.session.export._zip import Writer
from tests.golden import scenarios
from tests.schemas.session.exports import HEAD, made_of


@pytest.mark.parametrize(
    ("contents", "says"),
    [
        ([("antiphon.json", HEAD[1].replace(b"2,", b"3,"))], "written in version 3 of the export file, 2 is known here"),
        ([("antiphon.json", b"[]")], "none of ours"),
        ([("antiphon.json", b"{" * 9_000)], "none of ours"),
        ([("antiphon.json", HEAD[1].replace(b'"s1"', b'"../../s1"'))], "none of ours"),
        ([("antiphon.json", HEAD[1].replace(b'"s1"', b'7'))], "none of ours"),
        ([("antiphon.json", HEAD[1].replace(b'"s1"', b'"\\ud800"'))], "none of ours"),
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
        ({"audio": [{"key": "k", "rate": 3, "samples": 5}]}, "has a sound of 5 samples at 3 Hz"),
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
        ("session.wav", "unpacks to more than 104,857,600 bytes"),
        ("audio/u1.wav", "unpacks to more than 104,857,600 bytes"),
    ],
)
def test_a_bomb_does_not_go_off(name: str, says: str, tmp_path: Path) -> None:
    """120 MB in half of one, wherever: refused with the piece, in a memory of a few lines."""
    writer = Writer()
    file = tmp_path / "bomb.zip"
    file.write_bytes(writer.piece(*HEAD) + b"".join(bomb(name, 120 << 20)))
    tracemalloc.start()
    try:
        with pytest.raises(ExportError, match=re.escape(says)) as caught:
            open_export(file, most=100 << 20)
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
