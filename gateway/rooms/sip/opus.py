"""Opus by the machine's own libopus (Debian: libopus0). Where there is none, Opus is not spoken, and calls take another codec."""

import ctypes
import ctypes.util
from functools import lru_cache

import numpy as np

from schemas.audio import Pcm

_VOIP = 2048
_SET_COMPLEXITY = 4010
_LONGEST = 5760 // 3  # samples of 120 ms at 16 kHz
_PACKET = 1500


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """libopus, None where this machine has none."""
    name = ctypes.util.find_library("opus") or "libopus.so.0"
    try:
        opus = ctypes.CDLL(name)
    except OSError:
        return None
    pointer, integer, sound = ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_int16)
    opus.opus_encoder_create.argtypes = [integer, integer, integer, ctypes.POINTER(integer)]
    opus.opus_encoder_create.restype = pointer
    opus.opus_encode.argtypes = [pointer, sound, integer, ctypes.c_char_p, ctypes.c_int32]
    opus.opus_encode.restype = ctypes.c_int32
    opus.opus_encoder_destroy.argtypes = [pointer]
    opus.opus_decoder_create.argtypes = [integer, integer, ctypes.POINTER(integer)]
    opus.opus_decoder_create.restype = pointer
    opus.opus_decode.argtypes = [pointer, ctypes.c_char_p, ctypes.c_int32, sound, integer, integer]
    opus.opus_decode.restype = integer
    opus.opus_decoder_destroy.argtypes = [pointer]
    return opus


class Opus:
    """One call's encoder and decoder, mono. `send_rate`, `hear_rate`: Hz of what is encoded and decoded; libopus resamples."""

    def __init__(self, send_rate: int, hear_rate: int):
        opus = library()
        if opus is None:
            raise RuntimeError("no libopus on this machine; apt-get install libopus0")
        self._opus = opus
        error = ctypes.c_int()
        self._encoder = opus.opus_encoder_create(send_rate, 1, _VOIP, ctypes.byref(error))
        self._decoder = opus.opus_decoder_create(hear_rate, 1, ctypes.byref(error))
        if not self._encoder or not self._decoder:
            self.close()
            raise RuntimeError(f"libopus refuses {send_rate} and {hear_rate} Hz (error {error.value})")
        opus.opus_encoder_ctl(
            ctypes.c_void_p(self._encoder), _SET_COMPLEXITY, ctypes.c_int(5)
        )  # half the CPU of the default
        self._packet = ctypes.create_string_buffer(_PACKET)
        self._sound = np.zeros(_LONGEST, np.int16)

    def encode(self, pcm: Pcm) -> bytes:
        samples = np.ascontiguousarray(pcm, np.int16)
        at = samples.ctypes.data_as(ctypes.POINTER(ctypes.c_int16))
        size = self._opus.opus_encode(self._encoder, at, len(samples), self._packet, _PACKET)
        return self._packet.raw[:size] if size > 0 else b""

    def decode(self, payload: bytes | None, samples: int = 0) -> Pcm:
        """What `payload` holds; None: `samples` made up for a lost packet. ValueError for what is no Opus."""
        at = self._sound.ctypes.data_as(ctypes.POINTER(ctypes.c_int16))
        size = len(payload) if payload is not None else 0
        count = self._opus.opus_decode(self._decoder, payload, size, at, samples if payload is None else _LONGEST, 0)
        if count < 0:
            raise ValueError(f"no Opus packet (libopus error {count})")
        return self._sound[:count].copy()

    def close(self) -> None:
        if getattr(self, "_encoder", None):
            self._opus.opus_encoder_destroy(self._encoder)
        if getattr(self, "_decoder", None):
            self._opus.opus_decoder_destroy(self._decoder)
        self._encoder = self._decoder = None

    def __del__(self) -> None:
        self.close()
