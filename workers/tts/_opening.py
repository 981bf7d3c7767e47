"""How a body of sound begins: raw samples, a WAV around them, or something that no ear should get. Pure."""

from dataclasses import dataclass

__all__ = ["NoSound", "Opening", "opening"]

_LONGEST = 4096
"""Bytes before a WAV's samples, beyond which it is none."""
_OTHERS = (
    (b"ID3", "MP3"), (b"OggS", "Ogg"), (b"fLaC", "FLAC"), (b"\x1aE\xdf\xa3", "WebM"), (b"<!DOCTYPE", "HTML"),
    (b"<!doctype", "HTML"), (b"<html", "HTML"), (b"<HTML", "HTML"), (b'{"error', "JSON"), (b'{"detail', "JSON"),
)  # fmt: skip
_NEEDED = 9
"""Bytes by which all of these are told from samples."""
_SAMPLES = frozenset({"audio/pcm", "audio/l16", "audio/x-raw", "application/octet-stream", ""})
"""Types of samples: then two bytes that could begin a frame of MP3 are a sample."""


class NoSound(Exception):
    """Not 16-bit mono PCM: `str(error)` says what it is."""


@dataclass(frozen=True, slots=True)
class Opening:
    """`skip`: bytes before the first sample; `rate`: Hz, None where the body doesn't say."""

    skip: int = 0
    rate: int | None = None


def opening(head: bytes, *, whole: bool, kind: str = "") -> Opening | None:
    """What `head`, the body so far, of type `kind`, begins with; None: more is needed (not if it is the `whole`). NoSound."""
    for mark, name in _OTHERS:
        if head.startswith(mark):
            raise NoSound(name)
    if len(head) < _NEEDED and not whole:
        return None
    if kind not in _SAMPLES and head[:1] == b"\xff" and head[1:2] > b"\xe0" and head[2:3] > b"\x10":
        raise NoSound("MP3 or AAC")
    if not head.startswith(b"RIFF"):
        return Opening()
    form, place = head.find(b"fmt "), head.find(b"data", 12)
    if place < 0 or len(head) < place + 8:
        if whole or len(head) > _LONGEST:
            raise NoSound("a broken WAV")
        return None
    if form < 0 or form > place or head[8:12] != b"WAVE":
        raise NoSound("a broken WAV")
    form_of, channels = _number(head, form + 8, 2), _number(head, form + 10, 2)
    rate, bits = _number(head, form + 12, 4), _number(head, form + 22, 2)
    if form_of not in (1, 0xFFFE) or (channels, bits) != (1, 16) or not 8_000 <= rate <= 48_000:
        raise NoSound(f"a WAV of {bits} bits, {channels} channels, {rate} Hz")
    return Opening(place + 8, rate)


def _number(head: bytes, place: int, size: int) -> int:
    return int.from_bytes(head[place : place + size], "little")
