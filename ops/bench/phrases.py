"""`antiphon bench phrases`: are wake phrases heard, and machines told from people, with the real models?

Piper says the phrases and the greetings, slower and faster, higher and lower, and as a telephone has them; the real turn-taking
hears them through Silero and Whisper, by a recording that runs as fast as it goes; and recorded people, who say nothing of the
kind. LLM and voice are simulated, and time stands still while a stage works.
"""

import asyncio
import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from rich.table import Table

from gateway.inputs import Joined, RoomInput
from gateway.rooms.file.room import CALLER, FileRoom
from gateway.rooms.sip.codecs import FORMATS, codec
from gateway.sessions.engine import Engine
from gateway.sessions.house import House
from gateway.sessions.reception import Reception
from gateway.sound.vad import Vad
from ops.bench import machine
from ops.bench._recordings import spread
from ops.bench._recordings import turns as recorded_turns
from ops.bench._warm import warm
from ops.simulate.scene import Mute
from schemas.audio import HEARING_RATE, Pcm
from schemas.clock import Clock, Now
from schemas.config.agent import AgentSpec, Phone, TurnTaking
from schemas.config.agents import Agents
from schemas.config.lease import LONGEST
from schemas.config.settings import Settings, load
from schemas.events import AgentWoke, CalleeDetected, Event, PlaybackStarted, SessionStarted, TranscriptFinal
from schemas.log import MemoryBus
from schemas.process.clock import MonotonicClock
from workers.llm import LlmStage
from workers.providers import Speaking
from workers.runtime import Worker
from workers.simulated import SimulatedLlm
from workers.stt import SttStage
from workers.stt.whisper import WhisperStt
from workers.tts import TtsStage
from workers.tts.piper import PiperTts

WAKE = ("hey pizza", "okay robot", "hello antiphon")
CALLS = ("{}, what do you have today?", "Well, {}.")
OTHERS = (
    "I would like a pizza, please.",
    "Hey Peter, are you coming?",
    "Is the robot okay?",
    "Say hello to Anton.",
    "He has to go to the bank first.",
)
"""What is said beside the agent, some of it close to a phrase."""
MACHINES = (
    "Hi, you have reached Maria. I can't come to the phone right now. Please leave a message after the tone.",
    "The person you are calling is not available. At the tone, please record your message.",
    "Hello, this is the voicemail of John Smith. Leave your name and number, and I will call you back.",
    "Thank you for calling. Our office is closed. Please call again between nine and five.",
    "Sorry we missed you. Leave us a message.",
    "This is Anna. Beep.",
)
PEOPLE = (
    "Hello?",
    "Yes?",
    "Hello, this is Maria speaking.",
    "Smith residence, who is calling, please?",
    "Good morning, Miller's dental practice, how can I help you?",
)
_VOICES: dict[str, tuple[float, float, bool]] = {
    "as it is": (1.0, 1.0, False), "by phone": (1.0, 1.0, True), "higher": (1.0, 1.12, False),
    "fast": (1.2, 1.0, False), "lower": (1.0, 0.9, False), "slow": (0.85, 1.0, False),
}  # fmt: skip
"""Speed; pitch, as a factor; whether by a telephone."""
_AT_ONCE = 3
_TONE = (1_000, 0.4, 0.6)
"""Hz and seconds of a machine's tone, and the silence before it."""
_STANDS = 60.0
"""Seconds that a recording stands still for a stage that does not answer; then it goes on without."""
_MESSAGE = "Your order is ready."
_EXPECTED = {"call": "woke", "other": "slept", "speech": "slept", "machine": "machine", "person": "human"}
"""Of a clip's kind, the right verdict."""


@dataclass(frozen=True, slots=True)
class Clip:
    """`kind`: call, other, speech, machine, person; `tone`: seconds at which the tone ends, 0 without."""

    kind: str
    text: str
    voice: str
    pcm: Pcm
    tone: float = 0.0


