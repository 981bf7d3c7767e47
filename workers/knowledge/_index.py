"""Passages found by their words: SQLite's full-text search, in memory, ranked by BM25."""

import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from schemas.text.clean import well_formed
from workers.knowledge._passages import Passage

__all__ = ["NONE", "Found", "Index"]

_QUERY, _TERMS = 1_000, 48
"""Characters and words of a question that are looked for."""
_WEAK = 0.35
"""Times the best one's score, below which a passage is left out."""
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af\u0e00-\u0e7f"
_WORD = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_UNSPACED = re.compile(rf"[{_CJK}]")
_ENGLISH = """
    a an and are as at be but by can could did do does for from had has have hello hi how i if in is it its
    just me my no not of oh ok okay on or please so some thank thanks that the their them then there they this
    to uh um was we what when where which who why will with would yes you your
"""
_COMMON = frozenset(_ENGLISH.split())
"""Words of English by which nothing is found: what is said for courtesy shall not bring a passage about it."""


@dataclass(frozen=True, slots=True)
class Found:
    """`text`: passages, the best first, each behind its file and heading, "" none; `files`: of these; `scores`: of the best
    passage of each, by BM25: more is better."""

    text: str = ""
    files: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()


NONE = Found()


class Index:
    """Made once and then only read; `find` may be called from any thread. `language`: ISO 639-1, of the agent: in English words
    are found in all their forms, elsewhere by how long words begin."""

    def __init__(self, passages: Iterable[Passage], language: str) -> None:
        self._english = language in ("en", "")
        self._passages = list(passages)
        self._lock = threading.Lock()
        self._db = sqlite3.connect(":memory:", check_same_thread=False)
        stems = "porter " if self._english else ""
        self._db.execute(
            f"CREATE VIRTUAL TABLE passages USING fts5(heading, text, tokenize='{stems}unicode61 remove_diacritics 2')"
        )
        rows = (
            (number, _bare(f"{one.file} {one.heading}"), _bare(one.text)) for number, one in enumerate(self._passages)
        )
        self._db.executemany("INSERT INTO passages(rowid, heading, text) VALUES (?, ?, ?)", rows)
        self._db.commit()

    def __del__(self) -> None:
        self._db.close()

    def __len__(self) -> int:
        return len(self._passages)

    def find(self, query: str, most: int, characters: int) -> Found:
        """At most `most` passages, of `characters` together with what stands before each."""
        terms = list(dict.fromkeys(self._terms(query)))[:_TERMS]
        if not terms:
            return NONE
        with self._lock:
            rows = self._db.execute(
                "SELECT rowid, bm25(passages, 2.0, 1.0) FROM passages WHERE passages MATCH ? ORDER BY 2, 1 LIMIT ?",
                (" OR ".join(terms), most),
            ).fetchall()
        return self._fitting(
            [(self._passages[number], -score) for number, score in rows if score <= rows[0][1] * _WEAK], characters
        )

    def _terms(self, query: str) -> Iterator[str]:
        for word in _words(query[:_QUERY]):
            if self._english and word in _COMMON:
                continue
            stem = word if self._english or len(word) < 6 or _UNSPACED.match(word) else word[: max(5, len(word) - 2)]
            yield f'"{word}"' if stem == word else f'"{stem}"*'

    def _fitting(self, found: Sequence[tuple[Passage, float]], left: int) -> Found:
        parts: list[str] = []
        files: dict[str, float] = {}
        for passage, score in found:
            text = str(passage)
            if len(text) > left:
                if parts:
                    continue
                text = text[: left - 1] + "…"
            parts.append(text)
            files.setdefault(passage.file, round(score, 3))
            left -= len(text) + 2
        return Found("\n\n".join(parts), tuple(files), tuple(files.values()))


def _words(text: str) -> Iterator[str]:
    """Lower case; writing without spaces as each two characters that stand together."""
    for word in _WORD.findall(well_formed(text).lower()):
        if len(word) > 2 and _UNSPACED.match(word):
            yield from (word[at : at + 2] for at in range(len(word) - 1))
        else:
            yield word


def _bare(text: str) -> str:
    return " ".join(_words(text))
