"""What the stages are asked to do. A job says what it needs, what fences it, which lane it holds and what follows it."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from schemas.audio import AudioRef
from schemas.config.agent import AgentSpec
from schemas.config.conversation import HookName
from schemas.events import Stage

HINT_DEADLINE = 1.0
"""Seconds after which nobody wants a partial any more."""


HOOK_SLACK = 3.0
"""Seconds beyond a hook's time in which a worker takes its job and answers."""
TOOLS_DEADLINE = 900.0
"""Seconds that a reply with tools may take, at the very most."""
QUEUED = 5.0
"""Seconds that a call may wait for a worker of the tools' pool, beyond its own time."""


class _Job(BaseModel):
    """What all jobs share.

    `id`: unique in its session and made of what the job is for (`stt/u3`, `llm/4.2`, `tts/4.2.0`), here and nowhere else, so
    that a repeat is seen as one, whoever enqueues it; `deadline`: seconds from being enqueued, made absolute inside the log;
    `answers`: seq of the log when it was enqueued (written by the log); `trace`: W3C traceparent.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    id: str
    session: str
    turn: int | None = None
    generation: int | None = None
    deadline: float = 30.0
    answers: int = 0
    trace: str | None = None


class LlmJob(_Job):
    """Answer `turn`: fold the log to `answers`, speak. Fence: `generation`. Lane: `llm`.

    `committed`: the turn is already the agent's, so tools may run; `resume`: this is continuation number n after a tool call.
    """

    stage: Literal["llm"] = "llm"
    turn: int
    generation: int
    committed: bool = False
    resume: int = 0

    @classmethod
    def of(
        cls, agent: AgentSpec, session: str, turn: int, generation: int, *, committed: bool, resume: int = 0
    ) -> "LlmJob":
        """The reply to `turn`, in the agent's time; that of its tools comes on top, and is the gateway's to watch."""
        tools = TOOLS_DEADLINE if committed and agent.has_tools else 0.0
        return cls(
            id=f"llm/{turn}.{generation}r{resume}" if resume else f"llm/{turn}.{generation}",
            session=session,
            turn=turn,
            generation=generation,
            deadline=agent.limits.llm_deadline + tools,
            committed=committed,
            resume=resume,
        )

    @property
    def lane(self) -> str | None:
        return "llm"


class SttJob(_Job):
    """Transcribe `utterance` of `participant`. Fence: `hear:<participant>` = utterance. Lane: `stt:<participant>`.

    `audio`: blobs in order, 16 kHz int16; `replaces`: takes that utterance's place in the lane; `then`: the LLM job to
    enqueue in the commit of a transcript that is not empty; `partial`: a hint while somebody speaks on (no lane, no fence on
    `hear`, no `then`); `language`: ISO 639-1, "" to detect; `end_of_turn`: ask the end-of-turn model too; `complete`: ask
    whether the words are complete (an older gateway does not, and could not read the answer); `keyterms`: words that are likelier
    than elsewhere, the wake phrases of an agent that sleeps; `provider`, `model`, `options`: the agent's, where it has its own.
    """

    stage: Literal["stt"] = "stt"
    utterance: str
    participant: str
    audio: list[AudioRef]
    replaces: str | None = None
    then: LlmJob | None = None
    partial: bool = False
    language: str = ""
    end_of_turn: bool = True
    complete: bool = False
    keyterms: list[str] = []
    provider: str = ""
    model: str = ""
    options: dict[str, Any] = {}

    @classmethod
    def of(
        cls, agent: AgentSpec, session: str, turn: int, utterance: str, participant: str, *,
        replaces: str | None = None, then: LlmJob | None = None, busy: bool = False, asleep: bool = False,
    ) -> "SttJob":  # fmt: skip
        """The transcript of an utterance, in the agent's language and time; without its `audio`, which is stored first. `busy`:
        the pools have no time for more than they must do; `asleep`: the agent waits for its wake phrase."""
        return cls(
            id=cls.id_of(utterance),
            session=session,
            turn=turn,
            deadline=agent.limits.stt_deadline,
            utterance=utterance,
            participant=participant,
            audio=[],
            replaces=replaces,
            then=then,
            language=agent.language,
            end_of_turn=agent.stt.end_of_turn,
            complete=agent.stt.complete and not busy,
            keyterms=agent.turn_taking.wake if asleep else [],
            provider=agent.stt.provider,
            model=agent.stt.model,
            options=agent.stt.options,
        )

    @classmethod
    def hint(cls, agent: AgentSpec, session: str, turn: int, utterance: str, participant: str, number: int) -> "SttJob":
        """Partial `number` (from 1) of an utterance that is still being spoken; without its `audio`."""
        whole = cls.of(agent, session, turn, utterance, participant)
        hint = {
            "id": f"{whole.id}.p{number}",
            "deadline": HINT_DEADLINE,
            "partial": True,
            "end_of_turn": False,
            "complete": False,
        }
        return whole.model_copy(update=hint)

    @staticmethod
    def id_of(utterance: str) -> str:
        """Of the job that transcribes it to its end."""
        return f"stt/{utterance}"

    @property
    def lane(self) -> str | None:
        return None if self.partial else f"stt:{self.participant}"


class TtsJob(_Job):
    """Speak sentence `index` of the reply of `turn`. Fence: `generation`; None for a fixed `phrase`. No lane.

    `voice`, `speed`, `provider`, `model`, `options`: from the agent spec; "" is the worker's own default. `language`: the
    agent's, ISO 639-1, "" where it detects it; a voice that has a language of its own speaks that.
    """

    stage: Literal["tts"] = "tts"
    index: int
    text: str
    voice: str = ""
    speed: float = 1.0
    language: str = ""
    provider: str = ""
    model: str = ""
    options: dict[str, Any] = {}
    phrase: str | None = None

    @classmethod
    def sentence(
        cls, agent: AgentSpec, session: str, turn: int, generation: int, index: int, text: str, trace: str | None = None
    ) -> "TtsJob":
        """Sentence `index` of the reply of `turn`, by the agent's voice, in its language and time."""
        return cls._spoken(
            agent,
            id=f"tts/{turn}.{generation}.{index}",
            session=session,
            turn=turn,
            generation=generation,
            index=index,
            text=text,
            trace=trace,
        )

    @classmethod
    def fixed(cls, agent: AgentSpec, session: str, phrase: str, text: str, voices: int = 0) -> "TtsJob":
        """A fixed phrase, which any turn of the session may play; `voices`: how often that has another one by now."""
        id = f"tts/{phrase}@{voices}" if voices else f"tts/{phrase}"
        return cls._spoken(agent, id=id, session=session, index=0, text=text, phrase=phrase)

    @classmethod
    def _spoken(cls, agent: AgentSpec, **fields: Any) -> "TtsJob":
        return cls(
            deadline=agent.limits.tts_deadline,
            voice=agent.voice.name,
            speed=agent.voice.speed,
            language=agent.language,
            provider=agent.tts.provider,
            model=agent.tts.model,
            options=agent.tts.options,
            **fields,
        )

    @property
    def lane(self) -> str | None:
        return None


