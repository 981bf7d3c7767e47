"""What a process says about itself: one line per fact on stderr, as text or as JSON. Phone numbers are shortened; what is said
of a session bears its id."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from schemas.process.numbers import numbers_shortened
from schemas.text.clean import json_line, printable

__all__ = ["SESSION", "of_session", "set_up_logging"]

SESSION: ContextVar[str] = ContextVar("session", default="")
"""Whose work is being done: its id is added to each record that names none itself (`extra={"session": …}`)."""

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "session", "color_message"}


_FURTHER = "\n    "
"""A record's further lines stand in from the margin: what strangers send can't pose as a record of ours."""


@contextmanager
def of_session(session: str) -> Iterator[None]:
    """What is said within, and by tasks that are begun within, belongs to this session."""
    before = SESSION.set(session)
    try:
        yield
    finally:
        SESSION.reset(before)


class _Json(logging.Formatter):
    """One JSON object per record; whatever was given as `extra` stands beside the message. `time` is RFC 3339, UTC."""

    def __init__(self, process: str):
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{stamp}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": self._process,
            "message": numbers_shortened(record.getMessage()),
        }
        if session := _session(record):
            line["session"] = session
        line = _extra(record) | line
        if record.exc_info:
            line["error"] = numbers_shortened(self.formatException(record.exc_info))
        return json_line(line)


class _Text(logging.Formatter):
    """The same for people: `2026-03-01 12:00:00.123 INFO    antiphon.gateway [ws-4f0c…]: session ended (turns=7)`."""

    def format(self, record: logging.LogRecord) -> str:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        extra = ", ".join(f"{name}={value}" for name, value in _extra(record).items())
        of = f" [{session}]" if (session := _session(record)) else ""
        line = f"{stamp}.{int(record.msecs):03d} {record.levelname:<7} {record.name}{of}: "
        line += numbers_shortened(record.getMessage())
        if extra:
            line += f" ({extra})"
        if record.exc_info:
            line += "\n" + numbers_shortened(self.formatException(record.exc_info))
        return printable(line).replace("\n", _FURTHER)


def _session(record: logging.LogRecord) -> str:
    return str(getattr(record, "session", "") or SESSION.get())


def _extra(record: logging.LogRecord) -> dict[str, object]:
    given = {name: value for name, value in vars(record).items() if name not in _PLAIN}
    return {name: numbers_shortened(value) if isinstance(value, str) else value for name, value in given.items()}


def set_up_logging(level: str, form: Literal["text", "json"], process: str, *, sentry_dsn: str = "") -> None:
    """Send this process's records to stderr. Libraries that print requests (and with them keys) stay at warnings.

    `sentry_dsn`: the error tracker that is told of errors, too; SettingsError as of `tracking`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json(process) if form == "json" else _Text())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    if sentry_dsn:
        from schemas.process.tracker import tracking

        root.handlers.append(tracking(sentry_dsn, process, _session))
    root.setLevel(level.upper())
    logging.captureWarnings(True)  # else they are lines of another form
    for name in ("httpx", "httpx2", "httpcore", "httpcore2", "openai", "aiohttp.access", "faster_whisper", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
