"""What one participant may say to turn-taking, besides sound. Whatever the room, nobody keeps it from the others."""

from gateway.bucket import Bucket
from gateway.inputs import Digits, Joined, Left, PushToTalk, RoomInput, Typed

_RATE, _BURST = 10.0, 60.0
"""Messages, keys, presses and changes of one participant: so many a second, and so many at once. A door may ask for less."""
TYPING, KEYING = (1.0, 10.0), (5.0, 50.0)
"""What the doors that strangers come by ask for: typed messages, and keys and presses, a second and at once."""


class Fairness:
    """Of one session."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}
        self._late: dict[str, Joined] = {}

    def may(self, item: RoomInput, now: float) -> bool:
        """Whether this input counts. What is known of somebody is kept for later (`due`); who comes, goes or lets go of a button
        is always heard."""
        match item:
            case Left(who):
                self._buckets.pop(who, None)
                self._late.pop(who, None)
                return True
            case Joined(who) if who not in self._buckets:
                self._buckets[who] = Bucket.full(_RATE, now, _BURST)
                return True
            case Joined(who) if not self._buckets[who].take(now):
                self._late[who] = item
                return False
            case Joined(who):
                self._late.pop(who, None)
                return True
            case Typed(who) | Digits(who) | PushToTalk(who, True):
                return self._buckets.setdefault(who, Bucket.full(_RATE, now, _BURST)).take(now)
            case _:
                return True

    def due(self, now: float) -> list[Joined]:
        """What was kept, and may be said now."""
        return [self._late.pop(who) for who in tuple(self._late) if self._buckets[who].take(now)]
