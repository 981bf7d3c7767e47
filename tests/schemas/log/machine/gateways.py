"""What gateways, callers and operators do to the log, and what each of them must be told."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from schemas.bus import Hold, Outcome, Publication, Seen, Snapshot
from schemas.config.agent import AgentSpec
from schemas.events import EndRequested, Event, SayRequested, SessionEnded, SessionStarted, SpeechStarted
from schemas.jobs import SttJob
from tests.schemas.log.machine.making import Making
from tests.schemas.log.machine.model import CLOSED, DUP, GATEWAYS, LOST, OK, SESSIONS, STALE, SessionModel


class Gateways(Making):
    @rule(session=SESSIONS, gateway=GATEWAYS, request=st.sampled_from(["r1", "r2"]))
    def open(self, session: str, gateway: str, request: str) -> None:
        """A session opens once; the same request again hears the first answer."""
        event = SessionStarted(room="r", transport="memory", agent=AgentSpec(), gateway=gateway, by=self.name())
        claimed = self.h.run(self.h.bus.open(session, gateway, request, [event], ticket="ticket"))
        s = self.sessions.get(session)
        if s is None:
            s = self.sessions[session] = SessionModel(gateway)
            self.appended(session, [event])
            s.requests["open", request] = (1, 1)
            assert (claimed.receipt.outcome, claimed.epoch) == (OK, 1)
        elif ("open", request) in s.requests:
            assert (claimed.receipt.outcome, claimed.receipt.seq, claimed.epoch) == (DUP, 1, 1)
        else:
            assert claimed.receipt.outcome is Outcome.EXISTS

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), replaces=st.booleans(), twice=st.booleans())
    def utterance(self, data: st.DataObject, replaces: bool, twice: bool) -> None:
        """Somebody spoke, perhaps going on with what was captured before."""
        session = self.any_session(data)
        s = self.sessions[session]
        said = [m.job.utterance for m in s.jobs.values() if isinstance(m.job, SttJob) and not m.replaced]
        replaced = data.draw(st.sampled_from(said), "replaced") if replaces and said else None
        jobs = [self.stt(session, replaced)] + ([self.stt(session)] if twice else [])
        self.publish(session, [SpeechStarted(participant="ann\nlee", by=self.name())], jobs)

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), of=st.sampled_from(["this", "this", "old"]))
    def reply(self, data: st.DataObject, of: str) -> None:
        """The gateway asks for a reply; one of a voided generation is never enqueued."""
        session = self.any_session(data)
        now = self.sessions[session].generation
        generations = {"this": now, "old": now - 1}
        self.publish(session, jobs=[self.llm(session, generations[of])])

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def phrase(self, data: st.DataObject) -> None:
        """A fixed phrase is fenced by nothing."""
        session = self.any_session(data)
        self.publish(session, jobs=[self.tts(session, None)])

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), again=st.booleans())
    def barge_in(self, data: st.DataObject, again: bool) -> None:
        """The generation rises; with it may come the next reply."""
        session = self.any_session(data)
        raises = self.sessions[session].generation + 1
        jobs = [self.llm(session, raises)] if again else []
        snapshot = Snapshot(len(self.sessions[session].log), 1, b"state")
        event = SpeechStarted(participant="x", by=self.name(), raises=raises)
        self.publish(session, [event], jobs, raises=raises, snapshot=snapshot)

    @precondition(lambda self: self.last_publish)
    @rule()
    def publish_again(self) -> None:
        """A publish whose reply was lost changes nothing when it is sent again, and hears its first answer."""
        assert self.last_publish
        session, epoch, publication = self.last_publish
        s = self.sessions.get(session)
        if s is None or s.operation < publication.operation:  # rewound: it would be new
            return
        reply = self.h.run(self.h.bus.publish(session, epoch, publication))
        if epoch != s.epoch:
            assert reply.outcome is LOST
        elif s.operation == publication.operation:
            assert (reply.outcome, reply.seq) == (DUP, s.operation_seq)
        else:
            assert reply.outcome is DUP

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), what=st.sampled_from(["epoch", "full", "raises", "seen"]))
    def refused(self, data: st.DataObject, what: str) -> None:
        """A publish of another epoch, to a full queue, or with a generation not above the present one writes nothing."""
        session = self.any_session(data)
        s = self.sessions[session]
        if s.closed:
            return
        event = SpeechStarted(participant="x", by=self.name())
        job, epoch, expected = self.stt(session), s.epoch, LOST
        publication = Publication(s.operation + 1, [event], [job])
        if what == "epoch":
            epoch = s.epoch - 1
        elif what == "full":
            job = job.model_copy(update={"then": self.llm(session, s.generation)})
            publication = Publication(s.operation + 1, [event], [job], limits={"llm": 0})
            expected = Outcome.FULL
        elif what == "raises":
            publication = Publication(s.operation + 1, [event], [job], raises=s.generation)
            expected = STALE
        else:
            publication = Publication(s.operation + 1, [event], [job], seen=Seen(len(s.log), 7))
            expected = Outcome.REWOUND
        reply = self.h.run(self.h.bus.publish(session, epoch, publication))
        assert (reply.outcome, reply.seq) == (expected, len(s.log))

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), gateway=GATEWAYS)
    def hold(self, data: st.DataObject, gateway: str) -> None:
        """A hold renews what is the gateway's, and says so of what is not."""
        names = sorted(self.sessions)
        position = {"index": next(self.count)}
        for partition in range(self.h.bus.partitions):
            mine = [name for name in names if self.h.bus.partition(name) == partition]
            holds = [Hold(name, self.sessions[name].epoch, position) for name in mine]
            held = self.h.run(self.h.bus.hold(gateway, partition, holds))
            for name, reply in zip(mine, held.receipts, strict=True):
                s = self.sessions[name]
                expected = LOST if s.owner != gateway else CLOSED if s.closed else OK
                assert (reply.outcome, reply.seq) == (expected, len(s.log))
                if expected is OK:
                    s.lapsed, s.positions = False, position

    @precondition(lambda self: self.sessions)
    @rule(data=st.data())
    def gateway_dies(self, data: st.DataObject) -> None:
        session = self.any_session(data)
        if not self.sessions[session].closed:
            self.h.lapse_session(session)
            self.sessions[session].lapsed = True

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), gateway=GATEWAYS, ticket=st.sampled_from(["", "ticket", "wrong"]), again=st.booleans())
    def claim(self, data: st.DataObject, gateway: str, ticket: str, again: bool) -> None:
        """A session is taken over when its lease ran out or with its ticket, never with a wrong one; its positions come along."""
        session = self.any_session(data)
        s = self.sessions[session]
        old = sorted(request for kind, request in s.requests if kind == "claim")
        request = old[-1] if again and old else self.name()
        claimed = self.h.run(self.h.bus.claim(session, gateway, request, ticket))
        first = s.requests.get(("claim", request))
        if first:
            assert (claimed.receipt.outcome, claimed.receipt.seq, claimed.epoch) == (DUP, *first)
        elif ticket == "wrong":
            assert claimed.receipt.outcome is Outcome.DENIED
        elif s.closed:
            assert claimed.receipt.outcome is CLOSED
        elif s.lapsed or ticket == "ticket":
            s.epoch, s.owner, s.lapsed, s.operation = s.epoch + 1, gateway, False, 0
            s.requests["claim", request] = (len(s.log), s.epoch)
            assert (claimed.receipt.outcome, claimed.epoch) == (OK, s.epoch)
            assert claimed.positions == s.positions
        else:
            assert claimed.receipt.outcome is Outcome.HELD

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), request=st.sampled_from(["p1", "p2", "p3"]))
    def post(self, data: st.DataObject, request: str) -> None:
        """An operator's request is appended once."""
        session = self.any_session(data)
        s = self.sessions[session]
        event: Event = SayRequested(text="x", by=self.name())
        if request == "p3":
            event = EndRequested(by=self.name())
        reply = self.h.run(self.h.bus.post(session, request, event))
        first = s.requests.get(("post", request))
        if first:
            assert (reply.outcome, reply.seq) == (DUP, first[0])
        elif s.closed:
            assert reply.outcome is CLOSED
        else:
            self.appended(session, [event])
            s.requests["post", request] = (len(s.log), s.epoch)
            assert (reply.outcome, reply.seq) == (OK, len(s.log))

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), sure=st.integers(0, 3))
    def hang_up(self, data: st.DataObject, sure: int) -> None:
        """After its last event a session takes no more."""
        session = self.any_session(data)
        s = self.sessions[session]
        if sure or s.closed:  # seldom, or nothing else would be tried
            return
        event = SessionEnded(reason="hang_up", by=self.name())
        reply = self.h.run(self.h.bus.close(session, s.epoch, Publication(s.operation + 1, [event])))
        self.appended(session, [event])
        s.operation += 1
        s.operation_seq = len(s.log)
        s.closed = True
        assert (reply.outcome, reply.seq) == (OK, len(s.log))
