"""Three pages about a process: is it alive, can it work, and its figures. On a port of their own: whoever fills the public one
keeps nobody from looking."""

from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from schemas.errors import SettingsError
from schemas.process.hosts import is_loopback, is_ours


class Health:
    """`/healthz` answers as long as the event loop turns, whatever became of the log; `/readyz` 503 with the reasons; `/metrics`.

    `figures`: in Prometheus' exposition format; `obstacles`: what keeps the process from its work now, one phrase each; none
    means ready. `starting`: whether that is no trouble yet, only models that load. `missing`: what calls lack while the process
    itself is ready: it stays so, for it is not the process that an orchestrator should take away. `refresh`: awaited before the
    figures are told. On loopback they are told to nobody who came by another name (see `schemas/process/hosts`).
    """

    def __init__(
        self,
        host: str,
        port: int,
        figures: Callable[[], bytes],
        obstacles: Callable[[], list[str]],
        starting: Callable[[], bool] = lambda: False,
        *,
        missing: Callable[[], list[str]] = list,
        refresh: Callable[[], Awaitable[None]] | None = None,
    ):
        self.host = host
        self.port = port
        self._figures = figures
        self._obstacles = obstacles
        self._starting = starting
        self._missing = missing
        self._refresh = refresh
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen; afterwards `port` is the real one. SettingsError when the port is taken."""
        app = web.Application(middlewares=[self._check_host] if is_loopback(self.host) else [])
        app.router.add_get("/healthz", self._alive)
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port)
        try:
            await site.start()
        except OSError as error:
            await self._runner.cleanup()
            raise SettingsError(
                f"HEALTH_PORT={self.port}: cannot listen on {self.host} ({error.strerror}); take another, or 0 for any free one"
            ) from None
        self.port = self._runner.addresses[0][1]

    async def aclose(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    @web.middleware
    async def _check_host(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if is_ours(request.headers.getall("Host", [])):
            return await handler(request)
        raise web.HTTPForbidden(text="only this machine asks here, by its own name; HEALTH_HOST says who else may")

    async def _alive(self, _: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _ready(self, _: web.Request) -> web.Response:
        obstacles = self._obstacles()
        told: dict[str, object] = {"ready": not obstacles, "because": obstacles}
        if obstacles and self._starting():
            told["starting"] = True
        if not obstacles and (missing := self._missing()):
            told["missing"] = missing
        return web.json_response(told, status=503 if obstacles else 200)

    async def _metrics(self, _: web.Request) -> web.Response:
        if self._refresh is not None:
            await self._refresh()
        return web.Response(body=self._figures(), headers={"Content-Type": CONTENT_TYPE_LATEST})
