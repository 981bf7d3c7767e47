"""What turn-taking knows: a few small sum types instead of flags. All values are frozen but `State`, which `step` forks.

Two clocks (`schemas/clock.py`). `Now` is the gateway's. `TurnTime` is that less the time during which nobody was there to
hear: it stands still while no client is attached, and so do all timers of turns.

What a fact of the log changes here stands in `facts.py`, and there only.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from operator import attrgetter
from typing import Any, Literal

from gateway.turn_taking.interface import Capture
from gateway.turn_taking.moments import AT_FIRST, LONG_AGO, NO_TIMER
from gateway.turn_taking.people import Person, Silent
from schemas.audio import AudioRef
from schemas.clock import Micros, Now, TurnTime
from schemas.config import values
from schemas.config.agent import AgentSpec
from schemas.events import CommitReason, Event, FinishReason, Word
from schemas.jobs import Job

# ── turns ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Utterance:
    """Captured. `text`: None until its transcript is there; `failed`: it will never be; `end`: the sample after its last
    (None after a take-over, or once they left: another stream of samples); `duration`: seconds; `asked`: turn time; `before`:
    words of what it carries, as far as they were transcribed."""

    id: str
    participant: str
    end: int | None
    duration: float
    asked: TurnTime
    text: str | None = None
    end_of_turn: float | None = None
    complete: float | None = None
    failed: Literal["failed", "expired"] | None = None
    before: str = ""

    @property
    def words(self) -> str:
        """What is known to have been said, by now."""
        return self.before if self.text is None else self.text

    @property
    def waiting(self) -> bool:
        return self.text is None and self.failed is None


@dataclass(frozen=True, slots=True)
class Clip:
    audio: AudioRef
    duration: float
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True)
class Sentence:
    """`clips`: its parts so far; `complete`: the last one is there, or a stage says that none will follow; `failed`: no sound at
    all, says a stage, or it was passed over; `overdue`: by our own clock no part is waited for any more, which no log holds;
    `at`: turn time of the last news; `heard`: seconds of it that sounded, None before playback.started; `ended`: it is over.

    Playback keeps its parts, too (`sound.playback.Sound`): it fetches each as it is ready, so that none is on its way when it is
    to sound. Here stands what is decided by, there the sound itself; a clip's key joins them."""

    text: str
    at: TurnTime
    clips: tuple[Clip, ...] = ()
    complete: bool = False
    failed: bool = False
    overdue: bool = False
    heard: float | None = None
    ended: bool = False
    phrase: str | None = None

    @property
    def settled(self) -> bool:
        """No further part is waited for."""
        return self.complete or self.failed or self.overdue

    @property
    def silent(self) -> bool:
        """There is no sound of it, and none is waited for."""
        return self.failed or (self.overdue and not self.clips)

    @property
    def duration(self) -> float:
        return sum(clip.duration for clip in self.clips)


@dataclass(frozen=True, slots=True)
class Reply:
    """What answers a turn, or may: from the moment an LLM job (or the `then` of an STT job) names its generation.

    `asked`: turn time of the last news from the LLM; `finished`: as in reply.finished; `failed`: the LLM gave up;
    `resumes`: continuations after tools so far; `tools`: one was called.
    """

    generation: int
    asked: TurnTime
    sentences: tuple[Sentence, ...] = ()
    finished: FinishReason | None = None
    failed: Literal["failed", "expired"] | None = None
    resumes: int = 0
    tools: bool = False

    @property
    def complete(self) -> bool:
        """No further sentence will come."""
        return self.failed is not None or self.finished not in (None, "tool")

    def next_index(self) -> int:
        """Of the first sentence that is not over."""
        return next((i for i, sentence in enumerate(self.sentences) if not sentence.ended), len(self.sentences))

    def with_sentence(self, index: int, sentence: Sentence) -> "Reply":
        if index >= len(self.sentences):
            return replace(self, sentences=(*self.sentences, sentence))
        return replace(self, sentences=(*self.sentences[:index], sentence, *self.sentences[index + 1 :]))


@dataclass(frozen=True, slots=True)
class UsersFloor:
    """The floor is the users'."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The floor is the agent's, but nothing was played: the user may take it back."""

    why: CommitReason


@dataclass(frozen=True, slots=True)
class Playing:
    """Its first playback.started was sent: speech from now on is speech over the agent, which takes the turn back in its first
    moments (`regret.py`), and interrupts after them."""

    why: CommitReason


TurnPhase = UsersFloor | Committed | Playing


