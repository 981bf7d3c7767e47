"""What lies in Redis lies there as every version has put it: logs outlive the library that wrote them."""

import json
import re
from pathlib import Path
from typing import Any

import msgpack
import redis.asyncio

from ops.stack.embedded.valkey import Valkey
from schemas.bus import Hold, Publication, Snapshot
from schemas.log import RedisBus
from tests.schemas.log.talk import FAILED, SAY, SENTENCE, SPEECH, Gateway, llm, stt, take, take_one, tts

STORED = Path(__file__).with_name("stored.json")
"""Every key of the log below, as the library `antiphon_2` left it; what later ones added stands behind it."""


async def a_little_of_everything(bus: RedisBus) -> None:
    """Events, lanes and what is parked in them, a dead letter, a snapshot, positions, requests, a claim, a closed session."""
    gateway = await Gateway(bus).open(tts("phrase", generation=None))
    await gateway.publish(stt("u1", then=llm("l0")), events=(SPEECH,))
    await gateway.publish(stt("u2"))
    await gateway.publish(llm("l1"), llm("l2"), stt("u3", participant="bob", partial=True))
    spoken = await take_one(bus, "tts")
    await bus.commit("tts", "w1", spoken, 0, "dead", [FAILED])
    heard, _ = await take(bus, "stt")
    await bus.commit("stt", "w1", heard, 0, "step", [SENTENCE])
    await take_one(bus, "llm")
    await bus.hold("g1", 0, [Hold("s", 1, {"turn": 4, "index": 1, "position": 0.64})])
    await bus.post("s", "said", SAY)
    await gateway.publish(snapshot=Snapshot(2, 7, b"\xffstate"), raises=3)
    await bus.claim("s", "g2", "claimed", ticket="ticket")
    await Gateway(bus, "t").open()
    await bus.close("t", 1, Publication(1, [SPEECH]))


async def everything(raw: redis.asyncio.Redis) -> dict[str, Any]:
    """Each key with what it holds, times and ids of entries left out."""
    found: dict[str, Any] = {}
    for key in sorted(await raw.keys("{p*")):
        kind = (await raw.type(key)).decode()
        value: Any
        if kind == "hash":
            value = {shown(name): shown(held) for name, held in sorted((await raw.hgetall(key)).items())}  # type: ignore[misc]
        elif kind == "stream":
            value = [[shown(entry), *map(shown, flat)] for entry, flat in await entries(raw, key)]
        elif kind == "list":
            value = [shown(item) for item in await raw.lrange(key, 0, -1)]  # type: ignore[misc]
        elif kind == "zset":
            value = [shown(name) for name in await raw.zrange(key, 0, -1)]
        else:
            value = shown(await raw.get(key))
        found[key.decode()] = value
    return found


async def entries(raw: redis.asyncio.Redis, key: bytes) -> list[tuple[bytes, list[bytes]]]:
    """With their fields in the order they lie in."""
    rows = await raw.xrange(key)
    return [(entry, [part for pair in fields.items() for part in pair]) for entry, fields in rows]


def shown(value: bytes) -> Any:
    """Text as it is, times and entries' own ids as a mark, a packed list as what is in it; anything else is a body."""
    try:
        text = value.decode()
        if text.replace("\n", "").isprintable():
            return re.sub(r"\b\d{13}-\d+", "ID", re.sub(r"\b\d{16}\b", "TIME", text))
    except UnicodeDecodeError:
        pass
    try:
        packed = msgpack.unpackb(value, raw=True)
    except ValueError:
        packed = None
    return [item if isinstance(item, int) else shown(item) for item in packed] if isinstance(packed, list) else "BODY"


async def test_what_is_stored_stays_as_it_was(valkey: Valkey) -> None:
    """Each key has its fields, in their order, by their short names, whatever the functions call them."""
    bus = RedisBus(valkey.url, lease=3600.0, settle=0.0)
    raw = redis.asyncio.Redis.from_url(valkey.url)
    await bus.start()
    await a_little_of_everything(bus)
    assert await everything(raw) == json.loads(STORED.read_text("utf-8"))
    await bus.aclose()
    await raw.aclose()
