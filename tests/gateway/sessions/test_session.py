"""Sessions from sound to sound, in virtual time, over the memory log, with the real turn-taking."""

import asyncio

import numpy as np
import pytest

from gateway.inputs import HungUp, Typed
from gateway.rooms.memory.room import MemoryRoom
from gateway.sessions.engine import TICK
from gateway.sessions.reception import Refused
from gateway.sessions.telling import Teller
from schemas.access.tickets import hash_of
from schemas.bus import Claimed, Outcome, Receipt
from schemas.client import EndedMessage, ErrorMessage, SentenceMessage, TranscriptMessage, TurnMessage
from schemas.config.agent import AgentSpec
from schemas.errors import BusError, BusFull, BusReadOnly, BusUnavailable
from schemas.events import (
    ClipReady,
    EndRequested,
    PlaybackStarted,
    SayRequested,
    SessionEnded,
    StageFailed,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.log import MemoryBus
from schemas.session.fold import FOLD_VERSION, fold_all
from schemas.session.snapshot import load
from tests.gateway.pools import Pools
from tests.gateway.rig import FRAME, Rig, rig, silence, speak
from workers.testing import LoopClock, ManualClock, virtually


def bus() -> MemoryBus:
    return MemoryBus(clock=LoopClock())


@virtually
async def test_turn() -> None:
    """Speech is captured, answered and played, and its turn ends once, as played."""
    log = bus()
    async with rig(log) as gateway, Pools(log, says=["I hear you.", "Go on."]):
        _, room = await gateway.open()
        await silence(room, 0.5)
        await speak(room, 1.5)
        await silence(room, 4)
        events = await gateway.log()
        ended = [event for event in events if isinstance(event, TurnEnded)]
        assert [(event.how, event.heard) for event in ended] == [("played", "I hear you. Go on.")]
        captured = next(event for event in events if isinstance(event, UtteranceCaptured))
        assert 1.5 <= captured.duration <= 2.1  # with some silence before
        blob = await log.get_blob(captured.audio[0].key)
        assert blob is not None
        assert len(blob) == captured.audio[0].samples * 2
        assert len(room.sound) == 2 * 16_000


@virtually
async def test_started_before_sound() -> None:
    """No sound of a sentence leaves before the log has its playback.started."""
    log = bus()
    async with rig(log) as gateway, Pools(log):
        _, room = await gateway.open()
        pushes: list[int] = []
        push = room.push

        def note(pcm: object) -> None:
            started = [
                e
                for partition in log._log
                for s in partition.sessions.values()
                for e in s.events
                if isinstance(e, PlaybackStarted)
            ]
            pushes.append(len(started))
            push(pcm)  # type: ignore[arg-type]

        room.push = note  # type: ignore[method-assign]
        await speak(room, 1.0)
        await silence(room, 4)
        assert pushes
        assert min(pushes) >= 1


@virtually
async def test_greeting() -> None:
    """A spec with a greeting is heard as soon as somebody listens."""
    log = bus()
    async with rig(log) as gateway, Pools(log, seconds=0.5):
        _, room = await gateway.open(AgentSpec(greeting="Good day."))
        await silence(room, 2)
        assert len(room.sound) == 8_000
        assert [sentence.text for sentence in room.told(SentenceMessage)] == ["Good day."]


@virtually
async def test_barge_in() -> None:
    """Words over the agent silence it within the frame, and the log says what had been heard."""
    log = bus()
    async with rig(log) as gateway, Pools(log, hears=["tell me.", "no stop that."], says=["One two three."], seconds=4):
        _, room = await gateway.open()
        await speak(room, 1.0)
        await silence(room, 2.0)
        assert room.queued() > 0
        await speak(room, 0.3)
        assert room.queued() == 0
        await silence(room, 1.0)
        ended = [event for event in await gateway.log() if isinstance(event, TurnEnded)]
        assert (ended[0].how, ended[0].reason) == ("interrupted", "barge_in")


@virtually
async def test_backchannel_goes_on() -> None:
    """After "mhm" the agent goes on at the sample where it stopped: all of the sound is heard, nothing twice."""
    log = bus()
    async with rig(log) as gateway, Pools(log, hears=["tell me.", "mhm"], says=["One two three."], seconds=4):
        _, room = await gateway.open()
        await speak(room, 1.0)
        await silence(room, 2.0)
        await speak(room, 0.3)
        await silence(room, 5.0)
        assert len(room.sound) == 4 * 16_000
        types = await gateway.types()
        assert types.count("playback.paused") == types.count("playback.resumed") >= 1


@virtually
async def test_clip_in_parts() -> None:
    """A clip that comes in parts is played without a gap or a repeated sample."""
    log = bus()
    async with rig(log) as gateway, Pools(log, says=["One."], seconds=3, parts=3):
        _, room = await gateway.open()
        await speak(room, 1.0)
        await silence(room, 5.0)
        assert len(room.sound) == 3 * 16_000
        assert [int(value) for value in room.sound[::16_000]] == [1000, 1001, 1002]


class Unanswered(MemoryBus):
    """A log that can go away, before a call or after it."""

    down = False
    mute = 0

    async def publish(self, *arguments: object) -> Receipt:  # type: ignore[override]
        self._check()
        reply = await super().publish(*arguments)  # type: ignore[arg-type]
        if self.mute:
            self.mute -= 1
            raise BusUnavailable("the answer was lost")
        return reply

    async def hold(self, *arguments: object):  # type: ignore[no-untyped-def,override]
        self._check()
        return await super().hold(*arguments)  # type: ignore[arg-type]

    async def inbox(self, *arguments: object):  # type: ignore[no-untyped-def,override]
        self._check()
        return await super().inbox(*arguments)  # type: ignore[arg-type]

    def _check(self) -> None:
        if self.down:
            raise BusUnavailable("the log is down")


@virtually
@pytest.mark.parametrize(
    ("error", "told"),
    [
        (BusFull, "the log is full"),
        (BusReadOnly, "the log takes no writes"),
        (BusUnavailable, "the log does not answer"),
    ],
)
async def test_no_session_without_the_log(error: type[BusError], told: str) -> None:
    """Where the log takes nothing, who calls is refused, and told why without the server's address."""

    class Refusing(MemoryBus):
        async def open(self, *_: object) -> Claimed:
            raise error("redis at 10.0.0.7:6379 says no")

    async with rig(Refusing(clock=LoopClock())) as gateway:
        with pytest.raises(Refused, match=told) as refused:
            await gateway.open()
        assert "10.0.0.7" not in str(refused.value)


@virtually
async def test_lost_answers() -> None:
    """A publication whose answer was lost is sent again as the same operation and stands in the log once."""
    log = Unanswered(clock=LoopClock())
    async with rig(log) as gateway, Pools(log):
        _, room = await gateway.open()
        await silence(room, 0.3)
        log.mute = 3
        await speak(room, 1.0)
        log.mute = 3
        await silence(room, 4)
        events = await gateway.log()
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        types = [event.type for event in events]
        assert types.count("utterance.captured") == types.count("turn.ended") == 1


@virtually
async def test_silence_without_lease() -> None:
    """While the log is away sound goes on for 1.5 s after the last successful hold was sent, and then at that very sample."""
    log = Unanswered(clock=LoopClock())
    async with rig(log) as gateway, Pools(log, says=["A long one."], seconds=6):
        session, room = await gateway.open()
        await speak(room, 1.0)
        await silence(room, 1.5)
        assert room.queued() > 0
        log.down = True
        held = session.held_at
        while room.queued() > 0:
            await silence(room, 0.032)
        assert gateway.clock.now() - held == pytest.approx(1.5, abs=0.07)
        await silence(room, 1.0)
        assert room.queued() == 0
        log.down = False
        await silence(room, 6.0)
        assert len(room.sound) == 6 * 16_000
        assert (await gateway.types()).count("playback.started") == 1


@virtually
async def test_taken_over_after_death() -> None:
    """When a gateway dies, another claims its session within 3.5 s, folds the log and ends what is to be ended."""
    log = bus()
    async with Pools(log, says=["A long one."], seconds=6):
        first = Rig(log)
        await first.start()
        _, room = await first.open()
        await speak(room, 1.0)
        await silence(room, 1.0)
        async with rig(log, "gateway-b") as second:
            await first.die()
            await asyncio.sleep(3.5)
            events = await second.log()
            types = [event.type for event in events]
            assert "session.resumed" in types
            assert types[-1] == "session.ended"  # a memory room can't be rejoined
            assert types.count("turn.ended") == 1
            assert events[-1].reason == "gateway_lost"  # type: ignore[union-attr]
            info = await log.info("s1")
            assert info is None or info.state == "closed"


@virtually
async def test_zombie_is_silent() -> None:
    """A gateway whose session was claimed by another says no more in it, neither into the room nor into the log."""
    log = bus()
    async with rig(log) as gateway, Pools(log, says=["A long one."], seconds=6):
        session, room = await gateway.open()
        await speak(room, 1.0)
        await silence(room, 1.0)
        ticket = hash_of(session.ticket)
        claimed = await log.claim("s1", "gateway-b", "r1", ticket)
        assert claimed.receipt.outcome is Outcome.OK
        await silence(room, 0.6)
        assert room.closed == "lost"
        assert room.queued() == 0
        before = await gateway.types()
        await silence(room, 1)
        assert await gateway.types() == before


@virtually
async def test_hang_up_closes() -> None:
    """Hanging up ends what is open and closes the session, its room and its place at the gateway."""
    log = bus()
    async with rig(log) as gateway, Pools(log):
        session, room = await gateway.open()
        await speak(room, 1.0)
        room.put(HungUp())
        await asyncio.sleep(0.5)
        assert (await gateway.types())[-1] == "session.ended"
        assert session.over.is_set()
        assert room.closed == "hang_up"
        assert gateway.engine.sessions == {}
        assert room.messages[-1] == EndedMessage(reason="hang_up")


@virtually
async def test_typed() -> None:
    """A typed message is answered like speech."""
    log = bus()
    async with rig(log) as gateway, Pools(log):
        _, room = await gateway.open()
        room.put(Typed("caller", "how are you?"))
        await silence(room, 4)
        assert len(room.sound) == 2 * 16_000


@virtually
async def test_say_from_outside() -> None:
    """What an operator posts into the log is spoken."""
    log = bus()
    async with rig(log) as gateway, Pools(log):
        _, room = await gateway.open()
        await silence(room, 0.5)
        await log.post("s1", "r1", SayRequested(text="Attention please."))
        await silence(room, 2)
        assert "Attention please." in [sentence.text for sentence in room.told(SentenceMessage)]
        assert len(room.sound) == 16_000


@virtually
async def test_tts_down_becomes_text() -> None:
    """When TTS fails for good the reply's text reaches the client as text, and the turn ends as failed."""
    log = bus()
    async with rig(log) as gateway, Pools(log, says=["Read me."], failing=["tts"]):
        _, room = await gateway.open()
        await speak(room, 1.0)
        await silence(room, 6)
        unspoken = [sentence for sentence in room.told(SentenceMessage) if not sentence.spoken]
        assert "Read me." in [sentence.text for sentence in unspoken]
        assert len(room.sound) == 0
        assert any(isinstance(event, TurnEnded) and event.how == "failed" for event in await gateway.log())


@virtually
async def test_a_stage_that_fails_is_told_in_plain_words(caplog: pytest.LogCaptureFixture) -> None:
    """A caller hears of it by a code and a sentence that names nothing of ours; the stage's own words go to the log."""
    log = bus()
    async with rig(log) as gateway, Pools(log, says=["Read me."], failing=["llm"]):
        session, room = await gateway.open()
        await speak(room, 0.5)
        await silence(room, 3.0)
        told = room.told(ErrorMessage)
    assert [(one.code, one.message, one.fatal) for one in told] == [
        ("llm_down", "The answer could not be found.", False)
    ]
    [line] = [record for record in caplog.records if "llm is down" in record.getMessage()]
    assert (line.getMessage(), vars(line)["session"]) == ("turn 1: llm: llm is down", session.name)


async def test_an_error_that_comes_again_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """In the gateway's log as in the worker's; the caller is told each time."""
    room = MemoryRoom(ManualClock())
    teller = Teller("s1", room)
    for job, times in (("llm/1.0", 7), ("llm/2.0", 1)):
        for number in range(1, times + 1):
            again = number < times
            teller.event(StageFailed(stage="llm", code="busy", message="x: busy", will_retry=again, turn=1, job=job))
    assert [record.getMessage() for record in caplog.records] == [
        "turn 1: llm: x: busy; it is tried again",
        "turn 1: llm: x: busy ×7",
        "turn 1: llm: x: busy",
    ]
    assert len(room.told(ErrorMessage)) == 8


@virtually
async def test_overload() -> None:
    """When a queue is full the facts are published, and the turn ends as dropped for overload."""
    log = bus()
    async with rig(log) as gateway:
        gateway.house.queue_limit = 1
        _, other = await gateway.open(name="other")
        _, room = await gateway.open()
        await speak(other, 1.0)
        await silence(other, 1.0)
        await speak(room, 1.0)
        await silence(room, 2)
        ended = [event for event in await gateway.log() if isinstance(event, TurnEnded)]
        assert [(event.how, event.reason) for event in ended] == [("dropped", "overload")]


@virtually
async def test_lost_inbox_entry() -> None:
    """An entry the inbox lost is read from the log."""
    log = bus()
    async with rig(log) as gateway, Pools(log):
        session, room = await gateway.open()
        receive = session.tail.receive
        session.tail.receive = lambda event: None if isinstance(event, ClipReady) else receive(event)  # type: ignore[method-assign]
        await speak(room, 1.0)
        await silence(room, 6)
        assert [e.how for e in await gateway.log() if isinstance(e, TurnEnded)] == ["played"]


@virtually
async def test_rewound() -> None:
    """When the log lost its tail the session folds anew, says so, and goes on."""
    log = bus()
    async with rig(log) as gateway, Pools(log):
        _, room = await gateway.open()
        await silence(room, 1.0)
        saved = log.save()
        await speak(room, 1.0)
        await silence(room, 0.1)
        log.restore(saved)
        await silence(room, 3)
        await speak(room, 1.0)
        await silence(room, 4)
        events = await gateway.log()
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert "session.rewound" in [event.type for event in events]
        assert any(isinstance(event, TurnEnded) and event.how == "played" for event in events)


@virtually
async def test_error_harms_one() -> None:
    """An error of ours in one session ends it with a sentence and an event; the others go on."""
    log = bus()
    async with rig(log) as gateway, Pools(log):
        broken, room = await gateway.open(name="broken")
        _, other = await gateway.open(name="other")

        def explode(*_: object) -> None:
            raise RuntimeError("boom")

        broken.playback.pump = explode  # type: ignore[method-assign]
        await speak(other, 1.0)
        await silence(other, 4)
        assert room.messages[-2].fatal
        assert (await gateway.types("broken"))[-1] == "session.ended"
        assert len(other.sound) == 2 * 16_000


@virtually
async def test_an_error_of_ours_leaves_no_line_and_no_turn_open() -> None:
    """The client is told the last words as final, and how the open turns ended, before the fault and the end."""
    log = bus()
    async with rig(log) as gateway, Pools(log, says=["A long story."], seconds=20.0):
        session, room = await gateway.open()
        await speak(room, 0.5)
        await silence(room, 0.3)
        session.fail(RuntimeError("boom"))
    line = room.told(TranscriptMessage)[-1]
    (turn,) = room.told(TurnMessage)
    assert line.final
    assert (turn.turn, turn.how, turn.reason) == (line.turn, "failed", "gateway")
    ours = next(message for message in room.told(ErrorMessage) if message.fatal)
    assert room.messages[-3:] == [turn, ours, EndedMessage(reason="error")]


@virtually
async def test_snapshot_is_the_fold() -> None:
    """Every hundred events a snapshot is written, and it is the fold of the log up to its seq."""
    log = bus()
    async with rig(log) as gateway, Pools(log, seconds=0.2):
        _, room = await gateway.open()
        for _ in range(9):
            await speak(room, 0.6)
            await silence(room, 1.5)
        snapshot = await log.snapshot("s1")
        assert snapshot is not None
        assert snapshot.version == FOLD_VERSION
        assert snapshot.seq >= 100
        events = await gateway.log()
        assert load(snapshot.state) == fold_all(events[: snapshot.seq])


@virtually
async def test_one_batch() -> None:
    """Participants of many sessions go through the VAD in one call per tick; those as good as mute are spared."""
    log = bus()
    async with rig(log) as gateway:
        rooms = [(await gateway.open(name=f"s{number}"))[1] for number in range(9)]
        await asyncio.sleep(TICK / 2)  # between two ticks
        await asyncio.gather(*(speak(room, 1.0, loudness=100) for room in rooms))
        assert gateway.vad.batches.count(9) >= 28
        await asyncio.gather(*(silence(room, 1.0) for room in rooms))
        gateway.vad.batches.clear()
        await asyncio.gather(speak(rooms[0], 0.5), *(silence(room, 0.5) for room in rooms[1:]))
        assert set(gateway.vad.batches) == {1}


@virtually
async def test_whole_frames_do_not_wait_for_the_tick() -> None:
    """With few sessions a frame is heard soon after it is whole, wherever between two ticks that is."""
    async with rig(bus()) as gateway:
        _, room = await gateway.open()
        await asyncio.sleep(TICK)
        for eighths in range(1, 16, 2):
            await asyncio.sleep(eighths * TICK / 8)
            heard = len(gateway.vad.batches)
            room.hear(np.full(FRAME, 100, np.int16), "caller")
            await asyncio.sleep(0.4 * TICK)
            assert len(gateway.vad.batches) == heard + 1


@virtually
async def test_log_nobody_can_go_on_with() -> None:
    """An orphan whose log makes no sense is ended with an event that says why, once; the gateway's own sessions go on."""
    log = bus()
    async with rig(log) as gateway, Pools(log):
        _, room = await gateway.open()
        await log.open("odd", "gateway-dead", "r1", [EndRequested(reason="first of all")])
        await speak(room, 1.0)
        await silence(room, 6)
        events = await gateway.log("odd")
        assert isinstance(events[-1], SessionEnded)
        assert events[-1].reason == "error"
        assert [event.type for event in events].count("session.ended") == 1
        assert len(room.sound) == 2 * 16_000
