"""The known traps of Redis Streams (design 3.2), each on a real server."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis.asyncio

from ops.stack.embedded.valkey import Valkey
from schemas.bus import Outcome, Publication
from schemas.events import TranscriptPartial
from schemas.log import RedisBus
from schemas.log._calls import RetireCall
from tests.schemas.log.talk import FAILED, SAY, SENTENCE, SPEECH, Gateway, llm, stt, take, take_one, tts

QUEUE = "{p00}:q:llm"
GROUP = "workers"


@pytest.fixture
async def raw(valkey: Valkey) -> AsyncIterator[redis.asyncio.Redis]:
    client = redis.asyncio.Redis.from_url(valkey.url, decode_responses=True)
    yield client
    await client.aclose()


@pytest.fixture
async def bus(valkey: Valkey) -> AsyncIterator[RedisBus]:
    """Its leases last an hour, so that only `lapse` ends them."""
    bus = RedisBus(valkey.url, lease=3600.0, settle=0.0)
    await bus.start()
    yield bus
    await bus.aclose()


async def lapse(raw: redis.asyncio.Redis, queue: str = QUEUE) -> None:
    for held in await raw.xpending_range(queue, GROUP, "-", "+", 100):
        await raw.xclaim(queue, GROUP, held["consumer"], 0, [held["message_id"]], idle=7_200_000, justid=True)


async def second_entry(raw: redis.asyncio.Redis, queue: str) -> str:
    """Read in Lua, as bodies are no text."""
    script = "return redis.call('XRANGE', KEYS[1], '-', '+')[2][1]"
    return str(await raw.eval(script, 1, queue))  # type: ignore[misc]


async def test_xack_has_no_owner_check(bus: RedisBus, raw: redis.asyncio.Redis) -> None:
    """A zombie cannot acknowledge what another owns now."""
    await (await Gateway(bus).open()).publish(llm("j"))
    old = await take_one(bus, "llm", "w1")
    await lapse(raw)
    await take_one(bus, "llm", "w2")
    reply = await bus.commit("llm", "w1", old, 0, "final", [SENTENCE])
    assert reply.outcome is Outcome.LOST
    assert (await raw.xpending(QUEUE, GROUP))["pending"] == 1
    assert await raw.xlen(QUEUE) == 1


async def test_xclaim_with_min_idle_0_steals(bus: RedisBus, raw: redis.asyncio.Redis) -> None:
    """A zombie that renews does not steal its old job back."""
    await (await Gateway(bus).open()).publish(llm("j"))
    old = await take_one(bus, "llm", "w1")
    await lapse(raw)
    new = await take_one(bus, "llm", "w2")
    assert await bus.renew("llm", "w1", [old]) == [Outcome.LOST]
    [held] = await raw.xpending_range(QUEUE, GROUP, "-", "+", 10)
    assert (held["consumer"], held["times_delivered"]) == ("w2", 2)
    assert await bus.renew("llm", "w2", [new]) == [Outcome.OK]


async def test_delconsumer_deletes_pending_jobs(bus: RedisBus) -> None:
    """A consumer that owns a job is not retired; once it owns none, it is."""
    await (await Gateway(bus).open()).publish(llm("j"))
    held = await take_one(bus, "llm", "w1")
    assert not await bus.retire("llm", 0, "w1")
    assert await bus.release("llm", "w1", held) is Outcome.OK
    assert await bus.retire("llm", 0, "w1")
    again = await take_one(bus, "llm", "w2")
    assert (again.job.id, again.attempt) == ("j", 1)


async def test_looking_at_ones_own_jobs_is_no_delivery(bus: RedisBus, raw: redis.asyncio.Redis) -> None:
    """Taking again, renewing and committing steps leave the delivery count of a held job as it is."""
    await (await Gateway(bus).open()).publish(llm("j"))
    held = await take_one(bus, "llm", "w1")
    assert await take(bus, "llm", "w1") == []
    await bus.renew("llm", "w1", [held])
    assert (await bus.commit("llm", "w1", held, 0, "step", [SENTENCE])).outcome is Outcome.OK
    [pending] = await raw.xpending_range(QUEUE, GROUP, "-", "+", 10)
    assert pending["times_delivered"] == 1
    assert (await bus.commit("llm", "w1", held, 1, "final", [SENTENCE])).outcome is Outcome.OK


async def test_queue_length_needs_no_lag(bus: RedisBus, raw: redis.asyncio.Redis) -> None:
    """The queue's length is right where the group's lag is unknown: after an entry was deleted undelivered."""
    gateway = await Gateway(bus).open()
    await gateway.publish(tts("a"), tts("b"), tts("c"))
    await take(bus, "tts", "w1", 1)
    await raw.xdel("{p00}:q:tts", await second_entry(raw, "{p00}:q:tts"))
    [group] = await raw.xinfo_groups("{p00}:q:tts")
    assert group["lag"] is None
    assert await bus.queued("tts") == 2
    assert [delivery.job.id for delivery in await take(bus, "tts", "w1")] == ["c"]


async def test_a_deleted_pending_entry_is_no_job(bus: RedisBus, raw: redis.asyncio.Redis) -> None:
    """A pending entry whose job is gone from the stream is not handed out, and does not jam the others."""
    gateway = await Gateway(bus).open()
    await gateway.publish(tts("a"), tts("b"))
    first, _ = await take(bus, "tts", "w1")
    await raw.xdel("{p00}:q:tts", first.entry)
    await lapse(raw, "{p00}:q:tts")
    assert [delivery.job.id for delivery in await take(bus, "tts", "w2")] == ["b"]
    assert (await raw.xpending("{p00}:q:tts", GROUP))["pending"] == 1


async def test_a_blocking_read_holds_up_nobody(bus: RedisBus) -> None:
    """Calls are answered while others wait for jobs or an inbox, and a wait that is cancelled harms nothing."""
    await (await Gateway(bus).open()).publish()
    assert not await take(bus, "llm") + await take(bus, "tts")
    waits: list[asyncio.Task[Any]] = [
        asyncio.create_task(bus.wait("tts", "w1", {0: "0-0"}, 1, 30.0)),
        asyncio.create_task(bus.wait("llm", "w1", {0: "0-0"}, 1, 30.0)),
        asyncio.create_task(bus.inbox("nobody", {0: "$"}, 30.0)),
    ]
    await asyncio.sleep(0.05)
    for number in range(50):
        assert (await bus.post("s", str(number), SAY)).seq == number + 2
    waits[0].cancel()
    waits[2].cancel()
    await asyncio.gather(waits[0], waits[2], return_exceptions=True)
    gateway = Gateway(bus)
    gateway.operation = 1
    assert (await gateway.publish(llm("j"))).outcome is Outcome.OK
    async with asyncio.timeout(10.0):
        [delivery] = (await waits[1]).deliveries
    assert (await bus.commit("llm", "w1", delivery, 0, "final", [SENTENCE])).outcome is Outcome.OK
    entries, _ = await bus.inbox("g1", {0: "0-0"}, 1.0)
    assert [entry.event.seq for entry in entries] == list(range(1, 53))


async def test_a_job_goes_to_one_of_those_who_wait(bus: RedisBus, raw: redis.asyncio.Redis) -> None:
    """A new job is handed to one waiting worker, whole and fenced as by `take`; the others go on waiting."""
    gateway = await Gateway(bus).open()
    assert not await take(bus, "llm")
    waits = {f"w{n}": asyncio.create_task(bus.wait("llm", f"w{n}", {0: "0-0"}, 2, 30.0)) for n in (1, 2)}
    while (await raw.info("clients"))["blocked_clients"] < 2:
        await asyncio.sleep(0.01)
    await gateway.publish(llm("j"), events=(SAY,))
    async with asyncio.timeout(10.0):
        done, waiting = await asyncio.wait(waits.values(), return_when=asyncio.FIRST_COMPLETED)
    assert len(waiting) == 1
    [winner] = [name for name, task in waits.items() if task in done]
    handed = waits[winner].result()
    [delivery] = handed.deliveries
    assert (delivery.job.answers, delivery.attempt, delivery.last_step) == (2, 1, -1)
    assert 0 <= handed.time - delivery.enqueued < delivery.deadline - delivery.enqueued
    assert (await bus.commit("llm", "w9", delivery, 0, "final", [SENTENCE])).outcome is Outcome.LOST
    assert (await bus.commit("llm", winner, delivery, 0, "final", [SENTENCE])).outcome is Outcome.OK
    await gateway.publish(llm("k"))
    async with asyncio.timeout(10.0):
        [task] = waiting
        assert [delivery.job.id for delivery in (await task).deliveries] == ["k"]


async def test_who_reads_late_says_so(bus: RedisBus, valkey: Valkey, raw: redis.asyncio.Redis) -> None:
    """A job that waited for a worker's process to get the processor has waited, though the log handed it over at once."""
    assert not await take(bus, "llm")
    waiting = asyncio.create_task(bus.wait("llm", "w1", {0: "0-0"}, 1, 30.0))
    while not (await raw.info("clients"))["blocked_clients"]:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.01)  # what the server said before it began to wait is read

    async def publish() -> None:
        elsewhere = RedisBus(valkey.url)
        await elsewhere.start()
        await (await Gateway(elsewhere).open()).publish(llm("j"))
        await elsewhere.aclose()

    publishing = threading.Thread(target=lambda: asyncio.run(publish()))
    publishing.start()
    publishing.join()
    # The process that gets no processor: for longer than is looked for, since it may have read the server's clock late.
    time.sleep(0.3)  # noqa: ASYNC251
    handed = await waiting
    assert handed.time - handed.deliveries[0].enqueued >= 200_000


