"""What came of a job, by its kind. The jobs' Redis keeps it for a week: an older program may have written it."""

import logging
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from api.times import iso
from schemas.background.asked import Asked
from schemas.clock import Micros

__all__ = ["BatchResult", "ErasureView", "ForkResult", "ImportResult", "RemovalResult", "Result", "proof", "result_of"]

log = logging.getLogger("antiphon.api")

_TOLD = 1_000
"""Sessions of a proof that are named, by their hashes."""
Two = tuple[float | None, float | None]
"""Before and after; null: there is none."""


class ForkResult(BaseModel):
    """`session`: the fork's; `notes`: what of it is an estimate, a sentence each; `jobs`: by stage, how many of them were made,
    reused, estimated."""

    kind: Literal["fork"]
    session: str
    events: int
    notes: list[str]
    jobs: dict[str, dict[str, int]]


class ImportResult(BaseModel):
    """`session`: what was taken in; `seconds`: of the call; `notes`: what is not as it was, or as one may expect."""

    kind: Literal["import"]
    session: str
    events: int
    sounds: int
    seconds: float
    notes: list[str]


class RowFigures(BaseModel):
    """Of one session, before and after."""

    turns: Two | None
    interrupted: Two | None
    dropped: Two | None
    failed: Two | None
    cut_ins: Two | None
    p50_ms: Two | None
    worst_ms: Two | None
    prompt_tokens: Two | None
    completion_tokens: Two | None


class BatchRow(BaseModel):
    """A session and its fork. `error`: why there is none, and nothing else is told; `wer`: how many words are others than they
    were, `wer_to_reference`: than they should be; `divergence`: where the two part, and `why`; `models`: by stage which did its
    work."""

    session: str
    error: str | None
    fork: str | None
    agent: str | None
    changed: list[str] | None
    figures: RowFigures | None
    wer: float | None
    wer_to_reference: Two | None
    divergence: str | None
    why: str | None
    verdict: Literal["better", "worse", "same"] | None
    models: dict[str, tuple[list[str], list[str]]] | None


class BatchFigures(BaseModel):
    """Of all sessions together, before and after. `cut_ins`: times the agent began though the caller had not ended; `wer`: how
    many words are others than they were, `wer_to_reference`: than they should be, of `referenced` sessions."""

    turns: Two
    interrupted: Two
    dropped: Two
    failed: Two
    cut_ins: Two | None
    p50_ms: Two
    p95_ms: Two
    prompt_tokens: Two | None
    completion_tokens: Two | None
    wer: float | None
    wer_to_reference: Two | None
    referenced: int | None
    better: int
    worse: int
    same: int
    unreplayed: int


class BatchResult(BaseModel):
    """`more`: there are more that were wanted; `waits_ms`: of all answers, the shortest first, before and after; `models`: by
    stage which did its work, in how many sessions; `warnings`: where another model answered than was meant, a sentence each."""

    kind: Literal["batch"]
    sessions: list[BatchRow]
    more: bool
    figures: BatchFigures
    waits_ms: tuple[list[float], list[float]]
    models: dict[str, tuple[dict[str, int], dict[str, int]]] | None
    warnings: list[str] | None


class RemovedView(BaseModel):
    """`session`: the SHA-256 of its id; `hash`: of its events, "" where it was never archived. Of a `memory`: of its id, of its
    text."""

    model_config = ConfigDict(from_attributes=True)

    session: str
    hash: str
    bytes: int
    sound_bytes: int
    what: Literal["session", "memory"] = "session"


class ErasureView(BaseModel):
    """Proof of a deletion, not of whose. `done_at`: null until all is gone; `removed`: the first 1,000 of `sessions`."""

    id: str
    kind: Literal["person", "session", "retention", "memory"]
    asked_by: str
    asked_at: str
    done_at: str | None
    sessions: int
    removed: list[RemovedView]


class RemovalResult(BaseModel):
    """Of a removal or an erasure. `proof`: null where there was nothing; `open`: sessions that go on, and stayed."""

    kind: Literal["removal", "erasure"]
    proof: ErasureView | None
    open: list[str]


Result = ForkResult | BatchResult | ImportResult | RemovalResult
_Model = TypeVar("_Model", bound=BaseModel)


def proof(told: Mapping[str, Any]) -> ErasureView:
    """Of an `Erasure`'s fields."""
    removed = told["removed"]
    return ErasureView(
        id=told["id"], kind=told["kind"], asked_by=told["asked_by"], asked_at=iso(Micros(told["asked_at"])),
        done_at=iso(Micros(told["done_at"])) if told["done_at"] else None, sessions=len(removed),
        removed=[RemovedView.model_validate(one) for one in removed[:_TOLD]],
    )  # fmt: skip


def result_of(one: Asked) -> Result | None:
    """None: nothing came of it, or it can't be read, being of quite another version."""
    if one.result is None:
        return None
    try:
        return _read(one, one.result)
    except (ValidationError, LookupError, TypeError, ValueError) as error:
        log.warning("what came of it can't be read: %s", error, extra={"job": one.id})
        return None


def _read(one: Asked, told: Mapping[str, Any]) -> Result:
    match one.kind:
        case "fork":
            return _whole(ForkResult, {"kind": one.kind, **told})
        case "import":
            return _whole(ImportResult, {"kind": one.kind, **told})
        case "batch":
            figures = _whole(BatchFigures, told["figures"])
            rows = [_row(row) for row in told["sessions"]]
            return _whole(BatchResult, {**told, "kind": one.kind, "figures": figures, "sessions": rows})
        case "removal" | "erasure":
            made = proof(told["proof"]) if told["proof"] is not None else None
            return RemovalResult(kind=one.kind, proof=made, open=told["open"])


def _row(told: Mapping[str, Any]) -> BatchRow:
    figures = told.get("figures")
    return _whole(BatchRow, {**told, "figures": None if figures is None else _whole(RowFigures, figures)})


def _whole(model: type[_Model], told: Mapping[str, Any]) -> _Model:
    """What an older program did not tell is null."""
    return model.model_validate(dict.fromkeys(model.model_fields) | dict(told))
