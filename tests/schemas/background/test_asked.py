"""The records of what an operator asked for, in a real Redis."""

import asyncio

import pytest
import redis.asyncio
from arq.constants import in_progress_key_prefix

from ops.stack.embedded.valkey import Valkey
from schemas.background.asked import TRIES, AskedFor, Stopped
from schemas.config.settings import Settings


async def test_a_cancellation_is_never_lost(shared_valkey: Valkey) -> None:
    """At whatever step of telling how far it is: whoever cancels waits for the end."""
    asked = AskedFor(Settings(_env_file=None, redis_url=shared_valkey.url))
    one = await asked.ask("batch", {}, "ann")
    assert await asked.take(one.id, "worker") is not None
    for steps in range(150):
        telling = asyncio.create_task(asked.tell(one.id, "worker", 0, 1, ""))
        for _ in range(steps):
            await asyncio.sleep(0)
        if telling.cancel():
            await asyncio.wait({telling})
            assert telling.cancelled(), f"cancelled at step {steps}, it went on"
        else:
            telling.result()
    await asked.aclose()


async def test_a_lease_that_ran_out_is_had_again_while_nobody_took_it(shared_valkey: Valkey) -> None:
    """The jobs' Redis was away for longer than a lease: whoever is at it goes on; whoever was overtaken, or is done, stops."""
    asked = AskedFor(Settings(_env_file=None, redis_url=shared_valkey.url))
    one = await asked.ask("batch", {}, "ann")
    lease = f"antiphon:asked:{one.id}:lease"
    async with redis.asyncio.Redis.from_url(shared_valkey.url) as raw:
        assert await asked.take(one.id, "first") is not None
        await raw.delete(lease)
        await asked.tell(one.id, "first", 1, 2, "on it")
        assert await asked.take(one.id, "second") is None
        await raw.delete(lease)
        assert await asked.take(one.id, "second") is not None
        with pytest.raises(Stopped, match="another worker has it now"):
            await asked.renew(one.id, "first")
        await asked.end(one.id, "second", "done", {"made": 2})
        with pytest.raises(Stopped):
            await asked.renew(one.id, "first")
        await asked.end(one.id, "first", "stopped", None)
        over = await asked.get(one.id)
        assert over is not None
        assert (over.state, over.result) == ("done", {"made": 2})
        assert await raw.exists(lease) == 0
    await asked.aclose()


async def test_whom_an_erasure_was_about_is_forgotten_once_it_is_over(shared_valkey: Valkey) -> None:
    """Done, stopped before anybody had it, or given up."""
    asked = AskedFor(Settings(_env_file=None, redis_url=shared_valkey.url))
    done, stopped, lost = [await asked.ask("erasure", {"person": "Ann"}, "privacy-desk") for _ in range(3)]
    assert await asked.take(done.id, "worker") is not None
    await asked.end(done.id, "worker", "done", {"proof": None, "open": []})
    assert await asked.stop(stopped.id)
    async with redis.asyncio.Redis.from_url(shared_valkey.url) as raw:
        for _ in range(TRIES + 1):
            await asked.take(lost.id, "worker")
            await raw.delete(f"antiphon:asked:{lost.id}:lease")
    over = [await asked.get(one.id) for one in (done, stopped, lost)]
    assert [(one.state, one.request) for one in over if one] == [("done", {}), ("stopped", {}), ("failed", {})]
    await asked.aclose()


async def test_a_hint_in_dead_hands_is_given_again(shared_valkey: Valkey) -> None:
    """Whoever took it from the queue died before it took the job: it is not theirs for as long as such a job may last."""
    asked = AskedFor(Settings(_env_file=None, redis_url=shared_valkey.url))
    one = await asked.ask("batch", {}, "ann")
    held = f"{in_progress_key_prefix}antiphon:asked:{one.id}:0"
    async with redis.asyncio.Redis.from_url(shared_valkey.url) as raw:
        await raw.set(held, "1", ex=3_600)
        await asked.hint(one)
        assert await raw.exists(held) == 1
        await raw.hset(f"antiphon:asked:{one.id}", "changed_at", one.changed_at - 60_000_000)
        (due,) = [found for found in await asked.due() if found.id == one.id]
        await asked.hint(due)
        assert await raw.exists(held) == 0
    await asked.aclose()
