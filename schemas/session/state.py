"""What a session's log amounts to: frozen values, shared between one state and the next.

Times ending in `_at` and all bare moments are Redis time in µs; durations and positions are seconds. A turn keeps what its
waterfall and the chat need after it has ended; references to its audio go with its end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from schemas.audio import AudioRef
from schemas.clock import Micros
from schemas.config.agent import AgentSpec
from schemas.events import CommitReason, FinishReason, Stage, Word
from schemas.session.row import How as How
from schemas.session.row import Participant as Participant

Floor = Literal["user", "agent", "none"]
Lost = Literal["failed", "expired"]

OWN: frozenset[CommitReason] = frozenset({"greeting", "say", "fallback", "repeat", "filler", "idle", "goodbye"})
"""Why a turn without an utterance was committed: the agent speaks of its own accord."""

HANDOVER_SPAN = 60_000_000
"""µs of which hand-overs are counted."""
TAKEN_BACK = "taken_back"
"""The reason of such a turn's end."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """A standing utterance (replaced ones are gone). `spoken_at`: end of its last speech frame; `captured_at`: its STT job was
    enqueued; `text`: None until transcribed; `transcribed_at` with `took` and `queued` of that job; `lost`: no transcript
    will come; `audio` is empty once its turn has ended; `before`: words of what it carries, which stand for it while it has
    none."""

    id: str
    participant: str
    spoken_at: Micros
    captured_at: Micros
    duration: float
    audio: tuple[AudioRef, ...] = ()
    over: bool = False
    text: str | None = None
    end_of_turn: float | None = None
    transcribed_at: Micros | None = None
    took: float = 0.0
    queued: float = 0.0
    lost: Lost | None = None
    before: str = ""

    @property
    def words(self) -> str:
        """What is known to have been said."""
        return self.before if self.text is None else self.text


@dataclass(frozen=True, slots=True)
class Letter:
    """A typed message. `note`: what the platform tells the agent, and nobody wrote."""

    participant: str
    text: str
    at: Micros
    seq: int
    note: bool = False


@dataclass(frozen=True, slots=True)
class Clip:
    """One part of a sentence's sound."""

    part: int
    last: bool
    audio: AudioRef
    duration: float
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Sentence:
    """`job`: id of the LLM job that said it ("" for the gateway's own); `clip_at`: its first sound was ready, with
    `clip_took` and `clip_queued` of that TTS job; `complete`: all parts are there; `started_at`: its playback began;
    `heard`: seconds of it that sounded, as far as the log tells; `clips` is empty once its turn has ended."""

    index: int
    text: str
    job: str
    at: Micros
    took: float = 0.0
    queued: float = 0.0
    clips: tuple[Clip, ...] = ()
    duration: float = 0.0
    complete: bool = False
    clip_at: Micros | None = None
    clip_took: float = 0.0
    clip_queued: float = 0.0
    lost: Lost | None = None
    started_at: Micros | None = None
    paused: bool = False
    heard: float = 0.0
    finished: bool = False

    @property
    def has_sound(self) -> bool:
        """Whether any came, of which nothing may be left."""
        return self.clip_at is not None or self.duration > 0


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool call within a reply. `after`: sentences said before it, `until`: before its result; `round`: those of one ran side
    by side; `returned`: result or error is there."""

    call: str
    name: str
    arguments: Mapping[str, Any]
    after: int
    job: str = ""
    returned: bool = False
    result: str = ""
    error: str = ""
    round: int = 0
    until: int = 0
    repeat: bool = False
    pool: bool = False
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Hooked:
    """What a hook decided: as in hook.called. `over`: it did; else it has begun."""

    hook: str
    decision: str = ""
    text: str = ""
    arguments: Mapping[str, Any] | None = None
    error: str = ""
    over: bool = True


@dataclass(frozen=True, slots=True)
class Wanted:
    """A call that waits for its turn to be committed."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply of a turn, in the generation that stands. `wanted`: what it is to call next; `told`: what a hook made of the
    users' words: that is what the LLM is told ("": nothing)."""

    generation: int
    sentences: Mapping[int, Sentence] = field(default_factory=dict)
    tools: tuple[Tool, ...] = ()
    finished: FinishReason | None = None
    model: str = ""
    time_to_first_token: float | None = None
    wanted: tuple[Wanted, ...] = ()
    told: str | None = None

    def said_by(self, job: str) -> list[Sentence]:
        """What a job has committed already, in order: a redelivered one goes on after it."""
        return [sentence for _, sentence in sorted(self.sentences.items()) if sentence.job == job]


@dataclass(frozen=True, slots=True)
class Commit:
    why: CommitReason
    at: Micros
    delay: float


@dataclass(frozen=True, slots=True)
class TurnEnd:
    how: How
    reason: str
    heard: str
    unheard: tuple[int, ...]
    at: Micros


@dataclass(frozen=True, slots=True)
class Failure:
    stage: Stage
    code: str
    message: str
    will_retry: bool


@dataclass(frozen=True, slots=True)
class Say:
    """Text somebody asked the agent to speak."""

    text: str
    interrupt: bool = False
    request: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What of the agent's knowledge fits the words `query`."""

    query: str
    text: str