async def test_what_lay_there_is_looked_at_before_it_is_handed_over(bus: RedisBus) -> None:
    """A job that became void before anybody waited for it is acknowledged, not handed over."""
    gateway = await Gateway(bus).open()
    assert not await take(bus, "tts")
    await gateway.publish(tts("void"), tts("fixed phrase", generation=None))
    await gateway.publish(raises=1)
    handed = await bus.wait("tts", "w1", {0: "0-0"}, 5, 0.01)
    assert [delivery.job.id for delivery in handed.deliveries] == ["fixed phrase"]
    assert await bus.queued("tts") == 1


async def test_waiting_for_what_the_server_forgot(bus: RedisBus, raw: redis.asyncio.Redis) -> None:
    """A server that lost its streams, before or while somebody waits, ends the wait; `take` makes them again."""
    gateway = await Gateway(bus).open()
    assert not await take(bus, "llm")
    waiting = asyncio.create_task(bus.wait("llm", "w1", {0: "0-0"}, 1, 30.0))
    while not (await raw.info("clients"))["blocked_clients"]:
        await asyncio.sleep(0.01)
    await raw.delete(QUEUE)
    async with asyncio.timeout(10.0):
        assert (await waiting).deliveries == []
        assert (await bus.wait("llm", "w1", {0: "0-0"}, 1, 30.0)).deliveries == []
    await gateway.publish(llm("j"))
    assert (await take_one(bus, "llm")).job.id == "j"


