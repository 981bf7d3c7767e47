"""The HTTP API as one of a stack's processes, and the address at which people open the app that it serves."""

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from ops.stack.supervisor import ANTIPHON, Command
from ops.stack.system import free_port, reachable
from schemas.config.settings import Settings


class ApiProcess:
    """`url`: what to open: API_PUBLIC_URL, where that is set, else the process's own address. Without a slash at its end."""

    def __init__(self, settings: Settings, port: int) -> None:
        self._port, self._settings = port, settings
        self._own = f"http://{reachable(settings.api_host)}:{port}"
        self.url = settings.api_public_url.rstrip("/") or self._own

    def command(self, environment: Mapping[str, str]) -> Command:
        """`environment`: where the log and LiveKit are."""
        health = free_port()
        own = {"API_PORT": str(self._port), "HEALTH_PORT": str(health)}
        return Command(
            "api", [*ANTIPHON, "api"], {**environment, **own}, f"{self._own}/ready",
            metrics=f"http://{reachable(self._settings.health_host)}:{health}/metrics",
        )  # fmt: skip

    def origins(self) -> str:
        """GATEWAY_ALLOWED_ORIGINS: what is set, and the pages of this API, by whichever of its names they were opened."""
        set_by_user = [origin.strip() for origin in self._settings.gateway_allowed_origins.split(",") if origin.strip()]
        public = urlsplit(self.url)
        pages = [self._own, f"http://localhost:{self._port}", f"{public.scheme}://{public.netloc}"]
        return ",".join(dict.fromkeys([*set_by_user, *pages]))


def session_url(url: str, session: str) -> str:
    """The page of a session in the app that is served at `url`."""
    return f"{url}/sessions/{quote(session, safe='')}"
