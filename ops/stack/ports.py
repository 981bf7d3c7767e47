"""Which port a server of the stack gets: one that was asked for or none, a well-known one or, said so, another."""

import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from ops.stack.system import free_port, free_udp_port
from schemas.config.settings import Settings
from schemas.errors import SettingsError

if TYPE_CHECKING:
    import psutil

Kind = Literal["TCP", "UDP"]
_KINDS: dict[Kind, socket.SocketKind] = {"TCP": socket.SOCK_STREAM, "UDP": socket.SOCK_DGRAM}


class Ports:
    """The ports of one stack. `free`: any will do, and none is well known; `on_other` is told, in a sentence, of each server
    whose usual port is taken: that keeps nobody from a start."""

    def __init__(self, settings: Settings, free: bool, on_other: Callable[[str], None]) -> None:
        self._settings, self._free, self._on_other = settings, free, on_other
        asked = {"GATEWAY_PORT": settings.gateway_port, "API_PORT": settings.api_port}
        self._asked = {name: port for name, port in asked.items() if name.lower() in settings.model_fields_set and port}

    def check(self, gateway: bool, api: bool, phones: bool) -> None:
        """Those that somebody has set, before anything starts. SettingsError: one is taken; by whom, as far as that is known."""
        if not self._free:
            if gateway and "GATEWAY_PORT" in self._asked:
                _require("GATEWAY_PORT", self._settings.gateway_host, self._settings.gateway_port)
            if api and "API_PORT" in self._asked:
                _require("API_PORT", self._settings.api_host, self._settings.api_port)
            if gateway and api and len(self._asked) > len({*self._asked.values()}):
                raise SettingsError(
                    f"GATEWAY_PORT and API_PORT are both {self._settings.api_port}; set another for one"
                )
        if gateway and phones and self._settings.sip_listen:
            host, _, port = self._settings.sip_listen.rpartition(":")
            for kind in _KINDS:
                _require("SIP_LISTEN", host.strip("[]"), int(port), kind)

    def of(self, server: str, port: int, kind: Kind = "TCP", *, setting: str = "", host: str = "127.0.0.1") -> int:
        """The port of a server. `port`: its usual one, or what `setting` says; 0: any. SettingsError: asked for, and taken."""
        if self._free or not port:
            return _other(host, kind)
        if setting in self._asked:
            _require(setting, host, port, kind)
            return port
        why = next((f"is asked for by {name}" for name, asked in self._asked.items() if asked == port), "")
        if not (why := why or _taken(host, port, kind)):
            return port
        other = _other(host, kind)
        self._on_other(f"{server}: its usual {kind} port {port} {why}; it gets {other}")
        return other


def _other(host: str, kind: Kind) -> int:
    return free_udp_port() if kind == "UDP" else free_port(host)


def _require(setting: str, host: str, port: int, kind: Kind = "TCP") -> None:
    if port and (why := _taken(host, port, kind)):
        raise SettingsError(f"{setting}: {kind} port {port} of {host} {why}; free it, or set another")


def _taken(host: str, port: int, kind: Kind) -> str:
    """Why it can't be had; "" where it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, _KINDS[kind]) as probe:
        if kind == "TCP":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            who = _holder(port, kind)
            return f"is taken by {who}" if who else f"can't be had ({error.strerror})"
    return ""


def _holder(port: int, kind: Kind) -> str:
    """Its name and pid; "" where it is another user's, whom the system doesn't name."""
    import psutil

    try:
        for one in psutil.net_connections(kind.lower()):
            if one.laddr and one.laddr.port == port and one.pid and (kind == "UDP" or one.status == psutil.CONN_LISTEN):
                return f"{_name(psutil.Process(one.pid))} (pid {one.pid})"
    except (psutil.Error, OSError, RuntimeError):
        return ""
    return ""


def _name(process: "psutil.Process") -> str:
    """What it is called: of ours, which command of `antiphon` it is."""
    words = process.cmdline()
    if "ops.cli" in words[:-1]:
        return f"antiphon {words[words.index('ops.cli') + 1]}"
    return process.name()
