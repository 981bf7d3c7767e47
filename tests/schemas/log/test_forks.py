"""A replay that is being made is nobody's live call."""

from collections.abc import AsyncIterator, Sequence

import pytest

from ops.stack.embedded.valkey import Valkey
from schemas.audio import AudioRef
from schemas.bus import Bus, Outcome, Publication
from schemas.config.agent import AgentSpec
from schemas.events import Event, SessionEnded, SessionStarted, StageFailed, TranscriptFinal
from schemas.jobs import SttJob
from schemas.log import MemoryBus, RedisBus
from tests.golden import scenarios

KINDS = pytest.mark.parametrize("kind", ["memory", "redis"])
START = SessionStarted(room="r", transport="memory", agent=AgentSpec(), gateway="replay")


async def started(kind: str, valkey: Valkey) -> Bus:
    bus: Bus = MemoryBus(3) if kind == "memory" else RedisBus(valkey.url, partitions=3)
    await bus.start()
    return bus


async def paged(events: Sequence[Event]) -> AsyncIterator[Sequence[Event]]:
    yield events


@KINDS
async def test_while_it_is_made_it_is_on_no_list(kind: str, valkey: Valkey) -> None:
    """Open, its jobs are done; no list has it, no gateway finds it without an owner; closed it is on no list either, and gone by
    itself."""
    bus = await started(kind, valkey)
    await bus.open("fork-s1-a", "replay", "q", [START])
    audio = [AudioRef(key="k", rate=16_000, samples=1)]
    job = SttJob.of(AgentSpec(), "fork-s1-a", 1, "u1", "you").model_copy(update={"audio": audio})
    assert (await bus.publish("fork-s1-a", 1, Publication(1, [], [job]))).outcome is Outcome.OK
    partition = bus.partition("fork-s1-a")
    taken = await bus.take("stt", partition, "w", 1)
    (delivery,) = taken.deliveries
    said = TranscriptFinal(turn=1, utterance="u1", participant="you", text="Hello.")
    assert (await bus.commit("stt", "w", delivery, 0, "final", [said])).outcome is Outcome.OK
    assert [event.type for event in await bus.read("fork-s1-a")] == ["session.started", "transcript.final"]
    assert await bus.sessions() == []
    assert await bus.touched("open", 9) == []
    assert [name for one in range(3) for name in await bus.expired(one, 9)] == []
    await bus.close("fork-s1-a", 1, Publication(2, [SessionEnded(reason="hang_up")]))
    assert await bus.closed() == []
    assert await bus.touched("closed", 9) == []
    await bus.aclose()


@KINDS
async def test_what_is_taken_in_of_it_is_a_session_like_any(kind: str, valkey: Valkey) -> None:
    """Under the very id, once the one it was made in has been let go of."""
    bus, log = await started(kind, valkey), scenarios.barge_in()
    await bus.open("fork-s1-b", "replay", "q", [START])
    receipt = await bus.close("fork-s1-b", 1, Publication(1, [SessionEnded(reason="hang_up")]))
    assert await bus.take_in("fork-s1-b", paged(log)) is Outcome.EXISTS
    assert await bus.forget("fork-s1-b", receipt.seq) is Outcome.OK
    assert await bus.take_in("fork-s1-b", paged(log)) is Outcome.OK
    assert await bus.read("fork-s1-b") == log
    assert [one.session for one in await bus.closed()] == ["fork-s1-b"]
    await bus.aclose()


@KINDS
async def test_what_fails_in_it_is_no_dead_letter(kind: str, valkey: Valkey) -> None:
    """It is told in its log; nobody is to try it again."""
    bus = await started(kind, valkey)
    await bus.open("fork-s1-c", "replay", "q", [START])
    job = SttJob.of(AgentSpec(), "fork-s1-c", 1, "u1", "you")
    await bus.publish("fork-s1-c", 1, Publication(1, [], [job]))
    (delivery,) = (await bus.take("stt", bus.partition("fork-s1-c"), "w", 1)).deliveries
    failed = StageFailed(stage="stt", code="broken", message="it is broken", job=job.id, utterance="u1")
    assert (await bus.commit("stt", "w", delivery, 0, "dead", [failed])).outcome is Outcome.OK
    assert [event.type for event in await bus.read("fork-s1-c")] == ["session.started", "stage.failed"]
    assert await bus.dead_letters() == []
    assert await bus.queued("stt") == 0
    await bus.aclose()
