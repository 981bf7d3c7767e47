"""`RedisBus`: the log on Redis 7.0 or later, or Valkey. Each method is one function call; this file only speaks its language."""

import asyncio
import contextlib
import logging
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

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
    Receipt,
    Seen,
    SessionInfo,
    Snapshot,
    Taken,
    Touched,
)
from schemas.clock import Micros
from schemas.config.lease import Lease
from schemas.errors import BusError, EventError
from schemas.log import _calls as calls
from schemas.log import keys
from schemas.log._admitting import RedisAdmitting
from schemas.log._fences import asked_limits, check_postable, reason_of
from schemas.log._redis_outside import RedisOutside
from schemas.log._row_keeping import RedisRowKeeping
from schemas.log._server import Server, SingleServer
from schemas.log._taking_in import RedisTakingIn
from schemas.stages import Stage

if TYPE_CHECKING:
    from schemas.events import Event
    from schemas.jobs import Job

_logger = logging.getLogger(__name__)
_Argument = str | bytes | int
_AT_ONCE = 16
"""Sounds that one command lets go of: a server frees each (10 µs) while everybody waits, UNLINK or not."""
_DEAD_CONSUMER = 3_600_000
"""ms of silence after which a consumer that owns nothing is forgotten."""


class RedisBus(RedisAdmitting, RedisOutside, RedisRowKeeping, RedisTakingIn, Bus):
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
        self._server: Server
        if cluster:
            from schemas.log._cluster import ClusterServer  # and with it redis-py, a fifth of a second of processor

            self._server = ClusterServer(url, library=library, patience=patience, timeout=timeout)
        else:
            self._server = SingleServer(url, library=library, patience=patience, timeout=timeout)
        blobs_in_cluster = cluster and not blob_url
        self._blobs: Server = (
            self._server
            if blobs_in_cluster
            else SingleServer(
                blob_url or url, patience=patience, timeout=timeout, setting="BLOB_URL" if blob_url else "REDIS_URL"
            )
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
        call = calls.TakeCall(
            consumer=consumer, count=count, lease=self._lease, reclaim=reclaim, settle=self._jobs_settle
        )
        answer: calls.TakeAnswer = await self._call("take", call, keys.queue(partition, stage))
        deliveries = [delivery for row in answer["jobs"] if (delivery := _taken(row, partition))]
        return Taken(deliveries, answer["last_id"], answer["time"], answer["again"] / 1000)

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
        asked, read, rows = await self._server.new_entries(list(streams), keys.GROUP, consumer, each, timeout)
        handed = [_handed(entry, flat, streams[name]) for name, entries in rows for entry, flat in entries]
        deliveries = [delivery for delivery in handed if delivery]
        if any(delivery.enqueued <= asked for delivery in deliveries):  # they lay there, and may have become void
            outcomes = await self.renew(stage, consumer, deliveries)
            deliveries = [d for d, outcome in zip(deliveries, outcomes, strict=True) if outcome is Outcome.OK]
        return Handed(deliveries, max([read, *(delivery.enqueued for delivery in deliveries)]))

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
        call = calls.RenewCall(consumer=consumer, deliveries=[calls.delivery_row(delivery) for delivery in deliveries])
        return [Outcome(outcome) for outcome in await self._call("renew", call, keys.queue(partition, stage))]

    async def commit(
        self,
        stage: Stage,
        consumer: str,
        delivery: Delivery,
        step: int,
        ending: Ending,
        events: "Sequence[Event]" = (),
        jobs: "Sequence[Job]" = (),
        seen: Seen | None = None,
    ) -> Receipt:
        call = calls.CommitCall(
            consumer=consumer,
            delivery=calls.delivery_row(delivery),
            step=step,
            ending=ending,
            seen=calls.seen_row(seen),
            stage=stage,
            reason=reason_of(events) if ending == "dead" else "",
            events=calls.event_rows(events),
            jobs=calls.job_rows(jobs),
        )
        session = keys.session_hash(delivery.partition, delivery.job.session)
        return _receipt(await self._call("commit", call, session, keys.queue(delivery.partition, stage)))

    async def release(self, stage: Stage, consumer: str, delivery: Delivery) -> Outcome:
        call = calls.ReleaseCall(consumer=consumer, delivery=calls.delivery_row(delivery))
        return Outcome(await self._call("release", call, keys.queue(delivery.partition, stage)))

    async def retire(self, stage: Stage, partition: int, consumer: str) -> bool:
        call = calls.RetireCall(consumer=consumer, dead=_DEAD_CONSUMER)
        return bool(await self._call("retire", call, keys.queue(partition, stage)))

    # ── gateways ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def open(
        self,
        session: str,
        owner: str,
        request: str,
        events: "Sequence[Event]",
        jobs: "Sequence[Job]" = (),
        ticket: str = "",
    ) -> Claimed:
        call = calls.OpenCall(
            owner=owner,
            request=request,
            ticket=ticket,
            lease=self._lease,
            events=calls.event_rows(events),
            jobs=calls.job_rows(jobs),
        )
        return _claimed(await self._call("open", call, self._hash(session)))

    async def publish(self, session: str, epoch: int, publication: Publication) -> Receipt:
        return await self._publish(session, epoch, publication, None)

    async def close(self, session: str, epoch: int, publication: Publication) -> Receipt:
        return await self._publish(session, epoch, publication, self._retention)

    async def _publish(self, session: str, epoch: int, publication: Publication, retention: int | None) -> Receipt:
        snapshot = publication.snapshot
        call = calls.PublishCall(
            epoch=epoch,
            operation=publication.operation,
            seen=calls.seen_row(publication.seen),
            raises=publication.raises,
            retention=retention,
            snapshot=msgpack.packb((snapshot.seq, snapshot.version, snapshot.state)) if snapshot else None,
            limits=asked_limits(publication.jobs, publication.limits),
            events=calls.event_rows(publication.events),
            jobs=calls.job_rows(publication.jobs),
        )
        return _receipt(await self._call("publish", call, self._hash(session)))

    async def hold(self, owner: str, partition: int, sessions: Sequence[Hold]) -> Held:
        call = calls.HoldCall(owner=owner, lease=self._lease, sessions=[calls.hold_row(hold) for hold in sessions])
        answer: calls.HoldAnswer = await self._call("hold", call, keys.leases(partition))
        await self._mark_lease()
        return Held([_receipt(receipt) for receipt in answer["receipts"]], answer["queued"], answer["time"])

    async def claim(self, session: str, owner: str, request: str, ticket: str = "") -> Claimed:
        call = calls.ClaimCall(
            owner=owner, request=request, ticket=ticket, lease=self._lease, settle=self._sessions_settle
        )
        return _claimed(await self._call("claim", call, self._hash(session)))

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
        call = calls.ExpiredCall(count=count, settle=self._sessions_settle)
        names: list[str] = await self._call("expired", call, keys.leases(partition))
        return names

    # ── everybody ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def post(self, session: str, request: str, event: "Event") -> Receipt:
        check_postable(event)
        call = calls.PostCall(request=request, events=calls.event_rows([event]))
        return _receipt(await self._call("post", call, self._hash(session)))

    async def read(self, session: str, after: int = 0, count: int | None = None) -> "list[Event]":
        key = keys.events(self.partition(session), session)
        limit: tuple[_Argument, ...] = () if count is None else ("COUNT", count)
        rows = await self._server.command(key, "XRANGE", key, f"{after + 1}-0", "+", *limit)
        return [_event(int(entry.partition(b"-")[0]), _fields(flat)) for entry, flat in rows]

    async def snapshot(self, session: str) -> Snapshot | None:
        partition = self.partition(session)
        name, stored = keys.session_hash(partition, session), keys.snapshot(partition, session)
        seq, packed = await self._server.commands(name, ("HGET", name, "seq"), ("GET", stored))
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
        latest = await self._touched(zsets, count, Micros(0))
        found = await asyncio.gather(*(self.info(one.session) for one in latest))
        return [info for info in found if info]

    async def touched(self, state: Literal["open", "closed"], count: int, since: Micros = Micros(0)) -> list[Touched]:
        zset = keys.open_sessions if state == "open" else keys.closed_sessions
        return await self._touched([zset(partition) for partition in range(self.partitions)], count, since)

    async def _touched(self, zsets: Sequence[str], count: int, since: Micros) -> list[Touched]:
        asked = ("+inf", since, "WITHSCORES", "LIMIT", 0, count)
        rows = await asyncio.gather(*(self._server.command(zset, "ZREVRANGEBYSCORE", zset, *asked) for zset in zsets))
        scored = [(float(row[i + 1]), row[i].decode()) for row in rows for i in range(0, len(row), 2)]
        return [Touched(name, Micros(int(at))) for at, name in sorted(scored, reverse=True)[:count]]

    async def info(self, session: str) -> SessionInfo | None:
        partition = self.partition(session)
        name, leases = keys.session_hash(partition, session), keys.leases(partition)
        fields, lease = await self._server.commands(
            name,
            ("HMGET", name, "seq", "state", "owner", "epoch", "gen", "at"),
            ("ZSCORE", leases, session),
        )
        if fields[0] is None:
            return None
        seq, state, owner, epoch, generation, at = (field.decode() for field in fields)
        ends = Micros(int(float(lease or 0)))
        return SessionInfo(
            session, partition, int(seq), state, owner, int(epoch), int(generation), ends, Micros(int(at))
        )

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

    async def forget(self, session: str, seq: int, sounds: Collection[str] = ()) -> Outcome:
        call = calls.ForgetCall(seq=seq)
        answer: calls.SessionAnswer = await self._call("forget", call, self._hash(session))
        outcome = Outcome(answer["outcome"])
        if outcome in (Outcome.OK, Outcome.MISSING):
            own = keys.blob(self.partition(session), session, "")
            names = [name for name in sounds if name.startswith(own)]
            for start in range(0, len(names), _AT_ONCE):
                some = names[start : start + _AT_ONCE]
                await self._blobs.command(some[0], "UNLINK", *some)
        return outcome

    def _hash(self, session: str) -> str:
        return keys.session_hash(self.partition(session), session)


