"""The log of one partition as plain values: what the function library does, written again in Python, without I/O or clock.

`now` is the log's time in µs. The suite in `tests/schemas/log` holds both to the same promises.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from schemas.bus import FORK, Claimed, Delivery, Ending, Hold, Outcome, Publication, Receipt, Seen
from schemas.clock import Micros
from schemas.codec import decode_event, encode_event
from schemas.events import Event, Stage
from schemas.jobs import Job
from schemas.log._fences import asked_limits, fence_of, perishable, reason_of, replaces
from schemas.log._twin_values import Inbox, Letter, Mark, Pending, Queue, Queued, StoredSession

NOBODY = "-"
DEAD_TTL = 86_400_000
"""ms a dead letter is kept."""
_NO_POSITIONS: Mapping[str, Any] = {}


class Partition:
    """All keys of one tag. `fenced=False` is the mutant whose `commit` doesn't ask whose job it is."""

    def __init__(self, number: int, lease: int, fenced: bool = True) -> None:
        self.number = number
        self.lease = lease
        self.fenced = fenced
        self.sessions: dict[str, StoredSession] = {}
        self.queues: dict[str, Queue] = {"stt": Queue(), "llm": Queue(), "tts": Queue(), "tools": Queue()}
        self.inboxes: dict[str, Inbox] = {}
        self.dead: list[Letter] = []
        self.last_letter = (0, 0)

    # ── events, lanes and parking ────────────────────────────────────────────────────────────────────────────────────

    def _append(self, s: StoredSession, events: Sequence[Event], now: Micros) -> None:
        if not events:
            return
        bodies = [
            encode_event(event) for event in events
        ]  # what can't be written changes nothing, as in the function library
        s.at = max(s.at, now)
        inbox = self.inboxes.setdefault(s.owner, Inbox())
        for event, body in zip(events, bodies, strict=True):
            s.seq += 1
            stored = decode_event(event.type, body, s.seq, s.at)
            s.events.append(stored)
            inbox.last += 1
            inbox.entries.append((inbox.last, s.name, stored))

    def _push(self, s: StoredSession, queued: Queued) -> None:
        job = queued.job
        self.queues[job.stage].add(queued)
        if job.lane:
            s.lanes[job.lane] = job
            fence, value = fence_of(job)
            if fence and fence != "gen":
                s.hears[fence] = value

    def _move_up(self, s: StoredSession, lane: str | None) -> None:
        waiting, s.parked = s.parked, []
        for queued in waiting:
            job = queued.job
            if fence_of(job)[0] == "gen" and s.void(job):
                s.forget_later(job.id)
            elif lane and job.lane == lane:
                self._push(s, queued)
                lane = None
            else:
                s.parked.append(queued)

    def _finish(self, s: StoredSession | None, stage: str, entry: int, job: Job) -> None:
        self.queues[stage].remove(entry)
        if s is None:
            return
        s.forget_later(job.id)
        lane = job.lane
        if lane and s.state == "open" and lane in s.lanes and s.lanes[lane].id == job.id:
            del s.lanes[lane]
            self._move_up(s, lane)

    def _take_place(self, s: StoredSession, queued: Queued, replaced: str) -> bool:
        lane = queued.job.lane or ""
        holder = s.lanes.get(lane)
        if holder and fence_of(holder)[1] == replaced:
            self._push(s, queued)
            return True
        for at, old in enumerate(s.parked):
            if old.job.lane == lane and fence_of(old.job)[1] == replaced:
                s.parked[at] = queued
                s.forget_later(old.job.id)
                return True
        return False

    def _enqueue(self, s: StoredSession, jobs: Sequence[Job], now: Micros) -> None:
        for job in jobs:
            if job.id in s.marks:
                continue
            s.marks[job.id] = Mark()
            if fence_of(job)[0] == "gen" and s.void(job):
                s.forget_later(job.id)
                continue
            deadline = Micros(now + int(job.deadline * 1e6))
            queued = Queued(job.model_copy(update={"answers": s.seq}), deadline, now)
            if not job.lane:
                self._push(s, queued)
            elif not (replaces(job) and self._take_place(s, queued, replaces(job))):
                if job.lane in s.lanes:
                    s.parked.append(queued)
                else:
                    self._push(s, queued)

    def _raise(self, s: StoredSession, generation: int) -> None:
        s.generation = generation
        holder = s.lanes.get("llm")
        if holder and s.void(holder):
            del s.lanes["llm"]
        self._move_up(s, None if "llm" in s.lanes else "llm")

    # ── workers ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def take(self, stage: Stage, consumer: str, count: int, reclaim: bool, now: Micros) -> list[Delivery]:
        queue, out = self.queues[stage], []

        def hand_out(entry: int, attempt: int) -> None:
            queued = queue.entries[entry]
            job, s = queued.job, self.sessions.get(queued.job.session)
            if s is None or s.state != "open" or s.void(job) or (perishable(job) and now > queued.deadline):
                self._finish(s, stage, entry, job)
                return
            queue.pending[entry] = Pending(consumer, attempt, now)
            mark = s.marks.get(job.id, Mark())
            enqueued, deadline = queued.enqueued, queued.deadline
            out.append(Delivery(f"{entry}-0", self.number, job, attempt, enqueued, deadline, mark.step))

        for entry, held in sorted(queue.pending.items()):
            free = held.consumer == NOBODY or (reclaim and now - held.since >= self.lease)
            if len(out) < count and free:
                hand_out(entry, held.attempt + 1)
        while len(out) < count and queue.delivered < queue.last:
            queue.delivered += 1
            if queue.delivered in queue.entries:
                hand_out(queue.delivered, 1)
        queue.heard(consumer, now, bool(out))
        return out

    def again(self, stage: Stage, now: Micros) -> float:
        """Seconds until the next lease runs out."""
        ages = [now - held.since for held in self.queues[stage].pending.values() if held.consumer != NOBODY]
        return max(1_000, self.lease - max(ages)) / 1e6 if ages else math.inf

    def standing(self, job: Job) -> Outcome:
        s = self.sessions.get(job.session)
        if s is None or s.state != "open":
            return Outcome.CLOSED
        return Outcome.STALE if s.void(job) else Outcome.OK

    def renew(self, stage: Stage, consumer: str, delivery: Delivery, now: Micros) -> Outcome:
        held = self.queues[stage].owned(delivery.entry, consumer, delivery.attempt)
        if not held:
            return Outcome.LOST
        self.queues[stage].heard(consumer, now, True)
        outcome = self.standing(delivery.job)
        if outcome is Outcome.OK:
            held.since = now
        else:
            self._finish(self.sessions.get(delivery.job.session), stage, _number(delivery.entry), delivery.job)
        return outcome

    def release(self, stage: Stage, consumer: str, delivery: Delivery, now: Micros) -> Outcome:
        outcome = self.renew(stage, consumer, delivery, now)
        if outcome is Outcome.OK:
            self.queues[stage].pending[_number(delivery.entry)] = Pending(NOBODY, delivery.attempt - 1, now)
        return outcome

    def retire(self, stage: Stage, consumer: str) -> bool:
        if any(held.consumer == consumer for held in self.queues[stage].pending.values()):
            return False
        self.queues[stage].workers.pop(consumer, None)
        return True

    def commit(
        self,
        stage: Stage,
        consumer: str,
        delivery: Delivery,
        step: int,
        ending: Ending,
        events: Sequence[Event],
        jobs: Sequence[Job],
        seen: Seen | None,
        now: Micros,
    ) -> Receipt:
        job, entry = delivery.job, _number(delivery.entry)
        s = self.sessions.get(job.session)
        mark = s.marks.get(job.id) if s else None
        if s and not mark:
            return _receipt(s, Outcome.LOST, now)
        if s and mark and mark.step >= step:
            if (mark.consumer, mark.attempt) == (consumer, delivery.attempt):
                return Receipt(Outcome.DUP, mark.seq, now, mark.at)
            if self.fenced:
                return _receipt(s, Outcome.LOST, now)
        held = self.queues[stage].owned(delivery.entry, consumer, delivery.attempt)
        if self.fenced and not held:
            return _receipt(s, Outcome.LOST, now)
        if s is None:
            self._finish(None, stage, entry, job)
            return _receipt(None, Outcome.MISSING, now)
        if s.rewound(seen):
            return _receipt(s, Outcome.REWOUND, now)
        standing = self.standing(job)
        if standing is not Outcome.OK:
            self._finish(s, stage, entry, job)
            return _receipt(s, standing, now)
        self._append(s, events, now)
        self._enqueue(s, jobs, now)
        s.marks[job.id] = Mark(step, delivery.attempt, consumer, s.seq, s.at)
        if ending == "step":
            if held:
                held.since = now
        else:
            if ending == "dead" and s.listed:
                self._bury(stage, entry, job, delivery.attempt, reason_of(events), step, now)
            self._finish(s, stage, entry, job)
        return _receipt(s, Outcome.OK, now)

    def _bury(self, stage: Stage, entry: int, job: Job, attempt: int, reason: str, step: int, now: Micros) -> None:
        queued = self.queues[stage].entries.get(entry) or Queued(job, Micros(now + int(job.deadline * 1e6)), now)
        time, number = max((now // 1000, 0), (self.last_letter[0], self.last_letter[1] + 1))
        self.last_letter = (time, number)
        self.dead = [letter for letter in self.dead if letter.time > now // 1000 - DEAD_TTL]
        self.dead.append(Letter(time, number, queued, attempt, reason, step, now))

    def retry(self, letter: Letter, now: Micros) -> Outcome:
        job = letter.queued.job
        outcome = self.standing(job)
        if outcome is not Outcome.OK:
            return outcome
        s = self.sessions[job.session]
        s.ended = deque(ended for ended in s.ended if ended != job.id)
        s.marks.setdefault(job.id, Mark(letter.step))
        queued = Queued(job, Micros(now + letter.queued.deadline - letter.queued.enqueued), now)
        if job.lane and job.lane in s.lanes:
            s.parked.append(queued)
        else:
            self._push(s, queued)
        self.dead.remove(letter)
        return Outcome.OK

    # ── gateways and the API ─────────────────────────────────────────────────────────────────────────────────────────

    def open(
        self,
        name: str,
        owner: str,
        request: str,
        events: Sequence[Event],
        jobs: Sequence[Job],
        ticket: str,
        now: Micros,
    ) -> Claimed:
        s = self.sessions.get(name)
        if s:
            first = s.requests.get(("open", request))
            if first is None:
                return Claimed(_receipt(s, Outcome.EXISTS, now))
            return Claimed(Receipt(Outcome.DUP, first[0], now, first[1]), first[2])
        s = self.sessions[name] = StoredSession(name, owner, ticket, listed=not name.startswith(FORK))
        self._append(s, events, now)
        self._enqueue(s, jobs, now)
        s.lease_ends = Micros(now + self.lease)
        s.remember("open", request)
        return Claimed(_receipt(s, Outcome.OK, now), 1)

    def publish(self, name: str, epoch: int, publication: Publication, closing: bool, now: Micros) -> Receipt:
        s = self.sessions.get(name)
        if s is None:
            return _receipt(None, Outcome.MISSING, now)
        refusal = self._refusal(s, epoch, publication)
        if refusal is Outcome.DUP:
            return Receipt(Outcome.DUP, s.operation[2], now, s.operation[3])
        if refusal:
            return _receipt(s, refusal, now)
        self._append(s, publication.events, now)
        if publication.raises is not None:
            self._raise(s, publication.raises)
        self._enqueue(s, publication.jobs, now)
        s.operation = (epoch, publication.operation, s.seq, s.at)
        s.snapshot = publication.snapshot or s.snapshot
        if closing:
            s.state = "closed"
            s.parked.clear()
            s.lease_ends = Micros(0)
        return _receipt(s, Outcome.OK, now)

    def _refusal(self, s: StoredSession, epoch: int, publication: Publication) -> Outcome | None:
        if epoch != s.epoch:
            return Outcome.LOST
        if s.operation[0] == epoch and s.operation[1] >= publication.operation:
            return Outcome.DUP
        if s.state != "open":
            return Outcome.CLOSED
        if s.rewound(publication.seen):
            return Outcome.REWOUND
        if publication.raises is not None and publication.raises <= s.generation:
            return Outcome.STALE
        for stage, limit in asked_limits(publication.jobs, publication.limits).items():
            if len(self.queues[stage].entries) >= limit:
                return Outcome.FULL
        return None

    def hold(self, owner: str, hold: Hold, now: Micros) -> Receipt:
        s = self.sessions.get(hold.session)
        outcome = Outcome.OK
        if s is None:
            return _receipt(None, Outcome.MISSING, now)
        if (s.epoch, s.owner) != (hold.epoch, owner):
            outcome = Outcome.LOST
        elif s.state != "open":
            outcome = Outcome.CLOSED
        elif s.rewound(hold.seen):
            outcome = Outcome.REWOUND
        if outcome is Outcome.OK:
            s.positions = dict(hold.positions)
        if outcome in (Outcome.OK, Outcome.REWOUND):
            s.lease_ends = Micros(now + self.lease)
        return _receipt(s, outcome, now)

    def claim(self, name: str, owner: str, request: str, ticket: str, now: Micros) -> Claimed:
        s = self.sessions.get(name)
        if s is None:
            return Claimed(_receipt(None, Outcome.MISSING, now))
        first = s.requests.get(("claim", request))
        if first:
            return Claimed(Receipt(Outcome.DUP, first[0], now, first[1]), first[2], s.positions)
        if ticket and ticket != s.ticket:
            return Claimed(_receipt(s, Outcome.DENIED, now))
        if s.state != "open":
            return Claimed(_receipt(s, Outcome.CLOSED, now))
        if not ticket and s.lease_ends > now:
            return Claimed(_receipt(s, Outcome.HELD, now))
        s.epoch += 1
        s.owner = owner
        s.lease_ends = Micros(now + self.lease)
        s.remember("claim", request)
        return Claimed(_receipt(s, Outcome.OK, now), s.epoch, s.positions or _NO_POSITIONS)

    def post(self, name: str, request: str, event: Event, now: Micros) -> Receipt:
        s = self.sessions.get(name)
        if s is None:
            return _receipt(None, Outcome.MISSING, now)
        first = s.requests.get(("post", request))
        if first:
            return Receipt(Outcome.DUP, first[0], now, first[1])
        if s.state != "open":
            return _receipt(s, Outcome.CLOSED, now)
        self._append(s, [event], now)
        s.remember("post", request)
        return _receipt(s, Outcome.OK, now)

    def forget(self, name: str, seq: int) -> Outcome:
        s = self.sessions.get(name)
        if s is None:
            return Outcome.MISSING
        if s.state == "open":
            return Outcome.HELD
        if s.seq != seq:
            return Outcome.REWOUND
        del self.sessions[name]
        return Outcome.OK


def _receipt(s: StoredSession | None, outcome: Outcome, now: Micros) -> Receipt:
    return Receipt(outcome, s.seq, now, s.at) if s else Receipt(outcome, 0, now)


def _number(entry: str) -> int:
    return int(entry.partition("-")[0])