async def test_a_cancelled_call_leaves_the_answers_in_order(bus: RedisBus) -> None:
    """A caller that is cancelled takes no other caller's answer."""
    await Gateway(bus).open()
    for number in range(30):
        call = asyncio.create_task(bus.put_blob("s", f"x{number}", b"x"))
        info = asyncio.create_task(bus.info("s"))
        await asyncio.sleep(0)
        call.cancel()
        found = await info
        assert found
        assert found.session == "s"
        assert await bus.now() > 1_000_000


async def test_only_free_slots_are_filled(bus: RedisBus) -> None:
    """Take hands out no more than was asked for: a job fetched beyond the free slots would age unseen."""
    await (await Gateway(bus).open()).publish(*(tts(f"t{number}") for number in range(5)))
    assert len(await take(bus, "tts", "w1", 2)) == 2
    assert len(await take(bus, "tts", "w2", 2)) == 2
    assert len(await take(bus, "tts", "w1", 2)) == 1


async def test_no_helper_lock_jams_recovery(bus: RedisBus, raw: redis.asyncio.Redis) -> None:
    """Whoever dies while reclaiming leaves nothing behind: the next one reclaims at once."""
    await (await Gateway(bus).open()).publish(llm("j"))
    for attempt, consumer in enumerate(("w1", "w2", "w3"), start=1):
        held = await take_one(bus, "llm", consumer)
        assert held.attempt == attempt
        await lapse(raw)
    assert not [key for key in await raw.keys() if "lock" in key]


async def test_a_lapsed_but_unclaimed_lease_is_its_owners(bus: RedisBus, raw: redis.asyncio.Redis) -> None:
    """After a restart every lease looks expired; its owner renews it and goes on."""
    await (await Gateway(bus).open()).publish(llm("j"))
    held = await take_one(bus, "llm", "w1")
    await lapse(raw)
    assert await bus.renew("llm", "w1", [held]) == [Outcome.OK]
    assert await take(bus, "llm", "w2") == []
    await lapse(raw)
    assert (await bus.commit("llm", "w1", held, 0, "final", [SENTENCE])).outcome is Outcome.OK


