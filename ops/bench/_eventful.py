"""A call in which everything happens that can: what a console has to show, in as many turns as one likes.

Turns follow each other in a fixed order of kinds; each step of a turn is published by itself, after as long as it takes in life
(times `pace`: 0 writes as fast as the log takes it).
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle

from ops.bench._turns import OWNER, SavedBus, Written, words_of
from schemas.audio import AudioRef
from schemas.config.agent import AgentSpec
from schemas.events import (
    Cause,
    ClipReady,
    Event,
    MessageReceived,
    ParticipantJoined,
    PlaybackFinished,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    ReplyFinished,
    ReplySentence,
    SessionStarted,
    SpeechPaused,
    SpeechStarted,
    StageExpired,
    StageFailed,
    ToolCalled,
    ToolReturned,
    TranscriptFinal,
    TranscriptPartial,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)

PEOPLE = {
    "caller": "Ann Caller",
    "maximilian": "Maximilian Freiherr von Hohenstein-Wallensteinsberg the Younger, of Upper Lower Saxony",
    "三島": "三島由紀子",
}
AGENT = AgentSpec(instructions="You help travellers with trains, seats and tickets. Be brief.")
_STORY = (
    "Once upon a time a train left a town by the sea.",
    "It was green, and it was late, and nobody on board minded either.",
    "Then, at the third bridge, the driver saw the sky open.",
)

Step = tuple[float, list[Event]]
"""Seconds after the step before, and what is appended then."""


@dataclass
class Turn:
    """The steps of one turn of a session whose generation is `generation`: what the kinds below are written with."""

    session: str
    number: int
    generation: int
    steps: list[Step] = field(default_factory=list)

    @property
    def utterance(self) -> str:
        return f"u{self.number}"

    def add(self, seconds: float, *events: Event) -> None:
        self.steps.append((seconds, list(events)))

    def cause(self, stage: str, attempt: int = 1) -> Cause:
        return Cause(job=f"{stage}/{self.number}.{self.generation}", attempt=attempt)

    def _sound(self, name: str, seconds: float, rate: int) -> AudioRef:
        return AudioRef(key=f"{{p00}}:blob:{self.session}/{name}", rate=rate, samples=round(seconds * rate))

    def says(self, text: str, who: str = "caller", over: bool = False, attempt: int = 1, queued: float = 0.01) -> None:
        """Somebody speaks, is captured and transcribed."""
        turn, one, seconds = self.number, self.utterance, 0.4 * len(text.split())
        sound = self._sound(one, seconds, 16_000)
        self.add(0.6, SpeechStarted(turn=turn, participant=who, over=over, ago=0.1))
        for share in (0.5, 0.8):
            so_far = " ".join(text.split()[: round(share * len(text.split()))])
            self.add(
                seconds * 0.4, TranscriptPartial(turn=turn, utterance=one, participant=who, text=so_far, took=0.05)
            )
        self.add(
            seconds * 0.2 + 0.2,
            SpeechPaused(turn=turn, participant=who, silence=0.2, ago=0.2),
            UtteranceCaptured(
                turn=turn, utterance=one, participant=who, audio=[sound], duration=seconds, over=over, ago=0.2,
                generation=self.generation,
            ),
        )  # fmt: skip
        heard = TranscriptFinal(
            turn=turn, utterance=one, participant=who, text=text, words=words_of(text, seconds), language="en",
            took=0.09, queued=queued, model="small.en", end_of_turn=0.9, cause=self.cause("stt", attempt),
        )  # fmt: skip
        self.add(0.1 + queued, heard)

    def thinks(self, *texts: str, queued: float = 0.01, took: float = 0.15, why: str = "end_of_turn") -> None:
        """The turn is committed, and its reply comes, sentence by sentence."""
        own = {
            "turn": self.number,
            "generation": self.generation,
            "cause": self.cause("llm"),
            "took": took,
            "queued": queued,
        }
        self.add(0.05, TurnCommitted.model_validate({"turn": self.number, "why": why, "delay": 0.4}))
        for index, text in enumerate(texts):
            self.add(
                took + queued if index == 0 else 0.06,
                ReplySentence.model_validate({"index": index, "text": text, **own}),
            )
        self.add(0.02, ReplyFinished.model_validate({"sentences": len(texts), "model": "smollm2", **own}))

    def makes(self, index: int, text: str, attempt: int = 1) -> float:
        """The voice of a sentence; seconds it lasts."""
        seconds = 0.35 * len(text.split())
        clip = ClipReady(
            turn=self.number, generation=self.generation, index=index, duration=seconds, text=text,
            audio=self._sound(f"{self.number}.{index}", seconds, 22_050),
            words=words_of(text, seconds), took=0.12, queued=0.01, model="joe",
            cause=Cause(job=f"tts/{self.number}.{self.generation}.{index}", attempt=attempt),
        )  # fmt: skip
        self.add(0.13, clip)
        return seconds

    def plays(self, *texts: str) -> None:
        for index, text in enumerate(texts):
            seconds = self.makes(index, text)
            self.add(0.01, PlaybackStarted(turn=self.number, generation=self.generation, index=index))
            self.add(
                seconds, PlaybackFinished(turn=self.number, generation=self.generation, index=index, position=seconds)
            )

    def ends(self, how: str = "played", reason: str = "finished", heard: str = "", raises: int | None = None) -> None:
        told = {
            "turn": self.number,
            "generation": self.generation,
            "how": how,
            "reason": reason,
            "heard": heard,
            "raises": raises,
        }
        self.add(0.01, TurnEnded.model_validate(told))


def _answered(turn: Turn) -> None:
    turn.says("Could you tell me when the next train to Berlin leaves?")
    texts = ("The next train to Berlin leaves at ten past three.", "Shall I book a seat for you?")
    turn.thinks(*texts)
    turn.plays(*texts)
    turn.ends(heard=" ".join(texts))


def _slow(turn: Turn) -> None:
    """1.4 s, of which the LLM's job waited the most for a worker."""
    turn.says("And is there one on Sunday, too?", who="maximilian")
    turn.thinks("There is one at nine.", queued=0.62, took=0.24)
    turn.plays("There is one at nine.")
    turn.ends(heard="There is one at nine.")


