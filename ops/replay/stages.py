"""A session replayed through the worker pools, as a fork: what depends on what changed is heard, answered and spoken anew, by the
workers that run; the rest is as it was recorded; and turn-taking decides it all again, in virtual time.

The fork is made in a session of the log that nobody sees (`_bench.py`), and taken in when it is over, with times as if it had
ended just now. What computes does so on a thread: who shares the loop (a jobs worker) is not held up by a call of hours.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, TypeVar

import numpy as np

from gateway.turn_taking import RULES_VERSION
from ops.replay._answering import BY
from ops.replay._bench import Bench, BenchError, Pools, Taken, fork_id
from ops.replay._edges import believed
from ops.replay._piped import Ask, Cut, How, Parts, Piped, Plan, chats, samples
from ops.replay._reading import recorded
from ops.replay._recorded import Recording
from ops.replay._virtual import Note
from ops.replay.real_tools import RealTools
from ops.replay.turns import Pair, aligned, as_of, decisions, from_turn_on, late_of, unhooked
from schemas.audio import HEARING_RATE, AudioRef
from schemas.bus import Reading
from schemas.clock import Micros, Now
from schemas.config.agent import AgentSpec
from schemas.errors import BusError
from schemas.events import (
    BY_RULES,
    STAGES,
    ClipReady,
    Event,
    KnowledgeFound,
    Stage,
    ToolCalled,
    TranscriptPartial,
    TurnEnded,
    UtteranceCaptured,
    audio_of,
    with_audio,
)
from schemas.jobs import HookJob, LlmJob, SttJob, ToolJob, TtsJob
from schemas.log import keys

__all__ = ["ANEW", "BenchError", "Forked", "Going", "Pools", "Taken", "Which", "fork_id", "replay_stages"]

Which = Literal["stt", "llm", "tts", "all"]
ANEW: Mapping[Which, tuple[Stage, ...]] = {"stt": ("stt",), "llm": ("llm",), "tts": ("tts",), "all": STAGES}
"""Stages that do all their work again."""
_AHEAD = 4
"""Utterances or sentences that are asked for at once, ahead of the moment that needs them."""
_DEADLINE = 60.0
_FOLLOWS = 0.25
"""Seconds between two tellings of how far it is."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Going:
    """How far a replay is: seconds of the call of how many, and jobs the pools have done. `event`: the one just decided."""

    at: float
    length: float
    done: int
    event: Event | None = None


