"""The whole of Antiphon on one machine: log, LLM server, the three pools, the gateways and the API, each a process of its own.

What a URL names (`REDIS_URL`, `LLM_BASE_URL`, `LIVEKIT_URL`) is used as it is; what no URL names is started beside the rest,
LiveKit only when it is asked for.
"""

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from ops.stack import disk
from ops.stack.agent_folder import may_want_pool
from ops.stack.api import ApiProcess
from ops.stack.embedded.livekit import LiveKit, build_if_missing
from ops.stack.embedded.livekit import Ports as LiveKitPorts
from ops.stack.embedded.valkey import Valkey
from ops.stack.here import SHARED, Told, from_anywhere
from ops.stack.models import in_use, served_llm
from ops.stack.occupied import Occupied
from ops.stack.ports import Ports
from ops.stack.private import private_folder
from ops.stack.supervisor import ANTIPHON, Command, Failed, Supervised, Supervisor, log_restart
from ops.stack.system import free_port, reachable
from schemas.archive.place import place_of
from schemas.config.agents import Agents
from schemas.config.settings import Settings, without_password
from schemas.errors import AntiphonError
from schemas.events import STAGES
from schemas.log import connect, connected
from schemas.process.hosts import is_loopback

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
    free port of this machine; `api`: the HTTP API, and with it the web app, whose pages may connect to the gateways; `tools`:
    workers of the tools' own pool, None: one if an agent may want it; `jobs`: workers that archive what has ended, unless ARCHIVE
    is off; `on_wait` is told, in a sentence, for what a long start waits; `on_warn`, when that lasts, and which port isn't the
    usual one; `on_ready`, who can work."""

    folder: Path
    gateways: int = 1
    stt: int = 1
    llm: int = 1
    tts: int = 1
    tools: int | None = None
    free_ports: bool = False
    livekit: bool = False
    phones: bool = True
    api: bool = False
    jobs: int = 0
    appendfsync: Literal["always", "everysec"] = "always"
    environment: Mapping[str, str] = field(default_factory=dict)
    on_restart: Callable[[str], None] = log_restart
    on_wait: Callable[[str], None] = lambda _: None
    on_warn: Callable[[str], None] = lambda _: None
    on_ready: Callable[[Supervised], None] = lambda _: None


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
        self.supervisor = Supervisor(
            plan.folder / "logs", self._environment(), plan.on_restart, plan.on_wait,
            on_ready=plan.on_ready, on_change=self._tell, on_warn=plan.on_warn,
        )  # fmt: skip
        self._occupied = Occupied(plan.folder)
        self._ports = Ports(settings, plan.free_ports, plan.on_warn)
        self._told = Told(plan.folder)
        self._models: dict[str, str] = {}
        self._llm_model = ""
        self._state: Literal["starting", "running", "stopping"] = "starting"

    async def __aenter__(self) -> "Stack":
        if trouble := disk.trouble(self.plan.folder):
            raise StackError(trouble)
        private_folder(self.plan.folder)
        await self._occupied.take(self.plan.on_wait)
        try:
            self._told.tell(self._shown())
        except OSError as error:
            self._occupied.leave()
            raise StackError(self._unwritable(error)) from None
        try:
            await self._start()
        except Failed as error:
            await self._stop()
            full = disk.trouble(self.plan.folder)
            raise StackError(full or str(error), 1 if full else 3 if error.code is None else error.code) from None
        except OSError as error:
            await self._stop()
            if not str(error.filename or "").startswith(str(self.plan.folder)):
                raise
            raise StackError(self._unwritable(error)) from None
        except BaseException:
            await self._stop()
            raise
        self._state = "running"
        self._tell()
        self._occupied.say("running")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    def end_at_once(self) -> None:
        """Nobody is given time any more; whoever stops it, or will, needs none."""
        self.supervisor.end_at_once()

    async def _start(self) -> None:
        await self._look_first()
        if self.embeds_redis:
            await self.supervisor.start([self._valkey()])
        await self._look_at_keys()
        if self.embeds_livekit:
            await build_if_missing()
            await self.supervisor.start([self._livekit()])
        await self.supervisor.start(self._processes())

    async def _stop(self) -> None:
        self._state = "stopping"
        self._occupied.say("stopping")
        self._tell()
        await self.supervisor.stop()
        self._told.take_back()
        self._occupied.leave()

    def _unwritable(self, error: OSError) -> str:
        return (
            f"{error.filename or self.plan.folder} can't be written to ({error.strerror}): give it to this user, or set "
            "ANTIPHON_DATA to another folder"
        )

    def _tell(self) -> None:
        """To other commands; a disk that is full keeps nobody from going on."""
        with contextlib.suppress(OSError):
            self._told.tell(self._shown())

    def _shown(self) -> dict[str, Any]:
        more: dict[str, Any] = {"redis_url": self.redis_url, "llm_base_url": self.llm_base_url}
        if self.plan.gateways:
            more["agents"] = str(named.absolute()) if (named := self._agents()) else ""
        if self._settings.llm_provider == "openai":
            more["llm_model"] = self._llm_model
        more |= {name: value for name in SHARED if (value := self._setting(name)) is not None}
        return self.endpoints() | more | {"state": self._state, "processes": self.supervisor.table()}

    def _setting(self, name: str) -> Any:
        """As its processes have it; None: it is not set."""
        own = getattr(self._settings, name) if name in self._settings.model_fields_set else None
        found = self.plan.environment.get(name.upper(), own)
        return None if found is None else from_anywhere(name, found)

    def _agents(self) -> Path | None:
        """What AGENTS is to gateways; None: it is not set."""
        named = self.plan.environment.get("AGENTS") or self._settings.agents
        return Path(named) if named else None

    async def _look_first(self) -> None:
        """What can be known before anything is started: are there agents to speak, models to hear with, doors that open, ports,
        a log to write to? AgentSpecError, SettingsError, ProviderError, BusError, StackError."""
        from ops.stack.first_look import look_at_the_edge, look_at_workers

        plan, settings = self.plan, self._settings
        agents = self._agents() if plan.gateways else None
        stages = [stage for stage in STAGES if getattr(plan, stage)]
        ours = {*plan.environment} <= {"AGENTS", "GATEWAY_TOKEN_SECRET"}  # else its workers' settings are others
        if plan.gateways:
            look_at_the_edge(settings, agents, stages if ours else [], plan.api)
        llm = self._look_at_own_llm() if self.embeds_llm else self._look_at_model_elsewhere()
        self._models, self._llm_model = in_use(settings, llm, stages), llm
        if ours:
            look_at_workers(settings, stages)
        self._ports.check(plan.gateways > 0, plan.api, plan.phones)
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

    def _look_at_model_elsewhere(self) -> str:
        """The one an endpoint is asked for. It seldom has the packaged one, which is asked for where none is named."""
        settings = self._settings
        if settings.llm_provider == "openai" and "llm_model" not in settings.model_fields_set:
            self.plan.on_warn(
                f"LLM_BASE_URL is set, but LLM_MODEL isn't: it is asked for {settings.llm_model}; set LLM_MODEL to a model it has"
            )
        return settings.llm_model

    def _look_at_own_llm(self) -> str:
        """Its model. SettingsError: that isn't there. It answers whoever asks, by whichever name: another is told of."""
        served, asked = served_llm(self._environment()), self._settings.llm_model
        if "llm_model" in self._settings.model_fields_set and asked != served:
            self.plan.on_warn(
                f"LLM_MODEL={asked}, but no LLM_BASE_URL says where that is: {served} answers, on this machine; set "
                "LLM_BASE_URL, or LLM_FILE to a .gguf"
            )
        return served

    async def _look_at_keys(self) -> None:
        """SettingsError: strangers could reach the API, and the log, which runs by now, holds no key."""
        if self.plan.api and not is_loopback(self._settings.api_host):
            from api.access.gate import KeyGate

            settings = self._settings.model_copy(update={"redis_url": self.redis_url})
            async with connected(settings) as bus:
                await KeyGate(settings, bus).check()

    # ── what is started ──────────────────────────────────────────────────────────────────────────────────────────────

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONUNBUFFERED": "1", **self.plan.environment}

    def _valkey(self) -> Command:
        server = Valkey(
            self.plan.folder / "valkey", self._ports.of("valkey", 6379), self.plan.appendfsync,
            options={"logfile": ""},  # what it says is ours to keep, as all others'
        )  # fmt: skip
        self.redis_url = server.url
        # It holds our lock, too: should we be killed, nobody begins on its data before it has ended.
        return Command("valkey", server.arguments(), ready=server.answers, descriptors=[self._occupied.descriptor])

    def _livekit(self) -> Command:
        http, tcp = self._ports.of("livekit", 7880), self._ports.of("livekit", 7881)
        ports = LiveKitPorts(http, tcp, self._ports.of("livekit", 7882, "UDP"))
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
        pools = {"stt": self.plan.stt, "llm": self.plan.llm, "tts": self.plan.tts, "tools": self._tools()}
        commands += [
            self._worker(stage, number, shared) for stage, count in pools.items() for number in range(1, count + 1)
        ]
        if self._archives():
            commands += [self._jobs(number, shared | self._archive()) for number in range(1, self.plan.jobs + 1)]
        edge = {**shared, **(self.livekit.environment if self.livekit else {})}
        if self.plan.api:
            self.api = ApiProcess(
                self._settings,
                self._ports.of("api", self._settings.api_port, setting="API_PORT", host=self._settings.api_host),
            )
            commands.append(self.api.command(edge | self._archive()))
            edge["GATEWAY_ALLOWED_ORIGINS"] = self.api.origins()
        return commands + [self._gateway(number, edge) for number in range(1, self.plan.gateways + 1)]

    def _tools(self) -> int:
        if self.plan.tools is not None or not self.plan.llm:
            return self.plan.tools or 0
        named = self._agents()
        return int(named is not None and may_want_pool(Agents(named, strict=False)))

    def _llm_server(self) -> Command:
        port = self._ports.of("llm-server", 8081)
        own = f"http://127.0.0.1:{port}"
        self.llm_base_url = f"{own}/v1"
        arguments = [*ANTIPHON, "llm-server", "--host", "127.0.0.1", "--port", str(port)]
        # what goes on being written must not keep the first sentence from being spoken
        return Command("llm-server", ["nice", "-n", "12", *arguments], ready=f"{own}/health", metrics=f"{own}/metrics")

    def _gateway(self, number: int, shared: Mapping[str, str]) -> Command:
        host, port = self._settings.gateway_host, self._settings.gateway_port
        given = self._ports.of("gateway-1", port, setting="GATEWAY_PORT", host=host) if number == 1 else free_port(host)
        self.gateways.append(f"ws://{reachable(host)}:{given}/ws")
        environment = {
            **shared,
            "GATEWAY_PORT": str(given),
            "GATEWAY_ID": f"gateway-{number}-{secrets.token_hex(3)}",
        }
        if self._settings.sip_listen and (number > 1 or not self.plan.phones):
            environment["SIP_LISTEN"] = "127.0.0.1:0"
        return self._watched(f"gateway-{number}", ["gateway"], environment)

    def _worker(self, stage: str, number: int, shared: Mapping[str, str]) -> Command:
        return self._watched(
            f"{stage}-{number}", ["worker", stage], shared, needs=["llm-server"] if stage == "llm" else []
        )

    def _jobs(self, number: int, shared: Mapping[str, str]) -> Command:
        """What it does nobody waits for: calls come first, and a start is none the worse for an archive that is away."""
        made = self._watched(f"jobs-{number}", ["worker", "jobs"], shared)
        alive = made.metrics.replace("/metrics", "/healthz")
        return replace(made, arguments=["nice", "-n", "10", *made.arguments], ready=alive)

    def _archives(self) -> bool:
        settings = self._settings
        if settings.archive == "off" or not self.plan.jobs:
            return False
        if settings.redis_cluster and not settings.jobs_redis_url:
            self.plan.on_warn(
                "nothing is archived: REDIS_URL is a cluster, and JOBS_REDIS_URL names no Redis for background jobs"
            )
            return False
        return True

    def _archive(self) -> dict[str, str]:
        """The same for who writes it and who reads it, whatever folder it would be by itself."""
        place = place_of(self._settings)
        return {"ARCHIVE_URL": place.url, "ARCHIVE_BLOBS": place.blobs}

    def _watched(
        self, name: str, words: Sequence[str], environment: Mapping[str, str], needs: Sequence[str] = ()
    ) -> Command:
        """A process with a health page."""
        port = free_port()
        page = f"http://{reachable(self._settings.health_host)}:{port}"
        own = {**environment, "HEALTH_PORT": str(port)}
        return Command(name, [*ANTIPHON, *words], own, f"{page}/readyz", needs, metrics=f"{page}/metrics")

    def endpoints(self) -> dict[str, Any]:
        """To be shown."""
        found: dict[str, Any] = {
            "redis_url": without_password(self.redis_url),
            "llm_base_url": without_password(self.llm_base_url),
            "gateways": self.gateways,
        }
        if self._models:
            found["models"] = self._models
        if self.api is not None:
            found["api_url"] = self.api.url
        if self._settings.sip_listen and self.plan.phones:
            found["sip"] = self._settings.sip_listen
        if self.livekit is not None:  # the key itself stays in its file, which is its owner's only
            found |= {"livekit_url": self.livekit.url, "livekit_keys": str(self.livekit.key_file)}
        return found
