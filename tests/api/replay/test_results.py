"""What came of a job has a form of its own for each kind, whoever wrote it down."""

from typing import Any, get_args

import pytest

from api.results import BatchResult, ForkResult, ImportResult, RemovalResult, result_of
from ops.replay._better import Report, Row
from schemas.background.asked import Asked, Kind

PROOF = {
    "id": "1f", "kind": "session", "asked_by": "ann", "asked_at": 1_700_000_000_000_000, "done_at": 0,
    "removed": [{"session": "ab", "hash": "cd", "bytes": 3, "sound_bytes": 4}] * 1_001,
}  # fmt: skip
RESULTS: dict[Kind, tuple[type, dict[str, Any]]] = {
    "fork": (ForkResult, {"session": "fork-s1-1", "events": 9, "notes": ["x"], "jobs": {"llm": {"made": 2}}}),
    "import": (ImportResult, {"session": "s1", "events": 9, "sounds": 2, "seconds": 1.5, "notes": []}),
    "batch": (BatchResult, Report([Row("s1", error="gone")]).view()),
    "removal": (RemovalResult, {"proof": PROOF, "open": ["s2"]}),
    "erasure": (RemovalResult, {"proof": None, "open": []}),
}


def done(kind: Kind, result: dict[str, Any] | None) -> Asked:
    return Asked("j1", kind, "ann", 1, state="done", result=result)


@pytest.mark.parametrize("kind", get_args(Kind))
def test_each_kind_has_its_own_form(kind: Kind) -> None:
    """Told by its kind; nothing where nothing came of it, or where nobody can read it."""
    form, told = RESULTS[kind]
    found = result_of(done(kind, told))
    assert type(found) is form
    assert found is not None
    assert found.kind == kind
    assert result_of(done(kind, None)) is None
    for odd in ({}, {"session": 3, "sessions": [5], "figures": {}, "proof": {"id": 1}, "open": None}):
        assert result_of(done(kind, odd)) is None


def test_a_proof_is_told_as_proofs_are() -> None:
    """With times that can be read, how many sessions it is of, and the first thousand of them."""
    found = result_of(done("removal", RESULTS["removal"][1]))
    assert isinstance(found, RemovalResult)
    assert found.proof is not None
    assert (found.proof.asked_at[:10], found.proof.done_at) == ("2023-11-14", None)
    assert (found.proof.sessions, len(found.proof.removed), found.open) == (1_001, 1_000, ["s2"])


def test_what_an_older_program_wrote_is_read() -> None:
    """What it did not tell yet is null."""
    stages, pair = ("stt", "llm", "tts"), (1, 2)
    counts = dict.fromkeys(("turns", "interrupted", "dropped", "failed", "cut_ins"), pair)
    figures: Any = {**counts, "p50_ms": (None, 3.0), "prompt_tokens": pair, "completion_tokens": pair}
    models: Any = dict.fromkeys(stages, ((), ()))
    named: Any = dict.fromkeys(stages, "")
    row = Row("s1", "fork-s1-1", figures=figures, models=models, named=named)
    told = Report([row]).view()
    for name in ("warnings", "models"):
        del told[name]
    for name in ("cut_ins", "referenced"):
        del told["figures"][name]
    del told["sessions"][0]["figures"]["cut_ins"]
    found = result_of(done("batch", told))
    assert isinstance(found, BatchResult)
    assert (found.warnings, found.models, found.figures.cut_ins, found.figures.referenced) == (None,) * 4
    (kept,) = found.sessions
    assert kept.figures is not None
    assert (kept.error, kept.fork, kept.figures.cut_ins, kept.figures.turns) == (None, "fork-s1-1", None, (1, 2))
