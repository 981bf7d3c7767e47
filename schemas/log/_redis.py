"""`RedisBus`: the log on Redis 7.0 or later, or Valkey. Each method is one function call; this file only speaks its language."""

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgpack

from schemas.bus import (
    Bus,
    Claimed,
    Delivery,
    Ending,
    Handed,
    Held,
    Hold,
    InboxEntry,
    Outcome,
    Publication,
    Reply,
    Seen,
    SessionInfo,
    Snapshot,
    Taken,
)
from schemas.clock import Micros
from schemas.codec import decode_event, decode_job, encode_event, encode_job
from schemas.config.lease import Lease
from schemas.errors import BusError, EventError
from schemas.events import STAGES, Event, Stage
from schemas.jobs import Job
from schemas.languages import Announced
from schemas.log import keys
from schemas.log._fences import asked_limits, check_postable, fence_of, perishable, reason_of, replaces
from schemas.log._server import ClusterServer, Server, SingleServer

_OUTCOMES = {outcome.value.encode(): outcome for outcome in Outcome}
_logger = logging.getLogger(__name__)
_Argument = str | bytes | int
_DEAD_CONSUMER = 3_600_000
"""ms of silence after which a consumer that owns nothing is forgotten."""


class RedisBus(Bus):
    """The log on Redis. One object per process; any number of tasks may call it at once, and their calls are pipelined.

    `partitions`: P, None takes the stored one; `blob_url`: another server for audio; `lease`: seconds a job or session stays
    owned without being renewed; `holds`: this process will own some, so its lease must be that of the others who do
    (LeaseMismatch; `mark`: seconds for which it is known of one that it did); `retention`: seconds a closed session's log stays;
    `blob_ttl`: seconds; `settle`: seconds after a restart of the server, or a time in which nobody reached it, in which no job is
    reclaimed, and in twice that no session is claimed (None: as `schemas/config/lease` says); `patience`: seconds a call is
    tried again over a broken connection before it raises BusUnavailable; `library`: another function library (the chaos
    check's mutant).
    """

    def __init__(
        self,
        url: str,
        *,
        partitions: int | None = None,
        blob_url: str = "",
        cluster: bool = False,
        lease: float = 2.0,
        holds: bool = False,
        mark: float = 15.0,
        retention: float = 86_400.0,
        blob_ttl: float = 86_400.0,
        settle: float | None = None,
        patience: float = 0.5,
        timeout: float = 2.0,
        library: str | None = None,
    ) -> None:
        self.partitions = partitions or 0
        self._asked_partitions = partitions
        self.lease = lease
        self._lease = int(lease * 1000)
        self._mark, self._holds, self._marked_until = mark, holds, 0.0
        self._retention = int(retention * 1000)
        derived = Lease(lease)
        jobs, sessions = (derived.jobs_settle, derived.sessions_settle) if settle is None else (settle, 2 * settle)
        self._jobs_settle, self._sessions_settle = int(jobs * 1000), int(sessions * 1000)
        self._blob_ttl = int(blob_ttl * 1000)
        kind: type[ClusterServer | SingleServer] = ClusterServer if cluster else SingleServer
        self._server: Server = kind(url, library=library, patience=patience, timeout=timeout)
        blobs_in_cluster = cluster and not blob_url
        self._blobs: Server = (
            self._server if blobs_in_cluster else SingleServer(blob_url or url, patience=patience, timeout=timeout)
        )

    async def start(self) -> None:
        try:
            self.partitions = await self._server.start(self._asked_partitions)
            if self._holds:
                await self._server.agree_on_lease(self._lease, self._mark)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        await self._server.aclose()
        await self._blobs.aclose()

    def partition(self, session: str) -> int:
        return keys.partition_of(session, self.partitions)

    async def _mark_lease(self) -> None:
        """Let others know which lease is in force, now and then."""
        now = asyncio.get_running_loop().time()
        if self._holds and now >= self._marked_until:
            self._marked_until = now + self._mark / 5
            with contextlib.suppress(BusError):  # nothing depends on it now
                await self._server.mark_lease(self._lease, self._mark)

    # ── workers ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def take(self, stage: Stage, partition: int, consumer: str, count: int, *, reclaim: bool = True) -> Taken:
        await self._mark_lease()
        last_id, time, rows, again = await self._server.function(
            "take", [keys.queue(partition, stage)], [consumer, count, self._lease, int(reclaim), self._jobs_settle]
        )
        deliveries = [delivery for row in rows if (delivery := _delivery(row, partition))]
        return Taken(deliveries, last_id.decode(), time, again / 1000)

    async def wait(
        self, stage: Stage, consumer: str, last_ids: Mapping[int, str], count: int, timeout: float
    ) -> Handed:
        """The server hands a new job to one of those who wait for it, within the call that enqueues it and before that is
        answered: no bell, no second call, no write to the disk of its own."""
        streams = {keys.queue(partition, stage): partition for partition in last_ids}
        each = count // max(1, len(streams))  # what waits in several streams comes from all of them
        if each == 0 or not self._server.hands_over:
            bells = {stream: last_ids[partition] for stream, partition in streams.items()}
            await self._server.read_streams(bells, 1, timeout, doorbell=True)
            return Handed([], Micros(0))
        asked, rows = await self._server.new_entries(list(streams), keys.GROUP, consumer, each, timeout)
        handed = [_entry(row, streams[name]) for name, entries in rows for row in entries]
        deliveries = [delivery for delivery in handed if delivery]
        if any(delivery.enqueued <= asked for delivery in deliveries):  # they lay there, and may have become void
            outcomes = await self.renew(stage, consumer, deliveries)
            deliveries = [d for d, outcome in zip(deliveries, outcomes, strict=True) if outcome is Outcome.OK]
        return Handed(deliveries, max([asked, *(delivery.enqueued for delivery in deliveries)]))

    async def renew(self, stage: Stage, consumer: str, deliveries: Sequence[Delivery]) -> list[Outcome]:
        by_partition: dict[int, list[Delivery]] = {}
        for delivery in deliveries:
            by_partition.setdefault(delivery.partition, []).append(delivery)
        answers = await asyncio.gather(
            *(self._renew(stage, consumer, partition, some) for partition, some in by_partition.items())
        )
        outcomes = {
            (delivery.partition, delivery.entry): outcome
            for some, answer in zip(by_partition.values(), answers, strict=True)
            for delivery, outcome in zip(some, answer, strict=True)
        }
        return [outcomes[delivery.partition, delivery.entry] for delivery in deliveries]

    async def _renew(self, stage: Stage, consumer: str, partition: int, deliveries: list[Delivery]) -> list[Outcome]:
        arguments: list[_Argument] = [consumer]
        for delivery in deliveries:
            arguments += _owned(delivery)
        answer = await self._server.function("renew", [keys.queue(partition, stage)], arguments)
        return [_OUTCOMES[outcome] for outcome in answer]

    async def commit(
        self,
        stage: Stage,
        consumer: str,
        delivery: Delivery,
        step: int,
        ending: Ending,
        events: Sequence[Event] = (),
        jobs: Sequence[Job] = (),
        seen: Seen | None = None,
    ) -> Reply:
        job, partition = delivery.job, delivery.partition
        answer = await self._server.function(
            "commit",
            [keys.session_hash(partition, job.session), keys.queue(partition, stage)],
            [
                *(consumer, delivery.entry, delivery.attempt, job.id, step, ending, job.lane or "", *fence_of(job)),
                *_seen(seen),
                *(stage, reason_of(events) if ending == "dead" else ""),
                *_events(events),
                *_jobs(jobs),
            ],
        )
        return _reply(answer)

    async def release(self, stage: Stage, consumer: str, delivery: Delivery) -> Outcome:
        queue = keys.queue(delivery.partition, stage)
        return _OUTCOMES[await self._server.function("release", [queue], [consumer, *_owned(delivery)])]

    async def retire(self, stage: Stage, partition: int, consumer: str) -> bool:
        queue = keys.queue(partition, stage)
        return bool(await self._server.function("retire", [queue], [consumer, _DEAD_CONSUMER]))

    # ── gateways ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def open(
        self,
        session: str,
        owner: str,
        request: str,
        events: Sequence[Event],
        jobs: Sequence[Job] = (),
        ticket: str = "",
    ) -> Claimed:
        arguments = [owner, request, ticket, self._lease, *_events(events), *_jobs(jobs)]
        answer = await self._server.function("open", [self._hash(session)], arguments)
        return Claimed(_reply(answer), answer[4] if len(answer) > 4 else 0)

    async def publish(self, session: str, epoch: int, publication: Publication) -> Reply:
        return await self._publish(session, epoch, publication, "")

    async def close(self, session: str, epoch: int, publication: Publication) -> Reply:
        return await self._publish(session, epoch, publication, self._retention)

    async def _publish(self, session: str, epoch: int, publication: Publication, retention: _Argument) -> Reply:
        limits = asked_limits(publication.jobs, publication.limits)
        snapshot = publication.snapshot
        packed = msgpack.packb((snapshot.seq, snapshot.version, snapshot.state)) if snapshot else b""
        raises = publication.raises
        answer = await self._server.function(
            "publish",
            [self._hash(session)],
            [
                *(epoch, publication.operation, *_seen(publication.seen), "" if raises is None else raises),
                *(retention, packed, len(limits)),
                *(part for limit in limits.items() for part in limit),
                *_events(publication.events),
                *_jobs(publication.jobs),
            ],
        )
        return _reply(answer)

    async def hold(self, owner: str, partition: int, sessions: Sequence[Hold]) -> Held:
        arguments: list[_Argument] = [owner, self._lease]
        for hold in sessions:
            arguments += [hold.session, hold.epoch, msgpack.packb(dict(hold.positions)), *_seen(hold.seen)]
        time, *queued, rows = await self._server.function("hold", [keys.leases(partition)], arguments)
        await self._mark_lease()
        return Held([_reply(row) for row in rows], dict(zip(STAGES, queued, strict=True)), time)

    async def claim(self, session: str, owner: str, request: str, ticket: str = "") -> Claimed:
        arguments: list[_Argument] = [owner, request, ticket, self._lease, self._sessions_settle]
        answer = await self._server.function("claim", [self._hash(session)], arguments)
        if len(answer) < 6:
            return Claimed(_reply(answer))
        return Claimed(_reply(answer), answer[4], msgpack.unpackb(answer[5]) if answer[5] else {})

    async def inbox(
        self, owner: str, last_ids: Mapping[int, str], timeout: float
    ) -> tuple[list[InboxEntry], dict[int, str]]:
        names = {keys.inbox(partition, owner): partition for partition in last_ids}
        after = {
            name: await self._last_id(name) if last_ids[partition] == "$" else last_ids[partition]
            for name, partition in names.items()
        }
        entries: list[InboxEntry] = []
        for name, rows in await self._server.read_streams(after, 1000, timeout):
            after[name] = rows[-1][0].decode()
            entries += [entry for _, fields in rows if (entry := _inbox_entry(fields))]
        return entries, {partition: after[name] for name, partition in names.items()}

    async def _last_id(self, stream: str) -> str:
        """Where to go on from: "$" in a later call would skip what came between."""
        rows = await self._server.command(stream, "XREVRANGE", stream, "+", "-", "COUNT", 1)
        return rows[0][0].decode() if rows else "0-0"

    async def expired(self, partition: int, count: int) -> list[str]:
        names = await self._server.function("expired", [keys.leases(partition)], [count, self._sessions_settle])
        return [name.decode() for name in names]

    # ── everybody ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def post(self, session: str, request: str, event: Event) -> Reply:
        check_postable(event)
        return _reply(await self._server.function("post", [self._hash(session)], [request, *_events([event])]))

    async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
        key = keys.events(self.partition(session), session)
        limit: tuple[_Argument, ...] = () if count is None else ("COUNT", count)
        rows = await self._server.command(key, "XRANGE", key, f"{after + 1}-0", "+", *limit)
        return [
            decode_event(f[1].decode(), f[5], int(entry.partition(b"-")[0]), Micros(int(f[3]))) for entry, f in rows
        ]

    async def snapshot(self, session: str) -> Snapshot | None:
        partition = self.partition(session)
        name, stored = keys.session_hash(partition, session), keys.snapshot(partition, session)
        seq, packed = await asyncio.gather(
            self._server.command(name, "HGET", name, "seq"), self._server.command(stored, "GET", stored)
        )
        if packed is None or seq is None:
            return None
        snapshot = Snapshot(*msgpack.unpackb(packed))
        return snapshot if snapshot.seq <= int(seq) else None

    async def sessions(self, count: int = 100) -> list[SessionInfo]:
        found = await self._latest([keys.open_sessions(partition) for partition in range(self.partitions)], count)
        return [info for info in found if info.state == "open"]

    async def closed(self, count: int = 100) -> list[SessionInfo]:
        return await self._latest([keys.closed_sessions(partition) for partition in range(self.partitions)], count)

    async def _latest(self, zsets: Sequence[str], count: int) -> list[SessionInfo]:
        rows = await asyncio.gather(
            *(self._server.command(zset, "ZREVRANGE", zset, 0, count - 1, "WITHSCORES") for zset in zsets)
        )
        scored = [(float(row[i + 1]), row[i].decode()) for row in rows for i in range(0, len(row), 2)]
        latest = [name for _, name in sorted(scored, reverse=True)[:count]]
        found = await asyncio.gather(*(self.info(name) for name in latest))
        return [info for info in found if info]

    async def info(self, session: str) -> SessionInfo | None:
        partition = self.partition(session)
        name, leases = keys.session_hash(partition, session), keys.leases(partition)
        fields, lease = await asyncio.gather(
            self._server.command(name, "HMGET", name, "seq", "state", "owner", "epoch", "gen", "at"),
            self._server.command(leases, "ZSCORE", leases, session),
        )
        if fields[0] is None:
            return None
        seq, state, owner, epoch, generation, at = (field.decode() for field in fields)
        ends = Micros(int(float(lease or 0)))
        return SessionInfo(
            session, partition, int(seq), state, owner, int(epoch), int(generation), ends, Micros(int(at))
        )

    async def announce(self, consumer: str, what: Announced, seconds: float) -> None:
        name = f"{keys.SPEAKS}:{what.stage}"
        if not seconds:
            await self._server.command(name, "HDEL", name, consumer)
            return
        until = await self.now() + int(seconds * 1e6)
        told = msgpack.packb((until, list(what.languages), what.setting, what.provider))
        await self._server.command(name, "HSET", name, consumer, told)
        await self._server.command(name, "PEXPIRE", name, int(2000 * seconds))

    async def announced(self, stage: Stage) -> list[Announced]:
        name = f"{keys.SPEAKS}:{stage}"
        rows, now = await asyncio.gather(self._server.command(name, "HGETALL", name), self.now())
        told = {consumer: msgpack.unpackb(row) for consumer, row in zip(rows[::2], rows[1::2], strict=True)}
        if gone := [consumer for consumer, (until, *_) in told.items() if until <= now]:
            await self._server.command(name, "HDEL", name, *gone)
        return [Announced(stage, *what[:3]) for consumer, (_, *what) in told.items() if consumer not in gone]

    async def queued(self, stage: Stage) -> int:
        names = [keys.queue(partition, stage) for partition in range(self.partitions)]
        return sum(await asyncio.gather(*(self._server.command(name, "XLEN", name) for name in names)))

    async def put_blob(self, session: str, name: str, pcm: bytes) -> str:
        key = keys.blob(self.partition(session), session, name)
        await self._blobs.command(key, "SET", key, pcm, "PX", self._blob_ttl)
        return key

    async def put_shared_blob(self, session: str, pcm: bytes) -> str:
        key = keys.shared_blob(self.partition(session), pcm)
        if not await self._blobs.command(key, "PEXPIRE", key, self._blob_ttl):
            await self._blobs.command(key, "SET", key, pcm, "PX", self._blob_ttl)
        return key

    async def get_blob(self, key: str) -> bytes | None:
        pcm: bytes | None = await self._blobs.command(key, "GET", key)
        return pcm

    async def now(self) -> Micros:
        seconds, micros = await self._server.command("", "TIME")
        return Micros(int(seconds) * 1_000_000 + int(micros))

    def _hash(self, session: str) -> str:
        return keys.session_hash(self.partition(session), session)


