"""The log from outside: queues and workers, dead letters, gateways, drafts. One suite, two implementations."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import redis.asyncio

from ops.stack.embedded.valkey import Valkey
from schemas.bus import DRAFTS, Bus, DeadLetter, GatewaySeen, Outcome, Publication, StageSeen, WorkerSeen
from schemas.events import Stage
from schemas.jobs import ToolJob
from schemas.log import MemoryBus, RedisBus
from schemas.log._workers_seen import merged
from tests.schemas.log.talk import FAILED, SENTENCE, SPEECH, Gateway, llm, stt, take, take_one, tts

HERE = GatewaySeen("g1", "wss://voice.example.com/ws", "ws://10.0.0.1:8765/ws", 7, 3, False, ("websocket", "sip"))


class Clock:
    """Time of the log in memory: it moves a little with each look, and when it is told to."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        self.time += 0.001
        return self.time


@pytest.fixture(params=["memory", "redis"])
async def bus(request: pytest.FixtureRequest, valkey: Valkey) -> AsyncIterator[Bus]:
    """Two partitions, leases of an hour."""
    if request.param == "memory":
        bus: Bus = MemoryBus(partitions=2, clock=Clock(), lease=3600.0)  # type: ignore[arg-type]
    else:
        bus = RedisBus(valkey.url, partitions=2, lease=3600.0, settle=0.0)
    await bus.start()
    yield bus
    await bus.aclose()


async def of(bus: Bus, stage: Stage) -> StageSeen:
    return next(seen for seen in await bus.stages() if seen.stage == stage)


async def kill(bus: Bus, stage: Stage) -> str:
    """The next job of a stage dies; answers its letter's id."""
    held = await take_one(bus, stage)
    reply = await bus.commit(stage, "w1", held, held.last_step + 1, "dead", [FAILED])
    assert reply.outcome is Outcome.OK
    return (await bus.dead_letters(1))[0].id


# ── queues ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_log_nobody_has_used_has_empty_queues(bus: Bus) -> None:
    """All three stages are told of, in the order of a turn."""
    nothing = [StageSeen(stage, 0, 0, 0.0, 0, []) for stage in ("stt", "llm", "tts")]
    assert await bus.stages() == nothing


async def test_a_pool_that_not_everybody_has_is_told_of_where_there_is_one(bus: Bus) -> None:
    """The tools': while a job waits for it, is in its hands, or it has a worker; else nobody hears of it."""
    names = [seen.stage for seen in await bus.stages()]
    assert names == ["stt", "llm", "tts"]
    gateway = await Gateway(bus).open()
    called = {"turn": 1, "reply": 0, "call": "1.0.0", "name": "book", "arguments": {}, "timeout": 5.0}
    await gateway.publish(ToolJob(id="tools/1.0.0", session="s", **called))  # type: ignore[arg-type]
    assert [seen.stage for seen in await bus.stages()] == [*names, "tools"]
    seen = await of(bus, "tools")
    assert (seen.queued, seen.workers) == (1, [])
    held = await take_one(bus, "tools")
    seen = await of(bus, "tools")
    assert (seen.queued, seen.running, [worker.name for worker in seen.workers]) == (0, 1, ["w1"])
    assert (await bus.commit("tools", "w1", held, 0, "final", [SENTENCE])).outcome is Outcome.OK
    assert (await of(bus, "tools")).workers
    for partition in range(2):
        await bus.retire("tools", partition, "w1")
    assert [seen.stage for seen in await bus.stages()] == names


async def test_jobs_are_counted_where_they_are(bus: Bus) -> None:
    """Waiting, in somebody's hands, done: in sum as many as were ever added; each worker has what it holds."""
    one, other = await Gateway(bus).open(), await Gateway(bus, "t").open()
    assert bus.partition("s") != bus.partition("t")
    await one.publish(tts("a"), tts("b"), tts("c"))
    await other.publish(tts("d", "t"), tts("e", "t"))
    for partition in range(2):
        await bus.take("tts", partition, "w1", 1)
    [done, _] = [held for p in range(2) for held in (await bus.take("tts", p, "w2", 1)).deliveries]
    await bus.commit("tts", "w2", done, 0, "final", [SENTENCE])
    seen = await of(bus, "tts")
    assert (seen.queued, seen.running, seen.added) == (1, 3, 5)
    assert [(worker.name, worker.jobs) for worker in seen.workers] == [("w1", 2), ("w2", 1)]
    assert seen.oldest > 0


