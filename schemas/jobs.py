"""What the stages are asked to do. A job says what it needs, what fences it, which lane it holds and what follows it."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from schemas.audio import AudioRef
from schemas.config.agent import AgentSpec
from schemas.events import Stage


class _Job(BaseModel):
    """What all jobs share.

    `id`: unique in its session and chosen by whoever enqueues it (`stt/u3`, `llm/4.2`, `tts/4.2.0`), so that a repeat is
    seen as one; `deadline`: seconds from being enqueued, made absolute inside the log; `answers`: seq of the log when it was
    enqueued (written by the log); `trace`: W3C traceparent.
    """

    model_config = ConfigDict(frozen=True)

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
    committed: bool = False
    resume: int = 0

    @property
    def lane(self) -> str | None:
        return "llm"


class SttJob(_Job):
    """Transcribe `utterance` of `participant`. Fence: `hear:<participant>` = utterance. Lane: `stt:<participant>`.

    `audio`: blobs in order, 16 kHz int16; `replaces`: takes that utterance's place in the lane; `then`: the LLM job to
    enqueue in the commit of a transcript that is not empty; `partial`: a hint while somebody speaks on (no lane, no fence on
    `hear`, no `then`); `language`: ISO 639-1, "" to detect; `end_of_turn`: ask the end-of-turn model too.
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
    provider: str = ""

    @property
    def lane(self) -> str | None:
        return None if self.partial else f"stt:{self.participant}"


class TtsJob(_Job):
    """Speak sentence `index` of the reply of `turn`. Fence: `generation`; None for a fixed `phrase`. No lane.

    `voice`, `speed`, `provider`: from the agent spec; "" is the worker's own default. `language`: the agent's, ISO 639-1, ""
    where it detects it; a voice that has a language of its own speaks that.
    """

    stage: Literal["tts"] = "tts"
    index: int
    text: str
    voice: str = ""
    speed: float = 1.0
    language: str = ""
    provider: str = ""
    phrase: str | None = None

    @classmethod
    def of(cls, agent: AgentSpec, **fields: Any) -> "TtsJob":
        """A job that is spoken as the agent is: by its voice, in its language, in its time."""
        return cls(
            deadline=agent.limits.tts_deadline,
            voice=agent.voice.name,
            speed=agent.voice.speed,
            language=agent.language,
            provider=agent.tts.provider,
            **fields,
        )

    @property
    def lane(self) -> str | None:
        return None


Job = Annotated[SttJob | LlmJob | TtsJob, Field(discriminator="stage")]
JOB: TypeAdapter[Job] = TypeAdapter(Job)

__all__ = ["JOB", "Job", "LlmJob", "Stage", "SttJob", "TtsJob"]
