"""The way into the log: what can't be written is left out, and takes nobody with it."""

from gateway.metrics import GatewayMetrics
from gateway.sessions.outbox import Outbox
from gateway.turn_taking import Publish
from schemas.bus import Outcome
from schemas.config.agent import AgentSpec
from schemas.events import DtmfReceived, SessionStarted, TurnCommitted
from schemas.log import MemoryBus
from schemas.process.clock import MonotonicClock


async def test_an_event_that_cannot_be_written_is_left_out() -> None:
    """It is counted and left out; the facts beside it are published."""
    bus, metrics = MemoryBus(), GatewayMetrics()
    await bus.open("s", "g", "1", [SessionStarted(room="r", transport="memory", agent=AgentSpec(), gateway="g")])
    outbox = Outbox(bus, "s", 1, by="g", limit=10, clock=MonotonicClock(), metrics=metrics)
    bad = TurnCommitted(turn=1, why="text", delay=0.0, inputs={"pauses": object()})
    published = await outbox.send(
        Publish(1, (bad, DtmfReceived(participant="ann\ud83d", digits="1"))), [], 0.0, None, None
    )
    assert published.outcome is Outcome.OK
    _, digits = await bus.read("s")
    assert isinstance(digits, DtmfReceived)
    assert digits.participant == "ann\ufffd"
    assert b"antiphon_gateway_unwritable_total 1.0" in metrics.text()
