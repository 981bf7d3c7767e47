"""A WAV of 16-bit PCM: its head, and what is in one."""

import struct

_HEAD = struct.Struct("<4sL4s4sLHHLLHH4sL")
_PCM, _MOST = 1, 0xFFFFFFFF - 36


def head(rate: int, *, channels: int, size: int) -> bytes:
    """What stands before `size` bytes of PCM; told beforehand, for what has been sent can't be mended."""
    size = min(size, _MOST)
    each = 2 * channels
    return _HEAD.pack(
        b"RIFF", 36 + size, b"WAVE", b"fmt ", 16, _PCM, channels, rate, rate * each, each, 16, b"data", size
    )  # fmt: skip


def content(file: bytes) -> bytes | None:
    """The PCM of one of ours; None: it is none."""
    if len(file) < _HEAD.size:
        return None
    riff, _, wave, fmt, _, kind, channels, _, _, _, bits, data, size = _HEAD.unpack_from(file)
    ours = (riff, wave, fmt, data, kind, channels, bits) == (b"RIFF", b"WAVE", b"fmt ", b"data", _PCM, 1, 16)
    return file[_HEAD.size :] if ours and size == len(file) - _HEAD.size else None