async def test_the_oldest_is_the_first_that_waits(bus: Bus) -> None:
    """What is in a worker's hands waits no more; what was handed back does, since it was enqueued."""
    gateway = await Gateway(bus).open()
    await gateway.publish(tts("a"))
    held = await take_one(bus, "tts")
    assert (await of(bus, "tts")).oldest == 0.0
    await asyncio.sleep(0.01)
    await bus.release("tts", "w1", held)
    seen = await of(bus, "tts")
    assert (seen.queued, seen.running) == (1, 0)
    assert seen.oldest >= 0.002
    await gateway.publish(tts("b"))
    assert (await of(bus, "tts")).oldest >= seen.oldest


async def test_a_worker_that_never_had_a_job_has_not_been_idle_since_one(bus: Bus) -> None:
    """`idle` is None until the first job; the name of who hands jobs back is no worker's."""
    gateway = await Gateway(bus).open()
    await gateway.publish(tts("a"))
    held = await take_one(bus, "tts", "w1")
    await take(bus, "tts", "w2")
    await bus.release("tts", "w1", held)
    seen = {worker.name: worker for worker in (await of(bus, "tts")).workers}
    assert seen.keys() == {"w1", "w2"}
    assert seen["w2"].idle is None
    assert seen["w1"].idle is not None
    assert 0 <= seen["w1"].seen < 10


async def test_who_has_left_is_not_told_of(bus: Bus) -> None:
    """A worker that retired is no worker."""
    await take(bus, "llm", "w1")
    assert [worker.name for worker in (await of(bus, "llm")).workers] == ["w1"]
    for partition in range(2):
        await bus.retire("llm", partition, "w1")
    assert (await of(bus, "llm")).workers == []


async def test_who_was_not_heard_of_and_has_nothing_is_not_told_of() -> None:
    """Ten seconds after its last sign of life a worker without jobs is left out; one with a job is told of for as long."""
    clock = Clock()
    bus = MemoryBus(clock=clock, lease=3600.0)  # type: ignore[arg-type]
    await (await Gateway(bus).open()).publish(tts("a"))
    await take_one(bus, "tts", "busy")
    await take(bus, "tts", "gone")
    clock.time += 11.0
    assert [worker.name for worker in (await of(bus, "tts")).workers] == ["busy"]


async def test_parked_jobs_are_not_in_the_queue_yet(bus: Bus) -> None:
    """What waits for another job of its own session is no worker's work."""
    await (await Gateway(bus).open()).publish(llm("a"), llm("b"))
    assert (await of(bus, "llm")).queued == 1


async def test_looking_on_is_no_sign_of_the_owners(valkey: Valkey) -> None:
    """After a time in which no owner reached the log, leases are not taken for expired, though somebody has looked at the queues
    all the while."""
    bus = RedisBus(valkey.url, lease=1.0, settle=0.25)
    await bus.start()
    await (await Gateway(bus).open()).publish(tts("a"))
    await bus.take("tts", 0, "w1", 1)
    for _ in range(24):
        await asyncio.sleep(0.05)
        await bus.stages()
    assert (await bus.take("tts", 0, "w2", 1)).deliveries == []
    await bus.aclose()


# ── dead letters ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_dead_letter_says_what_died(bus: Bus) -> None:
    """Session, stage, job, attempt and reason; and that the job is kept."""
    await (await Gateway(bus).open()).publish(llm("a"))
    await kill(bus, "llm")
    [letter] = await bus.dead_letters()
    assert letter == DeadLetter(letter.id, "s", "llm", "a", 1, "deliveries: gave up", letter.at, True)


async def test_letters_are_read_page_by_page_the_latest_first(bus: Bus) -> None:
    """Of all partitions, in the order they were filed, each once; a page goes on though its last letter is gone."""
    sessions = ["s", "t", "u", "v"]
    for name in sessions:
        await Gateway(bus, name).open(tts("a", name), llm("b", name))
    stages: tuple[Stage, ...] = ("tts", "llm")
    for stage in stages:
        for held in await take(bus, stage):
            await bus.commit(stage, "w1", held, 0, "dead", [FAILED])
    found: list[DeadLetter] = []
    before = ""
    while page := await bus.dead_letters(3, before):
        found += page
        before = page[-1].id
        await bus.discard(before)
    assert sorted((letter.session, letter.stage) for letter in found) == [
        (name, stage) for name in sessions for stage in ("llm", "tts")
    ]
    assert [letter.at for letter in found] == sorted((letter.at for letter in found), reverse=True)


async def test_letters_of_one_stage(bus: Bus) -> None:
    """Those of other stages in between are passed over, however many."""
    gateway = await Gateway(bus).open()
    await gateway.publish(llm("first"))
    first = await kill(bus, "llm")
    for number in range(5):
        await gateway.publish(tts(f"t{number}"))
        await kill(bus, "tts")
    assert [letter.id for letter in await bus.dead_letters(2, stage="llm")] == [first]
    assert len(await bus.dead_letters(2, stage="tts")) == 2
    assert await bus.dead_letters(stage="stt") == []


