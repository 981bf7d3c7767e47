"""Where the archive is: as ARCHIVE_URL and ARCHIVE_BLOBS say, else in the data folder that stacks keep on this machine."""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from schemas.config.settings import Settings, without_password

__all__ = ["Place", "archive_of", "belongs_to", "place_of"]

_FOLDER, _FILE, _SOUND, _LOG = "archive", "archive.sqlite", "sound", "log"


@dataclass(frozen=True, slots=True)
class Place:
    """`url`, `blobs`: as `open_archive` takes them; `folder`: of the machine's own archive, None where settings name one."""

    url: str
    blobs: str
    folder: Path | None

    @property
    def is_there(self) -> bool:
        """Whether it was ever made, as far as that shows without asking a server."""
        path = self.url.partition(":///")[2] if self.url.startswith("sqlite") else ""
        return not path or Path(path).is_file()


def place_of(settings: Settings) -> Place:
    """Who names a database and no place for sound has it in a folder beside SQLite's file, else in the data folder."""
    data = Path(os.environ.get("ANTIPHON_DATA") or ".antiphon").absolute() / _FOLDER
    own = f"sqlite:///{data / _FILE}"
    if settings.archive_url in ("", own):
        return Place(own, settings.archive_blobs or str(data / _SOUND), data)
    path = settings.archive_url.partition(":///")[2] if settings.archive_url.startswith("sqlite") else ""
    beside = Path(path).absolute().parent if path else data
    return Place(settings.archive_url, settings.archive_blobs or str(beside / _SOUND), None)


def belongs_to(place: Place, redis_url: str) -> None:
    """Whoever archives into the machine's own archive notes of which log that is."""
    if place.folder is not None:
        place.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (place.folder / _LOG).write_text(without_password(redis_url))


def archive_of(settings: Settings) -> Place | None:
    """The archive that goes with the log of `settings`, where there is one. Whoever names a log (REDIS_URL) and no archive is not
    shown the machine's own, unless that is of this very log."""
    place = place_of(settings)
    if not place.is_there:
        return None
    if place.folder is not None and not settings.archive_url and "redis_url" in settings.model_fields_set:
        with contextlib.suppress(OSError):
            if (place.folder / _LOG).read_text() == without_password(settings.redis_url):
                return place
        return None
    return place
