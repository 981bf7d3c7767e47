"""The whole of Antiphon on one machine: log, LLM server, the three pools and the gateways, each a process of its own.

What a URL names (`REDIS_URL`, `LLM_BASE_URL`, `LIVEKIT_URL`) is used as it is; what no URL names is started beside the rest,
LiveKit only when it is asked for.
"""

import fcntl
import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Literal

from ops.embedded.livekit import LiveKit, Ports, build_if_missing
from ops.embedded.valkey import Valkey
from ops.supervisor import Command, Failed, Supervisor
from ops.system import free_port, free_udp_port
from schemas.errors import AntiphonError
from schemas.settings import Settings

if TYPE_CHECKING:
    from gateway.rooms.livekit.access import Access

ANTIPHON = (sys.executable, "-m", "ops.cli")
_STATE = "stack.json"


class StackError(AntiphonError): ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start. `folder`: data and logs; `free_ports`: never the well-known ones; `environment`: for every process;
    `livekit`: a LiveKit server too (the gateways join its rooms by dispatch)."""

    folder: Path
    gateways: int = 1
    stt: int = 1
    llm: int = 1
    tts: int = 1
    free_ports: bool = False
    livekit: bool = False
    appendfsync: Literal["always", "everysec"] = "always"
    environment: Mapping[str, str] = field(default_factory=dict)
    on_restart: Callable[[str], None] = lambda _: None


def data_folder() -> Path:
    """Where stacks keep their data: ANTIPHON_DATA, else .antiphon in the current folder."""
    return Path(os.environ.get("ANTIPHON_DATA") or ".antiphon")


class Stack:
    """`async with Stack(plan, settings) as stack:` everything runs and is ready; afterwards everything is stopped."""

    def __init__(self, plan: Plan, settings: Settings, *, llm_front: str | None = None):
        """`llm_front`: a URL the workers are given instead of the LLM server's own, for a proxy before it."""
        self.plan = plan
        self._llm_front = llm_front
        self._settings = settings
        own = settings.model_fields_set
        self.embeds_redis = "redis_url" not in own
        self.embeds_llm = "llm_base_url" not in own and settings.llm_provider == "openai"
        self.embeds_livekit = plan.livekit and "livekit_url" not in own
        self.livekit: LiveKit | None = None
        self.redis_url = settings.redis_url
        self.llm_base_url = settings.llm_base_url
        self.gateways: list[str] = []
        self.supervisor: Supervisor
        self._lock: IO[str] | None = None

    async def __aenter__(self) -> "Stack":
        self._occupy()
        self.supervisor = Supervisor(self.plan.folder / "logs", self._environment(), self.plan.on_restart)
        try:
            if self.embeds_redis:
                await self.supervisor.start([self._valkey()])
            if self.embeds_livekit:
                await build_if_missing()
                await self.supervisor.start([self._livekit()])
            await self.supervisor.start(self._processes())
        except Failed as error:
            await self._stop()
            raise StackError(str(error)) from None
        except BaseException:
            await self._stop()
            raise
        self._write_state()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        (self.plan.folder / _STATE).unlink(missing_ok=True)
        await self._stop()

    async def _stop(self) -> None:
        await self.supervisor.stop()
        if self._lock:
            self._lock.close()

    # ── what is started ──────────────────────────────────────────────────────────────────────────────────────────────

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONUNBUFFERED": "1", **self.plan.environment}

    def _valkey(self) -> Command:
        server = Valkey(self.plan.folder / "valkey", self._port(6379), self.plan.appendfsync)
        server.folder.mkdir(parents=True, exist_ok=True)
        self.redis_url = server.url
        return Command("valkey", server.arguments(), ready=server.answers)

    def _livekit(self) -> Command:
        free = self.plan.free_ports
        ports = Ports(self._port(7880), self._port(7881), free_udp_port() if free else self._udp_port(7882))
        self.livekit = LiveKit(self.plan.folder / "livekit", self.redis_url, ports)
        return Command("livekit", self.livekit.arguments(), ready=self.livekit.answers)

    def livekit_access(self) -> "Access":
        """How to get into the LiveKit server: the embedded one, or the settings' own. SettingsError: there is none."""
        from gateway.rooms.livekit.access import Access, access

        if self.livekit is not None:
            return Access(self.livekit.url, self.livekit.api_key, self.livekit.api_secret)
        return access(self._settings)

    def _processes(self) -> list[Command]:
        commands = []
        if self.embeds_llm:
            port = self._port(8081)
            self.llm_base_url = f"http://127.0.0.1:{port}/v1"
            commands.append(
                Command(
                    "llm-server",
                    # what goes on being written must not keep the first sentence from being spoken
                    ["nice", "-n", "12", *ANTIPHON, "llm-server", "--host", "127.0.0.1", "--port", str(port)],
                    ready=f"http://127.0.0.1:{port}/health",
                )
            )
        shared = {"REDIS_URL": self.redis_url, "LLM_BASE_URL": self._llm_front or self.llm_base_url}
        rooms = self.livekit.environment if self.livekit else {}
        for stage, count in (("stt", self.plan.stt), ("llm", self.plan.llm), ("tts", self.plan.tts)):
            for number in range(1, count + 1):
                health = free_port()
                commands.append(
                    Command(
                        f"{stage}-{number}",
                        [*ANTIPHON, "worker", stage],
                        {**shared, "HEALTH_PORT": str(health)},
                        f"http://127.0.0.1:{health}/readyz",
                    )
                )
        for number in range(1, self.plan.gateways + 1):
            port = self._port(self._settings.gateway_port) if number == 1 else free_port()
            health = free_port()
            self.gateways.append(f"ws://127.0.0.1:{port}/ws")
            phones = (
                {"SIP_LISTEN": "127.0.0.1:0"}
                if self._settings.sip_listen and (number > 1 or self.plan.free_ports)
                else {}
            )
            commands.append(
                Command(
                    f"gateway-{number}",
                    [*ANTIPHON, "gateway"],
                    {
                        **shared,
                        **rooms,
                        **phones,
                        "GATEWAY_PORT": str(port),
                        "HEALTH_PORT": str(health),
                        "GATEWAY_ID": f"gateway-{number}-{secrets.token_hex(3)}",
                    },
                    f"http://127.0.0.1:{health}/readyz",
                )
            )
        return commands

    def _port(self, wanted: int) -> int:
        """`wanted` if it is free, else any free one; a taken well-known port must not keep anybody from a demo."""
        if self.plan.free_ports or wanted == 0:
            return free_port()
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                return free_port()
        return wanted

    def _udp_port(self, wanted: int) -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                return free_udp_port()
        return wanted

    # ── one stack per folder, found again by the other commands ──────────────────────────────────────────────────────

    def _occupy(self) -> None:
        self.plan.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.plan.folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StackError(
                f"{self.plan.folder} is in use by another stack; stop that one, or set ANTIPHON_DATA to another folder"
            ) from None

    def _write_state(self) -> None:
        (self.plan.folder / _STATE).write_text(
            json.dumps(self.endpoints() | {"pid": os.getpid(), "started": time.time()})
        )

    def endpoints(self) -> dict[str, Any]:
        found: dict[str, Any] = {
            "redis_url": self.redis_url, "llm_base_url": self.llm_base_url, "gateways": self.gateways
        }  # fmt: skip
        if self._settings.sip_listen and not self.plan.free_ports:
            found["sip"] = self._settings.sip_listen
        if self.livekit is not None:  # the key itself stays in its file, which is its owner's only
            found |= {"livekit_url": self.livekit.url, "livekit_keys": str(self.livekit.key_file)}
        return found


def running(folder: Path | None = None) -> dict[str, Any] | None:
    """The endpoints of a stack that runs on this machine from our data folder, the latest started first; None if none."""
    found = []
    for state in (folder or data_folder()).glob(f"*/{_STATE}"):
        try:
            value = json.loads(state.read_text())
            os.kill(value["pid"], 0)
        except (OSError, ValueError, KeyError):
            continue
        found.append(value)
    return max(found, key=lambda value: value["started"], default=None)


def livekit_access(settings: Settings) -> "Access":
    """The settings' LiveKit server, else that of the running stack. SettingsError: there is neither."""
    from gateway.rooms.livekit.access import Access, access

    stack = running()
    if not settings.livekit_url and stack and "livekit_url" in stack:
        key, _, secret = Path(stack["livekit_keys"]).read_text().strip().partition(": ")
        return Access(stack["livekit_url"], key, secret)
    return access(settings)
