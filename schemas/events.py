"""Every fact a session's log may hold: one class per event, the docstring is the protocol.

Units: durations and positions are seconds (float), `at` is Redis TIME in µs. `ago` says how long before `at` the fact
happened, by the producer's monotonic clock. Facts are small; audio is referred to, never carried.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.audio import AudioRef
from schemas.clock import Micros, Now
from schemas.config.agent import AgentSpec
from schemas.config.conversation import HookName
from schemas.stages import POOLS as POOLS
from schemas.stages import STAGES as STAGES
from schemas.stages import Stage as Stage
from schemas.stages import TransportName as TransportName


def _nothing() -> list[Any]:
    """As `list`, whose signature pydantic asks for: Python would load a parser to tell it, for milliseconds of who only looks."""
    return []


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class Cause(_Value):
    """The job this event came from, and which delivery of it (1 is the first)."""

    job: str
    attempt: int


class Word(_Value):
    """One word and when it sounds: seconds from the start of its utterance or clip."""

    text: str
    start: float
    end: float


class Viseme(_Value):
    """A mouth shape (Oculus names: sil PP FF TH DD kk CH SS nn RR aa E I O U): seconds from the start of its clip."""

    shape: str
    start: float
    end: float


class Usage(_Value):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Event(BaseModel):
    """What all events share.

    `seq`: place in the log, 1, 2, 3, … (given by the log); `at`: µs (given by the log); `ago`: seconds; `v`: version of
    this type's schema; `generation`: of the reply it belongs to; `raises`: the generation it raises the session to;
    `by`: the process; `trace`: W3C traceparent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    seq: int = 0
    at: Micros = Micros(0)
    ago: float = 0.0
    v: int = 1
    turn: int | None = None
    generation: int | None = None
    raises: int | None = None
    cause: Cause | None = None
    by: str = ""
    trace: str | None = None

    @property
    def happened(self) -> float:
        """Redis time, seconds, at which it happened."""
        return self.at / 1e6 - self.ago


class GatewayEvent(_Event):
    """A gateway's fact carries what its decision was made from, so that the log alone can take it again.

    `clock`: the decision's `now` (the gateway's monotonic seconds); `saw`: seq of the last event it had been fed;
    `inputs`: whatever else the decision used (queue depth, settings). Among those of a publication's first fact is, as `fed`,
    all that turn-taking was fed since the publication before: with that every decision can be taken again.
    """

    clock: Now | None = None
    saw: int | None = None
    inputs: dict[str, Any] | None = None


FED, BY_RULES = "fed", "rules"
"""Among `inputs`: what was fed (`gateway/turn_taking/record.py` says how); of session.started: the version of the rules that
decided the session."""

# ── the session ──────────────────────────────────────────────────────────────────────────────────────────────────────


class SessionStarted(GatewayEvent):
    """A conversation began: where, by what transport, with which agent (whole, so that the log stands alone). `warnings`: what is
    not as the agent wants it, a sentence each; `metadata`: what whoever began it wants it to be found by; `caller`: who a token
    or a line vouches for, "" nobody; `variant`: which of the agent's was chosen (docs/collecting.md), "" where it has none."""

    type: Literal["session.started"] = "session.started"
    v: int = 2
    room: str
    transport: TransportName
    agent: AgentSpec
    gateway: str
    warnings: list[str] = Field(default_factory=_nothing)
    metadata: dict[str, Any] = Field(default_factory=dict)
    caller: str = ""
    variant: str = ""


class SessionResumed(GatewayEvent):
    """Another gateway (or the same, after a loss) has the session. `positions`: playout as last held."""

    type: Literal["session.resumed"] = "session.resumed"
    gateway: str
    epoch: int
    positions: dict[str, Any] = Field(default_factory=dict)
    reason: Literal["expired", "ticket", "restart"] = "expired"


class SessionRewound(GatewayEvent):
    """The log lost its tail (failover or lost write); `after`: the last seq that survived."""

    type: Literal["session.rewound"] = "session.rewound"
    after: int


class SessionEnded(GatewayEvent):
    """The last event of a log. `reason`: hang_up, client_gone, end_requested, limit, idle (nobody said anything, and was said
    goodbye to), machine (an answering machine took our call), gateway_lost, room_closed, error."""

    type: Literal["session.ended"] = "session.ended"
    reason: str
    detail: str = ""


