"""What a worker's page says of what it did: by provider and model."""

import pytest

from schemas.audio import AudioRef
from schemas.events import (
    ClipReady,
    Event,
    ReplyFinished,
    Stage,
    StageExpired,
    StageFailed,
    TranscriptFinal,
    TranscriptPartial,
    Usage,
)
from workers._metrics import WorkerMetrics

AUDIO = AudioRef(key="k", rate=16_000, samples=16_000)


def told(metrics: WorkerMetrics) -> list[str]:
    return metrics.text().decode().splitlines()


@pytest.mark.parametrize(
    ("stage", "event", "line"),
    [
        (
            "stt",
            TranscriptFinal(utterance="u", participant="p", text="hi", confidence=0.8, took=0.3, model="tiny.en"),
            'antiphon_worker_stt_confidence_sum{model="tiny.en",provider="own",stage="stt"} 0.8',
        ),
        (
            "stt",
            TranscriptFinal(utterance="u", participant="p", text="hi", took=0.3, model="/models/big"),
            'antiphon_worker_transcript_seconds_sum{model="big",provider="own",stage="stt"} 0.3',
        ),
        (
            "stt",
            TranscriptPartial(utterance="u", participant="p", text="hi"),
            'antiphon_worker_interim_results_total{provider="own",stage="stt"} 1.0',
        ),
        (
            "llm",
            ReplyFinished(sentences=1, time_to_first_token=0.2, model="m"),
            'antiphon_worker_time_to_first_token_seconds_sum{model="m",provider="own",stage="llm"} 0.2',
        ),
        (
            "llm",
            ReplyFinished(sentences=1, usage=Usage(prompt_tokens=30, completion_tokens=12), model="org/m"),
            'antiphon_worker_tokens_total{kind="prompt",model="org/m",provider="own",stage="llm"} 30.0',
        ),
        (
            "llm",
            ReplyFinished(sentences=1, usage=Usage(prompt_tokens=30, completion_tokens=12), model="org/m"),
            'antiphon_worker_response_tokens_sum{model="org/m",provider="own",stage="llm"} 12.0',
        ),
        (
            "tts",
            ClipReady(index=0, audio=AUDIO, duration=1.0, took=0.25, model="joe"),
            'antiphon_worker_time_to_first_sound_seconds_sum{model="joe",provider="own",stage="tts"} 0.25',
        ),
        (
            "tts",
            ClipReady(index=0, part=1, audio=AUDIO, duration=1.0, model="joe"),
            'antiphon_worker_sound_seconds_total{model="joe",provider="own",stage="tts"} 1.0',
        ),
        (
            "llm",
            StageFailed(stage="llm", code="timeout", message="", will_retry=True),
            'antiphon_worker_errors_total{code="timeout",provider="own",recoverable="yes",stage="llm"} 1.0',
        ),
        (
            "llm",
            StageExpired(stage="llm"),
            'antiphon_worker_errors_total{code="expired",provider="own",recoverable="no",stage="llm"} 1.0',
        ),
    ],
)
def test_what_the_log_took_is_counted(stage: Stage, event: Event, line: str) -> None:
    """Each result under the provider and the model that made it; of a path the file alone."""
    metrics = WorkerMetrics(stage, "own")
    metrics.committed([event], "")
    assert line in told(metrics)


def test_another_provider_than_the_workers_own_is_named() -> None:
    """A job may name one."""
    metrics = WorkerMetrics("stt", "own")
    metrics.committed([TranscriptPartial(utterance="u", participant="p", text="hi")], "theirs")
    assert 'antiphon_worker_interim_results_total{provider="theirs",stage="stt"} 1.0' in told(metrics)


def test_codes_of_endpoints_stay_few() -> None:
    """An endpoint that makes a new code of each error doesn't make as many series."""
    metrics = WorkerMetrics("llm", "own")
    for number in range(200):
        metrics.committed([StageFailed(stage="llm", code=f"e{number}", message="")], "")
    series = [line for line in told(metrics) if line.startswith("antiphon_worker_errors_total{")]
    assert len(series) == 51
    assert not [line for line in told(metrics) if "_created" in line]
