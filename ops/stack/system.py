"""Favours the operating system does for whoever starts processes."""

import contextlib
import itertools
import random
import shutil
import socket
import sys
from collections.abc import Iterator, Sequence

_PORTS = range(11_000, 20_000)
"""Below those that systems give to outgoing connections (Linux: from 32768; others: from 49152), which would take a free port
before its server has it; and beside SIP_PORTS."""
_ANY = {"", "0.0.0.0", "::"}
"""Hosts that mean every address of the machine."""
_FIRST = random.SystemRandom().randrange(len(_PORTS))
_STEP = 37  # not 1: a phone takes the port above its own, too
_walk: Iterator[int] = itertools.cycle(_PORTS[(_FIRST + _STEP * n) % len(_PORTS)] for n in range(len(_PORTS)))
"""From anywhere on: what was given out a moment ago, and its server does not have yet, is not given out again; and who asks in
another process walks elsewhere."""


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port nobody listens on at this moment."""
    return _free(socket.SOCK_STREAM, host)


def free_udp_port() -> int:
    """A UDP port nobody uses at this moment, on any address: media servers take it on all of the machine's."""
    return _free(socket.SOCK_DGRAM, "")


def reachable(host: str) -> str:
    """How this machine reaches a server of its own that listens on `host`, as it stands in a URL."""
    host = "127.0.0.1" if host in _ANY else host
    return f"[{host}]" if ":" in host else host


def _free(kind: socket.SocketKind, host: str) -> int:
    for port in itertools.islice(_walk, 100):
        with socket.socket(socket.AF_INET, kind) as probe, contextlib.suppress(OSError):
            probe.bind((host, port))
            return port
    raise OSError(f"none of 100 ports between {_PORTS.start} and {_PORTS.stop} is free on {host or 'all addresses'}")


def dying_with_parent(arguments: Sequence[str]) -> list[str]:
    """The command, run so that a parent killed with -9 leaves no orphan behind (Linux only; the pid stays its own).

    No Python runs in the child: a `preexec_fn` in a process with threads of native libraries, such as LiveKit's, may hang.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "TERM", "--", *arguments] if setpriv else list(arguments)
