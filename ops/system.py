"""Favours the operating system does for whoever starts processes."""

import shutil
import socket
import sys
from collections.abc import Sequence


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def free_udp_port() -> int:
    """A UDP port nobody uses at this moment, on any address: media servers take it on all of the machine's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def dying_with_parent(arguments: Sequence[str]) -> list[str]:
    """The command, run so that a parent killed with -9 leaves no orphan behind (Linux only; the pid stays its own).

    No Python runs in the child: a `preexec_fn` in a process with threads of native libraries, such as LiveKit's, may hang.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "TERM", "--", *arguments] if setpriv else list(arguments)
