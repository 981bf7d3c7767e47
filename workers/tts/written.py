"""What is written, and what of it can be spoken. Pure: text in, words out.

A clip's words are the written ones, so that a consumer can say what was heard in the text's own letters: joined by
blanks they are the text again. Each carries the form handed to the voice, which may be longer ("$5" → "five dollars"),
shorter ("**bold**" → "bold", a URL → its host) or empty. What is said as one ("3 * 4") is one word, its blanks with it,
unless each of its parts has words of its own ("$5.5 million").
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from workers.tts import english
from workers.tts._markup import unmarked

__all__ = ["Written", "written_words"]


@dataclass(frozen=True, slots=True)
class Written:
    """`text`: as it stands in the sentence (with its punctuation); `spoken`: what the voice is given, "" for nothing."""

    text: str
    spoken: str


def written_words(text: str, language: str = "en") -> list[Written]:
    """The words of `text`, split at blanks. A token without a letter or digit ("—", an emoji) joins the word before it.

    `language`: of the voice, ISO 639-1; numbers, dates, signs and abbreviations are written out for English only. "": for
    what has English words in it, or none.
    """
    tokens = text.split()
    in_english = language.lower().replace("_", "-").split("-")[0] == "en" if language else _is_english(text)
    clean = unmarked(" ".join(unicodedata.normalize("NFC", token) for token in tokens))
    cleaned = clean.split(" ")
    words: list[Written] = []
    signs = ""  # unspeakable tokens before the first word
    for first, count, spoken in _english(clean) if in_english else _others(clean):
        token = " ".join(tokens[first : first + count])
        letters = any(_has_letters(part) for part in cleaned[first : first + count])
        if _has_letters(spoken) or (spoken and not in_english) or letters:
            words.append(Written(f"{signs} {token}".lstrip(), spoken if _has_letters(spoken) or not in_english else ""))
            signs = ""
        elif words:
            words[-1] = Written(f"{words[-1].text} {token}", _close(words[-1].spoken, spoken))
        else:
            signs = f"{signs} {token}".lstrip()
    return words


_ENGLISH = re.compile(r"\b(?:the|and|you|your|it's|that|this|with|what|how|please|thanks|thank|hello|yes|I'm|I'll)\b")
_WORDS = re.compile(r"[^\W\d_]{3,}")


def _is_english(text: str) -> bool:
    return _ENGLISH.search(text) is not None or _WORDS.search(text) is None


Spoken = tuple[int, int, str]
"""The first token, how many tokens, and what is said of them."""


def _english(clean: str) -> Iterator[Spoken]:
    pieces = [""]  # what is said of each token, as far as it is told
    counts = [1]
    for said in english.read(clean):
        blanks = clean.count(" ", said.start, said.end)
        parts = said.words.split(english.SEAM)
        if said.words == " " and blanks:
            pieces.append("")
            counts.append(1)
        elif len(parts) == blanks + 1:
            pieces[-1] += parts[0]
            pieces += parts[1:]
            counts += [1] * blanks
        else:
            pieces[-1] += said.words.replace(english.SEAM, " ")
            counts[-1] += blanks
    first = 0
    for piece, count in zip(pieces, counts, strict=True):
        yield first, count, _tidy(piece)
        first += count


def _tidy(spoken: str) -> str:
    """One blank between words, none before a mark; one mark at a time."""
    spoken = " ".join(spoken.split())
    spoken = re.sub(r" (?=[,.;:!?)])", "", spoken)
    spoken = re.sub(r",(?=[,.;:!?])", "", spoken)
    return spoken.lstrip(",;:. ") if _has_letters(spoken) else spoken


def _others(clean: str) -> Iterator[Spoken]:
    for place, token in enumerate(clean.split(" ")):
        spoken = _plain(token)
        yield place, 1, spoken if _has_letters(spoken) or _sounds(spoken) else spoken if not _has_letters(token) else ""


_URL = re.compile(r"(?:https?|ftp)://(?:www\.)?([^/\s?#)\]>]{1,200})\S*", re.IGNORECASE)


def _plain(token: str) -> str:
    """For the voices of other languages: without signs that are no part of a text; a URL becomes its host."""
    address = _URL.search(token)
    if address is not None:
        rest = token[len(token.rstrip(".,;:!?")) :]
        return _unsigned(token[: address.start()]) + _unsigned(address.group(1).rstrip(".,;:!?")) + rest
    token = _unsigned(token)
    return token.strip(" ,") + ("," if token.rstrip().endswith(",") else "")


def _unsigned(token: str) -> str:
    token = re.sub(r"[*`~#<>|\\{}\[\]^\"]+", "", token).replace("_", " ")
    token = re.sub(r"\.{2,}|…", ",", token)
    return re.sub(r"\s*—+\s*|(?<=\w)--+(?=\w)", ", ", token)


def _has_letters(text: str) -> bool:
    return any(unicodedata.category(char)[0] in "LN" for char in text)


def _sounds(text: str) -> bool:
    """Signs that are read out although they are no letters."""
    return any(char in "%&+=€$£" for char in text)


def _close(spoken: str, sign: str) -> str:
    """`spoken`, with the pause that a stray sign after it asks for ("I agree — really")."""
    if not spoken or spoken[-1] in ".,;:!?":
        return spoken
    mark = next((char for char in sign if char in ".,;:!?"), "")
    return spoken + (mark or ("," if set(sign) & set("-–—") else ""))
