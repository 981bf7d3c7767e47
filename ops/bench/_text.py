"""English text as it is compared: what is a matter of spelling counts as no error (after Whisper's own normalizer)."""

import re

_SHORT = {
    "won't": "will not", "can't": "can not", "let's": "let us", "ain't": "aint", "n't": " not", "'re": " are", "'ll": " will",
    "'ve": " have", "'m": " am", "'d": " would", "it's": "it is", "that's": "that is", "what's": "what is", "he's": "he is",
    "she's": "she is", "there's": "there is", "here's": "here is", "who's": "who is", "where's": "where is", "i'm": "i am",
}  # fmt: skip
_WHOLE = {"mr": "mister", "mrs": "missus", "dr": "doctor", "st": "saint", "okay": "ok"}
_DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_FILLERS = {"hmm", "mm", "mhm", "mmm", "uh", "um"}


def normalized(text: str) -> str:
    """Lower case, no punctuation, contractions written out, small numbers as words, no fillers."""
    text = text.lower().replace("’", "'")
    for short in sorted(_SHORT, key=len, reverse=True):
        text = re.sub(rf"{short}\b", _SHORT[short], text)
    words = re.sub(r"[^\w']+", " ", text).replace("'", "").split()
    words = [_DIGITS[int(word)] if word.isdigit() and int(word) < len(_DIGITS) else word for word in words]
    return " ".join(_WHOLE.get(word, word) for word in words if word not in _FILLERS)