class ParticipantJoined(GatewayEvent):
    type: Literal["participant.joined"] = "participant.joined"
    participant: str
    kind: Literal["standard", "sip", "agent"] = "standard"
    name: str = ""
    attributes: dict[str, str] = Field(default_factory=dict)


class ParticipantChanged(GatewayEvent):
    """What is known of somebody who is there is not what it was: `attributes` are all of them now."""

    type: Literal["participant.changed"] = "participant.changed"
    participant: str
    attributes: dict[str, str] = Field(default_factory=dict)


class ParticipantLeft(GatewayEvent):
    type: Literal["participant.left"] = "participant.left"
    participant: str
    reason: str = ""


# ── hearing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class SpeechStarted(GatewayEvent):
    """VAD heard speech begin, back-dated by `ago` to its first frame. `over`: the agent was speaking."""

    type: Literal["speech.started"] = "speech.started"
    participant: str
    over: bool = False


class SpeechPaused(GatewayEvent):
    """The soft end: `silence` seconds of silence so far; `ago` points at the last speech frame's end."""

    type: Literal["speech.paused"] = "speech.paused"
    participant: str
    silence: float


class SpeechResumed(GatewayEvent):
    """Speech went on after a soft end, within the same turn."""

    type: Literal["speech.resumed"] = "speech.resumed"
    participant: str


class UtteranceCaptured(GatewayEvent):
    """What a participant said between two silences is stored; its STT job was enqueued in the same call.

    `audio`: blobs in order, 16 kHz; `replaces`: the utterance whose audio this one carries again; `joins`: those before it whose
    audio it carries, too, once a turn was taken back; `ago` points at the last speech frame's end.
    """

    type: Literal["utterance.captured"] = "utterance.captured"
    utterance: str
    participant: str
    audio: list[AudioRef]
    duration: float
    replaces: str | None = None
    joins: list[str] = Field(default_factory=_nothing)
    over: bool = False


class TranscriptPartial(_Event):
    """What has been said so far, while the speaker goes on. A hint: never part of the chat."""

    type: Literal["transcript.partial"] = "transcript.partial"
    utterance: str
    participant: str
    text: str
    language: str = ""
    took: float = 0.0
    queued: float = 0.0


class TranscriptFinal(_Event):
    """What was said. `end_of_turn`: probability 0..1 that the speaker is done, by the melody; `complete`: 0..1 that the text may
    end there, by its words; None where no model was asked. Empty text: noise."""

    type: Literal["transcript.final"] = "transcript.final"
    utterance: str
    participant: str
    text: str
    language: str = ""
    confidence: float | None = None
    words: list[Word] = Field(default_factory=_nothing)
    end_of_turn: float | None = None
    complete: float | None = None
    took: float = 0.0
    queued: float = 0.0
    model: str = ""


# ── turns ────────────────────────────────────────────────────────────────────────────────────────────────────────────

CommitReason = Literal[
    "end_of_turn",
    "silence",
    "text",
    "push_to_talk",
    "interruption",
    "greeting",
    "say",
    "fallback",
    "repeat",
    "filler",
    "tool",
    "idle",
    "goodbye",
]
"""Why: `tool`: what a tool found out has come after its turn was over, and is told."""


class TurnCommitted(GatewayEvent):
    """The floor is the agent's. `delay`: seconds since the last speech; the last one of a turn counts."""

    type: Literal["turn.committed"] = "turn.committed"
    turn: int
    why: CommitReason
    delay: float = 0.0


class TurnEnded(GatewayEvent):
    """The one end of a turn.

    `how` and `reason`: played (finished, silent: nothing was to be said) · interrupted (barge_in, say, rewound, session) ·
    dropped (noise, empty, backchannel, replaced, overload, unaddressed, asleep: without the wake phrase, cancelled: by the
    button, machine: an answering machine's, lost: speech that died with its gateway, taken_back, session) · failed (stt, llm,
    tts, gateway) · expired (stt, llm, tts).
    `session`: the session ended, in mid-reply or before it (older logs: expired). `taken_back`: the reply had hardly begun when
    the same caller went on; what was said in it belongs to turn `into`, which answers the whole. `heard`: the reply's text as the
    user heard it, to the word; `unheard`: sentences whose sound never came, sent as text instead. `inputs`, where words
    or speech over the agent decided: the words looked at, whose they were, over what, how long, and who was there.
    """

    type: Literal["turn.ended"] = "turn.ended"
    turn: int
    how: Literal["played", "interrupted", "dropped", "failed", "expired"]
    reason: str = ""
    heard: str = ""
    unheard: list[int] = Field(default_factory=_nothing)
    into: int | None = None


