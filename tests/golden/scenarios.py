"""Sessions as their logs tell them, written by hand: what a gateway and three stages append in the cases that matter.

`python -m tests.golden.scenarios` writes each as NAME.jsonl, with the state it folds to beside it (NAME.state.json). Look at the
difference before committing it: these files say what a log means.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schemas.audio import AudioRef
from schemas.codec import event_to_json
from schemas.config.agent import AgentSpec, Limits
from schemas.events import (
    Cause,
    ClipReady,
    Event,
    InstructionsChanged,
    MessageReceived,
    ParticipantJoined,
    ParticipantLeft,
    PlaybackFinished,
    PlaybackPaused,
    PlaybackResumed,
    PlaybackStarted,
    ReplyFinished,
    ReplySentence,
    SayRequested,
    SessionEnded,
    SessionResumed,
    SessionStarted,
    SpeechPaused,
    SpeechResumed,
    SpeechStarted,
    StageExpired,
    StageFailed,
    ToolCalled,
    ToolReturned,
    TranscriptFinal,
    TranscriptPartial,
    TurnCommitted,
    TurnEnded,
    Usage,
    UtteranceCaptured,
    Word,
)

FOLDER = Path(__file__).parent
BEGAN = 1_790_000_000_000_000
"""µs: when every golden session began."""

AGENT = AgentSpec(instructions="Be brief.", limits=Limits(history_turns=6))


class Log:
    """Appends events at chosen moments (ms from the session's beginning) and gives them seq and at."""

    def __init__(self, agent: AgentSpec = AGENT, people: tuple[str, ...] = ("caller",)):
        self.events: list[Event] = []
        self.add(0, SessionStarted, room="room", transport="file", agent=agent, gateway="gw1", by="gw1")
        for name in people:
            self.add(1, ParticipantJoined, participant=name, name=name.capitalize(), by="gw1")

    def add(self, ms: float, event: Callable[..., Event], **fields: Any) -> None:
        self.events.append(event(seq=len(self.events) + 1, at=BEGAN + round(ms * 1000), **fields))

    # ── the usual ────────────────────────────────────────────────────────────────────────────────────────────────────

    def speak(
        self, ms: float, turn: int, utterance: str, seconds: float, *, who: str = "caller", generation: int | None = None,
        replaces: str | None = None, raises: int | None = None, over: bool = False, again: bool = False,
    ) -> float:  # fmt: skip
        """Speech from `ms`, captured 200 ms after it ended; answers that moment."""
        end = ms + seconds * 1000
        self.add(ms + 96, SpeechResumed if again else SpeechStarted, turn=turn, participant=who, ago=0.096, by="gw1")
        captured = end + 200
        self.add(captured, SpeechPaused, turn=turn, participant=who, silence=0.2, ago=0.2, by="gw1")
        self.add(
            captured,
            UtteranceCaptured,
            turn=turn,
            generation=generation,
            utterance=utterance,
            participant=who,
            audio=[_audio(utterance, seconds, 16_000)],
            duration=seconds,
            replaces=replaces,
            raises=raises,
            over=over,
            ago=0.2,
            by="gw1",
        )
        return captured

    def transcribe(self, ms: float, turn: int, utterance: str, text: str, who: str = "caller", **more: Any) -> None:
        fields = {"took": 0.08, "queued": 0.01, "end_of_turn": 0.9, "model": "tiny.en", "by": "stt1"} | more
        cause = Cause(job=f"stt/{utterance}", attempt=1)
        self.add(ms, TranscriptFinal, turn=turn, utterance=utterance, participant=who, text=text, cause=cause, **fields)

    def commit(self, ms: float, turn: int, why: str = "end_of_turn", delay: float = 0.4, **more: Any) -> None:
        self.add(ms, TurnCommitted, turn=turn, why=why, delay=delay, by="gw1", **more)

    def reply(
        self, ms: float, turn: int, generation: int, texts: list[str], *, first: int = 0, resume: str = ""
    ) -> None:
        """Sentences every 60 ms from `ms`, then reply.finished."""
        cause = Cause(job=f"llm/{turn}.{generation}{resume}", attempt=1)
        reply = {"turn": turn, "generation": generation, "cause": cause, "by": "llm1"}
        for index, text in enumerate(texts, first):
            passed = (index - first) * 0.06
            self.add(
                ms + passed * 1000, ReplySentence, index=index, text=text, took=0.12 + passed, queued=0.01, **reply
            )
        self.add(
            ms + len(texts) * 60,
            ReplyFinished,
            sentences=first + len(texts),
            usage=Usage(prompt_tokens=50, completion_tokens=12),
            time_to_first_token=0.09,
            took=0.13 + len(texts) * 0.06,
            queued=0.01,
            model="smollm2",
            **reply,
        )

    def clip(self, ms: float, turn: int, generation: int, index: int, text: str, seconds: float, **more: Any) -> None:
        words = text.split()
        each = seconds / len(words)
        cause = Cause(job=f"tts/{turn}.{generation}.{index}", attempt=1)
        fields = {"took": 0.1, "queued": 0.02, "model": "joe", "by": "tts1", "cause": cause} | more
        self.add(
            ms,
            ClipReady,
            turn=turn,
            generation=generation,
            index=index,
            audio=_audio(f"{turn}.{index}", seconds, 22_050),
            duration=seconds,
            text=text,
            words=[Word(text=w, start=i * each, end=(i + 1) * each) for i, w in enumerate(words)],
            **fields,
        )

    def play(self, ms: float, turn: int, generation: int, index: int, seconds: float) -> float:
        """A sentence from its start to its end; answers when it ended."""
        sentence = {"turn": turn, "generation": generation, "index": index, "by": "gw1"}
        self.add(ms, PlaybackStarted, **sentence)
        self.add(ms + seconds * 1000, PlaybackFinished, position=seconds, **sentence)
        return ms + seconds * 1000

    def end(self, ms: float, turn: int, how: str, reason: str, heard: str = "", **more: Any) -> None:
        self.add(ms, TurnEnded, turn=turn, how=how, reason=reason, heard=heard, by="gw1", **more)

    def hang_up(self, ms: float) -> list[Event]:
        self.add(ms, ParticipantLeft, participant="caller", reason="hung up", by="gw1")
        self.add(ms, SessionEnded, reason="hang_up", by="gw1")
        return self.events


def _audio(name: str, seconds: float, rate: int) -> AudioRef:
    return AudioRef(key=f"{{p00}}:blob:golden/{name}", rate=rate, samples=round(seconds * rate))


# ── the scenarios ────────────────────────────────────────────────────────────────────────────────────────────────────


def plain() -> list[Event]:
    """One question, answered: speculated, so that the clip is there before the commit."""
    log = Log()
    captured = log.speak(1000, 1, "u1", 1.5, generation=0)  # spoken until 2500, captured at 2700
    log.transcribe(captured + 100, 1, "u1", "What's your name?")  # 2800
    log.reply(2930, 1, 0, ["I'm Ada.", "And you?"])
    log.commit(3055, 1, delay=0.55)
    log.clip(3060, 1, 0, 0, "I'm Ada.", 0.8)
    log.clip(3064, 1, 0, 1, "And you?", 0.6)
    done = log.play(3065, 1, 0, 0, 0.8)
    done = log.play(done + 5, 1, 0, 1, 0.6)
    log.end(done, 1, "played", "finished", "I'm Ada. And you?")
    return log.hang_up(6000)


def barge_in() -> list[Event]:
    """The caller interrupts in mid-sentence: the reply is heard to the word, and nothing of it comes afterwards."""
    log = Log()
    log.speak(1000, 1, "u1", 1.0, generation=0)
    log.transcribe(2300, 1, "u1", "Tell me a story.")
    log.reply(2430, 1, 0, ["Once upon a time there was a king.", "He had a horse."])
    log.clip(2550, 1, 0, 0, "Once upon a time there was a king.", 2.4)
    log.commit(2600, 1, delay=0.6)
    log.add(2605, PlaybackStarted, turn=1, generation=0, index=0, by="gw1")
    log.add(3896, SpeechStarted, turn=2, participant="caller", over=True, ago=0.096, by="gw1")
    log.add(3896, PlaybackPaused, turn=1, generation=0, index=0, position=1.25, by="gw1")
    log.add(4500, TranscriptPartial, turn=2, utterance="u2", participant="caller", text="No, wait", by="stt1")
    log.end(4510, 1, "interrupted", "barge_in", "Once upon a time", generation=0, raises=1)
    log.add(5000, SpeechPaused, turn=2, participant="caller", silence=0.2, ago=0.2, by="gw1")
    log.add(
        5000, UtteranceCaptured, turn=2, generation=1, utterance="u2", participant="caller",
        audio=[_audio("u2", 1.0, 16_000)], duration=1.0, over=True, ago=0.2, by="gw1",
    )  # fmt: skip
    log.transcribe(5100, 2, "u2", "No, wait, a true one.")
    log.reply(5230, 2, 1, ["All right."])
    log.clip(5350, 2, 1, 0, "All right.", 0.7)
    log.commit(5400, 2, delay=0.6)
    done = log.play(5405, 2, 1, 0, 0.7)
    log.end(done, 2, "played", "finished", "All right.", generation=1)
    return log.hang_up(8000)


def taken_back() -> list[Event]:
    """The caller goes on when the agent has said a word: the turn is taken back, both parts are heard as one and answered as one,
    and the chat knows nothing of the reply that began."""
    log = Log()
    log.speak(1000, 1, "u1", 1.0, generation=0)
    log.transcribe(2300, 1, "u1", "I would like to book a table.")
    log.reply(2430, 1, 0, ["For how many people?"])
    log.clip(2550, 1, 0, 0, "For how many people?", 1.2)
    log.commit(2600, 1, delay=0.6)
    log.add(2605, PlaybackStarted, turn=1, generation=0, index=0, by="gw1")
    log.add(3010, SpeechStarted, turn=2, participant="caller", over=True, ago=0.096, by="gw1")
    log.add(3010, PlaybackPaused, turn=1, generation=0, index=0, position=0.31, by="gw1")
    log.add(3500, SpeechPaused, turn=2, participant="caller", silence=0.2, ago=0.2, by="gw1")
    log.add(
        3500, UtteranceCaptured, turn=2, utterance="u2", participant="caller", audio=[_audio("u2", 0.6, 16_000)],
        duration=0.6, over=True, ago=0.2, by="gw1",
    )  # fmt: skip
    log.transcribe(3600, 2, "u2", "For four people.")
    log.end(3602, 1, "dropped", "taken_back", "For", generation=0, raises=1, into=2)
    log.add(
        3602, UtteranceCaptured, turn=2, utterance="u3", participant="caller",
        audio=[_audio("u1", 1.0, 16_000), _audio("u2-from-u1", 1.3, 16_000)], duration=2.3, replaces="u2", joins=["u1"],
        over=True, ago=0.302, by="gw1",
    )  # fmt: skip
    log.transcribe(3720, 2, "u3", "I would like to book a table for four people.")
    log.reply(3850, 2, 1, ["For four people."])
    log.commit(3920, 2, delay=0.62)
    log.clip(3960, 2, 1, 0, "For four people.", 0.9)
    done = log.play(3965, 2, 1, 0, 0.9)
    log.end(done, 2, "played", "finished", "For four people.", generation=1)
    return log.hang_up(7000)


def backchannel() -> list[Event]:
    """ "Mhm" over the agent: it pauses, goes on, and the chat knows nothing of it."""
    log = Log()
    log.speak(1000, 1, "u1", 1.0, generation=0)
    log.transcribe(2300, 1, "u1", "Explain it.")
    log.reply(2430, 1, 0, ["It is rather simple, really."])
    log.clip(2550, 1, 0, 0, "It is rather simple, really.", 2.0)
    log.commit(2600, 1, delay=0.6)
    log.add(2605, PlaybackStarted, turn=1, generation=0, index=0, by="gw1")
    log.add(3105, SpeechStarted, turn=2, participant="caller", over=True, ago=0.096, by="gw1")
    log.add(3105, PlaybackPaused, turn=1, generation=0, index=0, position=0.5, by="gw1")
    log.add(3600, SpeechPaused, turn=2, participant="caller", silence=0.2, ago=0.2, by="gw1")
    log.add(
        3600, UtteranceCaptured, turn=2, utterance="u2", participant="caller", audio=[_audio("u2", 0.4, 16_000)],
        duration=0.4, over=True, ago=0.2, by="gw1",
    )  # fmt: skip
    log.transcribe(3700, 2, "u2", "Mhm.")
    log.end(3701, 2, "dropped", "backchannel")
    log.add(3702, PlaybackResumed, turn=1, generation=0, index=0, position=0.5, by="gw1")
    log.add(5202, PlaybackFinished, turn=1, generation=0, index=0, position=2.0, by="gw1")
    log.end(5202, 1, "played", "finished", "It is rather simple, really.", generation=0)
    return log.hang_up(7000)


def early_answer() -> list[Event]:
    """ "Yes" before the agent has asked to the end: the question is heard to its end, and the answer answered after it."""
    log = Log()
    log.speak(1000, 1, "u1", 1.0, generation=0)
    log.transcribe(2300, 1, "u1", "Is there a table?")
    log.reply(2430, 1, 0, ["There is one at seven.", "Shall I book it for you now?"])
    log.clip(2550, 1, 0, 0, "There is one at seven.", 1.4)
    log.clip(2560, 1, 0, 1, "Shall I book it for you now?", 2.0)
    log.commit(2600, 1, delay=0.6)
    done = log.play(2605, 1, 0, 0, 1.4)
    log.add(done, PlaybackStarted, turn=1, generation=0, index=1, by="gw1")
    log.add(done + 1000, SpeechStarted, turn=2, participant="caller", over=True, ago=0.096, by="gw1")
    log.add(done + 1000, PlaybackPaused, turn=1, generation=0, index=1, position=0.9, by="gw1")
    log.add(done + 1500, SpeechPaused, turn=2, participant="caller", silence=0.2, ago=0.2, by="gw1")
    log.add(
        done + 1500, UtteranceCaptured, turn=2, utterance="u2", participant="caller", audio=[_audio("u2", 0.4, 16_000)],
        duration=0.4, over=True, ago=0.2, by="gw1",
    )  # fmt: skip
    log.transcribe(done + 1600, 2, "u2", "Yes.")
    log.add(done + 1602, PlaybackResumed, turn=1, generation=0, index=1, position=0.9, by="gw1")
    log.add(done + 2702, PlaybackFinished, turn=1, generation=0, index=1, position=2.0, by="gw1")
    log.end(done + 2702, 1, "played", "finished", "There is one at seven. Shall I book it for you now?", generation=0)
    log.commit(done + 2702, 2, why="text", delay=1.4, generation=0)
    log.reply(done + 2830, 2, 0, ["It is booked."])
    log.clip(done + 2950, 2, 0, 0, "It is booked.", 0.8)
    heard = log.play(done + 2955, 2, 0, 0, 0.8)
    log.end(heard, 2, "played", "finished", "It is booked.", generation=0)
    return log.hang_up(9000)


def lost_piece() -> list[Event]:
    """Of three pieces of one turn the second carried the first and was lost, and so was the third: the words there are count."""
    log = Log()
    log.speak(1000, 1, "u1", 1.0)
    log.transcribe(2300, 1, "u1", "I would like to know")
    log.speak(2500, 1, "u2", 0.8, replaces="u1", again=True)
    log.speak(24000, 1, "u3", 0.8, again=True)
    for ms, name in ((25100, "u2"), (34800, "u3")):
        log.add(
            ms, StageExpired, stage="stt", message="past its deadline", job=f"stt/{name}", utterance=name, turn=1, by="stt1",
        )  # fmt: skip
    log.commit(34801, 1, why="text", delay=10.0, generation=0)
    log.reply(34900, 1, 0, ["What is it?"])
    log.clip(35000, 1, 0, 0, "What is it?", 0.8)
    heard = log.play(35005, 1, 0, 0, 0.8)
    log.end(heard, 1, "played", "finished", "What is it?", generation=0)
    return log.hang_up(37000)


def reopened() -> list[Event]:
    """A pause in mid-sentence: the turn was committed, is taken back before its first frame, and answered as a whole."""
    log = Log()
    log.speak(1000, 1, "u1", 0.8, generation=0)
    log.transcribe(2100, 1, "u1", "I'd like to", end_of_turn=0.7)
    log.reply(2230, 1, 0, ["Yes?"])
    log.commit(2300, 1, delay=0.5)
    log.speak(2250, 1, "u2", 1.5, generation=1, replaces="u1", raises=1, again=True)  # until 3750, captured at 3950
    log.transcribe(4070, 1, "u2", "I'd like to book a table.")
    log.reply(4200, 1, 1, ["For how many?"])
    log.clip(4320, 1, 1, 0, "For how many?", 0.9)
    log.commit(4250, 1, delay=0.5)
    log.events.sort(key=lambda event: event.at)
    log.events = [event.model_copy(update={"seq": place}) for place, event in enumerate(log.events, 1)]
    done = log.play(4330, 1, 1, 0, 0.9)
    log.end(done, 1, "played", "finished", "For how many?", generation=1)
    return log.hang_up(7000)


def greeting() -> list[Event]:
    """The agent speaks first; then it is asked to say something while it waits, which is dropped unheard and said later."""
    log = Log(AGENT.model_copy(update={"greeting": "Hello there."}))
    log.commit(10, 1, "greeting", 0.0)
    log.add(10, ReplySentence, turn=1, generation=0, index=0, text="Hello there.", by="gw1")
    log.add(10, ReplyFinished, turn=1, generation=0, sentences=1, by="gw1")
    log.clip(160, 1, 0, 0, "Hello there.", 0.9)
    done = log.play(165, 1, 0, 0, 0.9)
    log.end(done, 1, "played", "finished", "Hello there.", generation=0)
    log.add(2000, SayRequested, text="We close in five minutes. Please hurry.", request="r1", by="api")
    log.commit(2002, 2, "say", 0.0)
    for index, text in enumerate(["We close in five minutes.", "Please hurry."]):
        log.add(2002, ReplySentence, turn=2, generation=0, index=index, text=text, by="gw1")
    log.add(2002, ReplyFinished, turn=2, generation=0, sentences=2, by="gw1")
    log.end(2050, 2, "dropped", "replaced", raises=1)
    log.speak(1900, 3, "u1", 0.9, generation=1)
    log.events.sort(key=lambda event: event.at)
    log.events = [event.model_copy(update={"seq": place}) for place, event in enumerate(log.events, 1)]
    log.transcribe(3100, 3, "u1", "Thanks.")
    log.reply(3230, 3, 1, ["You're welcome."])
    log.clip(3350, 3, 1, 0, "You're welcome.", 0.7)
    log.commit(3360, 3, delay=0.56)
    done = log.play(3365, 3, 1, 0, 0.7)
    log.end(done, 3, "played", "finished", "You're welcome.", generation=1)
    log.commit(done + 1, 4, "say", 0.0)
    for index, text in enumerate(["We close in five minutes.", "Please hurry."]):
        log.add(done + 1, ReplySentence, turn=4, generation=1, index=index, text=text, by="gw1")
    log.add(done + 1, ReplyFinished, turn=4, generation=1, sentences=2, by="gw1")
    log.clip(done + 120, 4, 1, 0, "We close in five minutes.", 1.2)
    log.clip(done + 124, 4, 1, 1, "Please hurry.", 0.6)
    done = log.play(done + 125, 4, 1, 0, 1.2)
    done = log.play(done + 5, 4, 1, 1, 0.6)
    log.end(done, 4, "played", "finished", "We close in five minutes. Please hurry.", generation=1)
    return log.hang_up(9000)


def fallback() -> list[Event]:
    """The LLM fails for good: the turn fails, and the user hears the fallback, made at the session's start."""
    log = Log()
    log.add(
        300, ClipReady, index=0, phrase="fallback", audio=_audio("fallback", 1.5, 22_050), duration=1.5,
        text=AGENT.fallback, by="tts1", cause=Cause(job="tts/fallback", attempt=1), took=0.2,
    )  # fmt: skip
    log.speak(1000, 1, "u1", 1.0, generation=0)
    log.transcribe(2300, 1, "u1", "Are you there?")
    log.add(
        2500, StageFailed, turn=1, generation=0, stage="llm", code="bad_status", message="LLM_BASE_URL answered 500",
        will_retry=True, job="llm/1.0", by="llm1",
    )  # fmt: skip
    log.commit(2600, 1, delay=0.6)
    log.add(
        3500, StageFailed, turn=1, generation=0, stage="llm", code="bad_status", message="LLM_BASE_URL answered 500",
        job="llm/1.0", by="llm1",
    )  # fmt: skip
    log.end(3501, 1, "failed", "llm", generation=0)
    log.commit(3501, 2, "fallback", 0.0)
    log.add(3501, ReplySentence, turn=2, generation=0, index=0, text=AGENT.fallback, by="gw1")
    log.add(3501, ReplyFinished, turn=2, generation=0, sentences=1, by="gw1")
    done = log.play(3505, 2, 0, 0, 1.5)
    log.end(done, 2, "played", "finished", AGENT.fallback, generation=0)
    return log.hang_up(7000)


def take_over() -> list[Event]:
    """The gateway dies in mid-reply: another one skips the rest of the sentence that had begun and plays the next."""
    log = Log()
    log.speak(1000, 1, "u1", 1.0, generation=0)
    log.transcribe(2300, 1, "u1", "Where are you?")
    log.reply(2430, 1, 0, ["I live in the cloud.", "It is nice here."])
    log.clip(2550, 1, 0, 0, "I live in the cloud.", 1.5)
    log.clip(2560, 1, 0, 1, "It is nice here.", 1.0)
    log.commit(2600, 1, delay=0.6)
    log.add(2605, PlaybackStarted, turn=1, generation=0, index=0, by="gw1")
    log.add(
        5100, SessionResumed, gateway="gw2", epoch=2, positions={"turn": 1, "index": 0, "position": 0.6}, by="gw2"
    )  # fmt: skip
    done = log.play(5200, 1, 0, 1, 1.0)
    log.end(done, 1, "played", "finished", "I live It is nice here.", generation=0)
    return log.hang_up(8000)


def two_humans() -> list[Event]:
    """Two people share a turn: their STT jobs carry no successor, and the LLM job is enqueued when both are transcribed."""
    log = Log(people=("caller", "bob"))
    log.speak(1000, 1, "u1", 1.0)
    log.transcribe(2300, 1, "u1", "Shall we eat?")
    log.speak(1500, 1, "u2", 1.2, who="bob")  # until 2700, captured at 2900
    log.events.sort(key=lambda event: event.at)
    log.events = [event.model_copy(update={"seq": place}) for place, event in enumerate(log.events, 1)]
    log.transcribe(3010, 1, "u2", "Yes, ask for pizza.", who="bob")
    log.commit(3100, 1, delay=0.4)
    log.reply(3230, 1, 0, ["Pizza it is."])  # enqueued at the commit
    log.clip(3350, 1, 0, 0, "Pizza it is.", 0.8)
    done = log.play(3355, 1, 0, 0, 0.8)
    log.end(done, 1, "played", "finished", "Pizza it is.", generation=0)
    log.speak(5000, 2, "u3", 0.8, who="bob")
    log.transcribe(6100, 2, "u3", "Did you lock the door?", who="bob")
    log.end(6101, 2, "dropped", "unaddressed")
    return log.hang_up(8000)


def tools() -> list[Event]:
    """A typed question that needs a tool: called once, answered with its result; the instructions change afterwards."""
    log = Log()
    log.add(1000, MessageReceived, participant="caller", text="What's the weather?", by="api")
    log.commit(1010, 1, "text", 0.0, saw=3)
    cause = Cause(job="llm/1.0", attempt=1)
    reply = {"turn": 1, "generation": 0, "cause": cause, "by": "llm1"}
    log.add(1150, ReplySentence, index=0, text="Let me look.", took=0.13, queued=0.01, **reply)
    log.add(1200, ToolCalled, call="c1", name="weather", arguments={"city": "Rome"}, **reply)
    log.clip(1290, 1, 0, 0, "Let me look.", 0.7)
    log.add(1300, PlaybackStarted, turn=1, generation=0, index=0, by="gw1")
    log.add(1700, ToolReturned, call="c1", name="weather", result="sunny, 21 °C", took=0.5, **reply)
    log.add(1850, ReplySentence, index=1, text="It's sunny in Rome.", took=0.8, queued=0.01, **reply)
    log.add(1860, ReplyFinished, sentences=2, usage=Usage(prompt_tokens=80, completion_tokens=20), **reply)
    log.clip(1960, 1, 0, 1, "It's sunny in Rome.", 1.3)
    log.add(2000, PlaybackFinished, turn=1, generation=0, index=0, position=0.7, by="gw1")
    done = log.play(2005, 1, 0, 1, 1.3)
    log.end(done, 1, "played", "finished", "Let me look. It's sunny in Rome.", generation=0)
    log.add(4000, InstructionsChanged, instructions="Be very brief.", request="r9", by="api")
    return log.hang_up(5000)


def unanswered() -> list[Event]:
    """The second question is asked when no TTS worker is left: three sentences wait for their sound until the caller hangs up."""
    log = Log()
    log.speak(1000, 1, "u1", 1.0, generation=0)
    log.transcribe(2300, 1, "u1", "Are you there?")
    log.reply(2430, 1, 0, ["I am."])
    log.clip(2550, 1, 0, 0, "I am.", 0.7)
    log.commit(2600, 1, delay=0.6)
    done = log.play(2605, 1, 0, 0, 0.7)
    log.end(done, 1, "played", "finished", "I am.", generation=0)
    log.speak(5000, 2, "u2", 1.0, generation=0)  # spoken until 6000
    log.transcribe(6300, 2, "u2", "When do you close?")
    log.reply(6430, 2, 0, ["At seven.", "On Sundays at five.", "Anything else?"])
    log.commit(6650, 2, delay=0.65)
    log.end(37_430, 2, "dropped", "session", generation=0)
    return log.hang_up(37_430)


def broken() -> list[Event]:
    """What must never be: a reply of a voided generation, a sentence played twice, a turn without an end, a gap."""
    events = barge_in()
    voided = next(event for event in events if isinstance(event, ReplySentence) and event.index == 1)
    started = next(event for event in events if isinstance(event, PlaybackStarted) and event.turn == 2)
    last_end = next(event for event in reversed(events) if isinstance(event, TurnEnded))
    changed: list[Event] = []
    for event in events:
        if event is last_end:
            changed += [voided.model_copy(update={"index": 2}), started]
        else:
            changed.append(event)
    at = 0
    for place, event in enumerate(changed, 1):
        at = max(at, event.at)
        seq = place if place < len(changed) else place + 1
        changed[place - 1] = event.model_copy(update={"seq": seq, "at": at})
    return changed


SOUND: list[Callable[[], list[Event]]] = [
    plain, barge_in, taken_back, backchannel, early_answer, lost_piece, reopened, greeting, fallback, take_over, two_humans,
    tools, unanswered,
]  # fmt: skip
"""Those that keep every promise; `broken` does not."""


def write() -> None:
    from tests.golden.test_golden import state_of

    for scenario in [*SOUND, broken]:
        events = scenario()
        lines = [json.dumps(event_to_json(event), ensure_ascii=False) + "\n" for event in events]
        (FOLDER / f"{scenario.__name__}.jsonl").write_text("".join(lines), "utf-8")
        if scenario is not broken:
            text = json.dumps(state_of(events), ensure_ascii=False, indent=1) + "\n"
            (FOLDER / f"{scenario.__name__}.state.json").write_text(text, "utf-8")


if __name__ == "__main__":
    write()
