"""What people type, whichever way their client sends it: each message is asked once. Pure but for what it remembers.

Today's clients send a text stream, and beside it a packet of the old kind which says `ignoreLegacy`; some send both and say
nothing, under one id or two. What was corrected or deleted later, or was made from speech we have heard, is no question.
"""

import json
from collections import OrderedDict, deque
from dataclasses import dataclass

from schemas.client import LONGEST_MESSAGE
from schemas.text.clean import well_formed

_KEPT = 8  # messages of a participant that are remembered
_SENDERS = 256
_TOGETHER = 2.0
"""Seconds within which the same words by both ways are one message."""


class NotAMessage(ValueError):
    """What is wrong with it, in a sentence."""


@dataclass(slots=True)
class _Seen:
    id: str
    way: str
    text: str
    at: float


class Chat:
    """Times are seconds."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, deque[_Seen]] = OrderedDict()

    def packet(self, sender: str, data: bytes, now: float) -> str:
        """The text to be asked of a packet of the old kind; "": nothing. NotAMessage."""
        try:
            found = json.loads(data)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or "message" not in found:
            raise NotAMessage("a chat packet that is no JSON with a `message`")
        if any(found.get(name) for name in ("ignoreLegacy", "editTimestamp", "deleted", "generated")):
            return ""
        id = found.get("id")
        return self._once(sender, id if isinstance(id, str) else "", "packet", found["message"], now)

    def stream(self, sender: str, id: str, text: str, now: float) -> str:
        """The text to be asked of a text stream."""
        return self._once(sender, id, "stream", text, now)

    def _once(self, sender: str, id: str, way: str, text: object, now: float) -> str:
        if not isinstance(text, str) or len(text) > LONGEST_MESSAGE:
            raise NotAMessage(f"a chat message of more than {LONGEST_MESSAGE} characters, or none at all")
        text = well_formed(text).strip()
        if not text:
            return ""
        known = self._seen.setdefault(sender, deque(maxlen=_KEPT))
        self._seen.move_to_end(sender)
        while len(self._seen) > _SENDERS:
            self._seen.popitem(last=False)
        for seen in known:
            if (id and seen.id == id) or (seen.way != way and seen.text == text and now - seen.at < _TOGETHER):
                seen.at = float("-inf")  # one message has one twin
                return ""
        known.append(_Seen(id, way, text, now))
        return text
