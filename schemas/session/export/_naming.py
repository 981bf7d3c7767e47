"""What both sides of an export file agree upon: which piece is which, and how much one may hold."""

import re
from collections.abc import Mapping
from typing import Any

FORMAT, VERSION = "antiphon.session", 2
HEAD, EVENTS, STATE, RECORDING, MANIFEST, INDEX = (
    "antiphon.json", "events.jsonl", "state.json", "session.wav", "manifest.json", "pieces.jsonl",
)  # fmt: skip
OLD = 1
"""The version of files without `HEAD`, which have all events in one piece and no `INDEX`."""

LONGEST_EVENT = 16 << 20
LONGEST_SOUND = 128 << 20
"""Bytes of one event's line, and of one sound: more is none of ours."""
MOST_SOUNDS, MOST_PIECES = 50_000, 60_000
_SESSION = re.compile(r"(?!\.)[^/\\\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,200}")
_MORE_EVENTS = re.compile(r"events\.\d{5,}\.jsonl")


def events_piece(number: int) -> str:
    """The name of the so manieth piece of events, from 1."""
    return EVENTS if number == 1 else f"events.{number:05}.jsonl"


def is_session(name: str) -> bool:
    """Whether a session may be called so: names of files and keys are made of it, and people type it."""
    return _SESSION.fullmatch(name) is not None


def fit_session(name: str) -> str:
    """`name`, or what is left of it."""
    return re.sub(r"[^\w+~:@=-]+", "-", name).strip("-")[:100] or "session"


def is_events(name: str) -> bool:
    return name == EVENTS or _MORE_EVENTS.fullmatch(name) is not None


_LATEST = 253_402_300_799_999_999  # µs: the last moment of the year 9999
_SECONDS = ("ago", "duration", "position", "silence", "delay", "took", "queued")
_LONGEST = 1e8
_RATES = range(4_000, 384_001)
"""Hz: of less a sound would become thousands of times as much once it is heard."""


def oddity(event: Mapping[str, Any]) -> str:
    """What in an event, as JSON values, no log ever had and nobody could reckon with, in a few words; "": nothing."""
    at = event["at"]
    if not 0 <= at <= _LATEST:
        return f"at {at}"
    for name in _SECONDS:
        value = event.get(name, 0.0)
        if not isinstance(value, int | float) or not -_LONGEST < value < _LONGEST:
            return f"{name} {value!r}"[:40]
    for ref in sounds_of(event):
        rate, samples = ref.get("rate"), ref.get("samples")
        if not (
            isinstance(rate, int) and rate in _RATES and isinstance(samples, int) and 0 <= samples <= LONGEST_SOUND
        ):
            return f"a sound of {samples!r} samples at {rate!r} Hz"[:80]
    return ""


class Names:
    """What each blob's piece is called: made of its own name, fit for any file system, and no two alike. Whoever asks for the
    same keys in the same order, that of the log, is told the same."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._taken: set[str] = set()

    def __len__(self) -> int:
        return len(self._names)

    def of(self, key: str) -> str:
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = self._free(_fit(key))
        return name

    def all(self) -> list[tuple[str, str]]:
        """Each key with its name, in the order in which they were asked for."""
        return list(self._names.items())

    def known(self, key: str) -> str | None:
        return self._names.get(key)

    def _free(self, fit: str) -> str:
        name, count = fit, 1
        while name.casefold() in self._taken:
            count += 1
            name = f"{fit}~{count}"
        self._taken.add(name.casefold())
        return f"audio/{name}.wav"


def _fit(key: str) -> str:
    name = key.partition("/")[2] or key
    return re.sub(r"[^\w.+-]", "_", name)[:200].lstrip(".") or "sound"


def sounds_of(event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The references to sound in an event as JSON values, as far as they are any."""
    kind, audio = event.get("type"), event.get("audio")
    if kind == "utterance.captured" and isinstance(audio, list):
        found = audio
    else:
        found = [audio] if kind == "clip.ready" else []
    return [one for one in found if isinstance(one, dict) and isinstance(one.get("key"), str)]
