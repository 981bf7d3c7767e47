"""A worker's figures for Prometheus, in a registry of its own."""

from collections.abc import Iterable
from pathlib import PurePath

from prometheus_client import Counter, Gauge, Histogram, generate_latest

from schemas.events import (
    ClipReady,
    Event,
    ReplyFinished,
    Stage,
    StageExpired,
    StageFailed,
    TranscriptFinal,
    TranscriptPartial,
)
from schemas.process.figures import Few, new_registry

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 20.0, 60.0)
_TOKENS = (5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560)
_CONFIDENCE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
_BY_MODEL = ["stage", "provider", "model"]


class WorkerMetrics:
    """Every figure carries the stage as a label. `provider`: the worker's own, which does what names no other."""

    def __init__(self, stage: Stage, provider: str = ""):
        self.registry = own = new_registry(stage)
        self._stage: str = stage
        self._own_provider = provider
        self._providers, self._models, self._codes = Few(20), Few(50), Few(50)
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
        self._errors = Counter(
            "antiphon_worker_errors",
            "Errors told to sessions, by code; recoverable: it was tried again",
            ["stage", "provider", "code", "recoverable"],
            registry=own,
        )

        def histogram(name: str, what: str, buckets: tuple[float, ...] = _SECONDS) -> Histogram:
            return Histogram(f"antiphon_worker_{name}", what, ["stage"], buckets=buckets, registry=own).labels(stage)

        def by_model(name: str, what: str, buckets: tuple[float, ...] = _SECONDS) -> Histogram:
            return Histogram(f"antiphon_worker_{name}", what, _BY_MODEL, buckets=buckets, registry=own)

        def gauge(name: str, what: str) -> Gauge:
            return Gauge(f"antiphon_worker_{name}", what, ["stage"], registry=own).labels(stage)

        self._queued = histogram("queued_seconds", "From being enqueued to being taken")
        self._ran = histogram("run_seconds", "From being taken to the end")
        self._batch = histogram("batch_jobs", "Jobs run together", (1, 2, 4, 8, 16, 32, 64))
        self._lag = gauge("loop_lag_seconds", "How late the last renewal of the leases was")
        self._slots = gauge("slots", "Jobs this worker can hold")
        self._busy = gauge("slots_in_use", "Jobs this worker holds")
        self._ready = gauge("ready", "1 while jobs are taken")
        self._transcript = by_model("transcript_seconds", "From being taken to the transcript")
        self._first_token = by_model("time_to_first_token_seconds", "From being taken to the model's first token")
        self._first_sound = by_model("time_to_first_sound_seconds", "From being taken to a sentence's first sound")
        self._confidence = by_model("stt_confidence", "How sure the model was of a transcript, 0 to 1", _CONFIDENCE)
        self._reply = by_model("response_tokens", "Tokens of one reply, where the endpoint tells", _TOKENS)
        self._tokens = Counter(
            "antiphon_worker_tokens",
            "Tokens that the endpoint counted; kind: prompt or completion",
            [*_BY_MODEL, "kind"],
            registry=own,
        )
        self._interim = Counter(
            "antiphon_worker_interim_results", "Transcripts of speech that went on", ["stage", "provider"], registry=own
        )
        self._sound = Counter("antiphon_worker_sound_seconds", "Seconds of sound made", _BY_MODEL, registry=own)

    def taken(self, queued: float) -> None:
        self._queued.observe(max(queued, 0.0))

    def left(self, outcome: str, ran: float) -> None:
        self._jobs.labels(self._stage, outcome).inc()
        self._ran.observe(max(ran, 0.0))

    def retried(self, code: str) -> None:
        self._retries.labels(self._stage, self._codes(code)).inc()

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

    def committed(self, events: Iterable[Event], provider: str) -> None:
        """What the log took of a job. `provider`: that did it, "" for the worker's own."""
        stage, provider = self._stage, self._providers(provider or self._own_provider)
        for event in events:
            match event:
                case TranscriptPartial():
                    self._interim.labels(stage, provider).inc()
                case TranscriptFinal():
                    labels = (stage, provider, self._model(event.model))
                    self._transcript.labels(*labels).observe(event.took)
                    if event.confidence is not None:
                        self._confidence.labels(*labels).observe(event.confidence)
                case ReplyFinished():
                    self._replied(event, (stage, provider, self._model(event.model)))
                case ClipReady():
                    labels = (stage, provider, self._model(event.model))
                    self._sound.labels(*labels).inc(max(0.0, event.duration))
                    if event.part == 0:
                        self._first_sound.labels(*labels).observe(event.took)
                case StageFailed():
                    recoverable = "yes" if event.will_retry else "no"
                    self._errors.labels(stage, provider, self._codes(event.code), recoverable).inc()
                case StageExpired():
                    self._errors.labels(stage, provider, "expired", "no").inc()
                case _:
                    pass

    def _replied(self, event: ReplyFinished, labels: tuple[str, str, str]) -> None:
        if event.time_to_first_token is not None:
            self._first_token.labels(*labels).observe(event.time_to_first_token)
        if event.usage.completion_tokens > 0:
            self._reply.labels(*labels).observe(event.usage.completion_tokens)
        for kind, tokens in (("prompt", event.usage.prompt_tokens), ("completion", event.usage.completion_tokens)):
            self._tokens.labels(*labels, kind).inc(max(0, tokens))

    def _model(self, name: str) -> str:
        """Of a path its last part: labels are no place for folders."""
        return self._models(PurePath(name).name if name.startswith(("/", ".", "~")) else name)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
