"""What the figures of every process share: a registry of its own, which program it is, and labels that stay few."""

import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector, disable_created_metrics
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

__all__ = ["OTHER", "Backlog", "Few", "new_registry"]

OTHER = "other"
"""What a label says that would have too many values."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # when each series began: as many series again, and Prometheus knows it


def new_registry(process: str) -> CollectorRegistry:
    """With `antiphon_build_info` and the process' own CPU time, memory and files. `process`: gateway, api or a stage."""
    registry = CollectorRegistry()
    labels = {"process": process, "version": program_version(), "python": platform.python_version()}
    Gauge("antiphon_build_info", "1; the labels say which program this is", list(labels), registry=registry).labels(
        **labels
    ).set(1)
    ProcessCollector(registry=registry)
    return registry


@cache
def program_version() -> str:
    try:
        return version("antiphon")
    except PackageNotFoundError:
        return "unknown"


class Few:
    """The values one label may have: the first `most` that come; whatever comes later is `OTHER`. Agents, models and codes are
    named by files and endpoints of others, and each value is a series that Prometheus keeps."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: set[str] = set()

    def __call__(self, value: str) -> str:
        if value in self._known:
            return value
        if len(self._known) >= self._most:
            return OTHER
        self._known.add(value)
        return value


class Backlog(Collector):
    """The queues and their workers, as the log told last; no series while that isn't known."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._stages: list[tuple[str, int, int, float, int]] = []
        registry.register(self)

    def told(self, stages: Iterable[tuple[str, int, int, float, int]]) -> None:
        """Of each stage: its name, jobs that wait, jobs in hand, seconds the first of those that wait has waited, workers."""
        self._stages = list(stages)

    def unknown(self) -> None:
        """The log does not answer: what it said last is no figure of now."""
        self._stages = []

    def collect(self) -> Iterable[Metric]:
        jobs = GaugeMetricFamily("antiphon_queue_jobs", "Jobs that wait for a worker", labels=["stage"])
        running = GaugeMetricFamily("antiphon_queue_running", "Jobs in a worker's hands", labels=["stage"])
        oldest = GaugeMetricFamily(
            "antiphon_queue_oldest_seconds", "How long the first of the jobs that wait has waited", labels=["stage"]
        )
        workers = GaugeMetricFamily("antiphon_workers", "Workers that were heard of lately", labels=["stage"])
        for stage, *values in self._stages:
            for family, value in zip((jobs, running, oldest, workers), values, strict=True):
                family.add_metric([stage], value)
        return (jobs, running, oldest, workers)
