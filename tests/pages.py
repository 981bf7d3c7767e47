"""Every figure that a page of ours may show, in name, kind and labels: by the registries, and by docs/metrics.md."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from api.figures import Figures
from gateway.metrics import GatewayMetrics
from gateway.rooms.sip.metrics import SipMetrics
from ops.jobs.figures import JobFigures
from schemas.events import STAGES
from workers._metrics import WorkerMetrics

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "metrics.md"
_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \| ([^|]+) \|$", re.M)
_SERIES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


@dataclass(frozen=True, slots=True)
class Figure:
    """`name`: without what Prometheus appends; a counter's with its `_total`."""

    name: str
    kind: str
    labels: tuple[str, ...]

    @property
    def series(self) -> set[str]:
        """Names that queries may use."""
        return {self.name.removesuffix("_total") + suffix for suffix in _SERIES[self.kind]}


def figures() -> set[Figure]:
    """Of all processes together."""
    gateway = GatewayMetrics()
    SipMetrics(gateway.registry)
    registries = [
        gateway.registry,
        Figures().registry,
        JobFigures().registry,
        *(WorkerMetrics(stage, "own").registry for stage in STAGES),
    ]
    return {figure for registry in registries for figure in _of(registry)}


def _of(registry: CollectorRegistry) -> Iterable[Figure]:
    for collector in registry._collector_to_names:
        for family in collector.collect():
            if family.name.startswith("antiphon_"):
                labels = getattr(collector, "_labelnames", ("stage",))  # what is made as it is read has but this one
                name = f"{family.name}_total" if family.type == "counter" else family.name
                yield Figure(name, family.type, tuple(sorted(labels)))


def listed() -> list[Figure]:
    """By the page, row by row."""
    rows = _ROW.findall(PAGE.read_text("utf-8"))
    return [Figure(name, kind, tuple(sorted(re.findall(r"`(\w+)`", labels)))) for name, kind, labels, _ in rows]


def named(query: str) -> set[str]:
    """The figures of ours that a query names, and a process' own."""
    return set(re.findall(r"\b(?:antiphon|process)_\w+", query))