class MessageReceived(GatewayEvent):
    """A typed message of a participant (chat, API): answered like speech, without hearing. `note`: none of theirs, but what the
    platform tells the agent of their call: keys that were pressed, a transfer that failed. Only gateways write such."""

    type: Literal["message.received"] = "message.received"
    participant: str
    text: str
    note: bool = False


class AgentWoke(GatewayEvent):
    """The agent listens to `participant` now, who has said the wake phrase (`phrase`, as the agent has it), or pressed the button
    ("")."""

    type: Literal["agent.woke"] = "agent.woke"
    participant: str
    phrase: str = ""


class AgentSlept(GatewayEvent):
    """The agent's last answer to `participant` lies `after` seconds back: till the wake phrase it does not listen to them."""

    type: Literal["agent.slept"] = "agent.slept"
    participant: str
    after: float = 0.0


class CalleeDetected(GatewayEvent):
    """Who has taken a call of ours. `why`: words, length, tone (a machine's), short (a person's greeting), silence or bound (it
    could not be told in time); `after`: seconds since the call was taken. `inputs`: what it was decided from."""

    type: Literal["callee.detected"] = "callee.detected"
    participant: str
    callee: Literal["human", "machine", "unknown"]
    why: Literal["words", "length", "tone", "short", "silence", "bound"]
    after: float = 0.0


class DtmfReceived(GatewayEvent):
    type: Literal["dtmf.received"] = "dtmf.received"
    participant: str
    digits: str


class SayRequested(GatewayEvent):
    """Somebody asks the agent to speak `text` as it stands; `interrupt`: at once, as a barge-in; `interruptible`: false: nobody
    interrupts it, what is said or written meanwhile is answered after it; `ends`: where not empty, the session ends once it has
    been said, for this reason."""

    type: Literal["say.requested"] = "say.requested"
    text: str
    interrupt: bool = False
    request: str = ""
    interruptible: bool = True
    ends: str = ""


class InstructionsChanged(GatewayEvent):
    type: Literal["instructions.changed"] = "instructions.changed"
    instructions: str
    request: str = ""


class EndRequested(GatewayEvent):
    """The session is to end: at once, or, `said`, when the agent has said what it has to say (whoever speaks on then keeps
    it)."""

    type: Literal["end.requested"] = "end.requested"
    reason: str = ""
    request: str = ""
    said: bool = False


class ActionRequested(GatewayEvent):
    """A tool asks for something that only the gateway can do to the call: `transfer` (to, mode, announce), `dtmf` (digits),
    `hold` (on). `call`: the tool's, that asks."""

    type: Literal["action.requested"] = "action.requested"
    action: Literal["transfer", "dtmf", "hold"]
    arguments: dict[str, Any] = Field(default_factory=dict)
    call: str = ""
    request: str = ""


# ── the reply ────────────────────────────────────────────────────────────────────────────────────────────────────────


FinishReason = Literal["stop", "length", "tool", "cut", "silent"]


class ReplySentence(_Event):
    """One sentence (the first may be a clause) of the reply of `turn`, as it is to be spoken and shown."""

    type: Literal["reply.sentence"] = "reply.sentence"
    index: int
    text: str
    took: float = 0.0
    queued: float = 0.0


class ToolWanted(_Value):
    """A call that the model asked for, and nobody has begun."""

    name: str
    arguments: dict[str, Any]


class ReplyFinished(_Event):
    """All sentences are there. `reason`: stop, length, tool (goes on after the tool), cut (a resumed stream diverged), silent
    (there is nothing to say to this). `calls`: what is to be called once the turn is committed, where it was not."""

    type: Literal["reply.finished"] = "reply.finished"
    sentences: int
    reason: FinishReason = "stop"
    calls: list[ToolWanted] = Field(default_factory=_nothing)
    usage: Usage = Usage()
    time_to_first_token: float | None = None
    took: float = 0.0
    queued: float = 0.0
    model: str = ""


