"""Calls from elsewhere: what becomes of them can be shown, heard, compared and replayed as any session of our own."""

import asyncio
import json
import os
import struct
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from gateway.sound.audio_file import read_speech, sides
from ops import cli
from ops.replay._captions import captions
from ops.replay._composing import Call, Heard, events_of_call
from ops.replay._cutting import AGENT, CALLER, LONGEST, Cutting
from ops.replay.importing import Imported, Options, Shelf, import_export, import_recording
from ops.stack.embedded.valkey import Valkey
from schemas.audio import AudioRef, Pcm
from schemas.clock import Micros
from schemas.config.settings import Settings
from schemas.errors import AntiphonError, AudioFileError, ExportError
from schemas.events import Event, PlaybackStarted, TurnEnded, UtteranceCaptured, Word
from schemas.log import MemoryBus, RedisBus
from schemas.session.export import export, open_export
from schemas.session.history import events_of, steps_of
from schemas.session.promises import violations
from schemas.session.sound import Recording, Score, heard_at
from tests.golden import scenarios
from tests.ops.replay.sounding import sounding
from workers.providers import Hearing, Stt, Transcript

RATE = 16_000
LINES = Path(__file__).parents[3] / "ops" / "bench" / "lines"


def line(number: int) -> Pcm:
    """Somebody says a sentence."""
    (path,) = LINES.glob(f"{number:02}*.flac")
    return read_speech(path)


class Conversation:
    """What is on the left and on the right, by seconds."""

    def __init__(self) -> None:
        self.tracks: tuple[list[tuple[float, Pcm]], list[tuple[float, Pcm]]] = ([], [])
        self.length = 0.0

    def say(self, side: int, at: float, pcm: Pcm) -> float:
        """Answers when it is over."""
        self.tracks[side].append((at, pcm))
        end = at + len(pcm) / RATE
        self.length = max(self.length, end)
        return end

    def sound(self) -> np.ndarray:
        both = np.zeros((round((self.length + 1.0) * RATE), 2), np.int16)
        for side, track in enumerate(self.tracks):
            for at, pcm in track:
                first = round(at * RATE)
                both[first : first + len(pcm), side] = pcm
        return both


def talk() -> Conversation:
    """A greeting, a question, its answer 0.9 s later, a second question, its answer 1.4 s later."""
    made = Conversation()
    end = made.say(AGENT, 0.5, line(0))
    end = made.say(CALLER, end + 1.0, line(1))
    end = made.say(AGENT, end + 0.9, line(2))
    end = made.say(CALLER, end + 1.0, line(3))
    made.say(AGENT, end + 1.4, line(4))
    return made


def write(path: Path, sound: np.ndarray, rate: int = RATE) -> Path:
    soundfile.write(path, sound, rate)
    return path


async def imported(path: Path, **options: Any) -> tuple[Imported, MemoryBus, list[Event]]:
    log = MemoryBus()
    done = await import_recording(path, log, Options(**options))
    return done, log, [event async for event in events_of(log, done.session)]


