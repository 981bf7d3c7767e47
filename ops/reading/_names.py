"""Which session somebody means who types the beginning of its id, or `last`."""

import difflib
from collections.abc import Sequence
from typing import Protocol

from schemas.bus import Reading, Watching

LAST = "last"
_SHOWN = 5


class Named(Reading, Watching, Protocol):
    """Sessions, and which of them moved."""


class Ambiguous(Exception):
    """Several begin so; the message names them."""


async def meant(log: Named, given: str) -> str | None:
    """The id of the session that is meant: this very id, or the only one that begins so; `last`: the one that was active last.
    None: there is none. Ambiguous."""
    if await log.info(given) is not None:
        return given
    ids = await known(log, 1 if given == LAST else _MOST)
    if given == LAST:
        return ids[0] if ids else None
    found = [one for one in ids if one.startswith(given)]
    if len(found) > 1:
        raise Ambiguous(f"{len(found)} sessions begin with {given}: {_listed(found)}; type more of the one you mean")
    return found[0] if found else None


async def known(log: Watching, most: int) -> list[str]:
    """The ids of the latest `most` open and `most` closed sessions, the latest activity first."""
    touched = [*await log.touched("open", most), *await log.touched("closed", most)]
    return [one.session for one in sorted(touched, key=lambda one: one.at, reverse=True)]


_MOST = 5_000


def near(given: str, ids: Sequence[str]) -> list[str]:
    """Those it was perhaps a slip for."""
    return difflib.get_close_matches(given, ids, n=3, cutoff=0.6)


def _listed(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    return ", ".join(ids[:_SHOWN]) + more