async def bench(turns: int | None = None, **_: Any) -> dict[str, Any]:
    """`turns`: clips of each kind, at most."""
    settings = load().model_copy(update={"stt_language": "en", "stt_device": "cpu"})
    clips = await _clips(settings, turns)
    wake = AgentSpec(turn_taking=TurnTaking(wake=list(WAKE)), patience=0, fallback="", repeat="")
    phone = wake.model_copy(
        update={"turn_taking": TurnTaking(), "phone": Phone(machine="message", machine_message=_MESSAGE)}
    )
    bus, clock = MemoryBus(lease=LONGEST), MonotonicClock()
    stt, voice = SttStage(WhisperStt(settings), settings), Mute(settings)
    speech = TtsStage(voice, settings, lambda _: voice)
    engine = Engine(house := House(bus, clock, Vad(), "bench"), threaded=False)
    reception = Reception(house, engine, Agents())
    async with contextlib.AsyncExitStack() as stack:
        for stage in (stt, LlmStage(SimulatedLlm(settings), settings), speech):
            await stack.enter_async_context(contextlib.aclosing(stage))
            await stack.enter_async_context(warm(Worker(bus, stage)))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        await engine.start()
        stack.push_async_callback(engine.aclose)
        reception.start()
        stack.push_async_callback(reception.aclose)
        places = asyncio.Semaphore(_AT_ONCE)

        async def one(number: int, clip: Clip) -> tuple[Sequence[Event], bool]:
            async with places:
                source = folder / f"{number}.wav"
                soundfile.write(source, clip.pcm, HEARING_RATE, "PCM_16")
                agent = phone if clip.kind in ("machine", "person") else wake
                room = _Called(source, clock, patience=4.0)
                session = await reception.open(f"bench-{number}", room, agent)
                room.waits = lambda: session.busy
                await session.over.wait()
                return await bus.read(session.name), room.gave_up

        heard = await asyncio.gather(*(one(number, clip) for number, clip in enumerate(clips)))
    figures = _figures([(clip, log) for clip, (log, _) in zip(clips, heard, strict=True)])
    left = sum(gave_up for _, gave_up in heard)
    return figures | {"went_on_without_an_answer": left, "model": settings.stt_model, **machine()}


class _Called(FileRoom):
    """A recording that has taken a call of ours."""

    def __init__(self, source: Path, clock: Clock, *, patience: float):
        super().__init__(source, None, clock, real_time=False, patience=patience, joins=False)
        self._inputs.insert(0, Joined(CALLER, kind="sip", attributes={"sip.direction": "outbound"}))
        self.waits: Callable[[], bool] = lambda: False
        """Time stands still meanwhile, so that a busy machine changes no figure: the stages take no time."""
        self.gave_up = False
        self._goes_on = clock.now() + _STANDS

    def drain(self) -> Sequence[RoomInput]:
        now = self._real.now()
        if not self.gave_up and self.waits():
            self.gave_up = now >= self._goes_on
            return ()
        self._goes_on = Now(now + _STANDS)
        return super().drain()


def _figures(heard: list[tuple[Clip, Sequence[Event]]]) -> dict[str, Any]:
    """Rates, and each clip that was taken for something else, with what was understood."""
    wrong: list[dict[str, str]] = []
    found: Counter[tuple[str, str]] = Counter()
    each: Counter[tuple[str, str]] = Counter()
    after: list[float] = []
    for clip, log in heard:
        verdict = _verdict(clip, log)
        found[clip.kind, verdict] += 1
        if verdict != _EXPECTED[clip.kind]:
            words = " | ".join(event.text for event in log if isinstance(event, TranscriptFinal))
            wrong.append({"said": clip.text, "voice": clip.voice, "taken_for": verdict, "heard": words})
        if clip.tone and (at := _message_at(log)) is not None:
            after.append(at - clip.tone)
        for phrase in [phrase for phrase in WAKE if clip.kind == "call" and phrase in clip.text]:
            each[phrase, verdict] += 1
    of = Counter(clip.kind for clip, _ in heard)
    return {
        "phrases_heard": f"{found['call', 'woke']} of {of['call']}",
        "of_each": {
            phrase: f"{each[phrase, 'woke']} of {each[phrase, 'woke'] + each[phrase, 'slept']}" for phrase in WAKE
        },
        "woken_by_others": f"{found['other', 'woke']} of {of['other']}",
        "woken_by_recorded_people": f"{found['speech', 'woke']} of {of['speech']}",
        "machines_found": f"{found['machine', 'machine']} of {of['machine']}",
        "people_taken_for_machines": f"{found['person', 'machine']} of {of['person']}",
        "people_found": f"{found['person', 'human']} of {of['person']}",
        "message_before_the_tone_ended": f"{sum(late < 0 for late in after)} of {len(after)}",
        "message_after_tone_s": round(float(np.median(after)), 2) if after else None,
        "wrong": wrong,
    }


