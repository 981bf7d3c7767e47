"""Sessions that are over, kept for years: `open_archive(url, blobs)` gives the store, `Both` a log and a store as one.

SQLAlchemy is loaded with the store, and not before: who reads what the log still has does not wait for it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from schemas.archive.archiving import Archived, archive_session
    from schemas.archive.both import Both
    from schemas.archive.place import Place, place_of
    from schemas.archive.store import Archive, open_archive

_PLACES = {
    "Archive": "schemas.archive.store",
    "Archived": "schemas.archive.archiving",
    "Both": "schemas.archive.both",
    "Place": "schemas.archive.place",
    "archive_session": "schemas.archive.archiving",
    "open_archive": "schemas.archive.store",
    "place_of": "schemas.archive.place",
}

__all__ = ["Archive", "Archived", "Both", "Place", "archive_session", "open_archive", "place_of"]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_PLACES[name]), name)
    globals()[name] = found
    return found
