"""What happens when the server dies, comes back, is full, too old, a replica, or of another deployment."""

import asyncio
from itertools import repeat
from pathlib import Path

import pytest
import redis.asyncio
import uvloop

from ops.stack.embedded.valkey import Valkey, free_port
from schemas.bus import Outcome, Publication, Snapshot
from schemas.config.settings import Settings
from schemas.errors import BusFull, BusReadOnly, BusTooOld, BusUnavailable, LeaseMismatch, PartitionMismatch
from schemas.log import RedisBus, connect, until_it_answers
from schemas.log.library import name_of, renamed, source
from tests.schemas.log.proxy import proxied
from tests.schemas.log.talk import SAY, SENTENCE, STARTED, Gateway, llm, take, take_one
from tests.servers import BINARY
from workers.testing import virtually


async def test_a_lost_answer_is_asked_for_again(valkey: Valkey) -> None:
    """When a connection is cut after the request and before the reply, each call still takes effect once and says so."""
    async with proxied(valkey.port) as proxy:
        bus = RedisBus(valkey.url_at(proxy.port), settle=0.0, lease=3600.0, patience=5.0)
        await bus.start()

        proxy.lose_answers = 1
        opened = await bus.open("s", "g1", "r", [STARTED])
        assert (opened.receipt.outcome, opened.receipt.seq, opened.epoch) == (Outcome.DUP, 1, 1)

        proxy.lose_answers = 1
        published = await bus.publish("s", 1, Publication(1, [SAY], [llm("j")]))
        assert (published.outcome, published.seq) == (Outcome.DUP, 2)

        held = await take_one(bus, "llm")
        for step, ending in enumerate(("step", "final")):
            proxy.lose_answers = 1
            reply = await bus.commit("llm", "w1", held, step, ending, [SENTENCE])  # type: ignore[arg-type]
            assert (reply.outcome, reply.seq) == (Outcome.DUP, 3 + step)

        proxy.lose_answers = 1
        posted = await bus.post("s", "p", SAY)
        assert (posted.outcome, posted.seq) == (Outcome.DUP, 5)
        assert len(await bus.read("s")) == 5
        assert await bus.queued("llm") == 0
        await bus.aclose()


async def test_calls_outlive_a_killed_server(valkey: Valkey) -> None:
    """What was acknowledged is there after SIGKILL and restart, and a bus made before goes on by itself."""
    bus = RedisBus(valkey.url, settle=0.0, lease=3600.0, patience=20.0)
    await bus.start()
    gateway = await Gateway(bus).open()
    await gateway.publish(llm("j"), snapshot=Snapshot(1, 1, b"state"))
    held = await take_one(bus, "llm")
    await valkey.kill()
    waiting = asyncio.create_task(bus.commit("llm", "w1", held, 0, "final", [SENTENCE]))
    ringing = asyncio.create_task(bus.inbox("g1", {0: "0-0"}, 5.0))
    await valkey.start()
    assert (await waiting).outcome is Outcome.OK
    entries, _ = await ringing
    assert [entry.event.type for entry in entries][:1] == ["session.started"]
    assert await bus.snapshot("s") == Snapshot(1, 1, b"state")
    await bus.aclose()


async def test_a_reconnected_bus_lets_owners_renew_first(valkey: Valkey) -> None:
    """After a restart of the server nothing is reclaimed until owners had their time, and sessions have theirs twice over."""
    bus = RedisBus(valkey.url, settle=0.2, lease=0.02, patience=20.0)
    await bus.start()
    await (await Gateway(bus).open()).publish(llm("j"))
    await asyncio.sleep(0.25)
    await take_one(bus, "llm", "w1")
    await asyncio.sleep(0.05)
    assert (await take_one(bus, "llm", "w2")).attempt == 2
    await valkey.kill()
    await valkey.start()
    assert await take(bus, "llm", "w3") == []
    await asyncio.sleep(0.25)
    assert (await take_one(bus, "llm", "w3")).attempt == 3
    assert await bus.expired(0, 10) == []
    await asyncio.sleep(0.25)
    assert await bus.expired(0, 10) == ["s"]
    await bus.aclose()


