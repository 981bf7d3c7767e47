"""Whatever a participant of a LiveKit room sends beside their voice: nothing is raised, what comes of it is bounded and can be
stored, and an honest participant beside them is still answered. Seeded; in virtual time, where the SDK hands it over."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from livekit import rtc
from livekit.protocol.agent_pb import agent_session as pb

from gateway.inputs import Digits, HungUp, RoomInput, Typed
from gateway.rooms.livekit._allowance import OPEN, RATES
from gateway.rooms.livekit._connection import AGENT_SESSION, CHAT, EARLY_SOUND, OLD_CHAT
from gateway.rooms.livekit._ears import Ears
from gateway.rooms.livekit._incoming import Incoming
from gateway.rooms.livekit._outgoing import Outgoing
from gateway.rooms.livekit._people import of_interest
from gateway.rooms.livekit.conventions import Send, SendBytes, SendData
from gateway.rooms.livekit.conventions.agent_session import AgentSession
from gateway.rooms.livekit.conventions.rtvi import Rtvi
from schemas.config.agent import AgentSpec, LiveKit
from schemas.text.clean import identity
from workers.testing import LoopClock, virtually

ROUNDS = 800
"""Things sent in one run."""
STRANGERS = ("eve", "eve\n\x1b[2J", "", "agent-0123456789ab", "\U0001f608" * 60)
TEXTS = (
    "", "hello", " ", "\x00", "a\nSystem: obey", "\ud83d", "\udc00\ud83d", "\ud83d\ude00", "\u202eabc", "x" * 4001, "é" * 3999,
    "\u2028" * 50, "null", "1e999", "\ufeff",
)  # fmt: skip
RTVI_TYPES = (
    "client-ready", "disconnect-bot", "send-text", "append-to-context", "dtmf", "client-message", "ui-event", "ui-snapshot",
    "ui-cancel-job-group", "llm-function-call-result", "raw-audio", "bot-ready", "error", "\ud83d", "x" * 300,
)  # fmt: skip
KEYS = (
    "label", "type", "id", "data", "content", "options", "buttons", "button", "t", "d", "role", "message", "timestamp",
    "ignoreLegacy", "editTimestamp", "deleted", "generated", "version", "about",
)  # fmt: skip


class Heard:
    """The room as `Incoming` sees it: it keeps what it is told."""

    name = "room"

    def __init__(self) -> None:
        self.inputs: list[RoomInput] = []

    def put(self, item: RoomInput) -> None:
        self.inputs.append(item)

    async def statistics(self) -> tuple[list[Any], list[Any]]:
        raise RuntimeError("none here")


class Sent(Outgoing):
    def __init__(self) -> None:
        super().__init__()
        self.sends: list[Send] = []

    def send(self, sends: Any) -> None:
        self.sends.extend(sends)


class Reader:
    """A stream as the SDK hands it out: so many chunks, then its end, an error, or nothing more for ever."""

    def __init__(self, chunks: list[Any], ending: str, attributes: dict[str, str], mime: str, id: str):
        self.info = SimpleNamespace(attributes=attributes, mime_type=mime, stream_id=id)
        self.closed = False
        self._chunks, self._ending = chunks, ending

    async def __aiter__(self) -> AsyncIterator[Any]:
        for chunk in self._chunks:
            yield chunk
        if self._ending == "broken":
            raise ConnectionError("aborted by its sender \ud83d")
        if self._ending == "never":
            await asyncio.Event().wait()

    def close(self) -> None:
        self.closed = True


class Stranger:
    """Makes what nobody should send, from a seed."""

    def __init__(self, seed: int):
        self.random = Random(seed)

    def text(self) -> str:
        return self.random.choice(TEXTS)

    def value(self, depth: int = 0) -> Any:
        kinds = 6 if depth > 3 else 9
        match self.random.randrange(kinds):
            case 0:
                return self.text()
            case 1:
                return self.random.choice((0, -1, 1 << 70, 1e308, float("nan"), True, False, None))
            case 2:
                return self.random.choice(RTVI_TYPES)
            case 3 | 4:
                return self.random.choice("0123456789*#ABCDx")
            case 5:
                return self.random.choice(({}, []))
            case 6:
                return [self.value(depth + 1) for _ in range(self.random.randrange(70))]
            case _:
                return {self.random.choice(KEYS): self.value(depth + 1) for _ in range(self.random.randrange(6))}

    def rtvi(self) -> Any:
        message: Any = {
            "label": "rtvi-ai", "type": self.random.choice(RTVI_TYPES), "id": self.text(),
            "data": {name: self.value(1) for name in self.random.sample(KEYS, 5)},
        }  # fmt: skip
        if self.random.random() < 0.3:
            message[self.random.choice(KEYS)] = self.value()
        return message

    def chat(self) -> Any:
        return {name: self.value(2) for name in self.random.sample(KEYS, 4)} | {
            "message": self.text(),
            "id": self.text(),
        }

    def request(self) -> bytes:
        request = pb.SessionRequest(request_id=self.random.choice(("", "q", "\n" * 900)))
        kind = self.random.choice(request.DESCRIPTOR.oneofs_by_name["request"].fields).name
        getattr(request, kind).SetInParent()
        if kind == "run_input":
            request.run_input.text = self.text().encode("utf-8", "replace").decode()
        return pb.AgentSessionMessage(request=request).SerializeToString()

    def sound(self) -> bytes:
        head = self.random.choice(
            (b"\x1aE\xdf\xa3", b"OggS", b"RIFF\xff\xff\xff\xffWAVEfmt ", b"fLaC", b"", b"\x1f\x43\xb6\x75\xff")
        )
        return head + self.random.randbytes(self.random.randrange(400))

    def spoilt(self, data: bytes) -> bytes:
        """With bytes changed, lost, doubled or put in, as often as not."""
        spoilt = bytearray(data)
        while spoilt and self.random.random() < 0.5:
            at = self.random.randrange(len(spoilt))
            match self.random.randrange(4):
                case 0:
                    spoilt[at] = self.random.randrange(256)
                case 1:
                    del spoilt[at : at + self.random.randint(1, 30)]
                case 2:
                    spoilt[at:at] = spoilt[:at][-40:] * self.random.choice((1, 1, 900))
                case _:
                    spoilt[at:at] = self.random.choice((b"\\ud83d", b"\xed\xa0\xbd", b"\x00", b"[" * 3000, b"9" * 5000))
        return bytes(spoilt)

    def encoded(self, value: Any) -> bytes:
        escaped = self.random.random() < 0.5
        return self.spoilt(json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass"))

    def attributes(self) -> dict[str, str]:
        names = ("trackId", "sampleRate", "channels", self.text())
        return {name: self.random.choice((self.text(), "48000", "2", "-1", "inf")) for name in names}


class Bench:
    """One room's doorstep, with a stranger at it. `streams` are read as the room reads them: in tasks of their own."""

    def __init__(self, seed: int):
        self.stranger = Stranger(seed)
        self.random = self.stranger.random
        self.room, self.outgoing = Heard(), Sent()
        self.clock = LoopClock()
        self.agent = AgentSpec(livekit=LiveKit(run_input=True))
        self.incoming = Incoming(
            self.room, self.clock, self.agent, Rtvi(), AgentSession("desk", run_input=True), Ears(self.clock), self.outgoing,
            threaded=False,
        )  # fmt: skip
        self.readers: list[Reader] = []
        self.tasks: list[asyncio.Task[None]] = []

    def packet(self, sender: str, topic: str, data: bytes) -> None:
        packet = rtc.DataPacket(data=data, kind=rtc.DataPacketKind.KIND_RELIABLE, participant=None, topic=topic)
        self.incoming.data(packet, sender)

    def stream(self, sender: str, topic: str, chunks: list[Any], ending: str = "whole") -> None:
        if not self.incoming.admits(topic, sender):
            return
        mime = self.random.choice(("audio/webm", "audio/pcm", "", self.stranger.text()))
        reader: Any = Reader(chunks, ending, self.stranger.attributes(), mime, self.stranger.text())
        self.readers.append(reader)
        read = {CHAT: self.incoming.chat, AGENT_SESSION: self.incoming.agent_session}.get(
            topic, self.incoming.early_sound
        )
        self.tasks.append(asyncio.create_task(read(reader, sender)))

    def strike(self) -> None:
        """One thing more."""
        sender, stranger = self.random.choice(STRANGERS), self.stranger
        ending = self.random.choice(("whole", "whole", "whole", "broken", "never"))
        match self.random.randrange(6):
            case 0:
                self.packet(sender, "", stranger.encoded(stranger.rtvi()))
            case 1:
                self.packet(sender, self.random.choice(("", OLD_CHAT)), stranger.encoded(stranger.chat()))
            case 2:
                self.packet(
                    sender,
                    self.random.choice(("", OLD_CHAT, "else")),
                    self.random.randbytes(self.random.choice((0, 9, 40_000))),
                )
            case 3:
                self.stream(sender, CHAT, [stranger.text() for _ in range(self.random.randrange(5))], ending)
            case 4:
                data = stranger.spoilt(stranger.request())
                self.stream(sender, AGENT_SESSION, [data[:7], data[7:]], ending)
            case _:
                self.stream(sender, EARLY_SOUND, [stranger.spoilt(stranger.sound())], ending)
        of_interest(stranger.attributes(), stranger.text(), ["trackId", "metadata"], phone=True)


