"""LiveKit's agent worker protocol: one registration, kept for ever; what the server asks goes to a `JobDecider`.

Binary protobuf frames on a WebSocket: register, then the load every 2.5 s; the server asks whether a job would be taken
(availability), hands it over (assignment), may end it (termination), and is told how it goes (update_job).
"""

import asyncio
import logging
import time
from email.utils import parsedate_to_datetime
from typing import Protocol

import aiohttp
from google.protobuf.message import DecodeError
from livekit.protocol import agent as pb
from livekit.protocol import models

from schemas.access.livekit import Access
from schemas.access.livekit_errors import LiveKitError, explain
from schemas.errors import in_words
from schemas.process.backoff import Backoff
from schemas.process.tasks import Tasks

log = logging.getLogger("antiphon.gateway.livekit")

OLDEST = (1, 8)
"""Version of the server from which agents can be dispatched by name and attributes are kept."""
_BEAT = 2.5  # seconds
_HEARTBEAT = 10.0  # seconds until a ping; half of it without an answer, and the connection is gone
_REGISTER_WITHIN = 10.0
_SKEW = 50.0  # seconds clocks may differ; the server allows a minute
_BELOW_TARGET = 0.69
"""The server offers nothing to workers above its `target_load` (0.7): whoever takes jobs stays below it."""


class JobDecider(Protocol):
    """Who decides about jobs. Nothing here may block. `registered`: LiveKit has taken us in, and may offer jobs from now on."""

    def registered(self) -> None: ...
    def offered(self, job: pb.Job) -> pb.AvailabilityResponse: ...
    def assigned(self, job: pb.Job, url: str, token: str) -> None: ...
    def terminated(self, job: str) -> None: ...
    def load(self) -> tuple[float, int]:
        """0 to 1, where 1 is full; and how many jobs there are."""


