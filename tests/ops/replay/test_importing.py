"""Recordings of calls from elsewhere: what becomes of them can be shown, heard, compared and replayed as any session."""

import os
import struct
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from gateway.sound.audio_file import sides
from ops.replay._composing import Call, Said, events_of_call
from ops.replay._cutting import AGENT, CALLER, LONGEST, Cutting
from ops.replay.importing import Exists, Options, import_recording
from schemas.audio import AudioRef, Pcm
from schemas.bus import Outcome
from schemas.clock import Micros
from schemas.config.settings import Settings
from schemas.errors import AntiphonError, AudioFileError
from schemas.events import Event, PlaybackStarted, TurnEnded, UtteranceCaptured, Word
from schemas.log import MemoryBus
from schemas.session.history import steps_of
from schemas.session.promises import violations
from schemas.session.sound import Mix, Score, heard_at
from tests.ops.replay.conversations import RATE, Conversation, imported, line, talk, write
from workers.providers import Hearing, Stt, Transcript

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

    blocks = [block async for block in Mix(score, fetch).blocks()]
    mixed, made = np.concatenate(blocks).astype(int), talk().sound().astype(int)
    loud = np.abs(made) > 500
    same = np.abs(mixed[: len(made)] - made[: len(mixed)]) < 50
    return float(same[loud[: len(mixed)]].mean())


async def test_what_an_earlier_try_had_taken_in_is_found(tmp_path: Path) -> None:
    """It had died before it could say so: the next one does. To any other import the name is taken."""
    path, log = write(tmp_path / "call.wav", talk().sound()), MemoryBus()
    first = await import_recording(path, log, Options(mark="0a1b2c3d"))
    events, sounds = await log.read(first.session), dict(log.blobs)
    again = await import_recording(path, log, Options(mark="0a1b2c3d"))
    assert (again.session, again.events, again.sounds) == (first.session, first.events, first.sounds)
    assert again.seconds == pytest.approx(first.seconds, abs=0.01)
    assert again.notes == [*first.notes, "an earlier try had taken it in, and was broken off before it could say so"]
    for options in (Options(mark="ffffffff"), Options()):
        with pytest.raises(Exists):
            await import_recording(path, log, options)
    assert (await log.read(first.session), log.blobs) == (events, sounds)


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
async def test_real_speech_is_heard_by_a_real_model(whisper: Stt, tmp_path: Path) -> None:
    """Of a recording of somebody reading, the words are those that were read."""
    from ops.people.recordings import packaged

    path = write(tmp_path / "dickens.wav", packaged("two_cities", 0.0, 12.0))
    _, _, events = await imported(path, stt=whisper, language="en")
    said = " ".join(event.text for event in events if event.type == "transcript.final").lower()
    assert "best of times" in said
    assert "worst of times" in said


def piece(side: int, start: float, end: float, text: str | None = None) -> Said:
    samples = round((end - start) * RATE)
    return Said(side, start, end, AudioRef(key=f"k{side}{start}", rate=RATE, samples=samples), text)


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


async def test_what_breaks_off_leaves_no_sound(tmp_path: Path) -> None:
    """Of a recording that is broken further on; of one whose name another took meanwhile that one keeps its own."""
    sound = talk().sound()
    write(tmp_path / "whole.wav", sound)
    soundfile.write(tmp_path / "call.flac", sound, RATE)
    content = (tmp_path / "call.flac").read_bytes()
    (tmp_path / "broken.flac").write_bytes(content[: len(content) * 9 // 10])
    log = MemoryBus()
    with pytest.raises(AudioFileError, match=r"broken .* s after its start"):
        await import_recording(tmp_path / "broken.flac", log, Options(name="s1"))
    assert log.blobs == {}

    class Busy(MemoryBus):
        async def take_in(self, session: str, events: AsyncIterator[Sequence[Event]]) -> Outcome:
            if not first:
                first.update(self.blobs)
                await import_recording(tmp_path / "whole.wav", self, Options(name=session, swap=True))
            return await super().take_in(session, events)

    first: set[str] = set()
    log = Busy()
    with pytest.raises(AntiphonError, match="there is a session of this name already"):
        await import_recording(tmp_path / "whole.wav", log, Options(name="s1"))
    refs = [ref for event in await log.read("s1") if event.type == "utterance.captured" for ref in event.audio]
    assert refs
    for ref in refs:
        assert ref.key not in first
        assert len(await log.get_blob(ref.key) or b"") == 2 * ref.samples


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
