"""Errors of the shared contract, one tree.

AntiphonError
├── AgentSpecError      the agent file
├── SettingsError       an environment variable
├── AudioFileError      a recording that can't be read or written
├── ExportError         an export file that can't be read or written
├── EventError          an event that can't be read
│   └── FutureEvent     written by a newer version
├── BusError            the log can't be used
│   ├── BusUnavailable  for now (connection, loading, failover): retry
│   ├── BusFull         the server is out of memory
│   ├── BusReadOnly     the server is a replica or read-only
│   ├── BusTooOld       the server lacks what we need
│   ├── PartitionMismatch  this process and the deployment disagree on P
│   └── LeaseMismatch  this process and those that run disagree on LEASE
├── ArchiveError        the archive can't be used
│   ├── ArchiveUnavailable  for now (connection, start, fail-over): retry
│   ├── ArchiveLocked   another process writes into it, and goes on doing so: retry
│   ├── ArchiveFull     its disk is
│   ├── ArchiveDenied   a user, a password, a bucket, a folder's rights
│   ├── ArchiveOutdated its tables are older than this program
│   ├── ArchiveTooNew   its tables are newer than this program
│   └── ArchiveDamaged  what is read back is not what was written
└── ProviderError       a model or endpoint
    ├── Transient       may pass: retried with backoff
    └── Permanent       will not: said once, with the setting to change
"""

import os
from typing import ClassVar


class AntiphonError(Exception):
    """Base of all; `str(error)` is a sentence for a person: expected, found, which setting to change."""


class AgentSpecError(AntiphonError):
    """`told`: to strangers; the message names files, settings and other agents."""

    def __init__(self, message: str, told: str = "this agent can't be had here now") -> None:
        super().__init__(message)
        self.told = told


class SettingsError(AntiphonError): ...


class AudioFileError(AntiphonError): ...


class ExportError(AntiphonError):
    """`what` is wrong with it, and by `advice` what whoever types commands can do about that; `salvage`: take what is sound."""

    def __init__(self, what: str, advice: str = "", *, salvage: bool = False) -> None:
        super().__init__(f"{what}; {advice}" if advice else what)
        self.what, self.advice, self.salvage = what, advice, salvage


class EventError(AntiphonError): ...


class FutureEvent(EventError): ...


class BusError(AntiphonError):
    """`told`: to strangers; the message names the server, and the setting to look at."""

    told: ClassVar[str] = "the log does not answer"


class BusUnavailable(BusError): ...


class BusFull(BusError):
    told = "the log is full"


class BusReadOnly(BusError):
    told = "the log takes no writes"


class BusTooOld(BusError): ...


class PartitionMismatch(BusError): ...


class LeaseMismatch(BusError): ...


class ArchiveError(AntiphonError):
    """`told`: to strangers; the message names the place, and the setting to look at."""

    told: ClassVar[str] = "the archive does not answer"


class ArchiveUnavailable(ArchiveError): ...


class ArchiveLocked(ArchiveError): ...


class ArchiveFull(ArchiveError):
    told = "the archive is full"


class ArchiveDenied(ArchiveError): ...


class ArchiveOutdated(ArchiveError): ...


class ArchiveTooNew(ArchiveError): ...


class ArchiveDamaged(ArchiveError):
    told = "the archive is damaged"


class ProviderError(AntiphonError):
    """`code`: short and machine-readable (bad_status, timeout, model_missing, empty, …)."""

    def __init__(self, message: str, code: str = "provider") -> None:
        super().__init__(message)
        self.code = code


class Transient(ProviderError):
    """`retry_after`: seconds the endpoint asks to be left alone for, None where it didn't say."""

    def __init__(self, message: str, code: str = "provider", retry_after: float | None = None) -> None:
        super().__init__(message, code)
        self.retry_after = retry_after


class Permanent(ProviderError): ...


def in_words(error: BaseException) -> str:
    """What an error of somebody else's says, on one line; what it means where it says nothing, as time-outs do. Of a connection
    that could not be made (aiohttp's own words repeat the address and name its TLS mode): why."""
    beneath = getattr(error, "os_error", None)
    if isinstance(beneath, OSError) and beneath.errno and "Connect call failed" in str(beneath):
        return os.strerror(beneath.errno)
    return " ".join(str(error).split())[:200] or _meant(error)


def _meant(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return "the connection broke" if isinstance(error, OSError | EOFError) else type(error).__name__