def _interrupted(turn: Turn) -> None:
    """Cut by the next one, in the middle of its second sentence."""
    turn.says("Tell me a story, please.")
    turn.thinks(*_STORY)
    seconds = turn.makes(0, _STORY[0])
    turn.makes(1, _STORY[1])
    place = {"turn": turn.number, "generation": turn.generation}
    turn.add(0.01, PlaybackStarted.model_validate({"index": 0, **place}))
    turn.add(seconds, PlaybackFinished.model_validate({"index": 0, "position": seconds, **place}))
    turn.add(0.01, PlaybackStarted.model_validate({"index": 1, **place}))
    turn.add(1.5, PlaybackPaused.model_validate({"index": 1, "position": 1.5, **place}))
    turn.ends("interrupted", "barge_in", f"{_STORY[0]} It was green,", raises=turn.generation + 1)


def _retried(turn: Turn) -> None:
    turn.says("Sorry, which platform?", attempt=2, queued=0.4)
    place = {"turn": turn.number, "generation": turn.generation, "job": turn.cause("llm").job}
    told = "LLM_BASE_URL answered 503: the model is being loaded"
    turn.add(
        0.2,
        StageFailed.model_validate(
            {"stage": "llm", "code": "bad_status", "message": told, "will_retry": True, **place}
        ),
    )
    turn.thinks("From platform nine.", queued=0.2)
    turn.plays("From platform nine.")
    turn.ends(heard="From platform nine.")


def _hummed(turn: Turn) -> None:
    turn.says("Mhm.", over=True)
    turn.ends("dropped", "backchannel")