async def test_take_says_when_a_lease_runs_out(bus: RedisBus, raw: redis.asyncio.Redis) -> None:
    """Whoever finds nothing is told when a dead worker's lease runs out, and nothing of the leases that are renewed."""
    await (await Gateway(bus).open()).publish(llm("j"), llm("k"))
    held = await take_one(bus, "llm", "w1")
    assert (await bus.take("llm", 0, "w2", 1)).again == 0.25
    hour = 3_600_000
    await raw.xclaim(QUEUE, GROUP, "w1", 0, [held.entry], idle=hour - 200, justid=True)  # type: ignore[list-item]
    taken = await bus.take("llm", 0, "w2", 1)
    assert not taken.deliveries
    assert 0.0 < taken.again <= 0.2
    assert await bus.renew("llm", "w1", [held]) == [Outcome.OK]
    assert (await bus.take("llm", 0, "w2", 1)).again == 0.25


async def test_nobody_reclaims_just_after_a_start(valkey: Valkey, raw: redis.asyncio.Redis) -> None:
    """For `settle` seconds after the server's start only new and handed-back jobs are taken, and no session is claimed by age."""
    owner = RedisBus(valkey.url, lease=3600.0, settle=0.0)
    newcomer = RedisBus(valkey.url, lease=3600.0, settle=3600.0)
    await owner.start()
    await newcomer.start()
    gateway = await Gateway(owner).open()
    await gateway.publish(tts("old"), tts("back"))
    old, back = await take(owner, "tts", "w1")
    await lapse(raw, "{p00}:q:tts")
    await owner.release("tts", "w1", back)
    await gateway.publish(tts("new"))
    await raw.zadd("{p00}:lease", {"s": 1})
    taken = await take(newcomer, "tts", "w2")
    assert {delivery.job.id for delivery in taken} == {"back", "new"}
    assert await newcomer.expired(0, 10) == []
    assert (await newcomer.claim("s", "g2", "r1")).receipt.outcome is Outcome.HELD
    assert await owner.renew("tts", "w1", [old]) == [Outcome.OK]
    assert await owner.expired(0, 10) == ["s"]
    assert (await newcomer.claim("s", "g2", "r2", "ticket")).receipt.outcome is Outcome.OK
    await owner.aclose()
    await newcomer.aclose()


async def test_a_kept_step_mark_tells_mine_from_anothers(bus: RedisBus, raw: redis.asyncio.Redis) -> None:
    """The same step is DUP for whoever did it, with the first answer, and LOST for everybody else."""
    await (await Gateway(bus).open()).publish(llm("j"))
    first = await take_one(bus, "llm", "w1")
    done = await bus.commit("llm", "w1", first, 0, "step", [SENTENCE])
    await bus.post("s", "later", SAY)
    again = await bus.commit("llm", "w1", first, 0, "step", [SENTENCE])
    assert (again.outcome, again.seq, again.at) == (Outcome.DUP, done.seq, done.at)
    await lapse(raw)
    second = await take_one(bus, "llm", "w2")
    assert second.last_step == 0
    assert (await bus.commit("llm", "w2", second, 0, "step", [SENTENCE])).outcome is Outcome.LOST
    assert (await bus.commit("llm", "w2", second, 1, "final", [SENTENCE])).outcome is Outcome.OK


async def test_a_long_session_keeps_a_small_hash(bus: RedisBus, raw: redis.asyncio.Redis) -> None:
    """Marks of jobs, operations and requests are kept in rings: a session's hash does not grow with its length."""
    gateway = await Gateway(bus).open()
    sizes = []
    for turn in range(200):
        await gateway.publish(tts(f"t{turn}"), events=(SPEECH,))
        held = await take_one(bus, "tts")
        await bus.commit("tts", "w1", held, 0, "final", [SENTENCE])
        await bus.post("s", f"r{turn}", SAY)
        sizes.append(await raw.hlen("{p00}:s:s"))
    assert sizes[199] == sizes[100] < 300


