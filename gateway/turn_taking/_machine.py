"""The machine's face: `start`, `step`, `resume` (take-over), `rewound` (the log lost its tail)."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.turn_taking._state import State
from gateway.turn_taking._types import Decision, Input
from schemas.agent import AgentSpec
from schemas.events import Event
from schemas.jobs import Job


def opening_jobs(session: str, agent: AgentSpec) -> list[Job]:
    """The jobs of the session's opening (`Bus.open`): the fixed phrases, synthesized before they are needed."""
    raise NotImplementedError


def start(session: str, agent: AgentSpec, now: float, *, seq: int = 1, generation: int = 0) -> State:
    """A session just opened: `session.started` is its event `seq`. Nobody has joined; no client is attached."""
    raise NotImplementedError


def step(state: State, item: Input, now: float) -> tuple[State, list[Decision]]:
    """Take one input. Pure: the same arguments give the same answer, and `state` is not changed."""
    raise NotImplementedError


def resume(
    events: Sequence[Event], positions: Mapping[str, Any], now: float, *, gateway: str, epoch: int, reason: str = "expired"
) -> tuple[State, list[Decision]]:
    """Take-over: the state is the fold of the log (all `events`, from seq 1); speech not yet captured is lost, and only that.
    `positions`: as `claim` answered. The decisions begin with the publication of session.resumed. No client is attached yet."""
    raise NotImplementedError


def rewound(state: State, events: Sequence[Event], now: float) -> tuple[State, list[Decision]]:
    """After `Refold`: `events` is what the log has now. Answers the state to go on with, and the publication of
    session.rewound, a generation above all, and our own facts of the last 5 s that the log lacks."""
    raise NotImplementedError
