"""Captions beside a recording: read whatever is in them, and given to whoever spoke."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.replay._captions import captions
from ops.replay.importing import Options, import_recording
from schemas.errors import AntiphonError
from schemas.events import PlaybackStarted
from schemas.log import MemoryBus
from schemas.session.promises import violations
from tests.ops.replay.conversations import RATE, imported, talk, vtt, write


def test_captions_of_both_kinds_are_read() -> None:
    """WebVTT with voices, tags, entities, notes and settings; SubRip with its commas and numbers."""
    read = captions(
        "\ufeffWEBVTT - x\n\nSTYLE\n::cue { }\n\n1\n00:01.000 --> 00:02.500 align:start\n"
        "<v.loud Ann Lee>Hi <b>there</b> &lt;you&gt;\nand all\n\n"
        "01:00:00.000 --> 01:00:01.000\n<v Bob>Bye\n\n00:03.000 --> 00:04.000\n\n",
        "x.vtt",
    )
    assert [(one.start, one.end, one.text, one.voice) for one in read] == [
        (1.0, 2.5, "Hi there <you> and all", "Ann Lee"),
        (3600.0, 3601.0, "Bye", "Bob"),
    ]
    (one,) = captions("1\n00:00:01,500 --> 00:00:02,000\nHallo\x1b[2J\n", "x.srt")
    assert (one.start, one.text) == (1.5, "Hallo[2J")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no captions in it"),
        ("WEBVTT\n\nhello\n", "no captions in it"),
        ("WEBVTT\n\nsoon --> later\nhello\n", "line 3: 'soon' is no time"),
        ("WEBVTT\n\n00:02.000 --> 00:01.000\nhello\n", "ends at 1 s, before it begins"),
        ("00:00.000 --> 00:01.000\nx\n\n" * 100_001, "more than 100,000 captions"),
    ],
)  # fmt: skip
def test_captions_that_are_none_are_one_sentence(text: str, says: str) -> None:
    """Which file, and which line."""
    with pytest.raises(AntiphonError, match=rf"x\.vtt: .*{says}"):
        captions(text, "x.vtt")


@pytest.mark.parametrize("piece", ["<", "<v ", "<v.", "<v.a ", "<v" + " " * 9, "&", "--> "])
def test_captions_are_read_as_fast_whatever_is_in_them(piece: str) -> None:
    """A quarter of a million tags that are never closed: looked for once each, not each to the end of the file."""
    (one, *_) = captions("WEBVTT\n\n00:00.500 --> 00:02.000\n<v Ann>hello " + piece * 250_000, "x.vtt")
    assert one.text.startswith("hello")
    assert one.voice == "Ann"


@given(st.text(alphabet="\n\r0123456789:.,-> <v>/&;aé\x00\u2028", max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_is_captions_or_a_sentence(text: str) -> None:
    """Nothing else comes of it, whatever it is."""
    try:
        found = captions(f"00:01.000 --> 00:02.000\nx\n\n{text}", "x.vtt")
    except AntiphonError:
        return
    assert all(one.start < one.end and one.text for one in found)
    assert [one.start for one in found] == sorted(one.start for one in found)


async def test_captions_are_given_to_whoever_spoke(tmp_path: Path) -> None:
    """By when they stand, and by the voice they name; what tells of silence is left out, and said."""
    made = talk()
    path = write(tmp_path / "call.wav", made.sound())
    (tmp_path / "call.vtt").write_text(vtt(made, voices=True) + "\n59:00.000 --> 59:01.000\nNobody.\n")
    done, _, events = await imported(path, captions=tmp_path / "call.vtt")
    said = [event for event in events if event.type == "transcript.final"]
    assert " ".join(event.text for event in said) == "caller 0 & more caller 1 & more"
    spoken = [event.text for event in events if event.type == "reply.sentence"]
    assert [text for text in spoken if text != "…"] == ["agent 0 & more", "agent 1 & more", "agent 2 & more"]
    assert [note for note in done.notes if "1 of 6 captions" in note]


async def test_one_channel_is_told_apart_by_its_captions(tmp_path: Path) -> None:
    """Mono, with everybody's voice in it: captions that name who speaks make two sides of it."""
    made = talk()
    path = write(tmp_path / "call.wav", made.sound().sum(axis=1).astype(np.int16))
    (tmp_path / "call.vtt").write_text(vtt(made, voices=True))
    _, _, events = await imported(path, captions=tmp_path / "call.vtt")
    assert violations(events) == []
    assert [event.text for event in events if event.type == "transcript.final"] == [
        "caller 0 & more",
        "caller 1 & more",
    ]
    assert sum(isinstance(event, PlaybackStarted) for event in events) == 3
    with pytest.raises(AntiphonError, match="--agent-voice Bob: the captions have agent, caller"):
        await imported(path, captions=tmp_path / "call.vtt", agent_voice="Bob")


async def test_captions_cannot_make_more_of_a_recording_than_is_in_it(tmp_path: Path) -> None:
    """A thousand voices at one moment would be a thousand copies of it: refused, before they are kept."""
    path = write(tmp_path / "call.wav", talk().sound()[: 10 * RATE].sum(axis=1).astype(np.int16))
    crowd = "".join(f"00:01.000 --> 00:09.000\n<v voice{n}>hello\n\n" for n in range(1_000))
    (tmp_path / "call.vtt").write_text(f"WEBVTT\n\n{crowd}")
    log = MemoryBus()
    with pytest.raises(AntiphonError, match=r"call\.wav: its captions have more than 8 people speak at once"):
        await import_recording(path, log, Options(captions=tmp_path / "call.vtt"))
    assert await log.closed() == []


async def test_captions_that_cannot_be_read_are_one_sentence(tmp_path: Path) -> None:
    """Before the recording is: which file, and what is wrong."""
    path = write(tmp_path / "call.wav", talk().sound()[: 2 * RATE])
    (tmp_path / "bad.vtt").write_bytes(b"WEBVTT\n\xff\xfe")
    for name, says in (("none.vtt", "cannot be read"), ("bad.vtt", r"no UTF-8 at byte 7")):
        with pytest.raises(AntiphonError, match=rf"{name}: {says}"):
            await imported(path, captions=tmp_path / name)
