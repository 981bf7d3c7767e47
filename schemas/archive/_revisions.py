"""Which tables this program knows, and what is said of others."""

from schemas.config.settings import without_password
from schemas.errors import ArchiveOutdated, ArchiveTooNew

HEAD = "r0005"
"""The newest migration's revision."""
KNOWN = frozenset({"r0001", "r0002", "r0003", "r0004", HEAD})
"""Revisions that this program knows: a store at another one is of a newer program."""


def agree(found: str | None, url: str) -> None:
    """`found`: the revision of the tables at `url`, None: there are none. ArchiveOutdated, ArchiveTooNew: it is not ours."""
    place = without_password(url)
    if found == HEAD:
        return
    if found is None:
        raise ArchiveOutdated(
            f"ARCHIVE_URL={place}: there is no archive yet; `antiphon worker jobs` or `antiphon archive upgrade` makes it"
        )
    if found not in KNOWN:
        raise ArchiveTooNew(
            f"ARCHIVE_URL={place}: its tables are at {found}, this program knows them up to {HEAD}; update this program"
        )
    raise ArchiveOutdated(
        f"ARCHIVE_URL={place}: its tables are at {found}, {HEAD} is needed; run `antiphon archive upgrade`"
    )
