"""Many people in LiveKit rooms, each in a room of their own: a Go program (ops/livekit/people) that sends ready packets.

The SDK's own client would cost a core for ten of them; these cost a few percent.
"""

import asyncio
import base64
import io
import json
import struct
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any

import soundfile
from livekit import api

from ops.stack.embedded.livekit import LiveKit, build
from ops.stack.system import dying_with_parent
from schemas.audio import HEARING_RATE, Pcm
from schemas.errors import AntiphonError

_JOINED_WITHIN = 60.0  # seconds
_HEADERS = 2  # packets at the beginning of an Ogg file that are no sound


class PeopleError(AntiphonError):
    """They could not join, or are gone; in a sentence."""


class People:
    """`rooms`: one person for each, who says `said` (int16 mono at 16 kHz) in a circle; `shift`: seconds between the places at
    which two of them begin; `every`: seconds between two who join."""

    def __init__(self, server: LiveKit, rooms: Sequence[str], said: Pcm, *, shift: float = 0.0, every: float = 0.0):
        self._script = {
            "url": server.url,
            "tokens": [_token(server, room) for room in rooms],
            "packets": [base64.b64encode(packet).decode() for packet in opus(said)],
            "shift": round(shift * 50),
            "every_ms": round(every * 1e3),
        }

    async def __aenter__(self) -> "People":
        """They are on their way; `joined` waits for them."""
        self._process = await asyncio.create_subprocess_exec(
            *dying_with_parent([await build("people")]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=1 << 28,
        )
        self._tell(json.dumps(self._script))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    async def joined(self) -> None:
        """Everybody is in their room. PeopleError."""
        async with asyncio.timeout(_JOINED_WITHIN):
            await self._answer()

    def measure(self) -> None:
        """Count from now on."""
        self._tell("measure")

    async def report(self) -> dict[str, Any]:
        """`packets` of agents' voices, `late_ms` each of them, `own_ms` how late the people themselves spoke. PeopleError."""
        self._tell("report")
        return await self._answer()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    async def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = await self._process.stdout.readline()
        if not line:
            said = (await self._process.stderr.read()).decode("utf-8", "replace").strip()
            raise PeopleError(said[-500:] or "the people of the benchmark are gone, and nobody knows why")
        answer: dict[str, Any] = json.loads(line)
        return answer


def opus(pcm: Pcm) -> list[bytes]:
    """`pcm` (int16 mono, 16 kHz) in packets of Opus, 20 ms each."""
    file = io.BytesIO()
    soundfile.write(file, pcm, HEARING_RATE, format="OGG", subtype="OPUS")
    return list(_packets(file.getvalue()))[_HEADERS:]


def _packets(ogg: bytes) -> Iterator[bytes]:
    """The packets of an Ogg file of one stream, which may go on from page to page (RFC 3533)."""
    at, packet = 0, b""
    while at < len(ogg):
        (count,) = struct.unpack_from("B", ogg, at + 26)
        lengths = ogg[at + 27 : at + 27 + count]
        at += 27 + count
        for length in lengths:
            packet += ogg[at : at + length]
            at += length
            if length < 255:
                yield packet
                packet = b""


def _token(server: LiveKit, room: str) -> str:
    token = api.AccessToken(server.api_key, server.api_secret).with_identity("person")
    return str(token.with_grants(api.VideoGrants(room_join=True, room=room)).to_jwt())