@dataclass(frozen=True, slots=True)
class Own:
    """What the agent says of its own accord. `why`: of its turn; `phrase`: a fixed phrase whose clips are used; `interrupt`:
    at once; `interruptible`: false: nobody interrupts it, nor is it dismissed before its first frame; `ends`: the session does,
    for this reason, once it has been said.

    It waits in `State.wanted` (`facts.want`) until the floor is free. `replying.open_own` opens and commits a turn of its own
    with its sentences in one publication, and the fact of that commit takes it out of the queue: by its reason alone, of
    several the one said next (`facts.next_wanted`), so that who folds the log takes out the same. Before its first frame it
    gives way to whoever speaks or writes (`Draft.dismiss_own`). As its turn ends unheard, what somebody asked to be said goes
    back to the front of the queue, and after a take-over or a lost tail the agent's other words do, too
    (`facts._turn_ended`)."""

    why: Literal["greeting", "say", "fallback", "repeat", "filler", "idle", "goodbye"]
    text: str
    phrase: str | None = None
    interrupt: bool = False
    interruptible: bool = True
    ends: str = ""


def phrase(agent: AgentSpec, name: Literal["fallback", "repeat", "filler"]) -> Own:
    """A fixed phrase of the agent, as something it wants to say."""
    texts = {"fallback": agent.fallback, "repeat": agent.repeat, "filler": agent.filler}
    return Own(name, texts[name], phrase=name)


def greeting(agent: AgentSpec, text: str) -> Own:
    """`text`: as it is said here and now (`State.greeting`)."""
    return Own("greeting", text, interruptible=agent.greeting_interruptible)


def idle_question(agent: AgentSpec) -> Own:
    """Asked when nobody says anything."""
    return Own("idle", agent.idle.say)


def farewell(agent: AgentSpec) -> Own:
    """Said when nobody answered that."""
    return Own("goodbye", agent.idle.goodbye, ends="idle")


@dataclass(frozen=True, slots=True)
class Letter:
    """A typed message that no turn has taken up: it came by the API while nobody was there to hear the answer."""

    participant: str
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that works. `since`: turn time; `timeout`: seconds within which it returns; `patience`: after which a filler is said
    (0: never); `pool`: no LLM waits for it; `soon`: it has just begun, and an answer had better wait for it."""

    turn: int
    generation: int
    since: TurnTime
    timeout: float
    patience: float
    pool: bool
    soon: bool = True


@dataclass(frozen=True, slots=True)
class Turn:
    """An open turn. `over`: spoken over the agent, and no log says yet that it takes the floor; `decided`: it does, by what no
    log holds (interim words, speech without a pause, a button; its next utterance tells); `late`: it began when the agent had
    all but finished; `during`: the turn and sentence that was being said when it began; `since`: who began it over the answer
    to themselves, and for how many seconds they had been silent; `asked`: the question it was said over, once the agent is
    done; `sure`: commit without waiting, for this reason; `touched`: turn time of its last progress; `spoken`: turn time at
    which speech last ended; `letters`: typed messages it has; `own`: the agent's own initiative; `committed`: turn time at
    which the floor last became the agent's; `bridged`: the wait for its answer has been."""

    id: int
    touched: TurnTime
    phase: TurnPhase = UsersFloor()
    over: bool = False
    decided: bool = False
    late: bool = False
    during: tuple[int, int] | None = None
    since: tuple[str, float] | None = None
    asked: str = ""
    utterances: tuple[Utterance, ...] = ()
    typed: bool = False
    letters: int = 0
    sure: CommitReason | None = None
    spoken: TurnTime = LONG_AGO
    reply: Reply | None = None
    own: Own | None = None
    committed: TurnTime = LONG_AGO
    bridged: bool = False

    @property
    def undecided(self) -> bool:
        """Spoken over the agent, and whether that interrupts is open."""
        return self.over and not self.decided

    @property
    def waiting(self) -> bool:
        """A transcript is still to come."""
        return any(utterance.waiting for utterance in self.utterances)

    @property
    def text(self) -> str:
        return " ".join(utterance.words for utterance in self.utterances if utterance.words and not utterance.waiting)

    @property
    def speakers(self) -> tuple[str, ...]:
        """Whose words these are."""
        return tuple(utterance.participant for utterance in self.utterances if utterance.words)

    @property
    def last_words(self) -> Utterance | None:
        return next((utterance for utterance in reversed(self.utterances) if utterance.words), None)

    @property
    def failed(self) -> Literal["failed", "expired"] | None:
        """How the first transcript that will never come was lost."""
        return next((utterance.failed for utterance in self.utterances if utterance.failed), None)

    @property
    def has_floor(self) -> bool:
        """The agent's reply is under way, as far as the users are concerned."""
        return not isinstance(self.phase, UsersFloor)

    def with_utterance(self, utterance: Utterance) -> "Turn":
        return replace(self, utterances=tuple(utterance if u.id == utterance.id else u for u in self.utterances))


