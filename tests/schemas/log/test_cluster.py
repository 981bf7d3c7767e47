"""The log on a real cluster of two primaries."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import redis.asyncio

from ops.stack.embedded.valkey import Valkey, free_port
from schemas.bus import GatewaySeen, Outcome
from schemas.log import RedisBus, partition_of
from tests.schemas.log.talk import FAILED, SAY, SENTENCE, Gateway, llm, take
from tests.servers import BINARY

PARTITIONS = 8


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[list[Valkey]]:
    """Two primaries, half of the slots each."""
    async with AsyncExitStack() as stack:
        nodes, bus_ports = [], []
        for number in range(2):
            bus_port = free_port()  # Redis's own choice, port + 10000, may not exist
            options = {"cluster-enabled": "yes", "cluster-port": str(bus_port)}
            folder = tmp_path / str(number)
            node = Valkey(folder, appendfsync=None, options=options, binary=BINARY, password="shared")
            nodes.append(await stack.enter_async_context(node))
            bus_ports.append(bus_port)
        clients = [redis.asyncio.Redis.from_url(node.url) for node in nodes]
        for client, slots in zip(clients, ((0, 8191), (8192, 16383)), strict=True):
            stack.push_async_callback(client.aclose)
            await client.execute_command("CLUSTER ADDSLOTSRANGE", *slots)
        await clients[0].execute_command("CLUSTER MEET", "127.0.0.1", nodes[1].port, bus_ports[1])
        async with asyncio.timeout(20.0):
            for client in clients:
                while (await client.execute_command("CLUSTER INFO"))["cluster_state"] != "ok":
                    await asyncio.sleep(0.05)
        yield nodes


async def test_sessions_live_on_all_primaries(cluster: list[Valkey]) -> None:
    """Each session's calls go to the primary of its partition; workers, bells and inboxes serve them all."""
    bus = RedisBus(cluster[0].url, cluster=True, partitions=PARTITIONS, settle=0.0)
    await bus.start()
    names = [f"s{number}" for number in range(24)]
    assert {partition_of(name, PARTITIONS) for name in names} == set(range(PARTITIONS))
    ids = dict.fromkeys(range(PARTITIONS), "0-0")
    bell = asyncio.create_task(bus.wait("llm", "w1", ids, 1, 20.0))
    inbox = asyncio.create_task(bus.inbox("g1", ids, 20.0))
    gateways = [await Gateway(bus, name).open() for name in names]
    for gateway in gateways:
        assert (await gateway.publish(llm("j", gateway.session), events=(SAY,))).seq == 2
    async with asyncio.timeout(10.0):
        assert (await bell).deliveries == []  # a bell, no more
    held = await take(bus, "llm")
    assert sorted(delivery.job.session for delivery in held) == sorted(names)
    assert set(await bus.renew("llm", "w1", held)) == {Outcome.OK}
    for delivery in held:
        assert (await bus.commit("llm", "w1", delivery, 0, "final", [SENTENCE])).seq == 3
    entries, ids = await inbox
    async with asyncio.timeout(10.0):
        while len(entries) < 3 * len(names):
            more, ids = await bus.inbox("g1", ids, 1.0)
            entries += more
    for name in names:
        assert [entry.event.seq for entry in entries if entry.session == name] == [1, 2, 3]
    key = await bus.put_blob("s1", "u1", b"\0\0")
    assert await bus.get_blob(key) == b"\0\0"
    assert len(await bus.sessions(50)) == len(names)
    for node in cluster:
        raw = redis.asyncio.Redis.from_url(node.url)
        assert len(await raw.keys("*:s:*")) > 0
        await raw.aclose()
    await bus.aclose()


async def test_a_partition_that_moved(cluster: list[Valkey]) -> None:
    """When a slot moved to another primary, the next call finds it there, and its library."""
    bus = RedisBus(cluster[0].url, cluster=True, partitions=1, settle=0.0, patience=5.0)
    await bus.start()
    clients = [redis.asyncio.Redis.from_url(node.url) for node in cluster]
    slot = int(await clients[0].execute_command("CLUSTER KEYSLOT", "{p00}:s:s"))
    to = clients[0] if slot > 8191 else clients[1]
    new_owner = await to.execute_command("CLUSTER MYID")
    for client in clients:
        await client.execute_command("CLUSTER SETSLOT", slot, "NODE", new_owner)
    async with asyncio.timeout(20.0):
        await Gateway(bus).open()
    assert (await bus.post("s", "r", SAY)).seq == 2
    assert await to.exists("{p00}:s:s")
    for client in clients:
        await client.aclose()
    await bus.aclose()


async def test_what_lies_beside_sessions_lies_anywhere(cluster: list[Valkey]) -> None:
    """Queues and dead letters are told of all primaries together; gateways and drafts are found again."""
    bus = RedisBus(cluster[0].url, cluster=True, partitions=PARTITIONS, settle=0.0)
    await bus.start()
    names = [f"s{number}" for number in range(8)]
    for name in names:
        await Gateway(bus, name).open(llm("j", name))
    held = await take(bus, "llm")
    for delivery in held[:2]:
        await bus.commit("llm", "w1", delivery, 0, "dead", [FAILED])
    seen = {one.stage: one for one in await bus.stages()}["llm"]
    assert (seen.added, seen.running, [worker.name for worker in seen.workers]) == (8, 6, ["w1"])
    letters = await bus.dead_letters()
    assert {letter.session for letter in letters} == {delivery.job.session for delivery in held[:2]}
    assert await bus.retry(letters[0].id) is Outcome.OK
    assert await bus.discard(letters[1].id)
    await bus.advertise(GatewaySeen("g1", "ws://a/ws", "ws://a/ws", 1, 0, False, ("websocket",)), 60)
    assert [one.name for one in await bus.gateways()] == ["g1"]
    await bus.put_draft("draft-1", "x", 60)
    assert await bus.draft("draft-1") == "x"
    await bus.aclose()