async def test_a_server_that_forgot_everything(tmp_path: Path) -> None:
    """A server without persistence comes back empty: the library is loaded again, its sessions are MISSING."""
    server = Valkey(tmp_path, appendfsync=None, binary=BINARY)
    await server.start()
    bus = RedisBus(server.url, partitions=3, settle=0.0, patience=20.0)
    await bus.start()
    gateway = await Gateway(bus).open()
    await gateway.publish(llm("j"))
    held = await take_one(bus, "llm")
    await server.kill()
    await server.start()
    assert (await gateway.publish()).outcome is Outcome.MISSING
    assert (await bus.commit("llm", "w1", held, 0, "final", [SENTENCE])).outcome is Outcome.LOST
    assert await bus.renew("llm", "w1", [held]) == [Outcome.LOST]
    assert (await bus.claim("s", "g", "r")).receipt.outcome is Outcome.MISSING
    assert await bus.retire("llm", 0, "w1")
    other = RedisBus(server.url)
    await other.start()
    assert other.partitions == 3
    await other.aclose()
    await bus.aclose()
    await server.stop()


async def test_a_server_that_is_away() -> None:
    """No server: one sentence with the address and the setting, after trying for a moment."""
    bus = RedisBus(f"redis://:secret@127.0.0.1:{free_port()}/0", patience=0.05)
    with pytest.raises(BusUnavailable, match=r"127\.0\.0\.1:\d+/0 .*REDIS_URL") as caught:
        await bus.start()
    assert "secret" not in str(caught.value)
    await bus.aclose()


@virtually
async def test_a_log_that_comes_late_is_a_warning_only_when_it_lasts() -> None:
    """Why the log is not there is told at once; again, as what lasts, after ten seconds; and a new reason always."""
    clock = asyncio.get_running_loop().time
    told: list[tuple[str, bool]] = []

    async def start() -> None:
        if clock() < began + 20:
            raise BusUnavailable("away" if clock() < began + 15 else "loading")

    async def tell(why: str, lasts: bool) -> None:
        told.append((why, lasts))

    began = clock()
    await until_it_answers(start, tell, repeat(0.25))
    assert told == [("away", False), ("away", True), ("loading", True)]


async def test_another_number_of_partitions(valkey: Valkey) -> None:
    """A process that disagrees on P refuses to start and says which P is stored; one that doesn't care takes it."""
    first = RedisBus(valkey.url, partitions=4)
    await first.start()
    with pytest.raises(PartitionMismatch, match=r"PARTITIONS=2.* 4;"):
        await RedisBus(valkey.url, partitions=2).start()
    third = connect(Settings(redis_url=valkey.url, partitions=None))
    await third.start()
    assert third.partitions == 4
    await third.aclose()
    await first.aclose()


async def test_another_lease(valkey: Valkey) -> None:
    """A process that disagrees with those that run on LEASE refuses to start and says which is in force, for as long as one of
    them holds anything; one that only looks is not asked."""
    first = RedisBus(valkey.url, lease=2.0, holds=True, mark=0.5)
    await first.start()
    for _ in range(4):
        await asyncio.sleep(0.2)
        await first.hold("g1", 0, [])
    living = asyncio.create_task(_lives(first, 0.8))
    with pytest.raises(LeaseMismatch, match=r"LEASE=8, but others run with LEASE=2 at .*stop all"):
        await RedisBus(valkey.url, lease=8.0, holds=True, mark=0.5).start()
    await living
    for other in (RedisBus(valkey.url, lease=2.0, holds=True, mark=0.5), RedisBus(valkey.url, lease=8.0)):
        await other.start()
        await other.aclose()
    await first.aclose()
    changed = RedisBus(valkey.url, lease=8.0, holds=True, mark=0.5)
    await asyncio.sleep(0.1)
    await changed.start()  # waits until nobody is remembered
    await changed.aclose()