async def test_whether_a_letter_came_or_went_is_known_without_reading_any(bus: Bus) -> None:
    """How many there are; and the mark is another after each that came or went, the same while none did."""

    async def killed(session: str) -> str:
        await Gateway(bus, session).open(llm("a", session))
        return await kill(bus, "llm")

    none = await bus.buried()
    first = await killed("s")
    one = await bus.buried()
    await killed("t")
    two = await bus.buried()
    assert await bus.buried() == two
    await bus.discard(first)
    without_the_first = await bus.buried()
    await killed("u")
    told = [none, one, two, without_the_first, await bus.buried()]
    assert [seen.letters for seen in told] == [0, 1, 2, 1, 2]
    assert len({seen.mark for seen in told}) == len(told)


@pytest.mark.parametrize("name", ["nonsense", "0.1-x", "0.1", "1-1", "99999.1-1", "0." + "9" * 30 + "-0"])
async def test_what_is_no_letter_is_none(bus: Bus, name: str) -> None:
    """Whatever is asked for, there is no such letter, and nothing to go on from."""
    assert await bus.retry(name) is Outcome.MISSING
    assert not await bus.discard(name)
    with pytest.raises(ValueError, match="no dead letter"):
        await bus.dead_letters(before=name)
    assert await bus.retry("7000.1-1") is Outcome.MISSING


async def test_a_retried_job_is_done_as_if_it_were_new(bus: Bus) -> None:
    """It is handed out as a first attempt, with all its time, goes on where it had come to, and ends; its letter is gone."""
    gateway = await Gateway(bus).open()
    await gateway.publish(llm("a"))
    held = await take_one(bus, "llm")
    await bus.commit("llm", "w1", held, 0, "step", [SENTENCE])
    await bus.commit("llm", "w1", held, 1, "dead", [FAILED])
    [letter] = await bus.dead_letters()
    assert await bus.retry(letter.id) is Outcome.OK
    assert await bus.dead_letters() == []
    assert await bus.retry(letter.id) is Outcome.MISSING
    again = await take_one(bus, "llm")
    assert (again.job, again.attempt, again.last_step) == (held.job, 1, 1)
    assert again.deadline - again.enqueued == held.deadline - held.enqueued
    assert again.enqueued > held.enqueued
    assert (await bus.commit("llm", "w1", again, 1, "final", [SENTENCE])).outcome is not Outcome.OK
    assert (await bus.commit("llm", "w1", again, 2, "final", [SENTENCE])).outcome is Outcome.OK
    assert await bus.queued("llm") == 0
    assert [event.type for event in await bus.read("s")][-3:] == ["reply.sentence", "stage.failed", "reply.sentence"]


async def test_a_retried_job_outlives_the_marks_of_others(bus: Bus) -> None:
    """However many jobs end while it waits, its commits count; where its mark was forgotten before, it does not begin anew."""
    gateway = await Gateway(bus).open()
    await gateway.publish(tts("early"), tts("late"))
    first, second = await take(bus, "tts")
    await bus.commit("tts", "w1", first, 3, "dead", [FAILED])

    async def others(kind: str) -> None:
        for number in range(70):
            await gateway.publish(tts(f"{kind}{number}"))
            [one] = await take(bus, "tts")
            await bus.commit("tts", "w1", one, 0, "final", [SENTENCE])

    await others("before")
    await bus.commit("tts", "w1", second, 0, "dead", [FAILED])
    for letter in await bus.dead_letters():
        assert await bus.retry(letter.id) is Outcome.OK
    waiting = await take(bus, "tts", "w2")
    assert {held.job.id: held.last_step for held in waiting} == {"early": 3, "late": 0}
    await others("after")
    for held in waiting:
        step = held.last_step + 1
        assert (await bus.commit("tts", "w2", held, step, "final", [SENTENCE])).outcome is Outcome.OK


async def test_a_retried_job_waits_for_its_lane(bus: Bus) -> None:
    """Another job of its session that has the lane goes first."""
    gateway = await Gateway(bus).open()
    await gateway.publish(llm("a"), llm("b"))
    letter = await kill(bus, "llm")
    assert await bus.retry(letter) is Outcome.OK
    second = await take_one(bus, "llm")
    assert second.job.id == "b"
    await bus.commit("llm", "w1", second, 0, "final", [SENTENCE])
    assert (await take_one(bus, "llm")).job.id == "a"


async def test_what_nobody_wants_any_more_is_not_tried_again(bus: Bus) -> None:
    """Its session has gone on, is over, or is gone: each is said, and the letter stays where it is."""
    gateway = await Gateway(bus).open()
    await gateway.publish(llm("a"), stt("u1"))
    reply, heard = await kill(bus, "llm"), await kill(bus, "stt")
    await gateway.publish(stt("u2"), raises=1)
    assert await bus.retry(reply) is Outcome.STALE
    assert await bus.retry(heard) is Outcome.STALE
    await gateway.publish(tts("p", generation=None))
    phrase = await kill(bus, "tts")
    await bus.close("s", 1, Publication(9, [SPEECH]))
    assert await bus.retry(phrase) is Outcome.CLOSED
    assert len(await bus.dead_letters()) == 3


