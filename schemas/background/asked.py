"""What an operator asked the jobs worker for: a fork, a batch of them, an import, a deletion. Each is a record that tells how far
it is and what came of it; whoever asked looks there, or follows it.

    antiphon:asked:<id>          hash    the record; a week after it was asked for, or ended, it is gone
    antiphon:asked:<id>:lease    string  who is at it; without one, what is not over is due
    antiphon:asked               zset    all, by when they were asked for
    antiphon:asked:due           zset    those that are not over
    antiphon:asked:worker        string  there is a jobs worker

They live in the Redis of the jobs' hints, whose hint may be lost: who is due is in the zset.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

import redis.asyncio
from redis.exceptions import RedisError

from schemas.background.hints import Hints, jobs_url
from schemas.config.settings import Settings, without_password
from schemas.errors import AntiphonError, BusFull, BusUnavailable, SettingsError, in_words

__all__ = ["ASKED", "LEASE", "Asked", "AskedFor", "Kind", "Over", "State", "Stopped"]

Kind = Literal["fork", "batch", "import", "removal", "erasure"]
State = Literal["waiting", "running", "done", "failed", "stopped"]
OVER: frozenset[State] = frozenset({"done", "failed", "stopped"})
Over = Literal["done", "failed", "stopped"]

ASKED = "antiphon:asked"
"""The queue of their hints: what takes hours stands in nobody's way who archives."""
LEASE = 20.0
"""Seconds after which whoever does it, and says nothing, counts as dead."""
TRIES = 3
_KEPT = 7 * 86_400
"""Seconds."""
_MOST, _MOST_DUE = 1_000, 200
_LONGEST = 4_000_000
"""Bytes of a result."""
_OVERDUE = 5.0
"""Seconds that something is due, and its hint in the hands of a worker that has not begun: it never will."""
_PRESENT = 15
_PATIENCE = 3.0


class Stopped(AntiphonError):
    """Whoever does it is to stop: somebody asked for that, or it is another's now."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One of them. `by`: who asked; moments are µs since 1970; `done` of `of` (0: unknown) is behind it, `doing`: what is on now;
    `result`: what came of it, as JSON values, perhaps noted before its end; `error`: why nothing did; `revision`: rises with each
    change."""

    id: str
    kind: Kind
    by: str
    asked_at: int
    state: State = "waiting"
    done: int = 0
    of: int = 0
    doing: str = ""
    request: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] | None = None
    error: str = ""
    changed_at: int = 0
    revision: int = 0
    tries: int = 0

    @property
    def over(self) -> bool:
        return self.state in OVER