async def _lives(bus: RedisBus, seconds: float) -> None:
    for _ in range(round(seconds / 0.1)):
        await asyncio.sleep(0.1)
        await bus.take("llm", 0, "w1", 1)


async def test_a_lonely_gateway_with_a_long_lease(valkey: Valkey) -> None:
    """Though its calls are as far apart as its lease allows, the log does not take each pause for an outage: it may take over."""
    bus = RedisBus(valkey.url, lease=8.0, settle=0.5)
    await bus.start()
    await Gateway(bus).open()
    raw = redis.asyncio.Redis.from_url(valkey.url)
    await raw.zadd("{p00}:lease", {"s": 1})
    await asyncio.sleep(1.1)
    assert await bus.expired(0, 10) == ["s"]
    await raw.aclose()
    await bus.aclose()


async def test_a_full_server(valkey: Valkey) -> None:
    """Out of memory: publish raises BusFull, what is in flight is still renewed and held."""
    bus = RedisBus(valkey.url, settle=0.0, lease=3600.0)
    await bus.start()
    gateway = await Gateway(bus).open()
    await gateway.publish(llm("j"))
    held = await take_one(bus, "llm")
    raw = redis.asyncio.Redis.from_url(valkey.url)
    await raw.config_set("maxmemory", "1mb")
    with pytest.raises(BusFull, match="maxmemory"):
        await gateway.publish()
    assert await bus.renew("llm", "w1", [held]) == [Outcome.OK]
    assert (await bus.hold("g1", 0, [])).receipts == []
    await raw.config_set("maxmemory", "0")
    gateway.operation -= 1
    assert (await gateway.publish()).outcome is Outcome.OK
    await raw.aclose()
    await bus.aclose()


async def test_a_read_only_server(valkey: Valkey, tmp_path: Path) -> None:
    """A replica: BusReadOnly names the setting."""
    bus = RedisBus(valkey.url, settle=0.0)
    await bus.start()
    await Gateway(bus).open()
    raw = redis.asyncio.Redis.from_url(valkey.url)
    await raw.replicaof("127.0.0.1", free_port())  # type: ignore[no-untyped-call]
    with pytest.raises(BusReadOnly, match="REDIS_URL"):
        await bus.post("s", "r", SAY)
    await raw.aclose()
    await bus.aclose()


