"""A call as one stereo file: each side in its place, in every kind of file, in little memory."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from ops import cli
from ops.replay.recording import KINDS, record, score_of
from schemas.audio import AudioRef
from schemas.errors import AudioFileError
from schemas.events import UtteranceCaptured
from schemas.session.export import export
from tests.golden import scenarios
from tests.ops.replay.sounding import sounding

RATE = 16_000


def levels(file: Path, side: int, *moments: float) -> list[int]:
    """How loud it is around each moment, in hundreds."""
    sound, rate = soundfile.read(file, dtype="int16", always_2d=True)
    assert (rate, sound.shape[1]) == (RATE, 2)
    around = [sound[round((at - 0.02) * RATE) : round((at + 0.02) * RATE), side].astype(float) for at in moments]
    return [round(float(np.sqrt((one**2).mean())) / 100) for one in around]


@pytest.mark.parametrize("ending", [".wav", ".flac", ".WAV"])
async def test_each_side_is_where_it_sounded(ending: str, tmp_path: Path) -> None:
    """Left the caller while they spoke, right the agent as far as it was heard; silence elsewhere."""
    log, file = sounding(scenarios.barge_in()), tmp_path / f"call{ending}"
    recorded = await record(log, await score_of(log, "s1"), file)
    assert recorded.seconds == pytest.approx(8.0, abs=0.01)
    assert recorded.missing == []
    assert levels(file, 0, 0.8, 1.5, 2.2, 4.3, 5.5) == [0, 10, 0, 10, 0]
    assert levels(file, 1, 2.4, 3.0, 5.0, 5.9, 7.5) == [0, 20, 0, 20, 0]
    assert soundfile.info(file).subtype == "PCM_16"
    assert os.listdir(tmp_path) == [file.name]


@pytest.mark.parametrize("ending", [".opus", ".ogg"])
async def test_opus_is_small(ending: str, tmp_path: Path) -> None:
    """The same length, a fraction of the bytes; what is quiet is quiet in it."""
    log, file = sounding(scenarios.barge_in()), tmp_path / f"call{ending}"
    await record(log, await score_of(log, "s1"), file)
    info = soundfile.info(file)
    assert (info.format, info.subtype) == ("OGG", "OPUS")
    assert info.duration == pytest.approx(8.0, abs=0.1)
    assert file.stat().st_size < 8 * RATE * 4 / 5
    sound, _ = soundfile.read(file, dtype="int16")
    assert np.abs(sound[round(7.2 * RATE) : round(7.8 * RATE)]).max() < 200


async def test_what_is_gone_is_silence_and_is_named(tmp_path: Path) -> None:
    """The rest is in its place."""
    log = sounding(scenarios.plain())
    (gone,) = [key for key in log.blobs if key.endswith("/u1")]
    del log.blobs[gone]
    recorded = await record(log, await score_of(log, "s1"), tmp_path / "call.flac")
    assert recorded.missing == [gone]
    assert levels(tmp_path / "call.flac", 0, 1.5) == [0]
    assert recorded.seconds == pytest.approx(6.0, abs=0.01)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("call.mp3", r"call\.mp3: WAV, FLAC and Opus are written; give a name that ends in"),
        ("call", r"call: WAV, FLAC and Opus are written"),
        ("none/call.wav", r"none/call\.wav: cannot be written \(No such file"),
    ],
)
async def test_what_cannot_be_written_is_one_sentence(name: str, says: str, tmp_path: Path) -> None:
    """A kind that isn't written, a folder that isn't there; nothing is left behind."""
    log = sounding(scenarios.plain())
    with pytest.raises(AudioFileError, match=says):
        await record(log, await score_of(log, "s1"), tmp_path / name)
    assert os.listdir(tmp_path) == []


async def test_memory_does_not_grow_with_the_call(tmp_path: Path) -> None:
    """Ten minutes take what one takes: only what sounds at the moment is held."""
    import tracemalloc

    pcm = bytes(2 * RATE * 10)

    class Log(type(sounding(scenarios.plain()))):  # type: ignore[misc]
        async def get_blob(self, key: str) -> bytes:
            return pcm

    first, joined, *_, last = scenarios.plain()

    async def peak(minutes: int) -> int:
        said = []
        for number in range(5 * minutes):
            at = first.at + number * 12_000_000 + 10_000_000
            audio = [AudioRef(key=f"k{number}", rate=RATE, samples=RATE * 10)]
            said.append(
                UtteranceCaptured(
                    seq=number + 3,
                    at=at,
                    turn=number + 1,
                    utterance=f"u{number}",
                    participant="caller",
                    audio=audio,
                    duration=10.0,
                )
            )
        end = last.model_copy(update={"seq": len(said) + 3, "at": first.at + minutes * 60_000_000})
        log = Log([first, joined, *said, end])
        score = await score_of(log, "s1")
        tracemalloc.start()
        try:
            recorded = await record(log, score, tmp_path / "call.flac")
            found = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert recorded.seconds == pytest.approx(60.0 * minutes, abs=0.1)
        return found

    short, long = await peak(1), await peak(10)
    assert long < short + (1 << 20)  # one side of it alone is 18
    assert long < 12 << 20


async def test_a_call_of_years_is_not_written(tmp_path: Path) -> None:
    """By its times it would fill a disk with silence."""
    *log, last = scenarios.plain()
    kept = sounding([*log, last.model_copy(update={"at": last.at + 10**15})])
    with pytest.raises(AudioFileError, match=r"the call is 277,778 hours long, by its times; up to 24 are written"):
        await record(kept, await score_of(kept, "s1"), tmp_path / "call.flac")
    assert os.listdir(tmp_path) == []


def test_every_kind_can_be_written_here() -> None:
    """The library that comes with us knows them all."""
    for kind in KINDS.values():
        assert soundfile.check_format(kind.container, kind.encoding)


async def test_the_command_takes_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`antiphon recording FILE OUT`, from an export; --json says how long it is."""
    import asyncio

    monkeypatch.chdir(tmp_path)
    log = sounding(scenarios.barge_in())
    await export(log, "s1", tmp_path / "call.zip")
    run = CliRunner()
    result = await asyncio.to_thread(run.invoke, cli.app, ["recording", "call.zip", "out.wav", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["session"], told["file"], told["missing"]) == ("s1", "out.wav", [])
    assert levels(tmp_path / "out.wav", 1, 3.0) == [20]
    result = await asyncio.to_thread(run.invoke, cli.app, ["recording", "call.zip", "out.mp3"])
    assert (result.exit_code, "WAV, FLAC and Opus are written" in result.stderr) == (1, True)
    result = await asyncio.to_thread(run.invoke, cli.app, ["recording", "none/call.zip", "out.wav"])
    assert (result.exit_code, "there is no such file" in result.stderr) == (2, True)