class ToolCalled(_Event):
    """A tool is about to be called: what has no such event was not. `call`: its id in the session; `round`: of the reply, from 1
    (calls of one round run side by side); `timeout`: seconds within which its result comes; `patience`: after which the caller
    hears a filler; `repeat`: it may be called again if a worker dies in it; `pool`: the tools' own workers run it."""

    type: Literal["tool.called"] = "tool.called"
    call: str
    name: str
    arguments: dict[str, Any]
    round: int = 0
    timeout: float = 0.0
    patience: float = 0.0
    repeat: bool = False
    pool: bool = False


class ToolReturned(_Event):
    """What came of a call: a `result`, or an `error` that the model can read (that it is not known whether it happened, among
    them). It comes once, also after a barge-in. `state`: what it changed of the session's state, None for what it removed;
    `silent`: nothing is to be said to this turn."""

    type: Literal["tool.returned"] = "tool.returned"
    call: str
    name: str
    result: str = ""
    error: str = ""
    state: dict[str, Any] = Field(default_factory=dict)
    silent: bool = False
    took: float = 0.0


class FieldCollected(_Event):
    """What the caller said for a field of the agent's. `value`: as it is kept (a date: 2026-05-03); `said`: what it was made of;
    `confirmed`: it was read back, and the caller said that it is right, or need not be. The last one of a name counts."""

    type: Literal["field.collected"] = "field.collected"
    name: str
    value: str | int | float | bool
    said: str = ""
    confirmed: bool = False


class MemoryLoaded(GatewayEvent):
    """Who the caller is, vouched for by a token or a line, and what is known of them from earlier sessions; `text` "": nothing.
    `updated_at`: µs, when that was last written."""

    type: Literal["memory.loaded"] = "memory.loaded"
    caller: str
    text: str = ""
    updated_at: Micros = Micros(0)


class ContextSummarized(_Event):
    """The LLM is given `text` from now on instead of the turns up to `through`. `tokens`: of those, by estimate."""

    type: Literal["context.summarized"] = "context.summarized"
    through: int
    text: str
    tokens: int = 0
    took: float = 0.0
    model: str = ""


# ── how the conversation goes ────────────────────────────────────────────────────────────────────────────────────────


class HookBegan(_Event):
    """A hook of the agent's `agent.py` is called. `call`: which call of it, unique in the session. What has such an event is not
    called again, whatever came of it. (One with `pure=True` has none: it only looks.)"""

    type: Literal["hook.began"] = "hook.began"
    call: str
    hook: HookName


class HookCalled(_Event):
    """What a call of a hook decided. `call`: as in hook.began.

    `decision`: "" (nothing), of on_user_turn `changed` (`text` is what the LLM is told), `vetoed` (`text`: why), `answered`
    (`text` is said, no LLM is asked); of on_tool `changed` (`arguments`), `vetoed` (`text`: what the LLM is told), `answered`
    (`text`: the result); of on_enter `greeted` (`text`: the greeting); of on_idle `said` (`text`; "": it has seen to the silence
    itself). `values`: for `{{values.NAME}}` in instructions and greeting; `state`: as in tool.returned; `error`: it failed, and
    the call went on without it.
    """

    type: Literal["hook.called"] = "hook.called"
    call: str
    hook: HookName
    decision: Literal["", "changed", "vetoed", "answered", "greeted", "said"] = ""
    text: str = ""
    arguments: dict[str, Any] | None = None
    values: dict[str, str] = Field(default_factory=dict)
    state: dict[str, Any] = Field(default_factory=dict)
    error: str = ""
    took: float = 0.0


class StepEntered(_Event):
    """The conversation is in this step of the agent's from here on: its instructions, tools, voice and LLM count. `via`: the
    tool or hook that went there."""

    type: Literal["step.entered"] = "step.entered"
    step: str
    via: str = ""


class AgentChanged(_Event):
    """Another agent has the session from here on (whole, as in session.started). `context`: it is told what was said before;
    `via`: the tool or hook that handed over."""

    type: Literal["agent.changed"] = "agent.changed"
    agent: AgentSpec
    context: bool = True
    via: str = ""