# ── playback and publishing ──────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class PlaybackState:
    """The one sentence that is being played. `starting`: its playback.started is on the way; `sounding`; `hushed`: silent since
    a frame that may be speech, which the log need not know unless it is; `held`: paused (`begun`: the rim has been told to
    play it)."""

    turn: int
    generation: int
    index: int
    mode: Literal["starting", "sounding", "hushed", "held"] = "starting"
    position: float = 0.0
    begun: bool = False


@dataclass(frozen=True, slots=True)
class Bundle:
    """A publication to be. `made`: the `now` of its first fact; `starts`: holds a playback.started; `closes`: reason of the
    session's end."""

    made: Now
    events: tuple[Event, ...] = ()
    jobs: tuple[Job, ...] = ()
    raises: int | None = None
    captures: tuple[Capture, ...] = ()
    starts: bool = False
    closes: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """A bundle in flight, or lately answered (then `seq` is the log's last after it)."""

    operation: int
    bundle: Bundle
    seq: int = 0
    answered: Now = AT_FIRST


@dataclass(frozen=True, slots=True)
class Exiting:
    """The session ends for this reason, once on_exit has been called, and not later than `until`."""

    reason: str
    detail: str
    until: Now


@dataclass(frozen=True, slots=True)
class IdleAsked:
    """on_idle was asked of the silence that began at `since`, by this `call`; it is waited for until then (turn time)."""

    call: str
    since: TurnTime
    until: TurnTime


@dataclass(frozen=True, slots=True)
class Phrase:
    """A fixed phrase, made before it is needed."""

    clips: tuple[Clip, ...] = ()
    complete: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """What the pools had to do when last asked, as far as it matters. `idle`: nothing for others; `stt_free`: no transcript of
    others to make; `short`: fewer replies to make than `speculate_below`."""

    idle: bool = True
    stt_free: bool = True
    short: bool = True