async def test_a_server_too_old() -> None:
    """Redis 6 is refused with the versions that do."""

    async def redis_6(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if line.strip().upper() == b"INFO":
                info = b"# Server\r\nredis_version:6.2.14\r\n"
                writer.write(b"$%d\r\n%s\r\n" % (len(info), info))
            elif line.startswith(b"*"):
                continue
            elif line.strip().upper() == b"SETINFO":
                writer.write(b"+OK\r\n")
        writer.close()

    server = await asyncio.start_server(redis_6, "127.0.0.1", 0)
    bus = RedisBus(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", patience=0.05)
    with pytest.raises(BusTooOld, match=r"Redis 6\.2\.14; Redis 7\.0 or Valkey 8"):
        await bus.start()
    await bus.aclose()
    server.close()
    await asyncio.sleep(0.01)


async def test_a_wrong_password(valkey: Valkey, tmp_path: Path) -> None:
    """Refused credentials, and missing ones, are told apart from a server that is away: the setting, and no password."""
    server = Valkey(tmp_path, appendfsync=None, password="right", binary=BINARY)
    await server.start()
    place = server.url.partition("@")[2]
    for url, says in {
        f"redis://:wrong@{place}": "refuses our credentials",
        f"redis://{place}?password=wrong": "refuses our credentials",
        f"redis://{place}": "asks for a password, and REDIS_URL has none",
    }.items():
        bus = RedisBus(url)
        with pytest.raises(BusUnavailable, match=rf"^REDIS_URL: {place} {says}") as caught:
            await bus.start()
        assert "wrong" not in str(caught.value)
        await bus.aclose()
    blobs = RedisBus(valkey.url, blob_url=f"redis://{place}")
    await blobs.start()
    await blobs.open("s", "g", "r", [])
    with pytest.raises(BusUnavailable, match=rf"^BLOB_URL: {place} asks for a password, and BLOB_URL has none"):
        await blobs.put_blob("s", "a", b"1")
    await blobs.aclose()
    await server.stop()


async def test_two_versions_live_side_by_side(valkey: Valkey) -> None:
    """Another version's library has other names, so old and new processes share a log; the same is loaded once."""
    old = RedisBus(valkey.url, library=renamed(source(), "antiphon_0"))
    new = RedisBus(valkey.url)
    again = RedisBus(valkey.url)
    for bus in (old, new, again):
        await bus.start()
    await Gateway(old).open()
    assert (await new.post("s", "r", SAY)).seq == 2
    assert (await old.post("s", "q", SAY)).seq == 3
    raw = redis.asyncio.Redis.from_url(valkey.url, decode_responses=True)
    libraries = await raw.function_list()  # type: ignore[no-untyped-call]
    assert sorted(library[1] for library in libraries) == ["antiphon_0", name_of(source())]
    await raw.aclose()
    for bus in (old, new, again):
        await bus.aclose()


async def test_blobs_on_a_server_of_their_own(valkey: Valkey, tmp_path: Path) -> None:
    """BLOB_URL takes the audio elsewhere; the log's server never sees it."""
    async with Valkey(tmp_path / "blobs", appendfsync=None, binary=BINARY) as blobs:
        bus = RedisBus(valkey.url, blob_url=blobs.url, blob_ttl=60.0)
        await bus.start()
        key = await bus.put_blob("s", "u1", b"\1\2" * 100)
        assert await bus.get_blob(key) == b"\1\2" * 100
        assert await bus.get_blob("{p00}:blob:none") is None
        raw, other = (redis.asyncio.Redis.from_url(url) for url in (valkey.url, blobs.url))
        assert not await raw.exists(key)
        assert 0 < await other.pttl(key) <= 60_000
        for closing in (raw, other, bus):
            await closing.aclose()


async def test_shared_blobs_are_stored_once(valkey: Valkey) -> None:
    """The same sound of two sessions has one key, kept for a blob's whole time after each use; other sound has another."""
    bus = RedisBus(valkey.url, blob_ttl=60.0, partitions=1)
    await bus.start()
    raw = redis.asyncio.Redis.from_url(valkey.url)
    key = await bus.put_shared_blob("s1", b"\1\2" * 100)
    await raw.pexpire(key, 1000)  # almost a day later
    assert await bus.put_shared_blob("s2", b"\1\2" * 100) == key
    assert await raw.pttl(key) > 50_000
    assert await bus.get_blob(key) == b"\1\2" * 100
    await raw.delete(key)  # it was too late
    assert await bus.put_shared_blob("s3", b"\1\2" * 100) == key
    assert await bus.get_blob(key) == b"\1\2" * 100
    assert await bus.put_shared_blob("s1", b"\1\3" * 100) != key
    for closing in (raw, bus):
        await closing.aclose()


def test_on_uvloop_as_in_production(tmp_path: Path) -> None:
    """The same connection works on uvloop's transports: calls, a bell, and a server that dies and comes back."""

    async def talk() -> None:
        async with Valkey(tmp_path, binary=BINARY) as server:
            bus = RedisBus(server.url, settle=0.0, lease=3600.0, patience=20.0)
            await bus.start()
            gateway = await Gateway(bus).open()
            last_id = (await bus.take("llm", 0, "w1", 1)).last_id
            waiting_worker = asyncio.create_task(bus.wait("llm", "w1", {0: last_id}, 1, 20.0))
            await gateway.publish(llm("j"))
            async with asyncio.timeout(10.0):
                [held] = (await waiting_worker).deliveries
            await server.kill()
            waiting = asyncio.create_task(bus.commit("llm", "w1", held, 0, "final", [SENTENCE]))
            await server.start()
            assert (await waiting).outcome is Outcome.OK
            await bus.aclose()

    uvloop.run(talk())