def _typed(turn: Turn) -> None:
    """A typed question that a tool answers."""
    turn.add(
        1.0, MessageReceived(turn=turn.number, participant="caller", text="What's the weather in Rome? <b>Please</b>")
    )
    own = {"turn": turn.number, "generation": turn.generation, "cause": turn.cause("llm")}
    turn.thinks("Let me look.", why="text")
    turn.add(0.05, ToolCalled.model_validate({"call": "c1", "name": "weather", "arguments": {"city": "Rome"}, **own}))
    turn.add(0.5, ToolReturned.model_validate({"call": "c1", "name": "weather", "result": "sunny", "took": 0.5, **own}))
    turn.plays("Let me look.")
    turn.ends(heard="Let me look.")


def _failed(turn: Turn) -> None:
    turn.says("Are you there?", who="三島")
    failed = {"turn": turn.number, "generation": turn.generation, "stage": "llm", "job": turn.cause("llm").job}
    told = "LLM_BASE_URL=http://127.0.0.1:8000/v1 answered 500: CUDA out of memory"
    for again in (True, False):
        turn.add(
            0.5, StageFailed.model_validate({"code": "bad_status", "message": told, "will_retry": again, **failed})
        )
    turn.ends("failed", "llm")


def _late(turn: Turn) -> None:
    """The second sentence's voice came too late, and is only read."""
    texts = ("I can sell you a ticket.", "It costs forty-nine euros and ninety cents.")
    turn.says("How much is it?")
    turn.thinks(*texts)
    turn.plays(texts[0])
    turn.add(
        0.4,
        StageExpired(turn=turn.number, generation=turn.generation, stage="tts", message="past its deadline", index=1),
    )
    turn.ends(heard=texts[0])


def _thought_over(turn: Turn) -> None:
    """Somebody hums over it: it pauses, and goes on."""
    text = "It is rather simple, really, once one knows the way."
    turn.says("How do I get there?")
    turn.thinks(text)
    seconds, place = turn.makes(0, text), {"turn": turn.number, "generation": turn.generation, "index": 0}
    turn.add(0.01, PlaybackStarted.model_validate(place))
    turn.add(0.8, PlaybackPaused.model_validate({"position": 0.8, **place}))
    turn.add(0.7, PlaybackResumed.model_validate({"position": 0.8, **place}))
    turn.add(seconds - 0.8, PlaybackFinished.model_validate({"position": seconds, **place}))
    turn.ends(heard=text)


KINDS: tuple[Callable[[Turn], None], ...] = (
    _answered, _slow, _interrupted, _answered, _retried, _hummed, _typed, _failed, _late, _thought_over,
)  # fmt: skip


class Eventful(Written):
    """A session of that kind."""

    def __init__(self, bus: SavedBus, name: str):
        super().__init__(bus, name)
        self._number = 0
        self._kinds: Iterator[Callable[[Turn], None]] = cycle(KINDS)

    async def open(self) -> None:
        start = SessionStarted(room=self.name, transport="websocket", agent=AGENT, gateway=OWNER)
        joined = [ParticipantJoined(participant=one, name=name) for one, name in PEOPLE.items()]
        await self.begin([start, *joined])

    async def turn(self, pace: float = 0.0) -> None:
        """The next turn."""
        self._number += 1
        turn = Turn(self.name, self._number, self.generation)
        next(self._kinds)(turn)
        held = 0.0
        for seconds, events in turn.steps:
            if pace:
                await asyncio.sleep(seconds * pace)
                held += seconds * pace
            if held >= 0.5:
                await self.hold()
                held = 0.0
            await self.publish(events)


async def eventful(bus: SavedBus, name: str, events: int, pace: float = 0.0) -> Eventful:
    """Such a session of at least so many events, still open."""
    one = Eventful(bus, name)
    await one.open()
    while one.events < events:
        await one.turn(pace)
    return one
