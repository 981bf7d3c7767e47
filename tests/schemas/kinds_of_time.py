"""The three kinds of time are three: each line here is one that mypy must refuse. Where it no longer does, the `ignore` is
unused, and `make check` says so."""

from schemas.clock import Micros, Now, TurnTime


def told_apart(at: Micros, now: Now, turn: TurnTime) -> None:
    at = now  # type: ignore[assignment]
    at = turn  # type: ignore[assignment]
    at = 5  # type: ignore[assignment]
    now = turn  # type: ignore[assignment]
    now = at  # type: ignore[assignment]
    now = 5.0  # type: ignore[assignment]
    turn = now  # type: ignore[assignment]
    turn = at  # type: ignore[assignment]
    turn = 5.0  # type: ignore[assignment]
    assert turn < now  # type: ignore[operator]
    assert now < turn  # type: ignore[operator]
    assert turn - now  # type: ignore[operator]
