"""Opus out of WebM, into Ogg, which libsndfile decodes: what browsers record is WebM, and only that. Pure.

WebM (RFC 9559's subset of EBML) as MediaRecorder writes it: one Opus track, clusters of unknown size, a frame a block.
"""

import struct
import zlib
from collections import deque
from collections.abc import Iterator

from schemas.errors import AudioFileError

_CONTAINERS = frozenset(
    {0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE, 0xA0}
)  # Segment Cluster Tracks TrackEntry BlockGroup
_CODEC_PRIVATE, _SIMPLE_BLOCK, _BLOCK = 0x63A2, 0xA3, 0xA1
_SERIAL = 1
_LACED = 0x06
_LONGEST_HEAD = 300
"""Bytes of an OpusHead: 19, and a table of at most 255 channels."""
_LONGEST_FRAME = 61_440
"""Bytes of an Opus packet: more would not fit on a page, and no encoder makes a tenth of it."""
_LONGEST_PACKET = 5760
"""Samples at 48 kHz of an Opus packet (120 ms)."""
_KEPT = 20 * 48_000
"""Samples at 48 kHz that are kept: the last ones."""


def to_ogg(data: bytes) -> bytes:
    """The Opus of a WebM file as an Ogg file, of a long one the last 20 s. AudioFileError: it holds none."""
    head = b""
    frames: deque[tuple[bytes, int]] = deque()
    kept = 0
    for kind, begin, end in _elements(data):
        if kind == _CODEC_PRIVATE and end - begin <= _LONGEST_HEAD and data.startswith(b"OpusHead", begin):
            head = data[begin:end]
        elif kind in (_SIMPLE_BLOCK, _BLOCK) and end - begin > 4:
            frame = _frame(data, begin, end)
            samples = _samples(frame)
            if not 0 < samples <= _LONGEST_PACKET or len(frame) > _LONGEST_FRAME:
                raise AudioFileError("a WebM file whose blocks are no Opus packets")
            frames.append((frame, samples))
            kept += samples
            while kept > _KEPT:
                kept -= frames.popleft()[1]
    if not head or not frames:
        raise AudioFileError("a WebM file without Opus in it")
    pages = [_page([head], 0, 0, 2), _page([b"OpusTags" + struct.pack("<I", 0) + struct.pack("<I", 0)], 0, 1, 0)]
    position = 0
    for number, (frame, samples) in enumerate(frames):
        position += samples
        pages.append(_page([frame], position, number + 2, 4 if number == len(frames) - 1 else 0))
    return b"".join(pages)


# ── EBML ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _elements(data: bytes) -> Iterator[tuple[int, int, int]]:
    """All elements but containers, which are entered: kind, and where the body begins and ends. A broken end is the end."""
    at = 0
    while at < len(data):
        kind, at = _number(data, at, keep_marker=True)
        size, at = _number(data, at)
        if kind < 0 or size < -1:
            return
        if kind in _CONTAINERS:
            continue
        if size < 0 or at + size > len(data):
            return
        yield kind, at, at + size
        at += size


def _number(data: bytes, at: int, *, keep_marker: bool = False) -> tuple[int, int]:
    """A number of variable length, and where it ends; -1: unknown size; -2: broken off."""
    if at >= len(data) or not data[at]:
        return -2, len(data)
    length = 9 - data[at].bit_length()
    raw = data[at : at + length]
    if len(raw) < length:
        return -2, len(data)
    value = int.from_bytes(raw, "big")
    if not keep_marker:
        mask = (1 << (7 * length)) - 1
        value = -1 if value & mask == mask else value & mask
    return value, at + length


def _frame(data: bytes, begin: int, end: int) -> bytes:
    """The frame of a block: behind track number, time (2 bytes) and flags."""
    _, at = _number(data, begin)
    if at + 3 >= end:
        raise AudioFileError("a WebM file with a block that is broken")
    if data[at + 2] & _LACED:
        raise AudioFileError("a WebM file whose blocks hold several frames")
    return data[at + 3 : end]


# ── Opus and Ogg ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _samples(frame: bytes) -> int:
    """Samples at 48 kHz of an Opus packet, by its first byte (RFC 6716, 3.1)."""
    if not frame:
        return 0
    config, code = frame[0] >> 3, frame[0] & 3
    if config < 12:
        size = (480, 960, 1920, 2880)[config % 4]
    elif config < 16:
        size = (480, 960)[config % 2]
    else:
        size = (120, 240, 480, 960)[config % 4]
    count = (1, 2, 2, frame[1] & 0x3F if len(frame) > 1 else 0)[code]
    return size * count


def _page(packets: list[bytes], position: int, number: int, flags: int) -> bytes:
    lacing = bytearray()
    for packet in packets:
        lacing += b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])
    header = struct.pack("<4sBBqIII", b"OggS", 0, flags, position, _SERIAL, number, 0)
    page = header + bytes([len(lacing)]) + bytes(lacing) + b"".join(packets)
    return page[:22] + struct.pack("<I", _checksum(page)) + page[26:]


_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def _checksum(page: bytes) -> int:
    """Ogg's CRC: zlib's polynomial, with the bits of each byte in the other order and without its inversions."""
    value = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{value:032b}"[::-1], 2)
