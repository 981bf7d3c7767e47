"""Fixtures every folder of tests may use."""

import gc
import os
import signal
from functools import cache
from typing import Any

import httpcore2

from tests.servers import livekit, shared_livekit, shared_valkey, valkey

__all__ = ["livekit", "shared_livekit", "shared_valkey", "valkey"]

# Of what is loaded until the first test begins next to nothing is ever garbage: it is not looked at, then or later.
gc.disable()

# What a stack's jobs worker does is tested where it is meant, not in every start of one.
os.environ.setdefault("ARCHIVE", "off")

# The system's certificates are read once, not for each client: a thirtieth of a second of processor, each time.
_read_certificates = httpcore2.default_ssl_context


@cache
def _certificates(*named: str | None) -> Any:
    return _read_certificates(_trust_env=any(named))


def _kept_certificates(*, _trust_env: bool = True) -> Any:
    names = ("SSL_CERT_FILE", "SSL_CERT_DIR") if _trust_env else ()
    return _certificates(*(os.environ.get(name) for name in names))


httpcore2.default_ssl_context = _kept_certificates

# As of Python 3.12: 3.11 writes out what a runner's task came to, however long it is, to find that it is no number.
_to_enum = signal._int_to_enum  # type: ignore[attr-defined]
signal._int_to_enum = lambda value, kind: _to_enum(value, kind) if isinstance(value, int) else value  # type: ignore[attr-defined]


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.set_threshold(5_000)  # of 700 new objects; Hypothesis times each look
    gc.enable()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What a run took of the processor: where several wait for the same cores, the clock does not tell."""
    took = os.times()
    terminalreporter.write_line(
        f"processor: {took.user + took.system:.0f} s here, {took.children_user + took.children_system:.0f} s in processes"
    )