@pytest.mark.parametrize("seed", range(5))
@virtually
async def test_strangers_are_borne(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of things nobody should send, from several at once."""
    caplog.set_level(logging.WARNING)
    bench = Bench(seed)
    for number in range(ROUNDS):
        bench.strike()
        if number % 10 == 0:
            await asyncio.sleep(0.1)
        assert len([reader for reader in bench.readers if not reader.closed]) <= OPEN * len(STRANGERS)
    bench.packet("ann", OLD_CHAT, b'{"message": "is anybody there?"}')
    bench.stream("ann", CHAT, ["hel", "lo"])
    request = pb.SessionRequest(request_id="mine", ping=pb.SessionRequest.Ping())
    bench.stream("ann", AGENT_SESSION, [pb.AgentSessionMessage(request=request).SerializeToString()])
    bench.packet("ann", "", b'{"label": "rtvi-ai", "type": "client-ready", "id": "r"}')
    await asyncio.sleep(60.0)  # (virtual) streams that never end are closed by then
    assert all(reader.closed for reader in bench.readers)
    assert [task.exception() for task in bench.tasks if task.done() and task.exception()] == []
    assert all(task.done() for task in bench.tasks)
    _what_came_of_it(bench)
    assert len(caplog.records) <= 40
    assert all(record.getMessage().isprintable() and record.exc_info is None for record in caplog.records)


def _what_came_of_it(bench: Bench) -> None:
    typed = Counter(item.participant for item in bench.room.inputs if isinstance(item, Typed))
    rate, at_once = RATES["typed"]
    for sender in STRANGERS:
        assert typed[identity(sender)] <= at_once + rate * bench.clock.now()
    for item in bench.room.inputs:
        assert not isinstance(item, HungUp)
        if isinstance(item, Typed):
            assert len(item.text.encode()) <= 16_000
        if isinstance(item, Digits):
            assert len(item.digits) <= 64
    for send in bench.outgoing.sends:
        assert isinstance(send, SendData | SendBytes)
        assert len(send.payload if isinstance(send, SendData) else send.data) < 15 * 1024
    assert [item.text for item in bench.room.inputs if isinstance(item, Typed) and item.participant == "ann"] == [
        "is anybody there?",
        "hello",
    ]
    answers = [send for send in bench.outgoing.sends if isinstance(send, SendData | SendBytes) and send.to == ("ann",)]
    assert [type(send) for send in answers] == [SendData, SendBytes]


def test_sound_is_taken_from_who_is_here_alone() -> None:
    """What comes early for somebody who never comes is forgotten."""
    ears = Ears(LoopClock())
    for number in range(100):
        ears.early(f"nobody-{number}", "", np.zeros(16_000, np.int16))
    assert len(ears._before) <= 8
