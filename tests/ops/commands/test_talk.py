"""`antiphon talk`: what is heard, said and shown; by real PortAudio where there is a sound server."""

import asyncio
import ctypes.util
import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from aiohttp import WSMsgType, web

from ops import console
from ops.people.caller import Caller
from ops.people.said import Said, meter
from ops.people.sound_card import Buffer, NoSound, SoundCard, sound_card
from ops.people.talk import Options, Speaker, Written, _type, talk, typed_lines
from ops.stack.here import Told
from schemas.client import (
    MetricsMessage,
    ReadyMessage,
    SentenceMessage,
    ToClient,
    TranscriptMessage,
    TurnMessage,
    WordsMessage,
)
from tests.ops.commands.test_entry import serving
from tests.ops.people.test_caller import READY

ROOT = Path(__file__).parents[3]
SPOKEN = Options("127.0.0.1:1", "", "", None, text=False, half_duplex=False)


# ── buffers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_samples_come_out_as_they_went_in_and_silence_where_there_are_none() -> None:
    """In whatever pieces; the position counts what has sounded."""
    buffer = Buffer()
    buffer.put(np.arange(1, 6, dtype=np.int16))
    buffer.put(np.arange(6, 9, dtype=np.int16))
    assert buffer.take(3).tolist() == [1, 2, 3]
    assert (buffer.position, buffer.waiting) == (3, 5)
    assert buffer.take(7).tolist() == [4, 5, 6, 7, 8, 0, 0]
    assert (buffer.position, buffer.waiting) == (8, 0)


def test_what_is_dropped_is_passed_over() -> None:
    """After a barge-in the position stands behind what nobody heard, as the gateway counts."""
    buffer = Buffer()
    buffer.put(np.ones(10, np.int16))
    buffer.take(4)
    buffer.clear()
    assert (buffer.position, buffer.waiting) == (10, 0)
    assert not buffer.take(2).any()


def test_a_microphone_that_runs_ahead_loses_its_oldest_sound() -> None:
    """Delay does not pile up."""
    buffer = Buffer(limit=4)
    buffer.put(np.arange(1, 7, dtype=np.int16))
    assert buffer.take(4).tolist() == [3, 4, 5, 6]


def test_the_microphone_is_closed_while_the_agent_speaks_if_so_wished() -> None:
    """--half-duplex: a loudspeaker beside it would be taken for the caller."""
    for half_duplex, hears in ((True, False), (False, True)):
        card = SoundCard(24_000)
        caller = Speaker(card, half_duplex, "ws://127.0.0.1:1/ws", "", "")
        card.heard(np.full(320, 500, np.int16))
        caller._hear(np.ones(480, np.int16), 0.0)
        assert caller._next_frame()[0].any() == hears
        caller._forget_unplayed(0.0)
        card.heard(np.full(320, 500, np.int16))
        assert caller._next_frame()[0].all()


# ── what is shown ────────────────────────────────────────────────────────────────────────────────────────────────────


def told(said: Said, *messages: ToClient) -> list[tuple[str, str]]:
    return [(who, text) for message in messages for who, text, _ in said.message(message)]


def heard(utterance: str, text: str, *, final: bool) -> TranscriptMessage:
    return TranscriptMessage(participant="me", turn=1, utterance=utterance, text=text, final=final)


def test_words_stand_there_as_they_are_said() -> None:
    """Mine while they are recognized, the agent's as they sound; then a line for each, and how long the answer took."""
    said = Said()
    told(said, ReadyMessage(session="ws-1", ticket="t", rate=1000, resumed=False))
    told(said, heard("u1", "What is", final=False), heard("u1", "What is the", final=False))
    assert said.now(0) == ("you", "What is the")
    assert told(said, heard("u1", "What is the capital?", final=True)) == []
    assert said.now(0) == ("you", "What is the capital?")

    sentence = SentenceMessage(turn=1, index=0, text="It is Paris.", spoken=True)
    assert told(said, sentence) == [("you", "What is the capital?")]
    words = (("It", 0.0, 0.2), ("is", 0.2, 0.4), ("Paris.", 0.5, 1.0))
    told(said, WordsMessage(turn=1, index=0, part=0, offset=2000, words=words))
    assert [said.now(position)[1] for position in (1999, 2000, 2300, 2600)] == ["", "It", "It is", "It is Paris."]

    assert told(said, MetricsMessage(turn=1, stt=0.3, end_of_turn=0.42, first_sound=0.731)) == [
        ("", "answered after 0.73 s (words 0.30, other 0.43; sure of the turn's end after 0.42)")
    ]
    over = TurnMessage(turn=1, how="played", reason="finished", why="end_of_turn", heard="It is Paris.")
    assert told(said, over) == [("agent", "It is Paris.")]
    assert said.now(9000) == ("", "")