def _owned(delivery: Delivery) -> tuple[_Argument, ...]:
    job = delivery.job
    return (delivery.entry, delivery.attempt, job.session, job.id, job.lane or "", *fence_of(job))


def _seen(seen: Seen | None) -> tuple[_Argument, _Argument]:
    return (seen.seq, seen.at) if seen else (0, 0)


def _events(events: Sequence[Event]) -> Iterable[_Argument]:
    yield len(events)
    for event in events:
        yield event.type
        yield encode_event(event)


def _jobs(jobs: Sequence[Job]) -> Iterable[_Argument]:
    yield len(jobs)
    for job in jobs:
        yield from (job.stage, job.id, job.lane or "", *fence_of(job), int(job.deadline * 1e6))
        yield from (int(perishable(job)), replaces(job), encode_job(job))


def _reply(answer: Sequence[Any]) -> Reply:
    return Reply(_OUTCOMES[answer[0]], answer[1], answer[2], answer[3])


def _delivery(row: Sequence[Any], partition: int) -> Delivery | None:
    """None for a job this version can't read: its lease runs out, and a newer worker takes it."""
    entry, attempt, session, body, answers, deadline, enqueued, last_step = row
    try:
        job = decode_job(body, answers)
    except EventError as error:
        _logger.warning("session %s: a job is left to other workers: %s", session.decode(), error)
        return None
    return Delivery(entry.decode(), partition, job, attempt, enqueued, deadline, last_step)


def _entry(row: tuple[bytes, Sequence[bytes]], partition: int) -> Delivery | None:
    """A job as it lies in its stream, just handed out for the first time: no attempt has committed a step of it."""
    entry, fields = row
    _, session, _, _, _, _, _, _, _, _, _, deadline, _, enqueued, _, _, _, answers, _, body = fields
    return _delivery((entry, 1, session, body, int(answers), int(deadline), int(enqueued), -1), partition)


def _inbox_entry(fields: Sequence[bytes]) -> InboxEntry | None:
    """None for an event this version can't read: its session alone meets it, by the gap, in its log."""
    _, session, _, seq, _, kind, _, at, _, body = fields
    try:
        return InboxEntry(session.decode(), decode_event(kind.decode(), body, int(seq), Micros(int(at))))
    except EventError as error:
        _logger.warning("session %s: %s", session.decode(), error)
        return None
