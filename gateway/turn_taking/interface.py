"""What turn-taking is told and what it decides. Plain values; the machine between them is `step` (`machine.py`).

The rim (tick, rooms, log) keeps these promises, and nothing else, for `step(state, input, now) -> (state, decisions)`:

1.  `now` is one monotonic clock in seconds; it never goes back. The rim feeds a `Tick` when `now >= state.wake_at`.
2.  It carries out decisions in order. At most one `Publish` is undecided at any time (the machine waits for its
    `Published` before it emits the next), so the rim needs no queue of publications.
3.  While a sentence sounds, `Played` with its exact position is fed before any other input of the same tick, and once with
    `finished=True` when all its parts (including the last) have sounded.
4.  Each participant's stream of samples is continuous: where audio does not arrive in time, the rim fills in silence.
5.  Every event of the session's log is fed once, in order of seq, as `LogEvent`. The session's own events may be fed
    too (they are recognised by `clock`, or by being the same reply), but need not be.
6.  Everything a room says is fed as it stands: `Joined Left Typed PushToTalk Digits Attached Detached HungUp`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from gateway.inputs import Attached, Detached, Digits, HungUp, Joined, Left, PushToTalk, Typed
from schemas.audio import AudioRef
from schemas.bus import Outcome
from schemas.client import ToClient
from schemas.events import Event
from schemas.jobs import Job

EdgeKind = Literal["onset", "noise", "start", "stop"]

# ── inputs ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class SpeechEdge:
    """The speech detector's view of one participant changed.

    `onset`: a first frame that may be speech (holds a commit or a start of playback, and hushes what sounds);
    `noise`: the onset was nothing;
    `start`: it is speech, long enough to believe; or speech again shortly after a stop (then without an onset);
    `stop`: the first frame of silence after speech.
    `position`: the sample (16 kHz, from the participant's first) where the change lies: the first sample of speech for
    onset, noise and start, the end of the last frame of speech for stop. `head`: samples processed so far, so the change
    happened (head − position) / 16000 s before `now`.
    """

    participant: str
    kind: EdgeKind
    position: int
    head: int


@dataclass(frozen=True, slots=True)
class LogEvent:
    """An event of this session's log, as read back (with seq and at)."""

    event: Event


@dataclass(frozen=True, slots=True)
class Published:
    """The answer to `Publish(operation)`.

    OK and DUP: done, `seq` is the log's last then. FULL: nothing was written, and the machine publishes the facts without
    the jobs. LOST, CLOSED, MISSING: the session is not ours any more. REWOUND: see `Refold`.
    `audio`: for each `Capture` by its job's id, the whole list of blobs it became (`Capture.behind` and the new one).
    """

    operation: int
    outcome: Outcome
    seq: int = 0
    audio: Mapping[str, tuple[AudioRef, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Played:
    """Where playback of a sentence is. `position`: seconds of its sound that have left the loudspeaker (0 at its first
    sample, parts counted together); `finished`: its last part has sounded to the end."""

    turn: int
    index: int
    position: float
    finished: bool = False


@dataclass(frozen=True, slots=True)
class Queues:
    """Queued + running jobs of each stage, as the last `hold` answered (own jobs included)."""

    stt: int
    llm: int
    tts: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: `now` has reached `state.wake_at`."""


@dataclass(frozen=True, slots=True)
class Tone:
    """A pure tone of a participant's has ended. `frequency`: Hz; `duration`: seconds."""

    participant: str
    frequency: float
    duration: float


Input = (
    SpeechEdge
    | Tone
    | LogEvent
    | Published
    | Played
    | Queues
    | Tick
    | Joined
    | Left
    | Typed
    | PushToTalk
    | Digits
    | Attached
    | Detached
    | HungUp
)

# ── decisions ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Capture:
    """Audio to store before its publication is sent.

    Cut `[start, end)` of the participant's samples (clamped to what the ring has; an `end` beyond the last sample means up
    to the last), store it as one blob, and put `behind + (that blob,)` into `SttJob.audio` of the job named `job` and, unless
    `partial`, into `UtteranceCaptured.audio` of the event with `utterance` in the same publication (whose `duration` then
    becomes the sum of the blobs'). An empty cut adds no blob. `behind`: blobs stored earlier which this utterance carries again
    (those of utterance `carries`).
    """

    job: str
    utterance: str
    participant: str
    start: int
    end: int
    behind: tuple[AudioRef, ...] = ()
    partial: bool = False
    carries: str | None = None


@dataclass(frozen=True, slots=True)
class Publish:
    """One atomic publication (`schemas.bus.Publication`), to be sent now and answered with `Published`.

    `events`: in order, complete but for audio, `by` and `trace`; `ago` is as of the decision: when the rim sends later it
    adds the difference (at each re-send). `jobs`: complete but for audio and `trace`. `raises`: the generation to set.
    `close`: send with `Bus.close`: it is the session's last.
    """

    operation: int
    events: tuple[Event, ...] = ()
    jobs: tuple[Job, ...] = ()
    raises: int | None = None
    captures: tuple[Capture, ...] = ()
    close: bool = False


@dataclass(frozen=True, slots=True)
class Play:
    """Begin sentence `index` of `turn` now: its playback.started is in the log. `clips`: the parts known so far, in order; a
    further part comes as `clip.ready` (same turn, generation, index) and is played behind. `phrase`: the clips are those of
    a fixed phrase, and all of them are here."""

    turn: int
    generation: int
    index: int
    clips: tuple[AudioRef, ...]
    last: bool
    """`clips` holds the last part."""
    phrase: str | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Silence within this frame; keep the rest of the sentence from the exact sample that was heard last."""

    turn: int
    index: int


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with the paused sentence, at `position` seconds."""

    turn: int
    index: int
    position: float


@dataclass(frozen=True, slots=True)
class Stop:
    """The reply is over or void: silence now, forget the sound of `turn`."""

    turn: int


@dataclass(frozen=True, slots=True)
class NoMoreParts:
    """The remaining parts of a sentence will never come: it ends with what there is (`Played(finished=True)`)."""

    turn: int
    generation: int
    index: int


@dataclass(frozen=True, slots=True)
class Tell:
    """A message for the client: the agent's state, a sentence whose sound could not be made, an error."""

    message: ToClient


@dataclass(frozen=True, slots=True)
class End:
    """This gateway is done with the session: closed by us (`reason` as in session.ended) or not ours any more (`lost`).
    Silence at once, close the room unless lost."""

    reason: str
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Refold:
    """The log lost its tail: read it anew and go on with `rewound(state, events, now)`."""


Decision = Publish | Play | Pause | Resume | Stop | NoMoreParts | Tell | End | Refold