@dataclass(frozen=True, slots=True)
class Turn:
    """`partials`: by participant, what is being said and not captured yet; `commit`: None again when the turn is reopened;
    `say`: the request it speaks; `tools`: what replies have called that nobody will hear: what was done was done; `known`: what
    the LLM is given to answer it, None again once it has ended."""

    id: int
    opened_at: Micros
    utterances: tuple[Utterance, ...] = ()
    letters: tuple[Letter, ...] = ()
    partials: Mapping[str, str] = field(default_factory=dict)
    commit: Commit | None = None
    reply: Reply | None = None
    say: Say | None = None
    failures: tuple[Failure, ...] = ()
    end: TurnEnd | None = None
    tools: tuple[Tool, ...] = ()
    known: Known | None = None

    @property
    def calls(self) -> tuple[Tool, ...]:
        """All that was called in it, by whichever reply."""
        return (*self.tools, *self.reply.tools) if self.reply is not None else self.tools

    @property
    def own(self) -> bool:
        """The agent speaks of its own accord: greeting, say, fallback, repeat."""
        return self.commit is not None and self.commit.why in OWN

    @property
    def taken_back(self) -> bool:
        """Its reply had hardly begun when the same caller went on: another turn has what was said in it, and answers it."""
        return self.end is not None and self.end.reason == TAKEN_BACK

    @property
    def text(self) -> str:
        """What the users said and typed, joined."""
        said = [utterance.words for utterance in self.utterances if utterance.words]
        return " ".join(said + [letter.text for letter in self.letters])

    @property
    def words(self) -> str:
        """The same without what the platform notes."""
        said = [utterance.words for utterance in self.utterances if utterance.words]
        return " ".join(said + [letter.text for letter in self.letters if not letter.note])

    @property
    def started_at(self) -> Micros | None:
        """Its first sound."""
        starts = [s.started_at for s in self.reply.sentences.values() if s.started_at] if self.reply else []
        return min(starts, default=None)

    @property
    def heard(self) -> str:
        """The reply as it was heard: to the word once the turn has ended, until then by whole sentences."""
        if self.end is not None:
            return self.end.heard
        sentences = self.reply.sentences.values() if self.reply else ()
        return " ".join(sentence.text for sentence in sentences if sentence.finished)


@dataclass(frozen=True, slots=True)
class Phrase:
    """A fixed phrase (fallback, repeat, filler), made ahead."""

    clips: tuple[Clip, ...] = ()
    complete: bool = False
    lost: Lost | None = None


@dataclass(frozen=True, slots=True)
class Collected:
    """A field's value. `turn`: in which it was noted last."""

    value: str | int | float | bool
    said: str
    confirmed: bool
    turn: int
    at: Micros


@dataclass(frozen=True, slots=True)
class Memory:
    """What is known of the caller from earlier sessions."""

    caller: str
    text: str
    updated_at: Micros


@dataclass(frozen=True, slots=True)
class Earlier:
    """What stands for the turns up to `through`."""

    through: int
    text: str


@dataclass(frozen=True, slots=True)
class Totals:
    """What a session used. Seconds: `speech` sent to STT, `sound` made by TTS."""

    turns: int = 0
    interrupted: int = 0
    transcripts: int = 0
    speech: float = 0.0
    replies: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    clips: int = 0
    sound: float = 0.0
    characters: int = 0
    failures: int = 0


_AGENT = AgentSpec()
"""Until the session has begun; the same for all."""


@dataclass(frozen=True, slots=True)
class SessionState:
    """A session after event `seq`. `at`: that event's; `turns`: the open ones and the last ended ones, in order
    (`agent.limits.history_turns` of those that count in the chat); `letters`: typed messages no turn has taken up yet; `says`:
    what the agent was asked to say and hasn't begun; `data`: what its tools remember; `end_requested`: somebody asked for
    the end, with this reason; `caller`: who a token or a line vouches for; `fields`: what was collected, by name; `earlier`: a
    summary in place of older turns; `agent`: as it is in its present step; `hooks`: what the latest calls of hooks decided;
    `values`: what hooks gave for the instructions; `entered`: on_enter of this agent was called; `handovers`: of the last minute;
    `agents`: how often another one took over; `chat_from`: turns before this one are nothing to the agent."""

    seq: int = 0
    at: Micros = Micros(0)
    agent: AgentSpec = field(default_factory=lambda: _AGENT)
    instructions: str = ""
    room: str = ""
    transport: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    gateway: str = ""
    epoch: int = 1
    started_at: Micros = Micros(0)
    generation: int = 0
    participants: Mapping[str, Participant] = field(default_factory=dict)
    turns: Mapping[int, Turn] = field(default_factory=dict)
    letters: tuple[Letter, ...] = ()
    says: tuple[Say, ...] = ()
    phrases: Mapping[str, Phrase] = field(default_factory=dict)
    greeted: bool = False
    totals: Totals = field(default_factory=Totals)
    digits: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    hooks: Mapping[str, Hooked] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    entered: bool = False
    handovers: tuple[Micros, ...] = ()
    agents: int = 0
    chat_from: int = 0
    end_requested: str | None = None
    ended: str | None = None
    ended_at: Micros | None = None
    caller: str = ""
    variant: str = ""
    fields: Mapping[str, Collected] = field(default_factory=dict)
    memory: Memory | None = None
    earlier: Earlier | None = None

    @property
    def duration(self) -> float:
        """Seconds, up to its end or its last event."""
        return max(0, (self.ended_at or self.at) - self.started_at) / 1e6

    @property
    def current(self) -> Turn | None:
        """The latest open turn."""
        return next((turn for turn in reversed(tuple(self.turns.values())) if turn.end is None), None)

    @property
    def floor(self) -> Floor:
        """Whose turn it is: the agent's from a commit to the turn's end, the users' while they speak or wait to be heard."""
        open_turns = [turn for turn in self.turns.values() if turn.end is None]
        if any(turn.commit is not None for turn in open_turns):
            return "agent"
        return "user" if open_turns else "none"
