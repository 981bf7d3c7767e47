"""Workers that stall and die, gateways that die and take over, callers who interrupt: seeded, in virtual time."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from random import Random

from schemas.bus import Delivery, Hold, Outcome, Publication, Seen
from schemas.clock import Clock
from schemas.events import (
    STAGES,
    Cause,
    ClipReady,
    Event,
    ReplyFinished,
    ReplySentence,
    SpeechStarted,
    Stage,
    TranscriptFinal,
    UtteranceCaptured,
)
from schemas.jobs import Job, LlmJob, SttJob, TtsJob
from schemas.log import MemoryBus
from tests.schemas.log.talk import SOUND, STARTED
from workers.testing import LoopClock, VirtualLoop

LEASE = 2.0
SENTENCES = 2
TURNS = 3
SESSIONS = 3


class Worker:
    """Takes, computes, commits; renews meanwhile. It may stall (its leases lapse, it comes back as a zombie) or die."""

    def __init__(self, bus: MemoryBus, stage: Stage, name: str, random: Random) -> None:
        self.bus, self.stage, self.name, self.random = bus, stage, name, random
        self.lives = 0

    async def run(self) -> None:
        while True:
            self.lives += 1
            try:
                await self._live(f"{self.name}.{self.lives}")
            except _DiedError:
                await asyncio.sleep(self.random.uniform(0.1, 1.0))

    async def _live(self, consumer: str) -> None:
        while True:
            taken, last_ids = [], {}
            for partition in range(self.bus.partitions):
                answer = await self.bus.take(self.stage, partition, consumer, 1)
                taken += answer.deliveries
                last_ids[partition] = answer.last_id
            if not taken:
                taken += (await self.bus.wait(self.stage, consumer, last_ids, 1, 0.5)).deliveries
            for delivery in taken:
                await self._work(consumer, delivery)

    async def _work(self, consumer: str, delivery: Delivery) -> None:
        job = delivery.job
        cause = Cause(job=job.id, attempt=delivery.attempt)
        steps = list(self._steps(job, cause))
        for step, (events, jobs) in enumerate(steps):
            if step <= delivery.last_step:
                continue
            if not await self._compute(consumer, delivery):
                return
            ending = "final" if step == len(steps) - 1 else "step"
            for _ in range(self.random.choice((1, 1, 2))):  # sometimes its answer is lost, and it asks again
                reply = await self.bus.commit(
                    self.stage,
                    consumer,
                    delivery,
                    step,
                    ending,
                    events,
                    jobs,  # type: ignore[arg-type]
                )
            if reply.outcome not in (Outcome.OK, Outcome.DUP):
                return

    async def _compute(self, consumer: str, delivery: Delivery) -> bool:
        """False: told to stop while renewing."""
        fate = self.random.random()
        if fate < 0.06:
            raise _DiedError
        if fate < 0.15:  # stopped by the system for longer than the lease, then goes on where it was
            await asyncio.sleep(LEASE + self.random.uniform(0.0, 2.0))
            return True
        for _ in range(self.random.randrange(3)):
            await asyncio.sleep(0.5)
            [outcome] = await self.bus.renew(self.stage, consumer, [delivery])
            if outcome is not Outcome.OK:
                return False
        await asyncio.sleep(self.random.uniform(0.0, 0.5))
        return True

    def _steps(self, job: Job, cause: Cause) -> Sequence[tuple[list[Event], list[Job]]]:
        common = {"turn": job.turn, "generation": job.generation, "cause": cause}
        if isinstance(job, SttJob):
            heard = TranscriptFinal(utterance=job.utterance, participant=job.participant, text="x", **common)
            return [([heard], [job.then] if job.then else [])]
        if isinstance(job, TtsJob):
            return [([ClipReady(index=job.index, audio=SOUND, duration=1.0, **common)], [])]
        said: list[tuple[list[Event], list[Job]]] = []
        for index in range(SENTENCES):
            clip = TtsJob(
                id=f"tts/{job.id}.{index}",
                session=job.session,
                turn=job.turn,
                generation=job.generation,
                index=index,
                text="x",
            )
            said.append(([ReplySentence(index=index, text="x", **common)], [clip]))
        return [*said, ([ReplyFinished(sentences=SENTENCES, **common)], [])]


class _DiedError(Exception):
    """SIGKILL."""


class Gateway:
    """Holds sessions, speaks their turns, claims those of dead gateways. Dying, it forgets everything but the log."""

    def __init__(self, bus: MemoryBus, name: str, sessions: Sequence[str], random: Random) -> None:
        self.bus, self.name, self.random = bus, name, random
        self.mine = list(sessions)
        self.epochs: dict[str, int] = {}
        self.lives = 0

    async def run(self) -> None:
        while True:
            self.lives += 1
            self.owner = f"{self.name}.{self.lives}"
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._hold())
                    group.create_task(self._adopt(group))
                    for session in self.mine:
                        group.create_task(self._begin(session))
                    group.create_task(self._die())
            except* _DiedError:
                self.mine, self.epochs = [], {}

    async def _die(self) -> None:
        await asyncio.sleep(self.random.expovariate(1 / 10.0))
        raise _DiedError

    async def _hold(self) -> None:
        while True:
            for partition in range(self.bus.partitions):
                names = [name for name in self.epochs if self.bus.partition(name) == partition]
                holds = [Hold(name, self.epochs[name]) for name in names]
                held = await self.bus.hold(self.owner, partition, holds)
                for name, reply in zip(names, held.receipts, strict=True):
                    if reply.outcome is not Outcome.OK:
                        self.epochs.pop(name, None)
            await asyncio.sleep(0.5)

    async def _adopt(self, group: asyncio.TaskGroup) -> None:
        while True:
            for partition in range(self.bus.partitions):
                for session in await self.bus.expired(partition, 10):
                    claimed = await self.bus.claim(
                        session, self.owner, f"{self.owner}/{session}/{self.random.random()}"
                    )
                    if claimed.receipt.outcome is Outcome.OK:
                        self.epochs[session] = claimed.epoch
                        group.create_task(self._converse(session, claimed.epoch))
            await asyncio.sleep(0.3)

    async def _begin(self, session: str) -> None:
        claimed = await self.bus.open(session, self.owner, session, [STARTED])
        if claimed.receipt.outcome is Outcome.OK:
            self.epochs[session] = claimed.epoch
            await self._converse(session, claimed.epoch)

    async def _converse(self, session: str, epoch: int) -> None:
        """From wherever the log stands: turns until there were enough."""
        operation = 0
        while True:
            events = await self.bus.read(session)
            utterances = [event for event in events if isinstance(event, UtteranceCaptured)]
            if len(utterances) >= TURNS:
                return
            await asyncio.sleep(self.random.uniform(0.2, 3.0))
            operation += 1
            publication = self._next(session, events, utterances, operation)
            reply = await self.bus.publish(session, epoch, publication)
            if self.random.random() < 0.2:
                assert (await self.bus.publish(session, epoch, publication)).outcome in (Outcome.DUP, Outcome.LOST)
            if reply.outcome is Outcome.LOST:
                return
            assert reply.outcome is Outcome.OK

    def _next(
        self, session: str, events: Sequence[Event], utterances: Sequence[UtteranceCaptured], operation: int
    ) -> Publication:
        generation = max((event.raises or 0 for event in events), default=0)
        turn = len(utterances) + 1
        name = f"u{turn}"
        last = utterances[-1].utterance if utterances and self.random.random() < 0.3 else None
        raises = generation + 1 if utterances else None  # going on, or interrupting: the reply in flight is void
        then = LlmJob(id=f"llm/{turn}", session=session, turn=turn, generation=raises or generation, deadline=600.0)
        job = SttJob(
            id=f"stt/{name}",
            session=session,
            turn=turn,
            utterance=name,
            participant="ann",
            audio=[SOUND],
            replaces=last,
            then=then,
            deadline=600.0,
        )
        captured = UtteranceCaptured(
            utterance=name, participant="ann", audio=[SOUND], duration=1.0, replaces=last, turn=turn, raises=raises
        )
        seen = Seen(events[-1].seq, events[-1].at)
        facts: list[Event] = [SpeechStarted(participant="ann"), captured]
        return Publication(operation, facts, [job], raises=raises, seen=seen)


async def converse(loop: VirtualLoop, fenced: bool = True) -> list[str]:
    """A few conversations to their end; what was broken, in words."""
    clock: Clock = LoopClock(loop)
    bus = MemoryBus(partitions=2, clock=clock, lease=LEASE, fenced=fenced)
    names = [f"s{number}" for number in range(SESSIONS)]
    halves = (names[::2], names[1::2])
    workers = [Worker(bus, stage, f"{stage}{n}", loop.random) for stage in STAGES for n in range(2)]
    gateways = [Gateway(bus, f"g{number}", half, loop.random) for number, half in enumerate(halves)]
    tasks = [asyncio.ensure_future(actor.run()) for actor in (*workers, *gateways)]
    quiet = 0
    while quiet < 3 and loop.time() < 600.0 and not any(task.done() for task in tasks):
        await asyncio.sleep(1.0)
        logs = [await bus.read(name) for name in names]
        spoken = all(sum(isinstance(event, UtteranceCaptured) for event in log) >= TURNS for log in logs)
        waiting = sum([await bus.queued(stage) for stage in STAGES])
        quiet = quiet + 1 if spoken and not waiting else 0
    stopped = [task for task in tasks if task.done()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    broken = [f"an actor failed: {task.exception()!r}" for task in stopped]
    if quiet < 3 and not broken:
        broken.append("it never came to rest: something was lost")
    return broken + [wrong for name in names for wrong in check(name, await bus.read(name))]


def check(name: str, log: Sequence[Event]) -> list[str]:
    """What the log of one session says that it must not, or fails to say."""
    broken: list[str] = []
    if [event.seq for event in log] != list(range(1, len(log) + 1)):
        broken.append(f"{name}: seq is not dense")
    generation = 0
    done: Counter[tuple[str, str, int]] = Counter()
    for event in log:
        generation = max(generation, event.raises or 0)
        if event.cause is None:
            continue
        done[event.cause.job, event.type, getattr(event, "index", 0)] += 1
        if event.generation is not None and event.generation != generation:
            broken.append(f"{name}: {event.type} of generation {event.generation} after {generation}")
    broken += [f"{name}: {what} {count} times" for what, count in done.items() if count > 1]
    captured = [event for event in log if isinstance(event, UtteranceCaptured)]
    replaced = {event.replaces for event in captured}
    for event in captured:
        heard = done[f"stt/{event.utterance}", "transcript.final", 0]
        if heard != 1 and event.utterance not in replaced:
            broken.append(f"{name}: {event.utterance} was transcribed {heard} times")
    last = captured[-1].turn if captured else 0
    expected = {(f"llm/{last}", "reply.finished", 0)}
    expected |= {(f"tts/llm/{last}.{index}", "clip.ready", index) for index in range(SENTENCES)}
    broken += [f"{name}: {what} is missing" for what in expected if not done[what]]
    return broken