async def test_a_letter_of_an_older_version_has_no_job(valkey: Valkey) -> None:
    """It is listed, says so, and can be put away."""
    bus = RedisBus(valkey.url, partitions=1)
    await bus.start()
    await Gateway(bus).open()
    raw = redis.asyncio.Redis.from_url(valkey.url, decode_responses=True)
    old = {"session": "s", "stage": "llm", "job": "a", "attempt": 4, "reason": "why", "at": 1_700_000_000_000_000}
    await raw.xadd("{p00}:dead", old)  # type: ignore[arg-type]
    [letter] = await bus.dead_letters()
    assert not letter.retryable
    assert await bus.retry(letter.id) is Outcome.EMPTY
    assert await bus.discard(letter.id)
    assert await bus.dead_letters() == []
    await raw.aclose()
    await bus.aclose()


async def test_letters_are_kept_a_day(valkey: Valkey) -> None:
    """They hold what was said: each goes a day after it was filed, whether others follow or not."""
    bus = RedisBus(valkey.url, partitions=1)
    await bus.start()
    raw = redis.asyncio.Redis.from_url(valkey.url, decode_responses=True)
    await raw.xadd("{p00}:dead", {"session": "s"}, id="1700000000000-0")
    await (await Gateway(bus).open()).publish(llm("a"))
    await kill(bus, "llm")
    assert [letter.job for letter in await bus.dead_letters()] == ["a"]
    assert 86_000_000 < await raw.pttl("{p00}:dead") <= 86_400_000
    await raw.aclose()
    await bus.aclose()


async def test_a_discarded_letter_is_gone(bus: Bus) -> None:
    """Once; what was never there is said not to be."""
    await (await Gateway(bus).open()).publish(llm("a"))
    letter = await kill(bus, "llm")
    assert await bus.discard(letter)
    assert not await bus.discard(letter)
    assert await bus.dead_letters() == []


# ── gateways and drafts ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_gateways_are_known_while_they_tell_of_themselves(bus: Bus) -> None:
    """By name, with all they said last; one that takes itself back, or falls silent, is gone."""
    there = GatewaySeen("g0", "ws://127.0.0.1:1/ws", "ws://127.0.0.1:1/ws", 0, 0, True, ("websocket",))
    await bus.advertise(HERE, 60.0)
    await bus.advertise(there, 60.0)
    assert [(one.name, one.places, tuple(one.transports)) for one in await bus.gateways()] == [
        ("g0", 0, ("websocket",)),
        ("g1", 7, ("websocket", "sip")),
    ]
    await bus.advertise(there, 0)
    await bus.advertise(HERE, 0.001)
    await asyncio.sleep(0.02)
    assert await bus.gateways() == []


async def test_a_draft_is_kept_for_its_time(bus: Bus) -> None:
    """Under its name and no other; then it is gone."""
    await bus.put_draft("draft-1", 'greeting = "Grüß Gott."', 60.0)
    await bus.put_draft("draft-2", "", 0.001)
    await asyncio.sleep(0.02)
    assert await bus.draft("draft-1") == 'greeting = "Grüß Gott."'
    assert await bus.draft("draft-2") is None
    assert await bus.draft("draft-3") is None


async def test_of_many_drafts_the_oldest_go(bus: Bus) -> None:
    """So many are kept, and the latest are among them."""
    for number in range(DRAFTS + 3):
        await bus.put_draft(f"draft-{number}", str(number), 3600.0)
    kept = [number for number in range(DRAFTS + 3) if await bus.draft(f"draft-{number}")]
    assert kept == list(range(3, DRAFTS + 3))


def test_a_worker_of_two_partitions_is_one() -> None:
    """Its jobs are counted together, and its latest sign of life is its last."""
    rows = [
        {"queued": 1, "running": 1, "oldest": 5, "added": 2, "workers": [_row("w", 1, 30, 20), _row("x", 0, -1, 1)]},
        {"queued": 0, "running": 2, "oldest": 9_000_000, "added": 7, "workers": [_row("w", 2, -1, 10)]},
    ]
    assert merged("llm", rows) == StageSeen(  # type: ignore[arg-type]
        "llm", 1, 3, 9.0, 9, [WorkerSeen("w", 3, 0.03, 0.01), WorkerSeen("x", 0, None, 0.001)]
    )


def _row(name: str, jobs: int, idle: int, seen: int) -> dict[str, object]:
    return {"name": name, "jobs": jobs, "idle": idle, "seen": seen}