def _receipt(answer: calls.SessionAnswer) -> Receipt:
    return Receipt(Outcome(answer["outcome"]), answer["seq"], answer["time"], answer["at"])


def _claimed(answer: calls.ClaimAnswer) -> Claimed:
    positions = answer.get("positions")
    unpacked = msgpack.unpackb(calls.as_bytes(positions)) if positions else {}
    return Claimed(_receipt(answer), answer.get("epoch", 0), unpacked)


def _taken(row: calls.TakenRow, partition: int) -> Delivery | None:
    job = _job(calls.as_bytes(row["body"]), row["answers"], row["session"])
    if job is None:
        return None
    return Delivery(row["entry"], partition, job, row["attempt"], row["enqueued"], row["deadline"], row["last_step"])


def _job(body: bytes, answers: int, session: str) -> "Job | None":
    """None for a job this version can't read: its lease runs out, and a newer worker takes it."""
    from schemas.codec import decode_job

    try:
        return decode_job(body, answers)
    except EventError as error:
        _logger.warning("session %s: a job is left to other workers: %s", session, error)
        return None


# ── as it lies in streams, by the short names that `append` and `push` in `antiphon.lua` give ────────────────────────


def _fields(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _event(seq: int, fields: Mapping[bytes, bytes]) -> "Event":
    from schemas.codec import decode_event  # who reads none waits for none of their classes to be made

    return decode_event(fields[b"t"].decode(), fields[b"b"], seq, Micros(int(fields[b"at"])))


def _inbox_entry(flat: Sequence[bytes]) -> InboxEntry | None:
    """None for an event this version can't read: its session alone meets it, by the gap, in its log."""
    fields = _fields(flat)
    session = fields[b"s"].decode()
    try:
        return InboxEntry(session, _event(int(fields[b"q"]), fields))
    except EventError as error:
        _logger.warning("session %s: %s", session, error)
        return None


def _handed(entry: bytes, flat: Sequence[bytes], partition: int) -> Delivery | None:
    """A job just handed out for the first time: no attempt has committed a step of it."""
    fields = _fields(flat)
    job = _job(fields[b"b"], int(fields[b"a"]), fields[b"s"].decode())
    if job is None:
        return None
    enqueued, deadline = Micros(int(fields[b"e"])), Micros(int(fields[b"d"]))
    return Delivery(entry.decode(), partition, job, 1, enqueued, deadline, -1)
