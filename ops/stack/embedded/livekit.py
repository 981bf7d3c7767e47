"""An embedded LiveKit server: the one `make livekit` builds, or a `livekit-server` on PATH, in a folder of one's own.

`antiphon up --livekit` runs it beside the stack; the tests start, stop and kill it. Everything listens on loopback.
"""

import asyncio
import json
import os
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import aiohttp

from ops.stack.embedded._process import ServerProcess
from ops.stack.private import private_folder, write_private
from ops.stack.system import free_port, free_udp_port
from schemas.errors import AntiphonError

_MODULE = Path(__file__).parents[2] / "livekit"
_REPOSITORY = Path(__file__).parents[3]


class LiveKitServerError(AntiphonError):
    """There is no server, or it doesn't come up."""


@dataclass(frozen=True, slots=True)
class Ports:
    """`http`: the API and the signal WebSocket; `tcp` and `udp`: media. 0 takes a free one."""

    http: int = 0
    tcp: int = 0
    udp: int = 0


class LiveKit(ServerProcess):
    """One server process. It keeps its ports, its key and its folder over `stop`, `kill` and `start`.

    `folder`: configuration, key file (both 0600) and log; `redis_url`: where rooms, SIP trunks and dispatch rules are kept ("":
    in memory, and there is no SIP then); `binary`: another livekit-server; `webhooks`: the API's address for them, "" sends none.
    """

    host = "127.0.0.1"
    grace = 3.0  # whoever is still in a room then is cut off

    def __init__(
        self, folder: Path | str, redis_url: str = "", ports: Ports | None = None, *, binary: str | None = None,
        webhooks: str = "",
    ):  # fmt: skip
        self.ports = ports or Ports()
        super().__init__(folder, "livekit.log", free_ports=not self.ports.http)
        self.api_key = self.api_secret = ""
        self._redis_url = redis_url
        self._binary = binary
        self._webhooks = webhooks

    @property
    def url(self) -> str:
        return f"ws://{self.host}:{self.ports.http}"

    @property
    def key_file(self) -> Path:
        """One line, `key: secret`; made at the first start and kept, so that front ends need not be told anew."""
        return self.folder / "keys.yaml"

    @property
    def environment(self) -> dict[str, str]:
        """What a gateway needs to work with it."""
        return {"LIVEKIT_URL": self.url, "LIVEKIT_API_KEY": self.api_key, "LIVEKIT_API_SECRET": self.api_secret}

    def _take_free_ports(self) -> None:
        self.ports = Ports(free_port(self.host), free_port(self.host), free_udp_port())

    def _spawn(self) -> None:
        arguments = self.arguments()
        with self.log_file.open("ab") as sink:
            self._run(arguments, sink)

    def arguments(self) -> list[str]:
        """The command line, for a supervisor that keeps the server alive itself. Makes folder, ports, key and configuration."""
        private_folder(self.folder)
        if not self.ports.http:
            self._take_free_ports()
        self._keep_key()
        file = self.folder / "livekit.yaml"
        write_private(
            file, json.dumps(self._configuration(), indent=2) + "\n"
        )  # JSON is YAML; Redis' password is in it
        return [self._binary or find_binary(), "--config", str(file)]

    def _configuration(self) -> dict[str, Any]:
        configuration: dict[str, Any] = {
            "port": self.ports.http,
            "bind_addresses": [self.host],
            "key_file": str(self.key_file),
            "rtc": {
                "tcp_port": self.ports.tcp,
                "udp_port": self.ports.udp,
                "node_ip": self.host,
                "use_external_ip": False,
                "enable_loopback_candidate": True,
                "ips": {"includes": [f"{self.host}/32"]},  # else its UDP port is open on all of the machine's addresses
            },
            "logging": {"level": "info", "json": False},
        }
        if self._redis_url:
            configuration["redis"] = redis_configuration(self._redis_url)
        if self._webhooks:
            configuration["webhook"] = {"api_key": self.api_key, "urls": [self._webhooks]}
        return configuration

    def _keep_key(self) -> None:
        try:
            self.api_key, _, secret = self.key_file.read_text().strip().partition(": ")
            self.api_secret = secret.strip()
        except OSError:
            self.api_key, self.api_secret = f"antiphon-{secrets.token_hex(4)}", secrets.token_hex(24)
            write_private(self.key_file, f"{self.api_key}: {self.api_secret}\n")

    def _not_up(self, said: str) -> LiveKitServerError:
        return LiveKitServerError(
            f"the embedded LiveKit server did not come up on {self.host}:{self.ports.http}: {said}"
        )

    async def answers(self) -> bool:
        """Whether it answers HTTP now."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http,
                http.get(f"http://{self.host}:{self.ports.http}/") as answer,
            ):
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False


def redis_configuration(url: str) -> dict[str, Any]:
    """LiveKit's `redis:` section for one of our URLs."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        raise LiveKitServerError("REDIS_URL=unix://…: LiveKit reaches Redis by TCP only; give redis://host:port/0")
    found: dict[str, Any] = {"address": f"{parts.hostname}:{parts.port or 6379}"}
    if parts.username:
        found["username"] = unquote(parts.username)
    if parts.password:
        found["password"] = unquote(parts.password)
    if database := parts.path.strip("/"):
        found["db"] = int(database)
    if parts.scheme == "rediss":
        found["use_tls"] = True
    return found


# ── which server ─────────────────────────────────────────────────────────────────────────────────────────────────────


def pinned_version() -> str:
    """The server's version that ops/livekit/go.mod asks for."""
    found = re.search(r"livekit-server v([\d.]+)", (_MODULE / "go.mod").read_text())
    assert found, "ops/livekit/go.mod names no livekit-server"
    return found[1]


def find_binary() -> str:
    """The server `make livekit` built, else a livekit-server on PATH. LiveKitServerError: there is neither, and what to do."""
    name = f"livekit-server-{pinned_version()}"
    for folder in (Path(os.environ.get("ANTIPHON_DATA") or ".antiphon"), _REPOSITORY / ".antiphon"):
        if os.access(found := folder / "bin" / name, os.X_OK):
            return str(found.absolute())
    if on_path := shutil.which("livekit-server"):
        return on_path
    raise LiveKitServerError(
        "there is no LiveKit server here: run `make livekit` (needs Go 1.26 or newer), put a livekit-server on PATH, "
        "or set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET"
    )


async def build_if_missing() -> None:
    """Build the pinned server unless there is one. LiveKitServerError says why that doesn't work."""
    try:
        find_binary()
    except LiveKitServerError:
        await build("server")


async def build(what: Literal["server", "people"]) -> str:
    """The path of what ops/livekit/build.sh builds, or has built. LiveKitServerError says why that doesn't work."""
    process = await asyncio.create_subprocess_exec(
        str(_MODULE / "build.sh"), what, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    path, said = (text.decode("utf-8", "replace").strip() for text in await process.communicate())
    if process.returncode:
        raise LiveKitServerError(
            said.splitlines()[-1] if said else f"ops/livekit/build.sh {what} failed, and does not say why"
        )
    return path