class AskedFor:
    """All of them, in one Redis; connected when it is first wanted. BusUnavailable: it does not answer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: redis.asyncio.Redis | None = None
        self._hints: Hints | None = None

    @property
    def possible(self) -> bool:
        """Whether settings name a Redis for it."""
        return bool(self._settings.jobs_redis_url) or not self._settings.redis_cluster

    @property
    def _redis(self) -> redis.asyncio.Redis:
        if self._client is None:
            try:
                url = jobs_url(self._settings)
            except SettingsError as error:
                raise BusUnavailable(str(error)) from None
            self._client = redis.asyncio.Redis.from_url(
                url, decode_responses=True, socket_connect_timeout=_PATIENCE, socket_timeout=_PATIENCE
            )
        return self._client

    async def aclose(self) -> None:
        if self._hints is not None:
            await self._hints.aclose()
        if self._client is not None:
            await self._client.aclose()
        self._client = self._hints = None

    # ── whoever asks ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def ask(self, kind: Kind, request: dict[str, Any], by: str) -> Asked:
        """BusFull: too much waits already."""
        now = time.time_ns() // 1000
        made = Asked(secrets.token_hex(8), kind, by, now, request=request, changed_at=now)
        async with self._calm():
            due = set(await self._redis.zrange(f"{ASKED}:due", 0, -1))
            if len(due) >= _MOST_DUE:
                raise BusFull(f"{_MOST_DUE} jobs wait already; is `antiphon worker jobs` running?")
            old = [one for one in await self._redis.zrange(ASKED, 0, -_MOST - 1) if one not in due]
            async with self._redis.pipeline() as pipe:
                pipe.hset(f"{ASKED}:{made.id}", mapping=_fields(made))
                pipe.expire(f"{ASKED}:{made.id}", _KEPT)
                pipe.zadd(ASKED, {made.id: now})
                pipe.zadd(f"{ASKED}:due", {made.id: now})
                for one in old:
                    pipe.zrem(ASKED, one)
                    pipe.delete(f"{ASKED}:{one}")
                await pipe.execute()
        await self.hint(made)
        return made

    async def hint(self, one: Asked) -> None:
        """The worker looks by itself, too, every few seconds."""
        try:
            if self._hints is None:
                self._hints = Hints(jobs_url(self._settings), ASKED)
            if self._hints.pool is None:
                await self._hints.open()
        except (BusUnavailable, SettingsError):
            return
        overdue = _now() - one.changed_at > _OVERDUE * 1e6
        await self._hints.give("asked", one.id, one.tries, within=600.0, overdue=overdue)

    async def get(self, name: str) -> Asked | None:
        async with self._calm():
            found = await _wait(self._redis.hgetall(f"{ASKED}:{name}"))
        return _asked(name, found) if found else None

    async def revision(self, name: str) -> int:
        """Another one with each change; 0: there is no such job."""
        async with self._calm():
            return int(await _wait(self._redis.hget(f"{ASKED}:{name}", "revision")) or 0)

    async def latest(self, kind: Kind | None = None, count: int = 50) -> list[Asked]:
        """The last one first."""
        found: list[Asked] = []
        start = 0
        while len(found) < count:
            async with self._calm():
                names = await self._redis.zrevrange(ASKED, start, start + 99)
                async with self._redis.pipeline(transaction=False) as pipe:
                    for name in names:
                        pipe.hgetall(f"{ASKED}:{name}")
                    rows = await pipe.execute()
            made = [_asked(name, row) for name, row in zip(names, rows, strict=True) if row]
            found += [one for one in made if one is not None and kind in (None, one.kind)]
            start += 100
            if len(names) < 100:
                break
        return found[:count]

    async def stop(self, name: str) -> bool:
        """Whoever is at it hears of it the next time it tells how far it is. False: it is over already, or there is none."""
        one = await self.get(name)
        if one is None or one.over:
            return False
        async with self._calm():
            await _wait(self._redis.hset(f"{ASKED}:{name}", "stop", "1"))
            if await self._redis.exists(f"{ASKED}:{name}:lease"):
                return True
        await self._end(one, "stopped", None, "")
        return True

    async def served(self) -> bool:
        """Whether there is a jobs worker, as far as its Redis knows."""
        async with self._calm():
            return bool(await self._redis.exists(f"{ASKED}:worker"))

    # ── whoever does it ──────────────────────────────────────────────────────────────────────────────────────────────

    async def here(self) -> None:
        """A worker says that it is there."""
        async with self._calm():
            await self._redis.set(f"{ASKED}:worker", "1", ex=_PRESENT)

    async def due(self) -> list[Asked]:
        """What is not over, and nobody is at."""
        found = []
        async with self._calm():
            names = await self._redis.zrange(f"{ASKED}:due", 0, _MOST_DUE)
            for name in names:
                if await self._redis.exists(f"{ASKED}:{name}:lease"):
                    continue
                one = await self.get(name)
                if one is None or one.over:
                    await self._redis.zrem(f"{ASKED}:due", name)
                else:
                    found.append(one)
        return found

    async def take(self, name: str, owner: str) -> Asked | None:
        """None: somebody is at it, or it is over. After three tries that ended nowhere it is given up."""
        async with self._calm():
            if not await self._redis.set(f"{ASKED}:{name}:lease", owner, nx=True, px=round(LEASE * 1e3)):
                return None
            one = await self.get(name)
            if one is None or one.over:
                await self._redis.delete(f"{ASKED}:{name}:lease")
                return None
            if one.tries >= TRIES and one.result is None:
                await self._end(one, "failed", None, f"given up: {TRIES} workers died of it")
                return None
            async with self._redis.pipeline() as pipe:
                pipe.hset(f"{ASKED}:{name}", mapping={"state": "running", "changed_at": _now()})
                pipe.hincrby(f"{ASKED}:{name}", "tries", 1)
                pipe.hincrby(f"{ASKED}:{name}", "revision", 1)
                await pipe.execute()
        return await self.get(name)

    async def renew(self, name: str, owner: str) -> None:
        """Stopped: somebody asked for that, or it is another's now. A lease that ran out, and that nobody took meanwhile (this
        Redis was away), is had again."""
        lease, held_for = f"{ASKED}:{name}:lease", round(LEASE * 1e3)
        async with self._calm():
            state, stop = await _wait(self._redis.hmget(f"{ASKED}:{name}", ["state", "stop"]))
            if stop:
                raise Stopped("it was stopped")
            if await self._redis.get(lease) == owner:
                await self._redis.pexpire(lease, held_for)
            elif state != "running" or not await self._redis.set(lease, owner, nx=True, px=held_for):
                raise Stopped("another worker has it now")

    async def tell(self, name: str, owner: str, done: int, of: int, doing: str) -> None:
        """How far it is. Stopped."""
        await self.renew(name, owner)
        async with self._calm(), self._redis.pipeline() as pipe:
            pipe.hset(
                f"{ASKED}:{name}",
                mapping={"done": done, "of": of, "doing": doing[:300], "changed_at": _now()},
            )
            pipe.hincrby(f"{ASKED}:{name}", "revision", 1)
            await pipe.execute()

    async def note(self, name: str, owner: str, result: dict[str, Any]) -> None:
        """What came of it, before its end is told: whoever takes it up after a death has it. Stopped."""
        await self.renew(name, owner)
        async with self._calm():
            await _wait(self._redis.hset(f"{ASKED}:{name}", "result", _text(result)))

    async def hand_back(self, name: str, owner: str, why: str = "") -> None:
        """Whoever is at it ends, and another may begin at once; the try does not count. `why`: for people."""
        async with self._calm():
            if await self._redis.get(f"{ASKED}:{name}:lease") != owner:
                return
            async with self._redis.pipeline() as pipe:
                pipe.hset(f"{ASKED}:{name}", mapping={"state": "waiting", "doing": why[:300], "changed_at": _now()})
                pipe.hincrby(f"{ASKED}:{name}", "tries", -1)
                pipe.hincrby(f"{ASKED}:{name}", "revision", 1)
                pipe.delete(f"{ASKED}:{name}:lease")
                await pipe.execute()

    async def end(self, name: str, owner: str, state: Over, result: dict[str, Any] | None, error: str = "") -> None:
        """Its one end; not by somebody whose lease has passed to another."""
        async with self._calm():
            one = await self.get(name)
            if one is None or one.over or await self._redis.get(f"{ASKED}:{name}:lease") not in (owner, None):
                return
        await self._end(one, state, result, error)

    async def _end(self, one: Asked, state: Over, result: dict[str, Any] | None, error: str) -> None:
        """Whom an erasure was about is nobody's business from then on, however it ended."""
        name = one.id
        text = _text(result) if result is not None else ""
        if len(text) > _LONGEST:
            state, text, error = "failed", "", f"what came of it is too much to be kept: {len(text)} bytes"
        values = {"state": state, "result": text, "error": error[:2_000], "doing": "", "changed_at": _now()}
        if one.kind == "erasure":
            values["request"] = "{}"
        async with self._calm(), self._redis.pipeline() as pipe:
            pipe.hset(f"{ASKED}:{name}", mapping=cast(Any, values))
            pipe.hincrby(f"{ASKED}:{name}", "revision", 1)
            pipe.expire(f"{ASKED}:{name}", _KEPT)
            pipe.zrem(f"{ASKED}:due", name)
            pipe.delete(f"{ASKED}:{name}:lease")
            await pipe.execute()

    def _calm(self) -> "_Calm":
        return _Calm(self._settings)


