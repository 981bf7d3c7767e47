"""Another real phone: Linphone, as its users have it, with files for microphone and loudspeaker."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import soundfile

from ops.demo.script import line
from tests.gateway.rooms.sip.baresip import two_free_ports
from tests.gateway.rooms.sip.conftest import needs, office

Command = Callable[[str], Awaitable[None]]

_RC = """[sip]
sip_port={port}
sip_tcp_port={port}
guess_hostname=0
contact="ann" <sip:ann@127.0.0.1>
use_ipv6=0
[rtp]
audio_rtp_port=41000-49000
"""


@asynccontextmanager
async def linphone(folder: Path, microphone: Path, loudspeaker: Path) -> AsyncIterator[Command]:
    """`linphonec` at a prompt; what is written to it is typed there."""
    (folder / ".local/share/linphone").mkdir(parents=True)
    (folder / "rc").write_text(_RC.format(port=two_free_ports()))
    process = await asyncio.create_subprocess_exec(
        "linphonec", "-c", str(folder / "rc"), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT, env={**os.environ, "HOME": str(folder)}, cwd=folder,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    told = process.stdout

    async def type_in(text: str) -> None:
        assert process.stdin is not None
        process.stdin.write(f"{text}\n".encode())
        await process.stdin.drain()

    async with asyncio.timeout(20):
        await told.readuntil(b"linphonec> ")
    reading = asyncio.create_task(told.read())
    await type_in("soundcard use files")
    await type_in(f"play {microphone}")
    await type_in(f"record {loudspeaker}")
    try:
        yield type_in
    finally:
        await type_in("quit")
        try:
            async with asyncio.timeout(5):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        await reading


async def test_linphone_holds_a_conversation(tmp_path: Path) -> None:
    """Linphone calls, hears the greeting, is heard, gets an answer and hangs up."""
    needs("linphonec")
    home = tmp_path / "home"
    home.mkdir()
    said = np.concatenate((np.zeros(20_000, np.int16), line("capital"), np.zeros(16_000 * 60, np.int16)))
    soundfile.write(home / "in.wav", said, 16_000, "PCM_16")
    async with office(tmp_path) as here, linphone(home, home / "in.wav", home / "out.wav") as type_in:
        await type_in(f"call {here.uri()}")
        session = await here.session()
        await here.event(session, lambda event: event.type == "transcript.final", 15)
        await here.event(
            session, lambda event: event.type == "turn.ended" and event.how == "played" and event.turn != 1, 15
        )
        await type_in("terminate")
        ended = await here.event(session, lambda event: event.type == "session.ended")
        assert ended.reason == "hang_up"  # type: ignore[union-attr]
        joined = await here.event(session, lambda event: event.type == "participant.joined")
        assert joined.participant == "ann"  # type: ignore[union-attr]
    heard, rate = soundfile.read(home / "out.wav", dtype="int16")
    assert (np.abs(heard.astype(int)) > 700).sum() > rate


async def test_the_steps_of_the_docs(tmp_path: Path) -> None:
    """What docs/phones.md says to type, in a home where Linphone never was: it calls, is answered and hangs up."""
    needs("linphonec")
    home = tmp_path / "home"
    home.mkdir()
    page = (Path(__file__).parents[4] / "docs/phones.md").read_text()
    steps = [
        text.strip().partition("  #")[0]
        for text in page.splitlines()
        if "linphone" in text and text.startswith("       ")
    ]
    assert any("linphonec -c rc" in step for step in steps)
    script = "\n".join(steps).replace("5070", str(two_free_ports()))
    async with office(tmp_path) as here:
        process = await asyncio.create_subprocess_exec(
            "bash", "-c", script, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=home,
            stderr=asyncio.subprocess.STDOUT, env={"HOME": str(home), "PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        async with asyncio.timeout(20):
            await process.stdout.readuntil(b"linphonec> ")
        reading = asyncio.create_task(process.stdout.read())
        for text in ("soundcard use files", f"record {home}/heard.wav", f"call {here.uri()}"):
            process.stdin.write(f"{text}\n".encode())
        session = await here.session(20)
        await here.event(session, lambda event: event.type == "playback.finished")
        process.stdin.write(b"terminate\nquit\n")
        ended = await here.event(session, lambda event: event.type == "session.ended")
        assert ended.reason == "hang_up"  # type: ignore[union-attr]
        async with asyncio.timeout(10):
            await process.wait()
        await reading