@pytest.mark.parametrize(
    ("figures", "says"),
    [
        ({"stt": 0.3, "llm": 0.104, "tts": 0.106}, "words 0.30, first token 0.10, first clip 0.11, other 0.22"),
        ({"stt": 0.9, "llm": 0.3, "tts": 0.2}, "words 0.23, first token 0.30, first clip 0.20"),
        ({"end_of_turn": 0.5}, "sure of the turn's end after 0.50"),
    ],
)  # fmt: skip
def test_the_parts_of_an_answer_sum_to_it(figures: dict[str, float], says: str) -> None:
    """What no stage took is told as other; what one took longer than anybody waited is told as far as they did."""
    ((_, text, _),) = Said().message(MetricsMessage.model_validate({"turn": 1, "first_sound": 0.731} | figures))
    assert text == f"answered after 0.73 s ({says})"


def test_an_answer_that_was_taken_back_was_none() -> None:
    """What was said goes on, and is told once more as a whole; of the answer that began nothing stands there."""
    said = Said()
    began = SentenceMessage(turn=1, index=0, text="For how many people?", spoken=True)
    over = TurnMessage(turn=1, how="dropped", reason="taken_back", why="silence", heard="For")
    assert told(said, heard("u1", "A table for", final=True), began) == [("you", "A table for")]
    assert told(said, over) == [("", "begun anew: you went on")]
    answer = began.model_copy(update={"turn": 2, "text": "A table for four."})
    assert told(said, heard("u1", "A table for four.", final=True), answer) == [("you", "A table for four.")]


def test_of_an_interrupted_answer_stands_there_what_was_heard() -> None:
    """And that it was interrupted."""
    said = Said()
    told(said, SentenceMessage(turn=1, index=0, text="Once upon a time", spoken=True))
    over = TurnMessage(turn=1, how="interrupted", reason="barge_in", why="end_of_turn", heard="Once upon")
    assert told(said, over) == [("agent", "Once upon …"), ("", "interrupted")]


def test_what_is_typed_is_answered_sentence_by_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """Who reads need not wait until it has sounded; how long it took stands below."""
    written = Written()
    written.message(MetricsMessage(turn=1, first_sound=0.731))
    written.message(SentenceMessage(turn=1, index=0, text="It is Paris.", spoken=True))
    assert capsys.readouterr().out.split() == ["agent", "It", "is", "Paris."]
    written.message(TurnMessage(turn=1, how="played", reason="finished", why="text", heard="It is Paris."))
    assert capsys.readouterr().out.strip() == "answered after 0.73 s"


def test_the_meter_goes_from_silence_to_full_scale() -> None:
    """Twelve cells for 60 dB."""
    lit = [meter(level).count("▮") for level in (0.0, 0.001, 0.01, 0.1, 1.0, 2.0)]
    assert lit == [0, 0, 4, 8, 12, 12]


async def test_lines_come_from_pipes_and_files_alike(tmp_path: Path) -> None:
    """As they are written, to the end; the last one needs no line end."""
    (tmp_path / "lines").write_text("one\ntwo")
    with (tmp_path / "lines").open() as file:
        async with typed_lines(file.fileno()) as lines:
            assert [line async for line in lines] == ["one", "two"]
    reading, writing = os.pipe()
    os.write(writing, "grü".encode()[:3])
    async with typed_lines(reading) as lines:
        first = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(0)
        os.write(writing, "grü".encode()[3:] + b"\n")
        assert await first == "grü"
        os.close(writing)
        assert [line async for line in lines] == []
    os.close(reading)


# ── a line that is lost ──────────────────────────────────────────────────────────────────────────────────────────────

OVER = {"type": "turn", "turn": 1, "how": "played", "reason": "finished", "heard": ""}


