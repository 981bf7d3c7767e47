"""The jobs worker's figures for Prometheus, in a registry of its own."""

from collections.abc import Mapping

from prometheus_client import Counter, Gauge, generate_latest

from schemas.archive.store import Amount
from schemas.clock import Micros
from schemas.process.figures import new_registry

__all__ = ["JobFigures"]


class JobFigures:
    def __init__(self) -> None:
        self.registry = own = new_registry("jobs")
        self.archived = Counter(
            "antiphon_jobs_archived", "Sessions by what became of a try to archive them", ["became"], registry=own
        )
        self.removed = Counter("antiphon_jobs_removed", "Sessions deleted, by why", ["kind"], registry=own)
        self.followed = Counter(
            "antiphon_jobs_followed",
            "Tries at what follows an archived session, by what became of them",
            ["kind", "became"],
            registry=own,
        )
        self._follow_ups = Gauge(
            "antiphon_jobs_follow_ups", "Webhooks, summaries and recordings, by state", ["kind", "state"], registry=own
        )
        self._sessions = Gauge("antiphon_jobs_sessions", "Sessions the archive has, by state", ["state"], registry=own)
        self._damaged = Gauge("antiphon_jobs_damaged", "Sessions that are not what was written", registry=own)
        self._bytes = Gauge(
            "antiphon_jobs_bytes", "What they take, by what it is: text or sound", ["what"], registry=own
        )
        self._waits = Gauge(
            "antiphon_jobs_oldest_seconds", "How long the first of what is due has been due", registry=own
        )

    def told(self, amount: Amount, now: Micros) -> None:
        """How much there is, as the archive said last."""
        for state in ("pending", "coming", "done", "failed", "deleting"):
            self._sessions.labels(state).set(amount.sessions.get(state, 0))
        self._damaged.set(amount.damaged)
        self._bytes.labels("text").set(amount.bytes)
        self._bytes.labels("sound").set(amount.sound_bytes)
        self._waits.set(max(0, now - amount.oldest_due) / 1e6 if amount.oldest_due else 0.0)

    def told_follow_ups(self, counts: Mapping[tuple[str, str], int]) -> None:
        """How many there are, as the archive said last."""
        self._follow_ups.clear()
        for (kind, state), count in counts.items():
            self._follow_ups.labels(kind, state).set(count)

    def text(self) -> bytes:
        return generate_latest(self.registry)