async def test_after_close_every_key_has_an_owner_or_an_end(bus: RedisBus, raw: redis.asyncio.Redis) -> None:
    """A closed session leaves no lease and no waiting job, and all its keys expire."""
    gateway = await Gateway(bus).open()
    await bus.put_blob("s", "b", b"\0\0")
    await gateway.publish(llm("a"), llm("b"), stt("u1"))
    held = await take_one(bus, "llm")
    assert await raw.exists("{p00}:parked:s")
    await bus.close("s", 1, Publication(9, [SPEECH]))
    assert (await bus.commit("llm", "w1", held, 0, "final", [SENTENCE])).outcome is Outcome.CLOSED
    assert await take(bus, "stt") == []
    assert await raw.zcard("{p00}:lease") == await raw.zcard("{p00}:open") == 0
    lasting = {key for key in await raw.keys() if await raw.pttl(key) < 0}
    assert lasting == {"antiphon:partitions", "{p00}:q:llm", "{p00}:q:stt"}
    assert await raw.xlen("{p00}:q:llm") == await raw.xlen("{p00}:q:stt") == 0
    assert (await bus.close("s", 1, Publication(9, [SPEECH]))).outcome is Outcome.DUP


async def test_a_late_partial_is_dropped(bus: RedisBus) -> None:
    """A partial past its deadline is dropped without an event; any other late job is handed out, to be recorded."""
    gateway = await Gateway(bus).open()
    await gateway.publish(
        stt("p", partial=True, deadline=0.0), stt("u", deadline=0.0), tts("t").model_copy(update={"deadline": 0.0})
    )
    assert [delivery.job.id for delivery in await take(bus, "stt")] == ["stt/u"]
    [late] = await take(bus, "tts")
    assert late.deadline <= await bus.now()


async def test_a_partial_holds_no_lane(bus: RedisBus) -> None:
    """A partial neither waits for the lane of its participant nor holds it, and its transcript stales nothing."""
    gateway = await Gateway(bus).open()
    await gateway.publish(stt("u1"), stt("u1p", partial=True))
    final, partial = await take(bus, "stt")
    event = TranscriptPartial(utterance="u1", participant="ann", text="he")
    assert (await bus.commit("stt", "w1", partial, 0, "final", [event])).outcome is Outcome.OK
    assert (await bus.commit("stt", "w1", final, 0, "final", [SENTENCE])).outcome is Outcome.OK


async def test_the_inbox_ends_with_its_gateway(bus: RedisBus, raw: redis.asyncio.Redis) -> None:
    """An inbox lives 60 s beyond its gateway's last hold."""
    await Gateway(bus).open()
    assert 0 < await raw.pttl("{p00}:in:g1") <= 60_000
    await raw.pexpire("{p00}:in:g1", 5_000)
    await bus.hold("g1", 0, [])
    assert 55_000 < await raw.pttl("{p00}:in:g1") <= 60_000


async def test_time_never_goes_back(bus: RedisBus, raw: redis.asyncio.Redis) -> None:
    """An event is never older than the one before it, even if the server's clock was set back."""
    await Gateway(bus).open()
    ahead = await bus.now() + 3_600_000_000
    await raw.hset("{p00}:s:s", "at", str(ahead))
    reply = await bus.post("s", "r", SAY)
    assert reply.at == ahead
    assert (await bus.read("s"))[-1].at == ahead


async def test_a_dead_job_leaves_a_letter(bus: RedisBus) -> None:
    """The dead ending appends stage.failed, files a letter with the reason, ends the job and frees its lane."""
    gateway = await Gateway(bus).open()
    await gateway.publish(llm("a"), llm("b"))
    held = await take_one(bus, "llm")
    await bus.commit("llm", "w1", held, 0, "dead", [FAILED])
    [letter] = await bus.dead_letters()
    assert (letter.session, letter.stage, letter.job, letter.reason) == ("s", "llm", "a", "deliveries: gave up")
    assert (await take_one(bus, "llm")).job.id == "b"


async def test_a_void_job_holds_no_lane(bus: RedisBus) -> None:
    """When the generation rises, the next reply is takeable in the same instant, though a worker still computes the old."""
    gateway = await Gateway(bus).open()
    await gateway.publish(llm("old"), llm("parked"))
    old = await take_one(bus, "llm", "w1")
    await gateway.publish(llm("new", generation=1), raises=1)
    assert (await take_one(bus, "llm", "w2")).job.id == "new"
    assert await bus.renew("llm", "w1", [old]) == [Outcome.STALE]
    assert await bus.queued("llm") == 1