async def test_what_is_typed_while_the_line_is_down_is_said_once_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """And so are the lines of a pipe that follow."""
    lines_seen: list[str] = []

    async def gateway(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        back = bool((await socket.receive_json())["session"])
        await socket.send_json(READY | {"resumed": back})
        if not back:
            await socket.send_json({"type": "state", "state": "speaking"})
            await socket.send_json(OVER | {"why": "greeting"})
            await socket.close()
        async for frame in socket:
            if frame.type is WSMsgType.TEXT:
                lines_seen.append(frame.json()["text"])
                await socket.send_json(OVER | {"why": "text"})
        return socket

    reading, writing = os.pipe()
    os.write(writing, b"one\ntwo\n")
    os.close(writing)
    wants_to_say = asyncio.Event()
    async with serving(gateway) as url, aclosing(Caller(url)) as caller:
        with os.fdopen(reading) as typed:
            monkeypatch.setattr(sys, "stdin", typed)
            await caller.connect()
            typing = asyncio.ensure_future(_type(caller, lambda *_: wants_to_say.set()))
            await wants_to_say.wait()
            assert not caller.connected
            await caller.drop()
            await caller.connect()
            await typing
    assert lines_seen == ["one", "two"]


async def test_a_line_lost_this_moment_does_not_end_the_telling_of_the_position() -> None:
    """Who speaks goes on when the line is back."""

    async def gateway(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json(READY)
        async for _ in socket:
            pass
        return socket

    card = SoundCard(24_000)
    async with serving(gateway) as url, aclosing(Speaker(card, False, url, "", "")) as caller:
        await caller.connect()
        card.loudspeaker.put(np.ones(480, np.int16))
        card.loudspeaker.take(480)
        assert caller._socket is not None
        caller._socket._response.connection.transport.abort()  # type: ignore[union-attr]
        assert caller.connected, "not noticed yet"
        telling = asyncio.ensure_future(caller.tell_position())
        await asyncio.sleep(0)
        assert not telling.done()
        caller.ended.set()
        await telling


# ── without sound ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ANTIPHON_DATA", raising=False)


async def test_without_sound_there_is_one_sentence_and_another_way(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Nobody is called; the address of the web app that runs here is named, and --text."""
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(typer.Exit) as ended:
        await talk(SPOKEN)
    assert ended.value.exit_code == console.UNREACHABLE
    said = capsys.readouterr().err
    assert "sounddevice is not installed: pip install 'antiphon[talk]'; talk in a browser (antiphon up" in said
    assert "talk --text" in said

    folder = tmp_path / ".antiphon" / "up"
    folder.mkdir(parents=True)
    Told(folder).tell({"state": "running", "api_url": "http://127.0.0.1:8000"})
    with pytest.raises(typer.Exit):
        await talk(SPOKEN)
    assert "talk in a browser: http://127.0.0.1:8000, or type" in capsys.readouterr().err


def test_a_machine_without_portaudio_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """sounddevice looks for the library as it is imported."""
    (tmp_path / "sounddevice.py").write_text('raise OSError("PortAudio library not found")\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    with pytest.raises(NoSound, match="apt-get install libportaudio2"), sound_card(24_000):
        pass


# ── with sound ───────────────────────────────────────────────────────────────────────────────────────────────────────

LOOP = """
import time
import numpy as np
from ops.people.sound_card import sound_card
seconds = np.arange(24_000) / 24_000
tone = (12_000 * np.sin(2 * np.pi * 440 * seconds)).astype(np.int16)
with sound_card(24_000) as card:
    while card.level < 0.05:
        if not card.loudspeaker.waiting:
            card.loudspeaker.put(tone)
        time.sleep(0.005)
    heard = np.zeros(0, np.int16)
    while len(heard) < 3200:
        if card.microphone.waiting >= 320:
            heard = np.append(heard, card.microphone.take(320))
        time.sleep(0.005)
    print(int(np.argmax(np.abs(np.fft.rfft(heard)))) * 5, card.loudspeaker.position > 0)
"""


@pytest.fixture
def sound_server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """PulseAudio with a sink that goes nowhere, and the microphone at its end. Gives the environment of who uses it."""
    lacks = {
        "pulseaudio": shutil.which("pulseaudio") is None,
        "sounddevice": importlib.util.find_spec("sounddevice") is None,
        "libportaudio2": ctypes.util.find_library("portaudio") is None,
        "libasound2-plugins": not list(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")),
    }
    missing = [name for name, lacking in lacks.items() if lacking]
    if missing:
        if os.environ.get("CI"):
            pytest.fail(f"not here: {missing}")
        pytest.skip(f"not here: {missing}")
    (tmp_path / "run").mkdir(mode=0o700)
    conf = tmp_path / "asound.conf"
    conf.write_text("</usr/share/alsa/alsa.conf>\npcm.!default { type pulse }\nctl.!default { type pulse }\n")
    here: dict[str, Any] = {
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "HOME": str(tmp_path),
        "ALSA_CONFIG_PATH": str(conf),
    }
    command = ["pulseaudio", "-n", "--exit-idle-time=-1", "-L", "module-native-protocol-unix", "-L", "module-null-sink"]
    server = subprocess.Popen(command, env=os.environ | here, stderr=subprocess.DEVNULL)
    try:
        while not (tmp_path / "run" / "pulse" / "native").exists():
            assert server.poll() is None, "pulseaudio ended"
            time.sleep(0.02)  # it tells nobody when it listens
        yield os.environ | here
    finally:
        server.terminate()
        server.wait()


def test_what_sounds_is_heard_by_the_microphone(sound_server: dict[str, str]) -> None:
    """Through PortAudio and a sound server: a tone of 440 Hz, at 24 kHz out and 16 kHz in."""
    done = subprocess.run(
        [sys.executable, "-c", LOOP], env=sound_server | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    frequency, moves = done.stdout.split()
    assert abs(int(frequency) - 440) <= 10
    assert moves == "True"
