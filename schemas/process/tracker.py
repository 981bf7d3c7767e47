"""Errors told to an error tracker that speaks Sentry's protocol (Sentry, GlitchTip, Bugsink), where SENTRY_DSN names one.

What goes out is made anew of what is known to be ours: which kind of error, in which line of which file, in which process, of
which session. Not the words of an error, no variable, no argument of a log line: any of them may be what somebody said, a name or
a password. The process' log has them, with the same session and time.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from schemas.errors import SettingsError
from schemas.process.figures import program_version

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

_A_MINUTE = 30
"""Lines of the log that are told of at most: what fails at each tick would fill the tracker."""
_KEPT = ("event_id", "timestamp", "level", "logger", "platform", "sdk", "release", "environment")
_OF_A_FRAME = ("module", "filename", "function", "lineno", "in_app")

SessionOf = Callable[[logging.LogRecord], str]


def tracking(dsn: str, process: str, session_of: SessionOf) -> logging.Handler:
    """What hands records from `error` upwards on, and whatever ends the process. `session_of`: whose work a record is of, or "".

    SettingsError: the package is missing, or the DSN is none.
    """
    try:
        import sentry_sdk
        from sentry_sdk.integrations.atexit import AtexitIntegration
        from sentry_sdk.integrations.excepthook import ExcepthookIntegration
        from sentry_sdk.integrations.logging import EventHandler
        from sentry_sdk.utils import BadDsn
    except ImportError:
        raise SettingsError(
            "SENTRY_DSN is set, but its package is not installed; install it (pip install sentry-sdk), or unset SENTRY_DSN"
        ) from None
    try:
        sentry_sdk.init(
            dsn=dsn,
            release=f"antiphon@{program_version()}",
            server_name=process,
            default_integrations=False,  # they look into requests, arguments and modules
            integrations=[ExcepthookIntegration(), AtexitIntegration(callback=lambda *_: None)],
            include_local_variables=False,
            include_source_context=False,
            max_breadcrumbs=0,
            auto_session_tracking=False,
            send_client_reports=False,
            before_send=_Outgoing(process, session_of),
        )
    except BadDsn as error:
        raise SettingsError(
            f"SENTRY_DSN: {error}; expected https://KEY@HOST/NUMBER, as the tracker's project shows it"
        ) from None
    return EventHandler(level=logging.ERROR)


class _Outgoing:
    """`(event, hint) -> event`: all that leaves this process."""

    def __init__(self, process: str, session_of: SessionOf):
        self._process, self._session_of = process, session_of
        self._sent: deque[float] = deque(maxlen=_A_MINUTE)

    def __call__(self, event: "Event", hint: "Hint") -> "Event | None":
        record = hint.get("log_record")
        if record is not None and not self._has_room():
            return None
        given: dict[str, Any] = dict(event)
        kept: dict[str, Any] = {name: given[name] for name in _KEPT if name in given}
        kept["server_name"] = self._process
        kept["tags"] = {"process": self._process}
        if "exception" in given:
            kept["exception"] = {"values": [_bare(one) for one in given["exception"]["values"]]}
        if isinstance(record, logging.LogRecord):
            kept["logentry"] = {"message": _template(record)}
            if session := self._session_of(record):
                kept["tags"]["session"] = session
        return kept  # type: ignore[return-value]

    def _has_room(self) -> bool:
        now = time.monotonic()
        if len(self._sent) == _A_MINUTE and now - self._sent[0] < 60:
            return False
        self._sent.append(now)
        return True


def _bare(raised: dict[str, Any]) -> dict[str, Any]:
    """An exception without its words."""
    frames = (raised.get("stacktrace") or {}).get("frames", [])
    return {
        "type": raised.get("type"),
        "module": raised.get("module"),
        "stacktrace": {"frames": [{name: one[name] for name in _OF_A_FRAME if name in one} for one in frames]},
    }


def _template(record: logging.LogRecord) -> str:
    """What the line of code says, before anything is put in; others' lines that were put together already are left out."""
    ours = record.name.partition(".")[0] == "antiphon"
    said = f"{record.msg} " if record.args or ours else ""
    return f"{said}({record.module}.{record.funcName}:{record.lineno})"
