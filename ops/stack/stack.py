"""The whole of Antiphon on one machine: log, LLM server, the three pools, the gateways and the API, each a process of its own.

What a URL names (`REDIS_URL`, `LLM_BASE_URL`, `LIVEKIT_URL`) is used as it is; what no URL names is started beside the rest,
LiveKit only when it is asked for.
"""

import asyncio
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from ops.stack import disk, here
from ops.stack.api import ApiProcess
from ops.stack.doors import look_at_doors
from ops.stack.embedded.livekit import LiveKit, Ports, build_if_missing
from ops.stack.embedded.valkey import Valkey
from ops.stack.occupied import Occupied
from ops.stack.private import private_folder
from ops.stack.supervisor import ANTIPHON, Command, Failed, Supervisor
from ops.stack.system import free_port, free_udp_port, wanted_port, wanted_udp_port
from schemas.config.agents import Agents
from schemas.config.settings import Settings, without_password
from schemas.errors import AntiphonError
from schemas.log import connect

if TYPE_CHECKING:
    from schemas.access.livekit import Access

_LOG_WITHIN = 10.0  # seconds


class StackError(AntiphonError):
    """`exit_code`: as the process that could not be brought up ended, or 3 where something it needs is not reachable."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start. `folder`: data and logs; `free_ports`: never the well-known ones; `environment`: for every process;
    `livekit`: a LiveKit server too (the gateways join its rooms by dispatch); `phones`: answer where SIP_LISTEN says, else on any
    free port of this machine; `api`: the HTTP API, and with it the web app, whose pages may connect to the gateways; `on_wait` is
    told, in a sentence, for what a long start waits."""

    folder: Path
    gateways: int = 1
    stt: int = 1
    llm: int = 1
    tts: int = 1
    free_ports: bool = False
    livekit: bool = False
    phones: bool = True
    api: bool = False
    appendfsync: Literal["always", "everysec"] = "always"
    environment: Mapping[str, str] = field(default_factory=dict)
    on_restart: Callable[[str], None] = lambda _: None
    on_wait: Callable[[str], None] = lambda _: None


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
        self.api: ApiProcess | None = None
        self.supervisor: Supervisor
        self._occupied = Occupied(plan.folder)

    async def __aenter__(self) -> "Stack":
        if trouble := disk.trouble(self.plan.folder):
            raise StackError(trouble)
        private_folder(self.plan.folder)
        await self._occupied.take(self.plan.on_wait)
        logs = self.plan.folder / "logs"
        self.supervisor = Supervisor(logs, self._environment(), self.plan.on_restart, self.plan.on_wait)
        try:
            await self._look_first()
            if self.embeds_redis:
                await self.supervisor.start([self._valkey()])
            if self.embeds_livekit:
                await build_if_missing()
                await self.supervisor.start([self._livekit()])
            await self.supervisor.start(self._processes())
        except Failed as error:
            await self._stop()
            full = disk.trouble(self.plan.folder)
            raise StackError(full or str(error), 1 if full else 3 if error.code is None else error.code) from None
        except BaseException:
            await self._stop()
            raise
        here.tell(self.plan.folder, self.endpoints() | {"redis_url": self.redis_url})
        self._occupied.say("running")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        here.take_back(self.plan.folder)
        await self._stop()

    async def _stop(self) -> None:
        self._occupied.say("stopping")
        await self.supervisor.stop()
        self._occupied.leave()

    async def _look_first(self) -> None:
        """What can be known before anything is started: is there an agent to speak, a door that opens, a log to write to?
        AgentSpecError, SettingsError, BusError, StackError."""
        if self.plan.gateways:
            agents = self.plan.environment.get("AGENTS") or self._settings.agents
            Agents(Path(agents) if agents else None)
            look_at_doors(self._settings)
        if self.embeds_redis:
            return
        bus = connect(self._settings)
        try:
            async with asyncio.timeout(_LOG_WITHIN):
                await bus.start()
        except TimeoutError:
            raise StackError(
                f"REDIS_URL: the log there did not answer within {_LOG_WITHIN:.0f} s; expected Redis 7.0 or Valkey 8 or later",
                3,
            ) from None
        finally:
            await bus.aclose()

    # ── what is started ──────────────────────────────────────────────────────────────────────────────────────────────

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONUNBUFFERED": "1", **self.plan.environment}

    def _valkey(self) -> Command:
        server = Valkey(self.plan.folder / "valkey", self._port(6379), self.plan.appendfsync)
        self.redis_url = server.url
        # It holds our lock, too: should we be killed, nobody begins on its data before it has ended.
        return Command("valkey", server.arguments(), ready=server.answers, descriptors=[self._occupied.descriptor])

    def _livekit(self) -> Command:
        udp = free_udp_port() if self.plan.free_ports else wanted_udp_port(7882)
        ports = Ports(self._port(7880), self._port(7881), udp)
        self.livekit = LiveKit(self.plan.folder / "livekit", self.redis_url, ports)
        return Command("livekit", self.livekit.arguments(), ready=self.livekit.answers)

    def livekit_access(self) -> "Access":
        """How to get into the LiveKit server: the embedded one, or the settings' own. SettingsError: there is none."""
        from schemas.access.livekit import Access, access

        if self.livekit is not None:
            return Access(self.livekit.url, self.livekit.api_key, self.livekit.api_secret)
        return access(self._settings)

    def _processes(self) -> list[Command]:
        commands = [self._llm_server()] if self.embeds_llm else []
        shared = {"REDIS_URL": self.redis_url, "LLM_BASE_URL": self._llm_front or self.llm_base_url}
        pools = {"stt": self.plan.stt, "llm": self.plan.llm, "tts": self.plan.tts}
        commands += [_worker(stage, number, shared) for stage, count in pools.items() for number in range(1, count + 1)]
        edge = {**shared, **(self.livekit.environment if self.livekit else {})}
        if self.plan.api:
            self.api = ApiProcess(self._settings, self._port(self._settings.api_port))
            commands.append(self.api.command(edge))
            edge["GATEWAY_ALLOWED_ORIGINS"] = self.api.origins()
        return commands + [self._gateway(number, edge) for number in range(1, self.plan.gateways + 1)]

    def _llm_server(self) -> Command:
        port = self._port(8081)
        self.llm_base_url = f"http://127.0.0.1:{port}/v1"
        arguments = [*ANTIPHON, "llm-server", "--host", "127.0.0.1", "--port", str(port)]
        # what goes on being written must not keep the first sentence from being spoken
        return Command("llm-server", ["nice", "-n", "12", *arguments], ready=f"http://127.0.0.1:{port}/health")

    def _gateway(self, number: int, shared: Mapping[str, str]) -> Command:
        port = self._port(self._settings.gateway_port) if number == 1 else free_port()
        health = free_port()
        self.gateways.append(f"ws://127.0.0.1:{port}/ws")
        environment = {
            **shared,
            "GATEWAY_PORT": str(port),
            "HEALTH_PORT": str(health),
            "GATEWAY_ID": f"gateway-{number}-{secrets.token_hex(3)}",
        }
        if self._settings.sip_listen and (number > 1 or not self.plan.phones):
            environment["SIP_LISTEN"] = "127.0.0.1:0"
        return Command(f"gateway-{number}", [*ANTIPHON, "gateway"], environment, f"http://127.0.0.1:{health}/readyz")

    def _port(self, wanted: int) -> int:
        return free_port() if self.plan.free_ports else wanted_port(wanted)

    def endpoints(self) -> dict[str, Any]:
        """To be shown."""
        found: dict[str, Any] = {
            "redis_url": without_password(self.redis_url),
            "llm_base_url": without_password(self.llm_base_url),
            "gateways": self.gateways,
        }
        if self.api is not None:
            found["api_url"] = self.api.url
        if self._settings.sip_listen and self.plan.phones:
            found["sip"] = self._settings.sip_listen
        if self.livekit is not None:  # the key itself stays in its file, which is its owner's only
            found |= {"livekit_url": self.livekit.url, "livekit_keys": str(self.livekit.key_file)}
        return found


def _worker(stage: str, number: int, shared: Mapping[str, str]) -> Command:
    health = free_port()
    return Command(
        f"{stage}-{number}",
        [*ANTIPHON, "worker", stage],
        {**shared, "HEALTH_PORT": str(health)},
        f"http://127.0.0.1:{health}/readyz",
        needs=["llm-server"] if stage == "llm" else [],
    )
