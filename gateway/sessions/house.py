"""What all sessions of one gateway share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gateway import turn_taking
from gateway.load import Delays
from gateway.metrics import GatewayMetrics
from gateway.sessions.remembering import Remembering
from gateway.sound.vad import VoiceActivity
from gateway.turn_taking import Decision, Input, State
from schemas.bus import Advertising, Announcing, Drafting, Gatekeeping, Listing, Overseeing, Posting, Reading, Storing
from schemas.clock import Clock, Now
from schemas.config.lease import Lease
from schemas.events import Event

if TYPE_CHECKING:
    from gateway.sessions.session import Session


class Machine(Protocol):
    """The pure machine, as `gateway.turn_taking` offers it."""

    def step(self, state: State, item: Input, now: Now) -> tuple[State, list[Decision]]: ...

    def rewound(self, state: State, events: Sequence[Event], now: Now) -> tuple[State, list[Decision]]: ...


class GatewayBus(
    Gatekeeping, Reading, Listing, Storing, Announcing, Advertising, Drafting, Overseeing, Posting, Protocol
):
    """The log as a gateway knows it: it takes no jobs, and posts nothing but what is remembered of a caller."""


@dataclass(slots=True)
class House:
    """One gateway, as its sessions see it: the log, the clock, the ear, its name and its figures. `by`: its name in the log;
    `waken`: a session's next wake-up may have changed; `ended`: a session is over here; `beside`: where a file lies that an agent
    names; `remembering`: of callers, where there may be an archive."""

    bus: GatewayBus
    clock: Clock
    vad: VoiceActivity
    by: str
    queue_limit: int = 1000
    metrics: GatewayMetrics = field(default_factory=GatewayMetrics)
    waken: Callable[["Session"], None] = lambda _: None
    ended: Callable[["Session"], None] = lambda _: None
    machine: Machine = turn_taking
    beside: Callable[[str, str], Path | None] = lambda agent, name: None
    delays: Delays = field(default_factory=Delays)
    remembering: Remembering | None = None
    lease: Lease = field(init=False)

    def __post_init__(self) -> None:
        self.lease = Lease(self.bus.lease)
