"""What a dead letter is called: the partition it lies in, and its entry there. By their names letters can be put in order."""

import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from schemas.bus import Buried

_NAME = re.compile(r"(\d{1,4})\.([1-9]\d{0,14})-(\d{1,15})", re.ASCII)


class LetterId(NamedTuple):
    """In the order in which they were filed."""

    time: int
    """ms"""
    number: int
    partition: int

    @classmethod
    def of(cls, name: str) -> "LetterId | None":
        """None: no letter is called so."""
        found = _NAME.fullmatch(name)
        return cls(int(found[2]), int(found[3]), int(found[1])) if found else None

    @classmethod
    def at(cls, partition: int, entry: str) -> "LetterId":
        time, _, number = entry.partition("-")
        return cls(int(time), int(number), partition)

    @property
    def entry(self) -> str:
        return f"{self.time}-{self.number}"

    def __str__(self) -> str:
        return f"{self.partition}.{self.entry}"


def cursor(before: str) -> LetterId | None:
    """Of a list that goes on before this letter; None: it begins. ValueError: no letter is called so."""
    if not before:
        return None
    found = LetterId.of(before)
    if found is None:
        raise ValueError(f"{before[:80]!r} is no dead letter; give the `next` of the page before")
    return found


def buried(partitions: Sequence[tuple[int, str]]) -> Buried:
    """Of each partition: how many letters lie in it, and the latest one's entry ("": none). Letters are only ever added behind
    the latest, so where both are as they were no letter came or went."""
    told = " ".join(f"{letters}:{latest}" for letters, latest in partitions)
    return Buried(sum(letters for letters, _ in partitions), hashlib.blake2b(told.encode(), digest_size=8).hexdigest())
