"""Sessions of plausible events without anybody in them, for benchmarks of who reads them."""

import asyncio
from typing import Protocol

from schemas.audio import AudioRef
from schemas.bus import Gatekeeping, Hold, Outcome, Publication
from schemas.config.agent import AgentSpec
from schemas.events import (
    Cause,
    ClipReady,
    Event,
    ParticipantJoined,
    PlaybackFinished,
    PlaybackStarted,
    ReplyFinished,
    ReplySentence,
    SessionEnded,
    SessionStarted,
    SpeechPaused,
    SpeechStarted,
    TranscriptFinal,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
    Word,
)

OWNER = "bench"
_SAID = "Could you tell me when the next train to Berlin leaves?"
_REPLY = ("The next train to Berlin leaves at ten past three.", "Shall I book a seat for you?")


class SavedBus(Gatekeeping, Protocol): ...


class Written:
    """A session that a benchmark writes, as its gateway would. `events`: so many it has; `generation`: the last one raised."""

    def __init__(self, bus: SavedBus, name: str):
        self.name, self.events, self.generation = name, 0, 0
        self._bus, self._operation = bus, 0

    async def begin(self, beginning: list[Event]) -> None:
        claimed = await self._bus.open(self.name, OWNER, "q", beginning)
        assert claimed.receipt.outcome is Outcome.OK, claimed
        self.events = claimed.receipt.seq

    async def publish(self, events: list[Event]) -> None:
        self._operation += 1
        raises = max((one.raises for one in events if one.raises is not None), default=None)
        receipt = await self._bus.publish(self.name, 1, Publication(self._operation, events, raises=raises))
        assert receipt.outcome is Outcome.OK, receipt
        self.generation = raises or self.generation
        self.events = receipt.seq

    async def hold(self) -> None:
        await self._bus.hold(OWNER, self._bus.partition(self.name), [Hold(self.name, 1)])

    async def close(self) -> None:
        self._operation += 1
        ended = Publication(self._operation, [SessionEnded(reason="hang_up")])
        assert (await self._bus.close(self.name, 1, ended)).outcome is Outcome.OK


class Talk(Written):
    """One that goes on, a turn at a time."""

    _turn = 0

    async def open(self) -> None:
        start = SessionStarted(room=self.name, transport="memory", agent=AgentSpec(), gateway=OWNER)
        await self.begin([start, ParticipantJoined(participant="caller", name="Ann Caller")])

    async def turn(self, seconds: float = 0.0) -> None:
        """Question and answer, over so many seconds."""
        self._turn += 1
        steps = _turn(self.name, self._turn)
        for step in steps:
            await self.publish(step)
            if seconds:
                await asyncio.sleep(seconds / len(steps))
        if seconds:
            await self.hold()


async def talk(bus: SavedBus, name: str, turns: int) -> None:
    """A session that has ended, with so many turns."""
    one = Talk(bus, name)
    await one.open()
    for _ in range(turns):
        await one.turn()
    await one.close()


def _turn(session: str, turn: int) -> list[list[Event]]:
    """What is appended together, in order."""
    utterance, cause = f"u{turn}", Cause(job=f"llm/{turn}", attempt=1)
    audio = AudioRef(key=f"{{p00}}:blob:{session}/{utterance}", rate=16_000, samples=32_000)
    steps: list[list[Event]] = [
        [SpeechStarted(turn=turn, participant="caller", ago=0.1)],
        [
            SpeechPaused(turn=turn, participant="caller", silence=0.2, ago=0.2),
            UtteranceCaptured(turn=turn, utterance=utterance, participant="caller", audio=[audio], duration=2.0, ago=0.2),
        ],
        [
            TranscriptFinal(
                turn=turn, utterance=utterance, participant="caller", text=_SAID, words=words_of(_SAID), took=0.1, cause=cause
            )
        ],
        [TurnCommitted(turn=turn, why="end_of_turn", delay=0.4)],
    ]  # fmt: skip
    for index, text in enumerate(_REPLY):
        steps.append([ReplySentence(turn=turn, generation=0, index=index, text=text, took=0.1, cause=cause)])
    steps.append([ReplyFinished(turn=turn, generation=0, sentences=len(_REPLY), took=0.3, cause=cause)])
    for index, text in enumerate(_REPLY):
        sound = AudioRef(key=f"{{p00}}:blob:{session}/{turn}.{index}", rate=22_050, samples=44_100)
        clip = ClipReady(
            turn=turn, generation=0, index=index, audio=sound, duration=2.0, text=text, words=words_of(text), took=0.1,
            cause=cause,
        )  # fmt: skip
        steps.append([clip, PlaybackStarted(turn=turn, generation=0, index=index)])
        steps.append([PlaybackFinished(turn=turn, generation=0, index=index, position=2.0)])
    steps.append([TurnEnded(turn=turn, generation=0, how="played", heard=" ".join(_REPLY))])
    return steps


def words_of(text: str, seconds: float = 2.0) -> list[Word]:
    """Words of a sentence that takes so long, each as long as the other."""
    parts = text.split()
    each = seconds / len(parts)
    return [Word(text=part, start=n * each, end=(n + 1) * each) for n, part in enumerate(parts)]
