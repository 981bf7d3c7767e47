"""A real phone: baresip, whose microphone is a recording and whose loudspeaker is a file. Driven by its control port."""

import asyncio
import json
import socket
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from ops.stack.system import free_port
from schemas.audio import Pcm

_MODULES = Path("/usr/lib/baresip/modules")

_CONFIG = """\
poll_method epoll
sip_listen {host}:{port}
sip_trans_def {transport}
call_local_timeout 120
call_max_calls 8
audio_player aubridge,nowhere
audio_source aufile,{microphone}
audio_alert aubridge,nowhere
ausrc_srate {rate}
auplay_srate {rate}
ausrc_channels 1
auplay_channels 1
ausrc_format s16
auplay_format s16
auenc_format s16
audec_format s16
audio_buffer 20-160
rtp_tos 184
rtcp_mux no
jitter_buffer_delay 1-10
module_path {modules}
module {codec}.so
module aufile.so
module aubridge.so
module sndfile.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control}
snd_path {folder}
"""

RATES = {"g711": 8_000, "g722": 16_000, "opus": 48_000}


def two_free_ports() -> int:
    """baresip takes the next one for TLS."""
    while True:
        port = free_port()
        try:
            for number, kind in product((port, port + 1), (socket.SOCK_DGRAM, socket.SOCK_STREAM)):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind(("127.0.0.1", number))
        except OSError:
            continue
        free_port()  # that next one: nobody else of this process is given it
        return port


class Baresip:
    """`folder`: of this phone alone; `codec`: g711, g722 or opus; `microphone`: what it says, at 16 kHz, then silence."""

    def __init__(
        self, folder: Path, microphone: Pcm, codec: str = "g711", transport: str = "udp", user: str = "caller",
        password: str = "", law: str = "", port: int = 0,
    ):  # fmt: skip
        self.folder, self.codec, self.transport = folder, codec, transport
        self.user, self.password, self.law = user, password, law
        self.events: list[dict[str, Any]] = []
        self.output: list[str] = []
        self.port = port or two_free_ports()
        self._microphone, self._lines = microphone, 0
        self._control_port = free_port()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Baresip":
        self.folder.mkdir(parents=True, exist_ok=True)
        rate, recording = RATES[self.codec], self._recorded(self._microphone)
        values = {
            "host": "127.0.0.1", "port": self.port, "transport": self.transport, "microphone": recording, "rate": rate,
            "codec": self.codec, "control": self._control_port, "folder": self.folder, "modules": _MODULES,
        }  # fmt: skip
        (self.folder / "config").write_text(_CONFIG.format(**values))
        codecs = f";audio_codecs={self.law}" if self.law else ""
        secret = f";auth_user={self.user};auth_pass={self.password}" if self.password else ""
        (self.folder / "accounts").write_text(
            f"<sip:{self.user}@127.0.0.1:{self.port};transport={self.transport}>;regint=0;answermode=auto{codecs}{secret}\n"
        )
        (self.folder / "contacts").write_text("")
        self._process = await asyncio.create_subprocess_exec(
            "baresip", "-f", str(self.folder), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            stdin=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        self._tasks.append(asyncio.create_task(self._read_output()))
        for _ in range(200):
            try:
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._control_port)
                break
            except OSError:
                await asyncio.sleep(0.05)
        else:
            raise AssertionError("baresip does not start:\n" + "".join(self.output))
        self._tasks.append(asyncio.create_task(self._read_control()))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(5):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def die(self) -> None:
        """As if its battery were empty: nothing more is said on any wire."""
        assert self._process is not None
        self._process.kill()

    async def command(self, name: str, parameters: str = "") -> None:
        assert self._writer is not None
        data = json.dumps({"command": name, "params": parameters, "token": "t"}).encode()
        self._writer.write(b"%d:%s," % (len(data), data))
        await self._writer.drain()

    async def dial(self, uri: str) -> None:
        await self.command("dial", uri)

    async def say(self, pcm: Pcm) -> None:
        """Into its call, from now on, in place of what its microphone said; then silence."""
        await self.command("ausrc", f"aufile,{self._recorded(pcm)}")

    def _recorded(self, pcm: Pcm) -> Path:
        """A file that it can say."""
        self._lines += 1
        path, rate = self.folder / f"microphone-{self._lines}.wav", RATES[self.codec]
        whole = np.concatenate((pcm, np.zeros(16_000 * 90, np.int16)))
        soundfile.write(path, soxr.resample(whole, 16_000, rate), rate, "PCM_16")
        return path

    async def event(self, kind: str, seconds: float = 10.0) -> dict[str, Any]:
        """Wait for an event of baresip: CALL_ESTABLISHED, CALL_CLOSED, CALL_INCOMING, …"""
        for _ in range(int(seconds / 0.02)):
            for event in self.events:
                if event.get("type") == kind:
                    return event
            await asyncio.sleep(0.02)
        raise AssertionError(f"no {kind}; {self.events}\n" + "".join(self.output[-40:]))

    def heard(self) -> Pcm:
        """What came out of its loudspeaker so far."""
        dumps = sorted(self.folder.glob("dump-*-dec.wav"))
        if not dumps:
            return np.zeros(0, np.int16)
        # its header is written at the end; what is there so far is samples behind 44 bytes
        return np.frombuffer(dumps[-1].read_bytes()[44:][: -1 if dumps[-1].stat().st_size % 2 else None], np.int16)

    async def _read_output(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self.output.append(line.decode(errors="replace"))

    async def _read_control(self) -> None:
        assert self._reader is not None
        while True:
            length = await self._reader.readuntil(b":")
            data = await self._reader.readexactly(int(length[:-1]) + 1)
            message = json.loads(data[:-1])
            if message.get("event"):
                self.events.append(message)
