"""The three seams where models plug in. A provider is a small class found by name through an entry point
(`antiphon.stt`, `antiphon.llm`, `antiphon.tts`), built with the settings, and passes its stage's contract suite."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from schemas.audio import Pcm
from schemas.events import Usage, Viseme, Word


@dataclass(frozen=True, slots=True)
class Hearing:
    """`pcm`: int16 mono at 16 kHz, shape (n,); `language`: ISO 639-1 or ""; `partial`: a quick hint is enough."""

    pcm: Pcm
    language: str = ""
    partial: bool = False
    end_of_turn: bool = True


@dataclass(frozen=True, slots=True)
class Transcript:
    """`confidence`: 0..1 or None; `end_of_turn`: 0..1 or None where no model ran."""

    text: str
    language: str = ""
    confidence: float | None = None
    words: list[Word] = field(default_factory=list)
    end_of_turn: float | None = None


class Stt(Protocol):
    model: str

    async def warm_up(self) -> None: ...

    async def transcribe(self, batch: Sequence[Hearing]) -> list[Transcript]:
        """One transcript each, in order; "" for no speech. Transient or Permanent if the whole batch failed."""

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """`messages`: OpenAI chat messages; `prefill`: the reply's beginning, already said, to go on from ("" for a new one)."""

    messages: list[dict[str, Any]]
    model: str = ""
    temperature: float = 0.7
    max_tokens: int = 200
    seed: int | None = None
    prefill: str = ""
    tools: list[dict[str, Any]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a streamed reply. The last one has `finish` and, if known, `usage`.

    `finish`: stop, length (max_tokens), tool (it called one) or filter (the endpoint would not let it go on); `thought`: there
    was reasoning, which nobody is told; `forget`: text that came before this and isn't said yet was none of the reply.
    """

    text: str = ""
    finish: Literal["stop", "length", "tool", "filter"] | None = None
    usage: Usage | None = None
    thought: bool = False
    forget: bool = False


class Llm(Protocol):
    model: str
    prefills: bool
    """Whether a reply can be continued from a given beginning."""

    async def warm_up(self) -> None: ...

    def stream(self, request: ChatRequest) -> AsyncIterator[Delta]:
        """Transient on timeouts, 5xx, broken streams; Permanent on a refused request."""

    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Speaking:
    """`language`: of the text, ISO 639-1; "" where nobody knows. A voice with a language of its own speaks that."""

    text: str
    voice: str = ""
    speed: float = 1.0
    language: str = ""


@dataclass(frozen=True, slots=True)
class Sound:
    """A part of a clip, in order. `pcm`: int16 mono, shape (n,), at `rate` Hz; timings from the start of this part."""

    pcm: Pcm
    rate: int
    last: bool
    words: list[Word] = field(default_factory=list)
    visemes: list[Viseme] = field(default_factory=list)


class Tts(Protocol):
    model: str

    async def warm_up(self) -> None: ...

    def synthesize(self, request: Speaking) -> AsyncIterator[Sound]: ...

    async def aclose(self) -> None: ...