def _verdict(clip: Clip, log: Sequence[Event]) -> str:
    if clip.kind in ("call", "other", "speech"):
        return "woke" if any(isinstance(event, AgentWoke) for event in log) else "slept"
    return next((event.callee for event in log if isinstance(event, CalleeDetected)), "nobody")


def _message_at(log: Sequence[Event]) -> float | None:
    """Seconds into the recording at which the message begins."""
    began = next((event.clock for event in log if isinstance(event, SessionStarted)), None)
    said = next((event.clock for event in log if isinstance(event, PlaybackStarted)), None)
    return None if began is None or said is None else said - began


def table(figures: dict[str, Any]) -> Table:
    """The rates, and what went wrong."""
    made = Table("what", "how often", title="wake phrases and answering machines")
    for name, value in figures.items():
        if name == "of_each":
            for phrase, often in value.items():
                made.add_row(f'"{phrase}"', often)
        elif name != "wrong":
            made.add_row(name.replace("_", " "), str(value))
    for one in figures["wrong"]:
        made.add_row(f"{one['said']} ({one['voice']})", f"{one['taken_for']}: {one['heard']}")
    return made


# ── the clips ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _clips(settings: Settings, most: int | None) -> list[Clip]:
    said = [("call", line.format(phrase)) for phrase in WAKE for line in CALLS]
    said += [("other", text) for text in OTHERS] + [("machine", text) for text in MACHINES]
    said += [("person", text) for text in PEOPLE]
    made: list[Clip] = []
    async with contextlib.aclosing(PiperTts(settings)) as voice:
        await voice.warm_up()
        for name, (speed, pitch, by_phone) in _VOICES.items():
            for kind, text in said:
                if most is not None and sum(clip.kind == kind for clip in made) >= most:
                    continue
                pcm = _changed(await _spoken(voice, text, speed / pitch), pitch, by_phone)
                made.append(_clip(kind, text, name, pcm))
    return made + [_clip("speech", turn.name, "recorded", turn.pcm) for turn in spread(recorded_turns(), most)]


async def _spoken(voice: PiperTts, text: str, speed: float) -> Pcm:
    parts = [part async for part in voice.synthesize(Speaking(text, speed=speed))]
    sound = np.concatenate([part.pcm for part in parts])
    made: Pcm = soxr.resample(sound, parts[0].rate, HEARING_RATE)
    return made


def _changed(pcm: Pcm, pitch: float, by_phone: bool) -> Pcm:
    changed: Pcm = pcm if pitch == 1.0 else soxr.resample(pcm, HEARING_RATE * pitch, HEARING_RATE)
    if not by_phone:
        return changed
    line, narrow = codec(FORMATS["pcmu"]), soxr.resample(changed, HEARING_RATE, 8_000)
    frames = [line.decode(line.encode(frame)) for frame in _framed(narrow)]
    back: Pcm = soxr.resample(np.concatenate(frames), 8_000, HEARING_RATE)
    return back


def _framed(pcm: Pcm) -> Iterator[Pcm]:
    for at in range(0, len(pcm) - 159, 160):
        yield pcm[at : at + 160]


def _clip(kind: str, text: str, voice: str, pcm: Pcm) -> Clip:
    """With a moment before it; a machine gives its tone, and listens."""
    before = np.zeros(round(0.7 * HEARING_RATE), np.int16)
    if kind != "machine":
        return Clip(kind, text, voice, np.concatenate((before, pcm)))
    hertz, seconds, pause = _TONE
    beep = np.round(5_000 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * HEARING_RATE)) / HEARING_RATE))
    sound = np.concatenate((before, pcm, np.zeros(round(pause * HEARING_RATE), np.int16), beep.astype(np.int16)))
    return Clip(kind, text, voice, sound, len(sound) / HEARING_RATE)
