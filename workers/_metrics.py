"""A worker's figures for Prometheus, in a registry of its own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from schemas.events import Stage

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 20.0, 60.0)


class WorkerMetrics:
    """Every figure carries the stage as a label."""

    def __init__(self, stage: Stage):
        self.registry = CollectorRegistry()
        self._stage: str = stage
        own = self.registry
        self._jobs = Counter(
            "antiphon_worker_jobs",
            "Jobs by how they left this worker: done, failed, expired, released, lost, stale, closed",
            ["stage", "outcome"],
            registry=own,
        )
        self._retries = Counter(
            "antiphon_worker_retries", "Runs repeated after an error that can pass", ["stage", "code"], registry=own
        )
        self._trouble = Counter(
            "antiphon_worker_log_errors", "Calls to the log that failed", ["stage", "call"], registry=own
        )

        def histogram(name: str, what: str, buckets: tuple[float, ...] = _SECONDS) -> Histogram:
            return Histogram(f"antiphon_worker_{name}", what, ["stage"], buckets=buckets, registry=own).labels(stage)

        def gauge(name: str, what: str) -> Gauge:
            return Gauge(f"antiphon_worker_{name}", what, ["stage"], registry=own).labels(stage)

        self._queued = histogram("queued_seconds", "From being enqueued to being taken")
        self._ran = histogram("run_seconds", "From being taken to the end")
        self._batch = histogram("batch_jobs", "Jobs run together", (1, 2, 4, 8, 16, 32, 64))
        self._lag = gauge("loop_lag_seconds", "How late the last renewal of the leases was")
        self._slots = gauge("slots", "Jobs this worker can hold")
        self._busy = gauge("slots_in_use", "Jobs this worker holds")
        self._ready = gauge("ready", "1 while jobs are taken")

    def taken(self, queued: float) -> None:
        self._queued.observe(max(queued, 0.0))

    def left(self, outcome: str, ran: float) -> None:
        self._jobs.labels(self._stage, outcome).inc()
        self._ran.observe(max(ran, 0.0))

    def retried(self, code: str) -> None:
        self._retries.labels(self._stage, code).inc()

    def log_failed(self, call: str) -> None:
        self._trouble.labels(self._stage, call).inc()

    def batched(self, jobs: int) -> None:
        self._batch.observe(jobs)

    def lagged(self, seconds: float) -> None:
        self._lag.set(max(seconds, 0.0))

    def holds(self, jobs: int, slots: int) -> None:
        self._busy.set(jobs)
        self._slots.set(slots)

    def ready(self, yes: bool) -> None:
        self._ready.set(int(yes))

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
