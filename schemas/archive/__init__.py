"""Sessions that are over, kept for years: `open_archive(url, blobs)` gives the store, `Both` a log and a store as one.

SQLAlchemy is loaded with the store, and not before: who reads what the log still has does not wait for it.
"""

from typing import TYPE_CHECKING

from schemas.lazily import loads as _loads

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

__getattr__ = _loads(__name__, _PLACES)
