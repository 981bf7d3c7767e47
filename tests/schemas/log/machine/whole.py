"""The log's promises as a small model, driven against an implementation by Hypothesis.

The model knows no stream and no lane as such: it knows which job is whose, which is void, and what the log must say. What it
promises is written in `_check_taken`, `_expected` (workers.py) and `end_in_order`.
"""

import copy
import itertools

from hypothesis.stateful import invariant, precondition, rule

from schemas.bus import Hold, Outcome, Publication, Seen
from schemas.events import STAGES, SpeechStarted
from tests.schemas.log.machine.model import OK
from tests.schemas.log.machine.workers import Workers


class LogMachine(Workers):
    """Subclasses give `harness`."""

    @rule()
    def save(self) -> None:
        self._look()
        self.saved = (self.h.save(), copy.deepcopy((self.sessions, self.inboxes)))

    @precondition(lambda self: self.saved)
    @rule()
    def rewind(self) -> None:
        """A failover lost a suffix of everything: whoever saw a lost event is told so, and goes on from what is left."""
        assert self.saved
        self._look()
        before = {name: (s.generation, len(s.log)) for name, s in self.sessions.items()}
        self.h.restore(self.saved[0])
        self.sessions, self.inboxes = copy.deepcopy(self.saved[1])
        for name, s in self.sessions.items():
            generation, length = before[name]
            if s.closed or length == len(s.log):
                continue
            lost = Publication(s.operation + 1, [], seen=self.seen[name][length - 1])
            assert self.h.run(self.h.bus.publish(name, s.epoch, lost)).outcome is Outcome.REWOUND
            [reply] = self.h.run(
                self.h.bus.hold(
                    s.owner, self.h.bus.partition(name), [Hold(name, s.epoch, seen=self.seen[name][length - 1])]
                )
            ).receipts
            assert reply.outcome is Outcome.REWOUND
            s.lapsed = False
            event = SpeechStarted(participant="x", by=self.name())
            self.publish(name, [event], raises=max(generation, s.generation) + 1, seen=self._seen_last(name))

    def _seen_last(self, name: str) -> Seen:
        last = self.h.run(self.h.bus.read(name))[-1]
        return Seen(last.seq, last.at)

    def _look(self) -> None:
        """Somebody reads every log."""
        for name in self.sessions:
            self.seen[name] = [Seen(event.seq, event.at) for event in self.h.run(self.h.bus.read(name))]

    @invariant()
    def the_log_says_what_was_promised(self) -> None:
        for name, s in getattr(self, "sessions", {}).items():
            events = self.h.run(self.h.bus.read(name))
            assert [event.by for event in events] == s.log
            assert [event.seq for event in events] == list(range(1, len(events) + 1))
            assert [event.at for event in events] == sorted(event.at for event in events)

    def teardown(self) -> None:
        if hasattr(self, "h"):
            try:
                self.end_in_order()
            finally:
                self.h.close()

    def end_in_order(self) -> None:
        """Every job that is still to be done can be done, in the order of its lane, and nothing stays behind."""
        for _ in range(200):
            taken = False
            for consumer in ("w1", "w2", "w3", "-"):
                self.stalls(consumer)
            for stage, partition in itertools.product(STAGES, range(self.h.bus.partitions)):
                for delivery in self.h.run(self.h.bus.take(stage, partition, "w1", 5)).deliveries:  # type: ignore[arg-type]
                    taken = True
                    self._check_taken(stage, "w1", delivery, True)
                    s = self.sessions[delivery.job.session]
                    m = s.jobs[delivery.job.id]
                    events = [self._event_of(delivery.job, "final")]
                    reply = self.h.run(
                        self.h.bus.commit(delivery.job.stage, "w1", delivery, m.step + 1, "final", events)
                    )
                    assert reply.outcome is OK
                    self.appended(delivery.job.session, events)
                    m.ended = True
            if not taken:
                break
        for s in self.sessions.values():
            assert not [m.job.id for m in s.jobs.values() if s.live(m)], "a job was lost"
        for stage in STAGES:
            assert self.h.run(self.h.bus.queued(stage)) == 0  # type: ignore[arg-type]
        for gateway, expected in self.inboxes.items():
            ids = dict.fromkeys(range(self.h.bus.partitions), "0-0")
            entries, _ = self.h.run(self.h.bus.inbox(gateway, ids, 0.001))
            for name in self.sessions:
                got = [entry.event.by for entry in entries if entry.session == name]
                assert got == [by for session, by in expected if session == name], "the inbox misses something"
        self._check_listing()

    def _check_listing(self) -> None:
        for name, s in self.sessions.items():
            info = self.h.run(self.h.bus.info(name))
            assert info
            assert (info.seq, info.state, info.owner, info.epoch, info.generation) == (
                len(s.log),
                "closed" if s.closed else "open",
                s.owner,
                s.epoch,
                s.generation,
            )
            snapshot = self.h.run(self.h.bus.snapshot(name))
            assert (snapshot.seq if snapshot else 0) == s.snapshot
        listed = {info.session for info in self.h.run(self.h.bus.sessions())}
        assert listed == {name for name, s in self.sessions.items() if not s.closed}
        for partition in range(self.h.bus.partitions):
            expired = set(self.h.run(self.h.bus.expired(partition, 100)))
            here = {name for name in self.sessions if self.h.bus.partition(name) == partition}
            lapsed = {name for name, s in self.sessions.items() if s.lapsed and not s.closed}
            assert expired == here & lapsed