# ── a recording is cut ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_stereo_recording_is_cut_where_its_people_fall_silent(tmp_path: Path) -> None:
    """Each side by itself, to a fraction of a second, with the sound that was there."""
    made = talk()
    pieces = list(Cutting(write(tmp_path / "call.wav", made.sound())).pieces())
    assert sorted((one.side, round(one.start / RATE)) for one in pieces if one.end - one.start > RATE // 2)
    for side in (CALLER, AGENT):
        spoken = [(at, at + len(pcm) / RATE) for at, pcm in made.tracks[side]]
        found = [(one.start / RATE, one.end / RATE) for one in pieces if one.side == side]
        for start, end in found:
            assert any(first - 0.3 <= start and end <= last + 0.3 for first, last in spoken), (side, start, end)
        for first, last in spoken:
            assert any(first - 0.3 <= start <= last for start, _ in found)
    sound = made.sound().astype(int)
    for one in pieces:
        there = sound[one.start : one.end, one.side]
        assert abs(len(there) - len(one.pcm)) < 512
        assert np.abs(one.pcm[: len(there)] - there).max() <= 2


@pytest.mark.parametrize(("rate", "kind"), [(8_000, "FLOAT"), (44_100, "PCM_24"), (48_000, "PCM_U8")])
def test_any_rate_and_kind_is_heard(rate: int, kind: str, tmp_path: Path) -> None:
    """As at 16 kHz, within a tenth of a second; sides stay apart."""
    import soxr

    made = talk()
    sound = soxr.resample(made.sound() / np.float32(32768), RATE, rate)
    soundfile.write(tmp_path / "call.wav", sound, rate, subtype=kind)
    there = [(one.side, round(one.start / RATE, 1)) for one in Cutting(tmp_path / "call.wav").pieces()]
    here = [(one.side, round(one.start / RATE, 1)) for one in Cutting(write(tmp_path / "x.wav", made.sound())).pieces()]
    assert len(there) == len(here)
    assert all(a == b and abs(x - y) <= 0.2 for (a, x), (b, y) in zip(there, here, strict=True))


def test_unbroken_speech_is_cut_in_pieces(tmp_path: Path) -> None:
    """None is longer than a recognizer hears, and none of it is lost between two."""
    said = np.concatenate([line(number) for number in range(20)])[: 55 * RATE]
    rng = np.random.default_rng(1)
    said = np.clip(said + rng.normal(0, 20, len(said)), -32768, 32767).astype(np.int16)
    pieces = list(Cutting(write(tmp_path / "mono.wav", said)).pieces())
    assert all(one.side == CALLER for one in pieces)
    assert max(one.end - one.start for one in pieces) <= (LONGEST + 0.5) * RATE
    assert sum(one.end - one.start for one in pieces) > 30 * RATE
    assert [one.start for one in pieces] == sorted(one.start for one in pieces)


def test_channels_are_read_apart(tmp_path: Path) -> None:
    """Of a file of any rate; one of many channels has two that count."""
    for rate in (16_000, 24_000):
        made = np.zeros((rate, 3), np.int16)
        made[:, 0], made[:, 1], made[:, 2] = 1000, -2000, 9000
        write(tmp_path / "three.wav", made, rate)
        found = np.concatenate(list(sides(tmp_path / "three.wav")))
        assert found.shape == (RATE, 2)
        assert abs(int(found[8_000, 0]) - 1000) < 20
        assert abs(int(found[8_000, 1]) + 2000) < 20


# ── and becomes a session ────────────────────────────────────────────────────────────────────────────────────────────


async def test_it_becomes_a_session_that_keeps_every_promise(tmp_path: Path) -> None:
    """A greeting and two turns, each answered after the silence there was; told in words, and heard as it was."""
    made = talk()
    path = write(tmp_path / "Their call.wav", made.sound())
    done, log, events = await imported(path, began=Micros(1_700_000_000_000_000))
    assert violations(events) == []
    assert done.session == "import-Their-call"
    ends = [(event.how, event.reason) for event in events if isinstance(event, TurnEnded)]
    assert ends == [("played", "finished")] * 3
    waits = [step.waterfall async for step in steps_of(log, done.session) if step.waterfall is not None]
    assert [wait.kind for wait in waits] == ["own", "voice", "voice"]
    assert [wait.total for wait in waits[1:]] == [pytest.approx(0.9, abs=0.35), pytest.approx(1.4, abs=0.35)]
    assert all(wait.parts["commit_wait"] == pytest.approx(wait.total) for wait in waits[1:])
    assert all(step.line.text for step in [step async for step in steps_of(log, done.session)])
    assert await heard(log, events) > 0.9


async def heard(log: MemoryBus, events: Sequence[Event]) -> float:
    """How much of what sounds in the session's own recording is at its place: the share of loud samples that are the same."""
    score = Score()
    for event in events:
        score.add(event)

    async def fetch(ref: AudioRef) -> Pcm | None:
        pcm = await log.get_blob(ref.key)
        return None if pcm is None else heard_at(pcm, ref.rate)

    blocks = [block async for block in Recording(score, fetch).blocks()]
    mixed, made = np.concatenate(blocks).astype(int), talk().sound().astype(int)
    loud = np.abs(made) > 500
    same = np.abs(mixed[: len(made)] - made[: len(mixed)]) < 50
    return float(same[loud[: len(mixed)]].mean())


async def test_swapped_sides_are_swapped(tmp_path: Path) -> None:
    """--swap: the agent is on the left."""
    path = write(tmp_path / "call.wav", talk().sound()[:, ::-1])
    _, _, events = await imported(path, swap=True)
    assert sum(isinstance(event, UtteranceCaptured) for event in events) >= 2
    assert events[2].type == "turn.committed"


async def test_who_is_spoken_over_and_falls_silent_was_interrupted(tmp_path: Path) -> None:
    """What is said over the agent is told so; where it speaks on, it was no turn of theirs."""
    made = Conversation()
    end = made.say(CALLER, 0.5, line(1))
    story = np.concatenate([line(16)[: 5 * RATE], line(20)])
    at = end + 0.8
    made.say(AGENT, at, story[: 4 * RATE])
    end = made.say(CALLER, at + 3.2, line(3))
    made.say(AGENT, end + 0.8, line(4))
    _, _, events = await imported(write(tmp_path / "call.wav", made.sound()))
    assert violations(events) == []
    ends = {event.turn: (event.how, event.reason) for event in events if isinstance(event, TurnEnded)}
    assert ends[1] == ("interrupted", "barge_in")
    assert ends[2] == ("played", "finished")


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


def vtt(made: Conversation, *, voices: bool) -> str:
    cues = []
    for side, (name, track) in enumerate(zip(("caller", "agent"), made.tracks, strict=True)):
        for number, (at, pcm) in enumerate(track):
            tag = f"<v {name}>" if voices else ""
            cues.append(
                (at, f"{stamp(at)} --> {stamp(at + len(pcm) / RATE)} line:90%\n{tag}{name} {number} &amp; <i>more</i>")
            )
        assert side in (CALLER, AGENT)
    return "WEBVTT\n\nNOTE made for a test\n\n" + "\n\n".join(cue for _, cue in sorted(cues))


def stamp(seconds: float) -> str:
    return f"{int(seconds // 60):02}:{seconds % 60:06.3f}"


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


class Parrot(Stt):
    """Hears how long something is."""

    model = "parrot"

    def __init__(self) -> None:
        super().__init__(Settings(_env_file=None))
        self.batches: list[int] = []

    async def transcribe(self, batch: Sequence[Hearing]) -> list[Transcript]:
        self.batches.append(len(batch))
        return [Transcript(f"{len(one.pcm)} samples", "en", 0.5, [Word(text="x", start=0.0, end=0.1)]) for one in batch]


async def test_what_no_caption_tells_is_transcribed(tmp_path: Path) -> None:
    """A few at a time, by the provider there is, for both sides, with its words."""
    parrot = Parrot()
    done, _, events = await imported(write(tmp_path / "call.wav", talk().sound()), stt=parrot)
    assert sum(parrot.batches) == done.sounds
    assert max(parrot.batches) <= 4
    captured = {event.utterance: event for event in events if isinstance(event, UtteranceCaptured)}
    for event in events:
        if event.type == "transcript.final":
            assert event.text == f"{captured[event.utterance].audio[0].samples} samples"
            assert (event.model, event.words[0].text) == ("parrot", "x")
    assert not done.notes


@pytest.mark.models
async def test_real_speech_is_heard_by_a_real_model(tmp_path: Path) -> None:
    """Of a recording of somebody reading, the words are those that were read."""
    from ops.people.recordings import packaged
    from workers.registry import provider

    settings = Settings(_env_file=None)
    stt = provider("stt", "", settings)
    try:
        path = write(tmp_path / "dickens.wav", packaged("two_cities", 0.0, 12.0))
        _, _, events = await imported(path, stt=stt, language="en")
    finally:
        await stt.aclose()
    said = " ".join(event.text for event in events if event.type == "transcript.final").lower()
    assert "best of times" in said
    assert "worst of times" in said


def piece(side: int, start: float, end: float, text: str | None = None) -> Heard:
    samples = round((end - start) * RATE)
    return Heard(side, start, end, AudioRef(key=f"k{side}{start}", rate=RATE, samples=samples), text)


async def test_whoever_speaks_when_the_log_is_sound() -> None:
    """However two people speak over, after and past each other, no promise of a log is broken, and every piece is in it."""
    import random

    for seed in range(300):
        dice, heard = random.Random(seed), []
        for side in (CALLER, AGENT):
            at = dice.random() * 3
            for _ in range(dice.randrange(1, 12)):
                end = at + 0.1 + dice.random() ** 2 * 8
                heard.append(piece(side, at, end, dice.choice([None, "", "hm"])))
                at = end + 0.61 + dice.random() ** 2 * 5
        events = events_of_call(Call(Micros(1_700_000_000_000_000), 60.0, "x.wav"), heard)
        assert violations(events) == [], seed
        captured = sum(isinstance(event, UtteranceCaptured) for event in events)
        played = sum(isinstance(event, PlaybackStarted) for event in events)
        assert captured == sum(one.side == CALLER for one in heard)
        assert played >= sum(one.side == AGENT and one.end - one.start > 0.4 for one in heard)


# ── captions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


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


# ── what can't be heard ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_recording_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    """Broken, empty, silent, no sound at all, text: nothing is kept of it."""
    whole = write(tmp_path / "whole.flac", talk().sound()).read_bytes()
    silent = write(tmp_path / "silent.wav", np.zeros((RATE, 2), np.int16)).read_bytes()
    cases = {
        b"": "an empty file",
        b"hello": "not a sound file",
        b"RIFF\xff\xff\xff\xffWAVEfmt ": "not a sound file",
        whole[: len(whole) // 2]: "broken",
        silent: "nobody speaks in it",
        silent[:44]: "no sound in it",
    }
    for number, (content, says) in enumerate(cases.items()):
        path, log = tmp_path / f"odd{number}.wav", MemoryBus()
        path.write_bytes(content)
        with pytest.raises(AntiphonError, match=rf"odd{number}\.wav: .*{says}"):
            await import_recording(path, log, Options())
        assert await log.closed() == []
    with pytest.raises(AudioFileError, match="cannot be read"):
        await import_recording(tmp_path / "none.wav", MemoryBus(), Options())


async def test_captions_that_cannot_be_read_are_one_sentence(tmp_path: Path) -> None:
    """Before the recording is: which file, and what is wrong."""
    path = write(tmp_path / "call.wav", talk().sound()[: 2 * RATE])
    (tmp_path / "bad.vtt").write_bytes(b"WEBVTT\n\xff\xfe")
    for name, says in (("none.vtt", "cannot be read"), ("bad.vtt", r"no UTF-8 at byte 7")):
        with pytest.raises(AntiphonError, match=rf"{name}: {says}"):
            await imported(path, captions=tmp_path / name)


def test_two_gigabytes_are_read_in_the_memory_of_a_few_seconds(tmp_path: Path) -> None:
    """A sparse WAV, whose head says that there is as much: read until somebody speaks, block by block."""
    path, size = tmp_path / "huge.wav", (2 << 30) - 4096
    head = struct.pack(
        "<4sL4s4sLHHLLHH4sL", b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, 2, 48_000, 192_000, 4, 16, b"data", size
    )
    with path.open("wb") as raw:
        raw.write(head)
        raw.truncate(size + 44)
    assert os.stat(path).st_blocks < 1_000
    cutting = Cutting(path, vad=Deaf())
    tracemalloc.start()
    try:
        blocks = sides(path)
        for _ in range(200):
            next(blocks)
        blocks.close()
        first = next(iter_some(cutting, 120.0), None)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert first is None
    assert cutting.length >= 120.0
    assert peak < 60 << 20


def iter_some(cutting: Cutting, seconds: float) -> Any:
    """Its pieces, until so much was read."""

    class Enough(Exception):
        pass

    heard = cutting._heard

    def bounded(listeners: Any) -> Any:
        yield from heard(listeners)
        if cutting.length >= seconds:
            raise Enough

    cutting._heard = bounded  # type: ignore[method-assign]
    try:
        yield from cutting.pieces()
    except Enough:
        return


class Deaf:
    """A VAD that hears nobody."""

    def warm_up(self) -> None: ...

    def take_slot(self) -> int:
        return 0

    def give_slot(self, slot: int) -> None: ...

    def run(self, slots: list[int], frames: Any) -> list[float]:
        return [0.0] * len(slots)


# ── an export of our own ─────────────────────────────────────────────────────────────────────────────────────────────


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


# ── the command ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_command_takes_recordings_and_exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording with captions into a file; that into another; both are shown and compared."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("REDIS_URL", raising=False)
    made = talk()
    write(tmp_path / "call.wav", made.sound())
    (tmp_path / "call.vtt").write_text(vtt(made, voices=True))

    def antiphon(*words: str) -> Any:
        return CliRunner().invoke(cli.app, list(words))

    done = antiphon("import", "call.wav", "call.vtt", "--as", "theirs", "-o", "theirs.zip", "--json")
    assert done.exit_code == 0, done.output
    (told,) = json.loads(done.stdout)["sessions"]
    assert (told["session"], told["sounds"] >= 5) == ("theirs", True)
    shown = antiphon("show", "theirs.zip")
    assert "says “agent 1 & more”" in shown.stdout
    assert "antiphon state theirs.zip --at" in shown.stdout
    assert antiphon("import", "theirs.zip", "--as", "again", "-o", "again.zip").exit_code == 0
    assert "They do not part" in antiphon("diff", "theirs.zip", "again.zip").stdout
    for words, says, code in (
        (("call.vtt",), "captions need the recording they tell of", 2),
        (("call.wav", "theirs.zip", "--as", "x"), "--as and --out are for one", 2),
        (("none.wav",), "none.wav: there is no such file", 2),
    ):
        refused = antiphon("import", *words)
        assert refused.exit_code == code, refused.output
        assert says in " ".join(refused.stderr.split())


def test_without_a_log_it_is_kept_in_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is made: there it is shown, heard and compared by its name, and given no second time."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANTIPHON_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("REDIS_URL", raising=False)
    write(tmp_path / "call.wav", talk().sound())
    asyncio.run(export(sounding(scenarios.barge_in()), "s1", tmp_path / "call.zip"))

    def antiphon(*words: str) -> Any:
        return CliRunner().invoke(cli.app, list(words))

    done = antiphon("import", "call.wav", "call.zip")
    assert done.exit_code == 0, done.output
    assert "import-call: " in antiphon("show", "import").stdout
    assert "turn 1: 605 ms from" in antiphon("show", "s1").stdout
    assert json.loads(antiphon("diff", "s1", "call.zip", "--json").stdout)["same"] is True
    assert json.loads(antiphon("recording", "import-call", "x.flac", "--json").stdout)["missing"] == []
    for again in ("call.wav", "call.zip"):
        twice = antiphon("import", again)
        assert (twice.exit_code, "give it another with --as" in twice.stderr) == (1, True), twice.output
    assert antiphon("import", "call.zip", "--as", "s2").exit_code == 0


async def test_the_command_writes_into_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, valkey: Valkey) -> None:
    """Where there is one: it is listed, and shown by its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_URL", valkey.url)
    await export(sounding(scenarios.barge_in()), "s1", tmp_path / "call.zip")

    async def antiphon(*words: str) -> Any:
        return await asyncio.to_thread(CliRunner().invoke, cli.app, list(words))

    done = await antiphon("import", "call.zip")
    assert done.exit_code == 0, done.output
    assert "call.zip: s1, 8.0 s, 28 events" in done.stdout
    rows = json.loads((await antiphon("sessions", "--json")).stdout)["sessions"]
    assert [(row["session"], row["state"]) for row in rows] == [("s1", "closed")]
    twice = await antiphon("import", "call.zip")
    assert (twice.exit_code, "give it another with --as" in twice.stderr) == (1, True)
