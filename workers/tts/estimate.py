"""Word timings for voices that tell none: written words shared out over the sound by their length. Pure.

estimate = Estimate([word.text for word in written_words(text, language)], speed, rate)
words = estimate.part(len(pcm), last=last)        # of each part of the sound, in order
"""

from collections.abc import Sequence

from schemas.events import Word
from workers.tts._timing import proportional_spans

__all__ = ["Estimate"]

_LETTERS_PER_SECOND = 15.0


class Estimate:
    """Fed a clip's parts in order; answers the words that begin in each. `rate`: Hz of the sound."""

    def __init__(self, texts: Sequence[str], speed: float, rate: int) -> None:
        self._waiting = list(texts)
        self._per_letter = rate / (_LETTERS_PER_SECOND * speed)
        self._rate = rate
        self._reached = 0
        """Where the part begins."""
        self._spoken = 0
        """Where the last word told ends."""

    def part(self, samples: int, *, last: bool) -> list[Word]:
        """The words of the next part, in seconds from its start; the last part takes all that are left."""
        start, self._reached = self._reached, self._reached + samples
        begin = max(start, self._spoken)
        texts = self._waiting
        if last:
            spans = proportional_spans(texts, begin, max(begin, self._reached))
        else:
            end = begin + round(self._per_letter * sum(len(text) + 1 for text in texts))
            told = [span for span in proportional_spans(texts, begin, end) if span[0] < self._reached]
            spans = [(low, min(high, self._reached)) for low, high in told]  # who knows whether more is to come
        self._waiting = texts[len(spans) :]
        self._spoken = spans[-1][1] if spans else self._spoken
        return self._words(texts, spans, start)

    def _words(self, texts: Sequence[str], spans: Sequence[tuple[int, int]], start: int) -> list[Word]:
        pairs = zip(texts, spans, strict=False)
        return [Word(text=t, start=(a - start) / self._rate, end=(b - start) / self._rate) for t, (a, b) in pairs]
