"""What of a reply was heard, to the word, from the clips' word timings and the exact playback position."""

from collections.abc import Sequence

from gateway.turn_taking.state import Clip, Sentence


def heard(sentences: Sequence[Sentence]) -> str:
    """The text that sounded: whole sentences, and the last one up to the last word of which at least half was heard."""
    return " ".join(part for part in (_heard_of(sentence) for sentence in sentences) if part)


def _heard_of(sentence: Sentence) -> str:
    if sentence.heard is None or sentence.failed:
        return ""
    if sentence.ended and sentence.complete and sentence.heard >= sentence.duration - 0.02:
        return sentence.text
    return heard_until(sentence.text, sentence.clips, sentence.heard)


def heard_until(text: str, clips: Sequence[Clip], position: float) -> str:
    """`text` cut after the last word heard at `position` seconds of its sound.

    A word counts when its middle has passed. Punctuation and spelling are the text's own as long as its words and the clips'
    agree; else the clips' words stand. Without timings the cut is in proportion, at a word's end.
    """
    if position <= 0:
        return ""
    spoken = _timed_words(clips)
    written = text.split()
    if spoken:
        said = [word for word, middle in spoken if middle <= position]
        agree = len(spoken) == len(written) or [_bare(word) for word in said] == [
            _bare(word) for word in written[: len(said)]
        ]
        return " ".join(written[: len(said)] if agree else said)
    duration = sum(clip.duration for clip in clips)
    if not duration or position >= duration:
        return text if duration else ""
    return _proportional(written, position / duration)


def _bare(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())


def _timed_words(clips: Sequence[Clip]) -> list[tuple[str, float]]:
    """(word, its middle in seconds from the sentence's start); empty if a part lacks timings."""
    words: list[tuple[str, float]] = []
    offset = 0.0
    for clip in clips:
        if not clip.words and clip.duration > 0.3:
            return []
        words += [(word.text, offset + (word.start + word.end) / 2) for word in clip.words]
        offset += clip.duration
    return words


def _proportional(written: list[str], share: float) -> str:
    limit = share * sum(len(word) + 1 for word in written)
    count, length = 0, 0.0
    for word in written:
        if length + (len(word) + 1) / 2 > limit:
            break
        length += len(word) + 1
        count += 1
    return " ".join(written[:count])
