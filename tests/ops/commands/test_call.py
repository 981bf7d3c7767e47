"""`antiphon call` as a caller with manners: it hears the greeting out, and hanging up loses nothing."""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import typer
from aiohttp import web

from ops import console
from ops.people.call import Options, hold
from ops.people.entry import websocket_url
from schemas.errors import AudioFileError, SettingsError
from tests.ops.commands.test_entry import serving
from tests.ops.people.test_caller import READY

RATE = 24_000
LOUD = np.full(RATE // 2, 8000, np.int16)


@pytest.fixture(autouse=True)
def _brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the pauses that are but good manners a caller here makes shorter ones."""
    monkeypatch.setattr("ops.people.person._MANNERS", 0.1)
    monkeypatch.setattr("ops.people.call._QUIET", 0.5)


class Gateway:
    """One that greets (or not), counts what the caller says, says something `first` of its own accord (why, and what), and
    answers it. `heard`: events in order."""

    def __init__(self, greeting: str, answer: str = "Paris.", first: tuple[str, str] | None = None) -> None:
        self.greeting, self.answer, self.first = greeting, answer, first
        self.heard: list[str] = []
        self.spoken_to = asyncio.Event()
        self.hung_up = False

    async def serve(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.receive_json()
        await socket.send_json(READY)
        greeting = asyncio.create_task(self._greet(socket))
        async for frame in socket:
            if frame.type is web.WSMsgType.BINARY and np.frombuffer(frame.data, np.int16).any():
                await self._spoken_to(socket)
            elif frame.type is web.WSMsgType.TEXT and json.loads(frame.data)["type"] == "hang_up":
                self.hung_up = True
                await socket.send_json({"type": "ended", "reason": "hang_up"})
                break
        await greeting
        return socket

    async def _greet(self, socket: web.WebSocketResponse) -> None:
        if not self.greeting:
            await socket.send_json({"type": "state", "state": "listening"})
            return
        await socket.send_json({"type": "state", "state": "thinking"})
        await self._say(socket, 1, "greeting", self.greeting)
        self.heard.append("greeting over")

    async def _spoken_to(self, socket: web.WebSocketResponse) -> None:
        if self.spoken_to.is_set():
            return
        self.spoken_to.set()
        self.heard.append("caller")
        await asyncio.sleep(0.6)  # the caller's half second of speech
        if self.first:
            await self._say(socket, 3, *self.first)
        if self.answer:
            await self._say(socket, 2, "end_of_turn", self.answer)

    async def _say(self, socket: web.WebSocketResponse, turn: int, why: str, text: str) -> None:
        await socket.send_json({"type": "sentence", "turn": turn, "index": 0, "text": text, "spoken": True})
        await socket.send_bytes(LOUD.tobytes())
        await asyncio.sleep(len(LOUD) / RATE)  # as a gateway paces what it says
        over: dict[str, Any] = {"type": "turn", "turn": turn, "how": "played", "reason": "finished", "why": why}
        await socket.send_json(over | {"heard": text})


@asynccontextmanager
async def calling(gateway: Gateway, tmp_path: Path, **more: Any) -> AsyncIterator[Options]:
    soundfile.write(tmp_path / "question.wav", np.full(8000, 9000, np.int16), 16_000)
    asked: dict[str, Any] = {"out": None, "agent": "", "token": "", "sessions": 1, "wait": 2.0, "json": False} | more
    async with serving(gateway.serve) as url:
        yield Options(tmp_path / "question.wav", url, **asked)


async def test_the_greeting_is_heard_out_and_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The caller begins when it has sounded, and not before."""
    gateway = Gateway("Hello, this is Antiphon.")
    async with calling(gateway, tmp_path) as options:
        assert await hold(options)
    assert gateway.heard == ["greeting over", "caller"]
    assert "Hello, this is Antiphon." in capsys.readouterr().out


async def test_at_once_speaks_into_it(tmp_path: Path) -> None:
    """Whoever wants to interrupt the greeting says so."""
    gateway = Gateway("Hello, this is Antiphon.")
    async with calling(gateway, tmp_path, at_once=True) as options:
        assert await hold(options)
    assert gateway.heard == ["caller", "greeting over"]


async def test_an_agent_that_begins_with_nothing_is_spoken_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody waits for a greeting that there is not, nor wonders why nothing is heard at first."""
    gateway = Gateway("")
    async with calling(gateway, tmp_path) as options:
        assert await hold(options)
    assert gateway.heard == ["caller"]
    assert "the agent has no greeting" in capsys.readouterr().out


async def test_a_greeting_is_no_answer(tmp_path: Path) -> None:
    """Exit code 1 tells a script that nothing was said to the question."""
    async with calling(Gateway("Hello.", answer=""), tmp_path, wait=0.5) as options:
        assert not await hold(options)


async def test_what_bridges_the_wait_is_no_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is shown as what it is, and the answer is timed from where the answer sounds."""
    async with calling(Gateway("", first=("filler", "One moment, please.")), tmp_path) as options:
        assert await hold(options)
    said = capsys.readouterr().out
    assert re.search(r"One moment, please\.\n.*that was no answer, but to bridge the wait for it\n.*Paris\.", said)
    (latency,) = re.findall(r"(\d+) ms from the end of what you said to the first sound of the answer", said)
    assert int(latency) >= 1e3 * len(LOUD) / RATE  # it began when the other had sounded


async def test_a_recording_that_ends_in_silence_is_answered_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An answer that is over before the recording is, is one all the same: timed from the last sound, and not waited for."""
    async with calling(Gateway(""), tmp_path, wait=60.0) as options:
        said = np.concatenate((np.full(8000, 9000, np.int16), np.full(16_000 * 3, 20, np.int16)))
        soundfile.write(options.wav, said, 16_000)
        assert await hold(options)
    assert "ms from the end of what you said" in capsys.readouterr().out


class SpokenOver(Gateway):
    """The caller spoke over it; what it says to that takes a while, and is said to nobody who hung up."""

    async def _spoken_to(self, socket: web.WebSocketResponse) -> None:
        if not self.spoken_to.is_set():
            self.spoken_to.set()
            self.answering = asyncio.create_task(self._answer_at_last(socket))

    async def _answer_at_last(self, socket: web.WebSocketResponse) -> None:
        await asyncio.sleep(0.6)
        over = {"type": "turn", "turn": 1, "how": "interrupted", "reason": "barge_in", "why": "text", "heard": "Oh"}
        await socket.send_json(over)
        await asyncio.sleep(0.6)
        if not self.hung_up:
            await self._say(socket, 2, "end_of_turn", self.answer)


async def test_an_answer_that_was_spoken_over_is_not_the_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody hangs up on the answer to what was said over it."""
    monkeypatch.setattr("ops.people.call._QUIET", 0.1)
    gateway = SpokenOver("")
    async with calling(gateway, tmp_path) as options:
        assert await hold(options)
        await gateway.answering
    assert "Paris." in capsys.readouterr().out


@pytest.mark.parametrize("why", ["filler", "fallback", "repeat"])
async def test_where_nothing_else_comes_there_was_no_answer(
    why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An apology is none either: no latency, and exit code 1."""
    async with calling(Gateway("", answer="", first=(why, "I'm sorry.")), tmp_path, wait=1.0) as options:
        assert not await hold(options)
    assert "no answer came" in capsys.readouterr().out


async def test_a_name_that_says_what_is_not_written_calls_nobody(tmp_path: Path) -> None:
    """What is written is said before the call."""
    gateway = Gateway("Hello.")
    async with calling(gateway, tmp_path, out=tmp_path / "x.mp3") as options:
        with pytest.raises(AudioFileError, match="WAV and FLAC are written"):
            await hold(options)
    assert gateway.heard == []


async def test_ctrl_c_hangs_up_and_keeps_the_recording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The session ends properly, what was said by then is written, and it is told where to look."""
    gateway = Gateway("", answer="")
    async with calling(gateway, tmp_path, out=tmp_path / "cut.wav", wait=60.0) as options:
        call = asyncio.create_task(hold(options))
        await gateway.spoken_to.wait()
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(typer.Exit) as stopped:
            await call
    assert stopped.value.exit_code == console.STOPPED
    assert gateway.hung_up
    both, _ = soundfile.read(tmp_path / "cut.wav", dtype="int16")
    assert both[:, 0].any()
    said = capsys.readouterr().out
    assert f"recording: {tmp_path / 'cut.wav'}" in said
    assert "show ws-1" in said


@pytest.mark.parametrize("sessions", [1, 2])
async def test_where_nothing_can_be_written_nobody_is_called(tmp_path: Path, sessions: int) -> None:
    """--out is tried before the call, and what lies there is left alone."""
    gateway = Gateway("Hello.")
    async with calling(gateway, tmp_path, out=tmp_path / "nowhere" / "x.wav", sessions=sessions) as options:
        with pytest.raises(AudioFileError, match=r"--out .*nowhere.*: cannot be written \(No such file or directory\)"):
            await hold(options)
    assert gateway.heard == []
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("127.0.0.1:8765", "ws://127.0.0.1:8765/ws"),
        ("voice.example:80", "ws://voice.example:80/ws"),
        ("[::1]:8765", "ws://[::1]:8765/ws"),
        ("http://127.0.0.1:8765", "ws://127.0.0.1:8765/ws"),
        ("https://voice.example/", "wss://voice.example/ws"),
        ("https://voice.example/in/ws?x=1", "wss://voice.example/in/ws?x=1"),
        ("ws://127.0.0.1:8765/ws", "ws://127.0.0.1:8765/ws"),
        ("wss://voice.example", "wss://voice.example/ws"),
    ],
)
def test_an_address_may_be_written_in_any_way(given: str, url: str) -> None:
    """As it stands in a browser's bar, or in a terminal's output."""
    assert websocket_url(given) == url


@pytest.mark.parametrize("given", ["voice.example", "ftp://voice.example", "http://", "host:no", ":8765"])
def test_what_is_no_address_says_what_one_is(given: str) -> None:
    """Before anything is called."""
    with pytest.raises(SettingsError, match="expected host:port"):
        websocket_url(given)