class _Calm:
    """What a Redis may raise, as ours; and a cancellation that came meanwhile, which redis-py loses: on Python 3.11 its sends
    go through a wait_for that swallows one coming just as they are done. Whoever cancels and waits would wait for ever."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._cancelled = 0

    async def __aenter__(self) -> None:
        self._cancelled = _cancelled()

    async def __aexit__(self, _: object, error: BaseException | None, __: object) -> None:
        if not isinstance(error, asyncio.CancelledError) and _cancelled() > self._cancelled:
            raise asyncio.CancelledError
        if isinstance(error, RedisError | OSError | TimeoutError):
            place = without_password(self._settings.jobs_redis_url or self._settings.redis_url)
            raise BusUnavailable(
                f"the Redis of background jobs, {place}, does not answer: {in_words(error)} (JOBS_REDIS_URL)"
            ) from None


def _cancelled() -> int:
    """How often this task was."""
    task = asyncio.current_task()
    return task.cancelling() if task else 0


async def _wait(answer: Awaitable[Any] | Any) -> Any:
    return await answer


def _text(result: dict[str, Any]) -> str:
    return json.dumps(result, separators=(",", ":"), default=str)


def _now() -> int:
    return time.time_ns() // 1000


def _fields(one: Asked) -> dict[Any, Any]:
    return {
        "kind": one.kind, "by": one.by, "asked_at": one.asked_at, "state": one.state, "done": one.done, "of": one.of,
        "doing": one.doing, "request": json.dumps(one.request), "result": "", "error": "", "changed_at": one.changed_at,
        "revision": 1, "tries": 0,
    }  # fmt: skip


def _asked(name: str, row: dict[str, str]) -> Asked | None:
    if row.get("kind") not in get_args(Kind):
        return None
    return Asked(
        name, cast(Kind, row["kind"]), row.get("by", ""), int(row.get("asked_at", 0)),
        cast(State, row.get("state", "waiting")), int(row.get("done", 0)), int(row.get("of", 0)), row.get("doing", ""),
        json.loads(row.get("request") or "{}"), json.loads(row["result"]) if row.get("result") else None,
        row.get("error", ""), int(row.get("changed_at", 0)), int(row.get("revision", 0)), int(row.get("tries", 0)),
    )  # fmt: skip