async def test_a_zombies_end_frees_nobodys_lane(bus: RedisBus) -> None:
    """A void job that ends late does not free the lane that another holds by now."""
    gateway = await Gateway(bus).open()
    await gateway.publish(llm("old"))
    old = await take_one(bus, "llm", "w1")
    await gateway.publish(llm("new", generation=1), llm("next", generation=1), raises=1)
    await take_one(bus, "llm", "w2")
    assert (await bus.commit("llm", "w1", old, 0, "final", [SENTENCE])).outcome is Outcome.STALE
    assert await take(bus, "llm", "w3") == []


async def test_only_the_successors_fence_fell(bus: RedisBus) -> None:
    """The transcript stands and no reply is begun when only the reply's generation is void."""
    gateway = await Gateway(bus).open()
    await gateway.publish(stt("u1", then=llm("reply")))
    held = await take_one(bus, "stt")
    await gateway.publish(raises=1)
    reply = await bus.commit("stt", "w1", held, 0, "final", [SENTENCE], [llm("reply")])
    assert (reply.outcome, await bus.queued("llm")) == (Outcome.OK, 0)


async def test_a_replacing_utterance_takes_the_place(bus: RedisBus) -> None:
    """Of a closed segment, the next one, and the one that replaces that: the first stands, the last follows it."""
    gateway = await Gateway(bus).open()
    await gateway.publish(stt("closed"))
    await gateway.publish(stt("next"))
    await gateway.publish(stt("longer", replaces="next"))
    first = await take_one(bus, "stt")
    assert first.job.id == "stt/closed"
    assert (await bus.commit("stt", "w1", first, 0, "final", [SENTENCE])).outcome is Outcome.OK
    second = await take_one(bus, "stt")
    assert second.job.id == "stt/longer"
    await gateway.publish(stt("longest", replaces="longer"))
    assert await bus.renew("stt", "w1", [second]) == [Outcome.STALE]
    assert (await take_one(bus, "stt")).job.id == "stt/longest"
    assert await bus.queued("stt") == 1


async def test_full_names_the_follower_too(bus: RedisBus) -> None:
    """A job is refused when the stage its `then` names is full; the operation number stays free."""
    gateway = await Gateway(bus).open()
    await gateway.publish(llm("a"))
    job = stt("u1", then=llm("b"))
    refused = await gateway.publish(job, limits={"llm": 1, "stt": 10})
    assert refused.outcome is Outcome.FULL
    gateway.operation -= 1
    assert (await gateway.publish(job, limits={"llm": 2, "stt": 10})).outcome is Outcome.OK


async def test_a_repeated_job_is_one(bus: RedisBus) -> None:
    """A job id that was enqueued before in the session is not enqueued again, even after it ended."""
    gateway = await Gateway(bus).open()
    await gateway.publish(tts("t"), tts("t"))
    held = await take_one(bus, "tts")
    await gateway.publish(tts("t"))
    await bus.commit("tts", "w1", held, 0, "final", [SENTENCE])
    await gateway.publish(tts("t"))
    assert await take(bus, "tts") == []


async def test_what_a_newer_version_wrote_harms_its_session_only(bus: RedisBus, raw: redis.asyncio.Redis) -> None:
    """An event or a job this version can't read stops neither the other sessions' inbox entries nor their jobs."""
    await Gateway(bus).open()
    await raw.xadd("{p00}:in:g1", {"s": "x", "q": 1, "t": "dream.begun", "at": 1, "b": b"\x80"})
    future = {"s": "s", "id": "f", "l": "", "f": "", "v": "", "d": 1, "e": 1, "x": 0, "a": 1, "b": b"\x80"}
    await raw.xadd(QUEUE, future)
    await Gateway(bus, "t").open(llm("j", "t"))
    entries, _ = await bus.inbox("g1", {0: "0-0"}, 1.0)
    assert [entry.session for entry in entries] == ["s", "t"]
    assert [delivery.job.id for delivery in await take(bus, "llm")] == ["j"]


async def test_the_dead_are_forgotten(bus: RedisBus, raw: redis.asyncio.Redis) -> None:
    """Consumers of processes long gone that own nothing are deleted when another retires."""
    await (await Gateway(bus).open()).publish(llm("j"))
    await take_one(bus, "llm", "owner")
    await raw.xgroup_createconsumer(QUEUE, GROUP, "gone")
    await asyncio.sleep(0.02)
    await bus._call("retire", RetireCall(consumer="w1", dead=10), QUEUE)
    assert [consumer["name"] for consumer in await raw.xinfo_consumers(QUEUE, GROUP)] == ["owner"]