class AgentWorker:
    """`run` for ever. `registered` is set once LiveKit has us; `problem` says in a sentence why it has not."""

    def __init__(self, access: Access, agent_name: str, decider: JobDecider, *, delays: Backoff | None = None):
        self.registered = asyncio.Event()
        self.ever = asyncio.Event()
        self.problem = ""
        self.id = ""
        self._access, self._name, self._decider = access, agent_name, decider
        self._delays = delays or Backoff(0.25, 10.0, (0.5, 1.5))
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Register, serve, and again when the connection is lost."""
        async with aiohttp.ClientSession() as http:
            while True:
                try:
                    await self._connected(http)
                    problem = f"LiveKit at {self._access.url} closed the connection"
                except (aiohttp.ClientError, OSError, TimeoutError) as error:
                    problem = str(await self._diagnose(http, error))
                except LiveKitError as error:
                    problem = str(error)
                if self.registered.is_set():
                    self._delays.reset()
                self.registered.clear()
                if problem != self.problem:
                    log.error("%s; trying again", problem)
                self.problem = problem
                await asyncio.sleep(next(self._delays))

    def changed(self) -> None:
        """The load is not what was last reported: say so now."""
        self._changed.set()

    async def report(self, job: str, status: "pb.JobStatus", error: str = "") -> None:
        """How a job goes. Without a connection the server has forgotten it anyway."""
        await self._send(pb.WorkerMessage(update_job=pb.UpdateJobStatus(job_id=job, status=status, error=error)))

    # ── one connection ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _connected(self, http: aiohttp.ClientSession) -> None:
        headers = {"Authorization": f"Bearer {self._access.worker_token()}"}
        url = self._access.agent_url
        async with asyncio.timeout(_REGISTER_WITHIN):
            socket = await http.ws_connect(url, headers=headers, heartbeat=_HEARTBEAT, max_msg_size=1 << 20)
        async with socket:
            self._socket = socket
            beating = Tasks()
            try:
                await self._register(socket)
                beating.spawn(self._beat(), "LiveKit worker's beat")
                async for frame in socket:
                    if frame.type is aiohttp.WSMsgType.BINARY:
                        await self._obey(frame.data)
            finally:
                self._socket = None
                await beating.aclose()

    async def _register(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        allowed = models.ParticipantPermission(
            can_subscribe=True, can_publish=True, can_publish_data=True, can_update_metadata=True, agent=True
        )
        request = pb.RegisterWorkerRequest(
            type=pb.JT_ROOM, agent_name=self._name, version="antiphon", allowed_permissions=allowed
        )
        await socket.send_bytes(pb.WorkerMessage(register=request).SerializeToString())
        async with asyncio.timeout(_REGISTER_WITHIN):
            frame = await socket.receive()
        if frame.type is not aiohttp.WSMsgType.BINARY:
            raise LiveKitError(f"{self._access.url} closed the connection instead of registering an agent worker")
        answer = pb.ServerMessage.FromString(frame.data)
        info = answer.register.server_info
        if not answer.HasField("register") or too_old(info.version, info.edition):
            raise LiveKitError(
                f"LiveKit at {self._access.url} is version {info.version or 'unknown'}; "
                f"{'.'.join(map(str, OLDEST))} or later is needed: update the server"
            )
        self.id, self.problem = answer.register.worker_id, ""
        self._decider.registered()
        self.registered.set()
        self.ever.set()
        log.info(
            "registered with LiveKit %s at %s as %s", info.version, self._access.url, self._name or "every room's agent"
        )

    async def _beat(self) -> None:
        while True:
            load, jobs = self._decider.load()
            full = load >= 1.0
            status = pb.UpdateWorkerStatus(
                status=pb.WS_FULL if full else pb.WS_AVAILABLE,
                load=1.0 if full else _BELOW_TARGET * load,
                job_count=jobs,
            )
            self._changed.clear()
            await self._send(pb.WorkerMessage(update_worker=status))
            try:
                async with asyncio.timeout(_BEAT):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _obey(self, data: bytes) -> None:
        try:
            message = pb.ServerMessage.FromString(data)
        except DecodeError:
            log.warning("LiveKit sent %d bytes that are no message of the agent protocol", len(data))
            return
        match message.WhichOneof("message"):
            case "availability":
                await self._send(pb.WorkerMessage(availability=self._decider.offered(message.availability.job)))
                self.changed()
            case "assignment":
                assignment = message.assignment
                self._decider.assigned(assignment.job, assignment.url or self._access.url, assignment.token)
            case "termination":
                self._decider.terminated(message.termination.job_id)
            case _:
                pass

    async def _send(self, message: pb.WorkerMessage) -> None:
        if self._socket is not None and not self._socket.closed:
            try:
                await self._socket.send_bytes(message.SerializeToString())
            except (ConnectionError, aiohttp.ClientError):
                pass  # the reader notices, and reconnects

    async def _diagnose(self, http: aiohttp.ClientSession, error: Exception) -> LiveKitError:
        """Why it did not work. A refused WebSocket has no body: the same request without one says the reason."""
        url = self._access.url
        if isinstance(error, aiohttp.WSServerHandshakeError) and error.status in (401, 403):
            headers = {"Authorization": f"Bearer {self._access.worker_token()}"}
            try:
                async with (
                    asyncio.timeout(_REGISTER_WITHIN),
                    http.get(f"{self._access.http_url}/agent", headers=headers) as answer,
                ):
                    return refused(url, await answer.text(), answer.headers.get("Date", ""), time.time())
            except (aiohttp.ClientError, OSError, TimeoutError):
                pass
        if isinstance(error, aiohttp.WSServerHandshakeError):
            return explain(f"{error.status} {error.message}", url)
        return explain(f"IO error: {in_words(error)}", url)


def refused(url: str, said: str, date: str, now: float) -> LiveKitError:
    """A refusal in a sentence. `date`: the answer's Date header; `now`: our wall clock, which may be what is wrong."""
    try:
        ahead = now - parsedate_to_datetime(date).timestamp()
    except ValueError:
        ahead = 0.0
    if abs(ahead) > _SKEW and "claims" in said:
        side = "ahead of" if ahead > 0 else "behind"
        return LiveKitError(
            f"LiveKit at {url} refuses the token: this machine's clock is {abs(ahead):.0f} s {side} the server's; "
            "set both by NTP"
        )
    return explain(f"401 {said}", url)


def too_old(version: str, edition: int) -> bool:
    """LiveKit Cloud counts in its own way; what can't be read is let pass."""
    if edition == models.ServerInfo.Cloud:
        return False
    try:
        return tuple(int(part) for part in version.split(".")[:2]) < OLDEST
    except ValueError:
        return False