@dataclass(slots=True)
class State:
    """A value: `step` answers a new one and never changes the old. What the rim may read of it stands first."""

    session: str
    agent: AgentSpec
    opened: Now
    """`now` of the session's opening."""
    began: Micros = Micros(0)
    """The same by the log's time."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Of the call: some may be told."""
    wake_at: Now = NO_TIMER
    """When `now` reaches this, feed a `Tick` (inf: no timer)."""
    generation: int = 0
    """The highest one raised, published or about to be."""
    closed: bool = False
    """Nothing is decided any more."""
    saw: int = 0
    """Seq of the last event fed."""
    playback: PlaybackState | None = None

    people: dict[str, Person] = field(default_factory=dict)
    turns: dict[int, Turn] = field(default_factory=dict)
    """Open ones, in order."""
    next_turn: int = 1
    next_utterance: int = 1
    wanted: tuple[Own, ...] = ()
    """What the agent will say by itself when the floor is free."""
    crowded_until: TurnTime = LONG_AGO
    """There was no room for what the agent wanted to say: till then only what has its sound already is tried."""
    crowded_for: float = 0.0
    """Seconds of that pause, which grows while there is none."""
    letters: tuple[Letter, ...] = ()
    asked: str = ""
    """What the agent asked last, of what was heard: "" where its last words were no question."""
    collected: Mapping[str, bool] = field(default_factory=dict)
    """Fields that were noted, and whether they are confirmed."""
    greeted: bool = False
    """The greeting had its turn."""
    end_requested: str | None = None
    """Somebody asked for the session's end, with this reason."""
    leaving: str = ""
    """The agent's last words were said: the session ends, for this reason."""
    questions: int = 0
    """Heard since the last word, key or message: whether somebody is there (`idle.py`)."""
    silent: TurnTime = LONG_AGO
    """Turn time since which nothing has gone on."""
    callee: Literal["human", "machine", "unknown"] | None = None
    """Who has taken a call of ours; None while that is not known, or nobody asks (`callee.py`)."""
    first_word: TurnTime = LONG_AGO
    """Turn time at which somebody first spoke in the users' turn of then."""
    tone: TurnTime = LONG_AGO
    """Turn time at which the last tone of a machine ended."""
    left_message: bool = False
    """The message for the machine was asked for."""
    ending: str | None = None
    """It is to end, for this reason, once the agent has said what it has to say."""
    calls: dict[str, Call] = field(default_factory=dict)
    """Tools that have not returned, by the call's id, whatever has become of their turns."""
    untold: bool = False
    """One has returned after its turn was over, and nobody has told the caller what it found out."""
    met: bool = False
    """Somebody has been there."""
    entering: Now | None = None
    """Until when on_enter is waited for, once it was asked."""
    entered: bool = False
    """It was called, or is no longer waited for."""
    exiting: Exiting | None = None
    """Nobody is answered any more: on_exit is waited for."""
    exited: bool = False
    """on_exit was called."""
    idle_asked: IdleAsked | None = None
    """on_idle, since the last word, key or message."""
    idles: int = 0
    """How often it was asked at all."""
    given: Mapping[str, str] = field(default_factory=dict)
    """By hooks, for `{{values.NAME}}`."""
    agents: int = 0
    """How often another agent took over."""
    deaf: bool = False
    """The last utterance that was to be transcribed never was."""
    phrases: dict[str, Phrase] = field(default_factory=dict)
    """Of which the log tells."""
    phrases_asked: frozenset[str] = frozenset()
    voices: int = 0
    """How often there were others to be made: another voice, or another agent."""
    phrases_after: TurnTime = LONG_AGO
    """None is asked for before."""
    load: Load = field(default_factory=Load)
    away_since: Now | None = None
    """`now` since which no client hears; None while one does."""
    held: bool = False
    """On hold: away on purpose."""
    stood: float = 0.0
    """Seconds of all such times that are over."""
    active: Now = AT_FIRST
    """`now` of the last sign of life (speech, text, playback)."""
    shown: str = ""
    """The state last told to the client."""
    stored: dict[str, tuple[AudioRef, ...]] = field(default_factory=dict)
    """Blobs of the utterances of open turns."""
    operation: int = 0
    outbox: tuple[Bundle, ...] = ()
    flight: Sent | None = None
    lately: tuple[Sent, ...] = ()
    """Answered in the last 5 s: what a log that lost its tail may lack."""

    def fork(self) -> "State":
        """A twin to work on."""
        twin = self._twin()
        twin.people, twin.turns = dict(self.people), dict(self.turns)
        twin.phrases, twin.stored, twin.calls = dict(self.phrases), dict(self.stored), dict(self.calls)
        return twin

    def at(self, position: float, now: Now) -> "State":
        """The same, only that playback has come to `position`."""
        assert self.playback is not None
        twin = self._twin()  # shares what neither changes
        twin.playback = replace(self.playback, position=max(self.playback.position, position))
        twin.active = now
        return twin

    def after(self, seq: int) -> "State":
        """The same, only that event `seq`, in which there was no news, has been seen."""
        twin = self._twin()
        twin.saw = max(self.saw, seq)
        return twin

    def _twin(self) -> "State":
        return State(*_values(self))

    def positions(self) -> dict[str, Any]:
        """For `hold`: where playback is as last fed, `{"turn": 4, "index": 1, "position": 0.64}`, or `{}`."""
        if self.playback is None or not self.playback.begun:
            return {}
        return {"turn": self.playback.turn, "index": self.playback.index, "position": round(self.playback.position, 3)}

    def turn_time(self, now: Now) -> TurnTime:
        return TurnTime((now if self.away_since is None else self.away_since) - self.stood)

    def now_of(self, moment: TurnTime) -> Now:
        """When a moment of turn time comes, should nobody go."""
        return Now(moment - TurnTime(0.0) + self.stood)

    @property
    def enters(self) -> bool:
        """What on_enter says of the greeting and the instructions is still to come."""
        return not self.entered and not self.agents and "on_enter" in self.agent.hooked

    @property
    def humans(self) -> int:
        return sum(person.human for person in self.people.values())

    @property
    def greeting(self) -> str:
        """As it is said here and now, to whom the session is for."""
        person = self.people.get(self.linked or "")
        known = values.Known(
            began=self.began,
            timezone=self.agent.timezone,
            name=person.shown if person else "",
            kind=person.kind if person else "",
            attributes=person.attributes if person else {},
            metadata=self.metadata,
            attributes_allowed=tuple(self.agent.prompt_attributes),
            metadata_allowed=tuple(self.agent.prompt_metadata),
            given=self.given,
        )
        return values.filled(self.agent.greeting, known)

    @property
    def linked(self) -> str | None:
        """The participant this session is for: the first human who joined and is still there."""
        return next((person.name for person in self.people.values() if person.human), None)

    @property
    def called(self) -> Person | None:
        """Whom we have called, where it matters who answers."""
        if self.agent.phone.machine == "off":
            return None
        phones = (person for person in self.people.values() if person.kind == "sip")
        return next((one for one in phones if OUTBOUND & one.attributes.items()), None)

    @property
    def holds_back(self) -> bool:
        """Nobody is answered: who has taken our call is not known yet, or is a machine."""
        return self.callee == "machine" or (self.callee is None and self.called is not None)

    def by_button(self, person: Person) -> bool:
        """Whether their turns begin and end by a button alone. Phones have none."""
        return self.agent.turn_taking.mode == "push_to_talk" and person.kind != "sip"

    def listens_to(self, turn: Turn) -> bool:
        """The agent need not be woken by what is said in this turn."""
        if not self.agent.turn_taking.wake:
            return True
        names = {utterance.participant for utterance in turn.utterances}
        return any(
            person.awake and (person.name in names or (person.speech is not None and person.speech.turn == turn.id))
            for person in self.people.values()
        )

    @property
    def somebody_speaks(self) -> bool:
        """Or may be about to, or holds the floor by a button."""
        return any(person.pressed or not isinstance(person.voice, Silent) for person in self.people.values())

    def speaks_in(self, turn: Turn) -> bool:
        """Somebody's speech of this turn is not captured yet."""
        return any(person.speech is not None and person.speech.turn == turn.id for person in self.people.values())

    @property
    def users_turn(self) -> Turn | None:
        """The turn that speech belongs to now: the users' own, as long as nothing of its reply was played."""
        turns = [turn for turn in self.turns.values() if turn.own is None and not isinstance(turn.phase, Playing)]
        return turns[-1] if turns else None

    def other_replies(self, turn: Turn) -> bool:
        """The agent's floor is taken by another turn."""
        return any(other.has_floor and other.id != turn.id for other in self.turns.values())

    def waits_for_a_client(self, turn: Turn) -> bool:
        """Something of it is written, and nobody is there to hear an answer: till then more may be written."""
        return turn.typed and self.away_since is not None

    def is_addressed(self, turn: Turn) -> bool:
        """Whether the agent is meant: always with one human, else as `answer` says; and it is awake for them."""
        if turn.typed:
            return True
        meant = addressed(self.agent, turn.text, turn.speakers, self.humans, self.linked)
        return meant and self.listens_to(turn)

    @property
    def playing(self) -> Turn | None:
        """The turn whose reply the users are hearing."""
        return next((turn for turn in self.turns.values() if isinstance(turn.phase, Playing)), None)

    @property
    def protected(self) -> Turn | None:
        """What the agent says, or is about to, and nobody interrupts."""
        own = (turn for turn in self.turns.values() if turn.own is not None and not turn.own.interruptible)
        return next((turn for turn in own if turn.has_floor), None)

    @property
    def may_interrupt(self) -> bool:
        """Whoever speaks over the agent may."""
        return self.agent.turn_taking.barge_in and self.protected is None

    def as_heard(self, turn: Turn) -> Turn:
        """`turn`, with what of its reply has sounded by now."""
        playback = self.playback
        if playback is None or playback.turn != turn.id or turn.reply is None or not playback.begun:
            return turn
        sentence = replace(turn.reply.sentences[playback.index], heard=playback.position)
        return replace(turn, reply=turn.reply.with_sentence(playback.index, sentence))

    @property
    def filler(self) -> Turn | None:
        """What bridges the wait for the answer to another turn."""
        return next((turn for turn in self.turns.values() if turn.own is not None and turn.own.why == "filler"), None)

    @property
    def replying(self) -> Turn | None:
        """The turn in which the floor is the agent's: what bridges the wait for another comes first."""
        return self.filler or next((turn for turn in self.turns.values() if turn.has_floor), None)


OUTBOUND = {("sip.direction", "outbound"), ("antiphon.direction", "outbound")}
"""Attributes of a phone that we called: by our own SIP, or by LiveKit's bridge."""


def addressed(agent: AgentSpec, text: str, speakers: Collection[str], humans: int, linked: str | None) -> bool:
    """Whether words are meant for the agent. `speakers`: whose; `humans`: in the room; `linked`: for whom the session is."""
    answer = agent.turn_taking.answer
    if humans <= 1 or answer == "anyone":
        return True
    return linked in speakers if answer == "linked" else agent.name.casefold() in text.casefold()


_values: Callable[[State], tuple[Any, ...]] = attrgetter(*(slot.name for slot in fields(State)))
