"""What a telephone line may carry: G.711 µ- and A-law, G.722, Opus. Sound in and out is int16 mono."""

from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from aiortp.codecs.g711 import PcmaCodec, PcmuCodec
from aiortp.codecs.g722 import G722Codec
from aiortp.plc import PcmConcealer

from gateway.rooms.sip import opus
from gateway.rooms.sip.trunks import CodecName
from schemas.audio import Pcm

FRAME = 0.02
"""Seconds of a packet we send."""


@dataclass(frozen=True, slots=True)
class Format:
    """How a codec is written in SDP, and what it takes. `clock`: Hz of RTP timestamps (G.722's is 8000 by an old mistake);
    `send_rate`, `hear_rate`: Hz of the sound given to it and taken from it."""

    name: CodecName
    encoding: str
    payload_type: int
    clock: int
    send_rate: int
    hear_rate: int
    channels: int = 1

    @property
    def rtpmap(self) -> str:
        return f"{self.encoding}/{self.clock}" + (f"/{self.channels}" if self.channels > 1 else "")


FORMATS: dict[CodecName, Format] = {
    "opus": Format("opus", "opus", 111, 48_000, 24_000, 16_000, channels=2),  # RFC 7587: 2 in SDP, whatever is sent
    "g722": Format("g722", "G722", 9, 8_000, 16_000, 16_000),
    "pcma": Format("pcma", "PCMA", 8, 8_000, 8_000, 8_000),
    "pcmu": Format("pcmu", "PCMU", 0, 8_000, 8_000, 8_000),
}


def available() -> tuple[CodecName, ...]:
    """What this machine can speak, best sound first."""
    return ("opus", "g722", "pcma", "pcmu") if opus.library() is not None else ("g722", "pcma", "pcmu")


class Codec(Protocol):
    """One call's. `encode` takes 20 ms at `Format.send_rate`; `decode` answers sound at `Format.hear_rate`, ValueError for
    nonsense; `conceal` makes up `samples` that were lost."""

    def encode(self, pcm: Pcm) -> bytes: ...

    def decode(self, payload: bytes) -> Pcm: ...

    def conceal(self, samples: int) -> Pcm: ...


def codec(form: Format) -> Codec:
    match form.name:
        case "opus":
            return _OpusCodec(form)
        case "g722":
            return _G722()
        case "pcma":
            return _G711(PcmaCodec())
        case "pcmu":
            return _G711(PcmuCodec())


class _Concealing:
    """Repeats the last sound, fading within 60 ms."""

    def __init__(self, rate: int):
        self._concealer = PcmConcealer(rate)
        self._last: Pcm | None = None

    def remember(self, pcm: Pcm) -> Pcm:
        self._last = pcm
        return pcm

    def conceal(self, samples: int) -> Pcm:
        if self._last is not None:  # its bytes are only wanted when something is lost
            self._concealer.update(self._last.tobytes())
            self._last = None
        return np.frombuffer(self._concealer.conceal(samples), np.int16)


class _G711(_Concealing):
    def __init__(self, law: PcmuCodec | PcmaCodec):
        super().__init__(8_000)
        self._law = law
        self._table = _decoded(type(law))

    def encode(self, pcm: Pcm) -> bytes:
        return self._law.encode(pcm.tobytes())

    def decode(self, payload: bytes) -> Pcm:
        return self.remember(self._table[np.frombuffer(payload, np.uint8)])


@cache
def _decoded(law: type[PcmuCodec] | type[PcmaCodec]) -> Pcm:
    return np.frombuffer(law().decode(bytes(range(256))), np.int16)


class _G722(_Concealing):
    def __init__(self) -> None:
        super().__init__(16_000)
        self._codec = G722Codec()

    def encode(self, pcm: Pcm) -> bytes:
        return self._codec.encode(pcm.tobytes())

    def decode(self, payload: bytes) -> Pcm:
        return self.remember(np.frombuffer(self._codec.decode(payload), np.int16))


class _OpusCodec:
    def __init__(self, form: Format):
        self._opus = opus.Opus(form.send_rate, form.hear_rate)
        self._frame = form.hear_rate // 50

    def encode(self, pcm: Pcm) -> bytes:
        return self._opus.encode(pcm)

    def decode(self, payload: bytes) -> Pcm:
        return self._opus.decode(payload)

    def conceal(self, samples: int) -> Pcm:
        frames = [self._opus.decode(None, self._frame) for _ in range(max(1, round(samples / self._frame)))]
        return np.concatenate(frames)