@dataclass(slots=True)
class Forked:
    """`session`: the fork's id; `events`: its log, as it is kept; `turns`: turn by turn, what is decided otherwise; `became`: by
    turn of the fork and stage, how many jobs were made, reused, estimated (turn 0: fixed phrases); `notes`: estimates; `gone`:
    sounds of the original that are no more; `broken_off`: somebody stopped it; `kept`: the log has it; `took`: seconds."""

    session: str
    stage: str
    events: list[Event]
    exact: bool
    turns: list[Pair] = field(default_factory=list)
    became: dict[int, dict[Stage, Counter[How]]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    gone: int = 0
    broken_off: bool = False
    kept: bool = False
    took: float = 0.0

    @property
    def seconds(self) -> float:
        return (self.events[-1].at - self.events[0].at) / 1e6 if self.events else 0.0

    def jobs(self) -> dict[Stage, Counter[How]]:
        """By stage, all turns together."""
        total: dict[Stage, Counter[How]] = {stage: Counter() for stage in STAGES}
        for stages in self.became.values():
            for stage, counts in stages.items():
                total[stage].update(counts)
        return total

    def view(self) -> dict[str, Any]:
        """As JSON values, but for the events."""
        return {
            "fork": self.session,
            "kept": self.kept,
            "events": len(self.events),
            "seconds": round(self.seconds, 3),
            "took_s": round(self.took, 3),
            "exact": self.exact,
            "broken_off": self.broken_off,
            "sounds_gone": self.gone,
            "jobs": {stage: dict(counts) for stage, counts in self.jobs().items()},
            "turns": [
                {
                    "was": pair.was.view() if pair.was else None,
                    "now": pair.now.view() if pair.now else None,
                    "otherwise": pair.otherwise,
                    "jobs": {
                        stage: dict(counts)
                        for stage, counts in (self.became.get(pair.now.turn, {}) if pair.now else {}).items()
                        if counts
                    },
                }
                for pair in self.turns
            ],
            "estimates": [note.view() for note in self.notes],
        }


async def replay_stages(
    source: Reading, session: str, events: Sequence[Event], pools: Pools, *,
    stage: Which, agent: AgentSpec, changed: Mapping[str, Any] | None = None, from_turn: int | None = None,
    speed: Literal["max", "real"] = "max", going: Callable[[Going], None] | None = None, keep: bool = True,
    sound: bool = True, metadata: Mapping[str, Any] | None = None, name: str = "", anew: Collection[Stage] | None = None,
    tools: RealTools | None = None,
) -> Forked:  # fmt: skip
    """Replay `events` of `session` with `agent`. `source`: where its sounds are; `pools`: the log whose workers do it, and which
    keeps the fork (`keep`), with the caller's sound copied (`sound`; else it is the original's); `metadata`: what the fork is
    found by, beside what it came from; `name`: its id, a new one when not given; `anew`: stages that do all their work again,
    instead of those of `stage`; none: only what was never recorded is asked for; `tools`: that are called again.
    Cancelled, it ends where it is, and is kept so.
    ReplayError, BenchError: it can't be, and why; Taken: somebody makes a fork of that name; BusError, EventError."""
    redone: tuple[Stage, ...] = tuple(ANEW[stage] if anew is None else anew)
    began = time.monotonic()
    fork = name or fork_id(session)
    recording = await asyncio.to_thread(recorded, events)
    bench = Bench(pools, fork)
    manned = await bench.manned(STAGES)
    if missing := [one for one in redone if one not in manned]:
        raise BenchError(
            f"this replay needs {' and '.join(one.upper() for one in missing)} workers, and none is there; start one: "
            f"antiphon worker {missing[0]}"
        )
    since, kept = await asyncio.to_thread(from_turn_on, events, from_turn) if from_turn is not None else (0.0, [])
    again = next((name for name, stages in ANEW.items() if stages == redone), "+".join(redone) or "turns")
    origin: dict[str, Any] = {"session": session, "turn": from_turn, "changed": dict(changed or {}), "stage": again}
    if kept:
        origin["kept"] = kept[-1].seq
    told = {**recording.began.metadata, **(metadata or {}), "forked_from": origin}
    started = recording.began.model_copy(
        update={
            "agent": unhooked(agent), "gateway": BY, "by": BY, "clock": Now(0.0), "inputs": {BY_RULES: RULES_VERSION},
            "metadata": told,
        }
    )  # fmt: skip
    sounds = _Sounds(source, bench, recording)
    if sound or "stt" in redone:
        await sounds.copy(events)

    def begun() -> Piped:
        plan = Plan(
            anew=redone,
            manned=manned,
            exactly="stt" in redone,
            gone=sounds.gone,
            chats=chats(events) if "stt" in redone else {},
            waits=not any(isinstance(event, TurnEnded) and event.reason == "session" for event in events),
            real={name: tools.timeout(name) for name in tools.may} if tools is not None else {},
            cut_key=lambda number: keys.blob(pools.partition(fork), fork, f"cut-{number}"),
        )
        was = recording.began.agent.turn_taking.start_speech
        given = as_of(believed(recording.given, was, agent.turn_taking.start_speech), since)
        late = late_of(events, kept) if kept else []
        return Piped(recording, agent, given, started, plan, kept, since, late)

    rim = await asyncio.to_thread(begun)
    replaying = _Replaying(rim, bench, sounds, recording, speed, going, tools)
    await bench.open(started)
    try:
        stopped = await replaying.run(redone)
        forked = Forked(fork, again, rim.events, recording.exact, notes=rim.notes, gone=len(sounds.gone))
        forked.became, forked.broken_off = rim.became, stopped
        forked.turns = await asyncio.to_thread(lambda: aligned(decisions(events), decisions(rim.events)))
        keep = keep and not (stopped and name)  # who named it wants all of it
        if keep:
            forked.events = await sounds.own(rim, await pools.now(), copy=sound)
    finally:
        await _left(bench)
    if keep:
        await bench.keep(forked.events)
        forked.kept = True
    forked.took = time.monotonic() - began
    return forked


async def _left(bench: Bench) -> None:
    try:
        await bench.leave()
    except BusError:
        pass  # it goes by itself


async def _through(work: Callable[[], _T]) -> _T:
    """`work` on a thread, to its end, though it is cancelled meanwhile: nobody else has what it works on before that."""
    working, cancelled = asyncio.get_running_loop().run_in_executor(None, work), False
    while not working.done():
        try:
            await asyncio.wait([working])
        except asyncio.CancelledError:
            cancelled = True
    made = working.result()
    if cancelled:
        raise asyncio.CancelledError
    return made


class _Replaying:
    """One, under way."""

    def __init__(
        self, rim: Piped, bench: Bench, sounds: "_Sounds", recording: Recording, speed: str,
        going: Callable[[Going], None] | None, tools: RealTools | None,
    ) -> None:  # fmt: skip
        self._tools = tools
        self._rim, self._bench, self._sounds, self._recording = rim, bench, sounds, recording
        self._speed, self._going = speed, going
        self._told = 1
        self._tasks: dict[object, asyncio.Task[Parts]] = {}
        self._ahead = asyncio.Semaphore(_AHEAD)
        self._number = 0
        self._done = 0
        self._next_word = 0.0

    async def run(self, anew: Collection[Stage]) -> bool:
        """To its end; True: somebody stopped it before."""
        rim = self._rim
        if self._speed == "max":
            self._look_ahead(anew)
        began, first = time.monotonic(), rim.now
        try:
            while (due := rim.due) != float("inf"):
                before = len(rim.events)
                if self._speed == "real":
                    await asyncio.sleep(max(0.0, due - first - (time.monotonic() - began)))
                    rim.advance()
                else:
                    await _through(self._stretch)
                if rim.asks:
                    asks, rim.asks = rim.asks, []
                    for ask, parts in zip(asks, await self._answers(asks), strict=True):
                        ask.done(parts)
                self._tell_of(rim.events[before:])
            return False
        except asyncio.CancelledError:
            rim.break_off()
            return True
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def _stretch(self) -> None:
        """On a thread: until somebody is to be asked, or is to be told how far it is."""
        until = time.monotonic() + _FOLLOWS
        while self._rim.advance() and not self._rim.asks and time.monotonic() < until:
            pass

    def _tell_of(self, events: Sequence[Event]) -> None:
        now, length = time.monotonic(), self._recording.length
        if self._going is not None and self._speed == "real":
            for event in events:
                self._going(Going(self._rim.now, length, self._done, event))
        if now >= self._next_word:
            self._next_word = now + _FOLLOWS
            if self._going is not None and self._speed != "real":
                self._going(Going(min(self._rim.now, length), length, self._done))

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _answers(self, asks: Sequence[Ask]) -> list[Parts]:
        rim, facts = self._rim, []
        for event in rim.events[self._told :]:
            told = event.cause is None or event.cause.job not in rim.asked or isinstance(event, ToolCalled)
            if told and not isinstance(event, ClipReady | TranscriptPartial):
                facts.append(event)
        self._told = len(rim.events)
        facts += [found for ask in asks if (found := self._known(ask)) is not None]
        jobs = [self._job(ask) for ask in asks if isinstance(ask.job, LlmJob | TtsJob) and self._key(ask) is None]
        await self._bench.tell(facts, jobs, rim.generation)
        return list(await asyncio.gather(*(self._answer(ask) for ask in asks)))

    def _known(self, ask: Ask) -> KnowledgeFound | None:
        """What the agent's files said to the words of a turn when it was recorded: so its request is the same, whatever the files
        say now. With other words, or other settings, they are asked."""
        if self._rim.agent.knowledge != self._recording.began.agent.knowledge:
            return None
        found = self._recording.known.get(ask.job.turn or 0) if isinstance(ask.job, LlmJob) else None
        return found.model_copy(update={"seq": 0, "generation": None, "cause": None}) if found is not None else None

    async def _answer(self, ask: Ask) -> Parts:
        key = self._key(ask)
        if isinstance(ask.job, ToolJob):
            assert self._tools is not None
            job = ask.job.model_copy(update={"session": self._bench.session})
            parts: Parts = await self._tools.call(job, self._rim.folded)
        elif key is None and isinstance(ask.job, SttJob):
            parts = await self._heard(ask.job, ask.sound)
        elif key is None:
            parts = await self._bench.done(self._job(ask))
            known = self._known(ask)
            if known is not None and not any(isinstance(event, KnowledgeFound) for _, event in parts):
                parts = [(0.0, known), *parts]  # the fork's log has what its request was made of
        else:
            parts = await self._tasks[key]
        self._done += 1
        return parts

    def _key(self, ask: Ask) -> object | None:
        """Of what was asked for ahead; None: it was not."""
        if isinstance(ask.job, SttJob):
            key: object = _hearing(ask.job.participant, ask.sound)
        else:
            key = ask.job.text if isinstance(ask.job, TtsJob) else None
        return key if key in self._tasks else None

    def _job(self, ask: Ask) -> LlmJob | TtsJob:
        assert not isinstance(ask.job, SttJob | ToolJob | HookJob)
        own: dict[str, Any] = {"session": self._bench.session, "deadline": _DEADLINE, "trace": None}
        if isinstance(ask.job, LlmJob):
            own["committed"] = False  # so that it calls no tool: `Piped` answers for these
        return ask.job.model_copy(update=own)

    async def _heard(self, job: SttJob, sound: Sequence[AudioRef]) -> Parts:
        """In a lane of its own: nobody waits for anybody's words but the moment that needs them."""
        self._number += 1
        name = f"ask{self._number}"
        audio = [await self._sounds.there(ref, self._rim.cuts.get(ref.key)) for ref in sound]
        update = {
            "id": SttJob.id_of(name), "utterance": name, "participant": name, "audio": audio, "replaces": None,
            "then": None, "turn": None, "session": self._bench.session, "deadline": _DEADLINE, "trace": None,
        }  # fmt: skip
        own = job.model_copy(update=update)
        await self._bench.tell([], [own])
        return await self._bench.done(own)

    # ── ahead of its moment ──────────────────────────────────────────────────────────────────────────────────────────

    def _look_ahead(self, anew: Collection[Stage]) -> None:
        """What is known to be wanted is asked for at once."""
        agent = self._rim.agent
        if "stt" in anew and not agent.turn_taking.wake:  # what is likely depends on whether it sleeps then
            for heard in self._recording.heard:
                if heard.audio and heard.captured >= self._rim.now and not self._sounds.misses(heard.audio):
                    job = SttJob.of(agent, "", 0, heard.utterance, heard.participant)
                    self._begin(_hearing(heard.participant, heard.audio), partial(self._heard, job, heard.audio))
        if "tts" in anew and "llm" not in anew:
            since = self._rim.now
            later = [answer for answer in self._recording.answers if answer.asked >= since]
            texts = {text for answer in later for _, event in answer.parts if (text := getattr(event, "text", ""))}
            for text in sorted(texts & self._recording.spoken.keys()):
                self._begin(text, partial(self._spoken, agent, text))

    def _begin(self, key: object, work: Callable[[], Awaitable[Parts]]) -> None:
        async def one() -> Parts:
            async with self._ahead:
                return await work()

        self._tasks[key] = asyncio.create_task(one())

    async def _spoken(self, agent: AgentSpec, text: str) -> Parts:
        self._number += 1
        job = TtsJob.sentence(agent, self._bench.session, 0, 0, 0, text)
        job = job.model_copy(
            update={"id": f"tts/ahead{self._number}", "turn": None, "generation": None, "deadline": _DEADLINE}
        )
        await self._bench.tell([], [job])
        return await self._bench.done(job)


def _hearing(participant: str, sound: Sequence[AudioRef]) -> tuple[str, ...]:
    return (participant, *(ref.key for ref in sound))


class _Sounds:
    """The recorded sounds, and the fork's own. `gone`: keys of those that are nowhere any more."""

    def __init__(self, source: Reading, bench: Bench, recording: Recording) -> None:
        self._source, self._bench, self._recording = source, bench, recording
        self._copies: dict[str, AudioRef] = {}
        self.gone: set[str] = set()

    def misses(self, audio: Collection[AudioRef]) -> bool:
        return any(ref.key in self.gone for ref in audio)

    async def copy(self, events: Sequence[Event]) -> None:
        """All that is heard in a log."""
        for event in events:
            for ref in event.audio if isinstance(event, UtteranceCaptured) else ():
                await self._copy(ref)

    async def _copy(self, ref: AudioRef) -> AudioRef:
        if ref.key in self.gone:
            return ref
        if ref.key not in self._copies:
            pcm = await self._source.get_blob(ref.key)
            if pcm is None:
                self.gone.add(ref.key)
                return ref
            self._copies[ref.key] = ref.model_copy(update={"key": await self._bench.share(pcm)})
        return self._copies[ref.key]

    async def there(self, ref: AudioRef, cut: Cut | None) -> AudioRef:
        """Where the pools can hear it."""
        if cut is None:
            return await self._copy(ref)
        if ref.key not in self._copies:
            pcm = await self._cut(cut)
            await self._bench.put(ref.key.rpartition("/")[2], pcm)
            self._copies[ref.key] = ref
        return ref

    async def _cut(self, cut: Cut) -> bytes:
        """Of all utterances that have a part in it; where nobody was recorded it is silent."""
        pieces = []
        for start, end in cut.spans:
            piece = np.zeros(samples([(start, end)]), np.int16)
            for heard in self._recording.heard:
                if heard.participant != cut.participant or not any(a < end and start < b for a, b in heard.spans):
                    continue
                found = [await self._source.get_blob(ref.key) for ref in heard.audio]
                pcm = np.frombuffer(b"".join(one or b"" for one in found), "<i2")
                for a, b in heard.spans:
                    mine, pcm = pcm[: samples([(a, b)])], pcm[samples([(a, b)]) :]
                    _lay(piece, mine, round((a - start) * HEARING_RATE))
            pieces.append(piece)
        return np.concatenate(pieces).astype("<i2").tobytes() if pieces else b""

    async def own(self, rim: Piped, now: Micros, *, copy: bool) -> list[Event]:
        """The fork's log as it is kept: with sounds of its own, and times as if it had ended now."""
        where: dict[str, AudioRef] = {}
        for event in rim.events:
            for ref in audio_of(event):
                if ref.key not in where:
                    where[ref.key] = await self._kept(ref, rim, copy)
        return await asyncio.to_thread(_as_kept, rim.events, Micros(now - rim.events[-1].at), where)

    async def _kept(self, ref: AudioRef, rim: Piped, copy: bool) -> AudioRef:
        if ref.key in rim.cuts:
            return await self.there(ref, rim.cuts[ref.key])
        own = f":blob:{self._bench.session}/" in ref.key or ":blob:shared/" in ref.key or ref.key[:1] != "{"
        return ref if own or not copy else await self._copy(ref)


def _as_kept(events: Sequence[Event], later: Micros, where: Mapping[str, AudioRef]) -> list[Event]:
    """`later`: µs; `where`: each sound by the key it had."""
    return [
        with_audio(event, [where[ref.key] for ref in audio_of(event)]).model_copy(
            update={"at": Micros(event.at + later)}
        )
        for event in events
    ]


def _lay(piece: Any, sound: Any, at: int) -> None:
    """`sound` into `piece`, beginning `at` samples after its beginning."""
    begin, end = max(0, at), min(len(piece), at + len(sound))
    if begin < end:
        piece[begin:end] = sound[begin - at : end - at]
