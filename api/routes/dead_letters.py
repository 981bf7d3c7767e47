"""Jobs that were given up: seen, tried again, or put away."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from api.access.who import Operator
from api.house import Here
from api.problems import Problem, missing
from api.times import iso
from schemas.bus import DeadLetter, Outcome
from schemas.events import Stage

router = APIRouter(prefix="/v1/dead-letters", tags=["dead letters"])

LetterName = Annotated[str, Path(max_length=40)]
_SENTENCES = {
    Outcome.OK: "the job is in its queue again, with all its time before it",
    Outcome.CLOSED: "its session has ended, or its log is no longer kept: nobody would hear of it",
    Outcome.STALE: "its session has gone on without it: what it would bring is no longer wanted",
    Outcome.EMPTY: "the job itself was not kept: an older version filed this letter",
}


class Letter(BaseModel):
    """`job`: its id within the session; `attempt`: the delivery that was the last; `at`: ISO 8601; `retryable`: the job is kept
    (false: an older version filed it)."""

    id: str
    session: str
    stage: Stage
    job: str
    attempt: int
    reason: str
    at: str
    retryable: bool


class Letters(BaseModel):
    """The latest first. `next`: for `cursor`, null: these were the last."""

    letters: list[Letter]
    next: str | None


class Retried(BaseModel):
    """But for OK the letter stays where it is. `detail`: the outcome in words."""

    outcome: Literal["OK", "CLOSED", "STALE", "EMPTY"]
    detail: str


@router.get("")
async def dead_letters(
    house: Here,
    _: Operator,
    stage: Stage | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str, Query(max_length=40)] = "",
) -> Letters:
    """Letters are kept a day."""
    try:
        found = await house.bus.dead_letters(limit + 1, cursor, stage)
    except ValueError as error:
        raise Problem(422, "cursor", f"cursor: {error}") from None
    page = found[:limit]
    return Letters(letters=[_told(letter) for letter in page], next=page[-1].id if len(found) > limit else None)


@router.post("/{letter}/retry")
async def retry(house: Here, _: Operator, letter: LetterName) -> Retried:
    """Enqueue the job anew, if its session still wants it."""
    outcome = await house.bus.retry(letter)
    if outcome is Outcome.MISSING:
        raise missing("dead letter", letter)
    return Retried.model_validate({"outcome": outcome.value, "detail": _SENTENCES[outcome]})


@router.delete("/{letter}", status_code=204)
async def discard(house: Here, _: Operator, letter: LetterName) -> None:
    """Put it away for good."""
    if not await house.bus.discard(letter):
        raise missing("dead letter", letter)


def _told(letter: DeadLetter) -> Letter:
    return Letter(
        id=letter.id, session=letter.session, stage=letter.stage, job=letter.job, attempt=letter.attempt,
        reason=letter.reason, at=iso(letter.at), retryable=letter.retryable,
    )  # fmt: skip
