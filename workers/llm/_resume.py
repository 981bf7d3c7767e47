"""A reply that was begun before: what an earlier attempt said is never said again. Pure.

Asked for again as a whole, it begins with what was said (`Repeat`). Asked to go on, it should not, but many endpoints begin
anew, or with the last sentence (`Overlap`).
"""

from collections.abc import Sequence

__all__ = ["Diverged", "Overlap", "Repeat"]


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


class Overlap:
    """Drops the beginning of a continuation, as long as it is what was said, from any of its sentences to its end.

    Compared by letters and digits alone. `feed` and `flush` answer the text that is new.
    """

    def __init__(self, said: Sequence[str]):
        texts = [_letters(text) for text in said]
        self._candidates = {start: "".join(texts[start:]) for start in range(len(texts)) if texts[start]}
        """What may be being repeated, by its first sentence; each must be matched to its end."""
        self._held = ""
        self._passed = not self._candidates
        self._trimming = False

    def feed(self, text: str) -> str:
        if self._passed:
            return self._trimmed(text)
        self._held += text
        so_far = _letters(self._held)
        fitting = {start: whole for start, whole in self._candidates.items() if _fits(so_far, whole)}
        repeated = [whole for whole in fitting.values() if len(so_far) >= len(whole)]
        longer = [whole for whole in fitting.values() if len(so_far) < len(whole)]
        if longer:
            return ""
        self._passed = True
        held, self._held = self._held, ""
        if not repeated:
            return held
        self._trimming = True
        return self._trimmed(_behind(held, max(map(len, repeated))))

    def flush(self) -> str:
        """The end: what is still held repeats the beginning of what was said, and nothing else."""
        so_far, held, self._held = _letters(self._held), self._held, ""
        if self._passed:
            return ""
        repeated = [len(whole) for whole in self._candidates.values() if so_far.startswith(whole)]
        if repeated:
            return _behind(held, max(repeated)).lstrip(_BETWEEN)
        return "" if so_far else held

    def _trimmed(self, text: str) -> str:
        """Without the full stop, the blanks, … that belong to what was dropped."""
        if self._trimming:
            text = text.lstrip(_BETWEEN)
            self._trimming = not text
        return text


_BETWEEN = " \t\r\n\u00a0.,;:!?…。！？\"'”’»)]}*_`"


def _letters(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


def _fits(so_far: str, whole: str) -> bool:
    return whole.startswith(so_far) or so_far.startswith(whole)


def _behind(text: str, letters: int) -> str:
    """`text` without its first `letters` letters and digits."""
    for place, character in enumerate(text):
        if letters <= 0:
            return text[place:]
        letters -= len(_letters(character))
    return ""
