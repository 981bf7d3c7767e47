"""An API process' figures for Prometheus, in a registry of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter, Gauge, Histogram, generate_latest
from starlette.types import Scope

from schemas.process.figures import Backlog, new_registry

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Figures:
    """Of requests: by the route they are for, never by what they name."""

    def __init__(self) -> None:
        self.registry = own = new_registry("api")
        self.backlog = Backlog(own)
        self.requests = Counter(
            "antiphon_api_requests",
            "Requests answered, by route and status",
            ["method", "route", "status"],
            registry=own,
        )
        self.seconds = Histogram(
            "antiphon_api_seconds", "Request until the head of its answer", ["route"], buckets=_SECONDS, registry=own
        )
        self.under_way = Gauge("antiphon_api_under_way", "Requests under way, event streams included", registry=own)
        self.refused = Counter(
            "antiphon_api_refused",
            "Requests and connections turned away before any route, by why",
            ["reason"],
            registry=own,
        )
        self.connections = Gauge("antiphon_api_connections", "Connections", registry=own)

    @contextmanager
    def attended(self) -> Iterator[None]:
        """While one request is under way."""
        self.under_way.inc()
        try:
            yield
        finally:
            self.under_way.dec()

    def answered(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "") or "none"
        method = scope["method"] if scope["method"] in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH") else "other"
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