class ToolJob(_Job):
    """Call a tool of the agent's, of which a tool.called tells. Fence: `generation`, for one that a barge-in cancels; else
    None, and `reply` says whose it is. No lane.

    `arguments`: as the model gave them; `timeout`: seconds.
    """

    stage: Literal["tools"] = "tools"
    turn: int
    reply: int
    call: str
    name: str
    arguments: dict[str, Any]
    timeout: float
    repeat: bool = False

    @property
    def lane(self) -> str | None:
        return None


class HookJob(_Job):
    """Call a hook of the agent's, beside the replies. No fence. Lane: `hooks`, so that they run one after another.

    `hook`, `call`: as in hook.called; `about`: what it is told: `count` (on_idle), `text`, `heard`, `interrupted`
    (on_agent_turn), `reason` (on_exit).
    """

    stage: Literal["llm"] = "llm"
    hook: HookName
    call: str
    about: dict[str, Any] = {}

    @classmethod
    def of(
        cls, agent: AgentSpec, session: str, hook: HookName, call: str, *, turn: int | None = None, **about: Any
    ) -> "HookJob":
        """In the agent's time for it, and a little for the way."""
        return cls(
            id=f"hook/{call}", session=session, turn=turn, hook=hook, call=call, about=about,
            deadline=(agent.hooks.exit if hook == "on_exit" else agent.hooks.timeout) + HOOK_SLACK,
        )  # fmt: skip

    @property
    def lane(self) -> str | None:
        return "hooks"


Job = SttJob | LlmJob | TtsJob | ToolJob | HookJob
"""By `stage`, and a HookJob, which is the LLM stage's too, by its `hook`."""

__all__ = ["HookJob", "Job", "LlmJob", "Stage", "SttJob", "ToolJob", "TtsJob"]