class KnowledgeFound(_Event):
    """What the LLM is given of the agent's knowledge for the turn's words: `text`, passages of `files`, "" where none fits;
    `scores`: how well the best passage of each file does (BM25: more is better). Where the agent's `knowledge.mode` is "always";
    what a model looks up by itself is a tool call."""

    type: Literal["knowledge.found"] = "knowledge.found"
    query: str
    text: str = ""
    files: list[str] = Field(default_factory=_nothing)
    scores: list[float] = Field(default_factory=_nothing)
    took: float = 0.0


class ClipReady(_Event):
    """Sound of sentence `index`, part `part` (`last`: no further part). Timings are from the start of this part.

    `phrase`: name of a fixed phrase (fallback, repeat, filler), made ahead; such a clip has no turn or generation.
    """

    type: Literal["clip.ready"] = "clip.ready"
    index: int
    part: int = 0
    last: bool = True
    audio: AudioRef
    duration: float
    text: str = ""
    words: list[Word] = Field(default_factory=_nothing)
    visemes: list[Viseme] = Field(default_factory=_nothing)
    phrase: str | None = None
    took: float = 0.0
    queued: float = 0.0
    model: str = ""


class _Playback(GatewayEvent):
    """`index`: the sentence; `position`: seconds of that sentence's sound already heard."""

    index: int
    position: float = 0.0


class PlaybackStarted(_Playback):
    """Appended before the sentence's first frame leaves: sound is at most once in the ear."""

    type: Literal["playback.started"] = "playback.started"


class PlaybackPaused(_Playback):
    type: Literal["playback.paused"] = "playback.paused"


class PlaybackResumed(_Playback):
    type: Literal["playback.resumed"] = "playback.resumed"


class PlaybackFinished(_Playback):
    type: Literal["playback.finished"] = "playback.finished"


# ── trouble ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class StageFailed(_Event):
    """A job gave up. `code`: machine-readable (timeout, bad_status, model_missing, deliveries, …); `message`: for a person.

    `job`: its id; `index`: the sentence (tts); `utterance`: (stt); `phrase`: (tts, fixed phrase).
    """

    type: Literal["stage.failed"] = "stage.failed"
    stage: Stage
    code: str
    message: str
    will_retry: bool = False
    job: str = ""
    index: int | None = None
    utterance: str | None = None
    phrase: str | None = None


class StageExpired(_Event):
    """A job's deadline passed before it ran or while it ran."""

    type: Literal["stage.expired"] = "stage.expired"
    stage: Stage
    message: str = ""
    job: str = ""
    index: int | None = None
    utterance: str | None = None
    phrase: str | None = None


StageResult = TranscriptPartial | TranscriptFinal | ReplySentence | ReplyFinished | ClipReady
"""What a stage made of a job, and the seconds it `took`, after it was `queued` for some."""

Event = Annotated[
    SessionStarted
    | SessionResumed
    | SessionRewound
    | SessionEnded
    | ParticipantJoined
    | ParticipantChanged
    | ParticipantLeft
    | SpeechStarted
    | SpeechPaused
    | SpeechResumed
    | UtteranceCaptured
    | TranscriptPartial
    | TranscriptFinal
    | TurnCommitted
    | TurnEnded
    | MessageReceived
    | DtmfReceived
    | AgentWoke
    | AgentSlept
    | CalleeDetected
    | SayRequested
    | InstructionsChanged
    | EndRequested
    | ActionRequested
    | ReplySentence
    | ReplyFinished
    | ToolCalled
    | ToolReturned
    | FieldCollected
    | MemoryLoaded
    | ContextSummarized
    | HookBegan
    | HookCalled
    | StepEntered
    | AgentChanged
    | KnowledgeFound
    | ClipReady
    | PlaybackStarted
    | PlaybackPaused
    | PlaybackResumed
    | PlaybackFinished
    | StageFailed
    | StageExpired,
    Field(discriminator="type"),
]


def audio_of(event: Event) -> Sequence[AudioRef]:
    """The sounds an event refers to."""
    if isinstance(event, UtteranceCaptured):
        return event.audio
    return (event.audio,) if isinstance(event, ClipReady) else ()


def with_audio(event: Event, audio: Sequence[AudioRef]) -> Event:
    """The same event, its sounds elsewhere: one for each of `audio_of`."""
    if isinstance(event, UtteranceCaptured):
        return event.model_copy(update={"audio": list(audio)})
    return event.model_copy(update={"audio": audio[0]}) if isinstance(event, ClipReady) else event
