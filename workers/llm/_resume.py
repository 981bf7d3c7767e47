"""A reply that was begun before: what an earlier attempt said is never said again. Pure."""

from collections.abc import Sequence

__all__ = ["Diverged", "Repeat"]


class Diverged(Exception):
    """The reply asked for again begins otherwise than what was said."""


class Repeat:
    """Swallows the beginning of a reply that was asked for again, while it is what was said."""

    def __init__(self, said: Sequence[str]):
        self._left = list(said)

    def is_new(self, text: str) -> bool:
        """Whether this piece is to be said. Diverged: it is neither the next one said before nor new."""
        if not self._left:
            return True
        if text != self._left.pop(0):
            raise Diverged
        return False

    @property
    def pending(self) -> bool:
        """The reply ended before all that was said came again."""
        return bool(self._left)
