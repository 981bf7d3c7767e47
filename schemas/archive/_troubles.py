"""What databases and object stores say of themselves, as one clear error each: what was expected, what was found, which
setting."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.config.settings import without_password
from schemas.errors import (
    ArchiveDenied,
    ArchiveError,
    ArchiveFull,
    ArchiveLocked,
    ArchiveOutdated,
    ArchiveUnavailable,
    in_words,
)

_FULL = re.compile(r"disk is full|no space left|disk full|quota", re.IGNORECASE)
_LOCKED = re.compile(r"database (table )?is locked|database is busy|lock timeout|deadlock", re.IGNORECASE)
_DENIED = re.compile(
    r"readonly database|unable to open database|permission|password|authentication|not authorized|access ?denied"
    r"|forbidden|invalidaccesskey|signaturedoesnotmatch|no pg_hba|role .* does not exist|unauthenticated",
    re.IGNORECASE,
)
_BROKEN = re.compile(r"disk i/o error", re.IGNORECASE)
_ABSENT = re.compile(r"no such table|undefinedtable|relation .* does not exist|no such column", re.IGNORECASE)
_NO_DATABASE = re.compile(r"database \"?[^\"]*\"? does not exist|not a database|malformed|nosuchbucket", re.IGNORECASE)
_ALTERED = re.compile(r"BadDigest|InvalidDigest|XAmzContent\w*Mismatch", re.IGNORECASE)
_UNKNOWN_KEY = re.compile(r"SignatureDoesNotMatch|InvalidAccessKeyId|InvalidToken|ExpiredToken", re.IGNORECASE)
_STATES: dict[str, type[ArchiveError]] = {
    "53100": ArchiveFull,
    "28": ArchiveDenied,
    "42501": ArchiveDenied,
    "25006": ArchiveDenied,  # a replica
    "42P01": ArchiveOutdated,
    "42703": ArchiveOutdated,
    "40": ArchiveLocked,
    "55P03": ArchiveLocked,
}
"""SQLSTATE, or the class it begins with."""


@contextmanager
def database(url: str) -> Iterator[None]:
    """Whatever the database at `url` raises comes out as an ArchiveError."""
    try:
        yield
    except ArchiveError:
        raise
    except (OSError, TimeoutError) as error:
        raise of_database(error, url) from error
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("sqlalchemy", "asyncpg", "aiosqlite", "sqlite3"):
            raise
        raise of_database(error, url) from error


def of_database(error: BaseException, url: str) -> ArchiveError:
    cause = getattr(error, "orig", None) or error  # what SQLAlchemy was told
    said = f"{in_words(cause)} {type(cause).__name__}"
    state = str(getattr(cause, "sqlstate", None) or getattr(cause.__cause__, "sqlstate", None) or "")
    place = f"ARCHIVE_URL={without_password(url)}"
    kind = next((_STATES[part] for part in (state, state[:2]) if part in _STATES), None)
    if kind is ArchiveFull or _FULL.search(said) or _number(cause) in (errno.ENOSPC, errno.EDQUOT):
        return ArchiveFull(
            f"{place}: its disk is full ({in_words(cause)}); free some space there, or shorten ARCHIVE_DAYS"
        )
    if _BROKEN.search(said):  # on a full disk SQLite can't make the files beside its own, and says no more than this
        return ArchiveUnavailable(f"{place}: its disk refuses ({in_words(cause)}); is it full, or broken?")
    if kind is ArchiveOutdated or _ABSENT.search(said):
        return ArchiveOutdated(f"{place}: it lacks a table of ours ({in_words(cause)}); run `antiphon archive upgrade`")
    if kind is ArchiveLocked or _LOCKED.search(said):
        return ArchiveLocked(
            f"{place}: another process writes into it, and does not end ({in_words(cause)}); try again"
        )
    if _NO_DATABASE.search(said) or state == "3D000":
        return ArchiveDenied(f"{place}: there is no database of ours ({in_words(cause)}); make it, or name another")
    if kind is ArchiveDenied or _DENIED.search(said):
        return ArchiveDenied(
            f"{place}: we are not let in, or may not write ({in_words(cause)}); give it the right user"
        )
    return ArchiveUnavailable(f"{place}: the archive does not answer ({in_words(cause)}); is it up?")


@contextmanager
def objects(place: str) -> Iterator[None]:
    """Whatever the folder or bucket `place` raises comes out as an ArchiveError; FileNotFoundError of an object stays one."""
    try:
        yield
    except ArchiveError:
        raise
    except FileNotFoundError as error:
        if "nosuchbucket" in str(error).lower():
            raise of_objects(error, place) from error
        raise
    except OSError as error:
        raise of_objects(error, place) from error
    except Exception as error:
        if not type(error).__module__.startswith("obstore"):
            raise
        raise of_objects(error, place) from error


def of_objects(error: BaseException, place: str) -> ArchiveError:
    said = f"{error} {type(error).__name__}"
    shown = f"ARCHIVE_BLOBS={without_password(place)}"
    if _FULL.search(said) or _number(error) in (errno.ENOSPC, errno.EDQUOT):
        return ArchiveFull(f"{shown}: its disk is full; free some space there, or shorten ARCHIVE_SOUND_DAYS")
    if re.search("nosuchbucket", said, re.IGNORECASE):
        return ArchiveDenied(f"{shown}: there is no such bucket; make it, or name another")
    if found := _ALTERED.search(said):
        return ArchiveUnavailable(
            f"{shown}: what was sent is not what arrived ({found[0]}); does something in between change it?"
        )
    if found := _UNKNOWN_KEY.search(said):
        return ArchiveDenied(
            f"{shown}: its server does not know us ({found[0]}); look at AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    if _DENIED.search(said) or _number(error) in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ArchiveDenied(
            f"{shown}: we may not read or write there ({_brief(said)}); look at its rights, or at AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY"
        )
    return ArchiveUnavailable(f"{shown}: it does not answer ({_brief(said)}); is it up, is AWS_ENDPOINT_URL right?")


def _number(error: BaseException) -> int | None:
    return error.errno if isinstance(error, OSError) else None


def _brief(said: str) -> str:
    """What a server of objects calls it, where it does; else what its client says."""
    if code := re.search(r"<Code>(\w+)</Code>", said) or re.search(r'code: "(\w+)"', said):
        return code[1]
    return " ".join(said.split())[:200]
