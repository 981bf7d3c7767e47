"""The three seams where models plug in (docs/writing-a-provider.md). A provider is a small class that inherits its stage's
and is found by name through an entry point (`antiphon.stt`, `antiphon.llm`, `antiphon.tts`). It is built with the settings, and
passes its stage's contract suite (`workers.testing.contracts`)."""

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from schemas.audio import Pcm
from schemas.config.settings import Settings
from schemas.events import Usage, Viseme, Word

__all__ = [
    "ChatRequest",
    "Delta",
    "Hearing",
    "Llm",
    "Provider",
    "Sound",
    "Speaking",
    "Stt",
    "Transcript",
    "Tts",
    "whole_answer",
]


class Provider(ABC):
    """What all three kinds have in common; what a provider leaves out is as it is here.

    `model`: told with each result, in the log. Errors, wherever they come from: `schemas.errors.Transient` is tried again,
    Permanent is not; each says in one sentence what was expected, what was found, and which setting to change.
    """

    model: str
    takes_options: bool = False
    """Whether an `Stt` or `Tts` obeys an agent's `model` and `options`: one that doesn't refuses agents that have any. An `Llm`
    is always handed them."""

    def __init__(self, settings: Settings) -> None:
        """Cheap: no model is loaded yet, and nobody asked. Permanent: the settings can't be right."""
        return

    @staticmethod
    @abstractmethod
    def named_by(settings: Settings) -> tuple[str, str]:
        """The setting that says which model or endpoint this is, and its value: people are told to look at it."""

    @staticmethod
    def answers_within(settings: Settings) -> tuple[str, float] | None:
        """Where an endpoint is asked: the setting of the seconds it has for an answer, and their number. None: a model is loaded,
        which takes its time."""
        return None

    @staticmethod
    def locate(settings: Settings) -> tuple[str, Callable[[], str]] | None:
        """For `antiphon doctor` and before `up` starts anything, where the model is a file: the setting that names it, and what
        answers where it is (or will be fetched from) or raises Permanent. Loads nothing, fetches nothing."""
        return None

    @staticmethod
    def languages(settings: Settings) -> list[str]:
        """ISO 639-1 of what the model understands or speaks, so that agents of other languages are warned of; [] where it isn't
        known. Loads nothing."""
        return []

    async def warm_up(self) -> None:
        """Load what is to be loaded and try it once: only then is the worker ready. Called again after Transient. A provider that
        an agent names gets its first job without."""
        return

    async def aclose(self) -> None:
        """The worker ends. Nothing is under way any more."""
        return


@dataclass(frozen=True, slots=True)
class Hearing:
    """`pcm`: int16 mono at 16 kHz, shape (n,); `language`: ISO 639-1 or ""; `partial`: a quick hint is enough; `model`,
    `options`: the agent's, nothing where `takes_options` is False; `keyterms`: words that are likelier here than elsewhere, for a
    provider that can use them."""

    pcm: Pcm
    language: str = ""
    partial: bool = False
    end_of_turn: bool = True
    model: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    keyterms: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """`confidence`: 0..1 or None; `end_of_turn`: 0..1 or None where no model ran."""

    text: str
    language: str = ""
    confidence: float | None = None
    words: list[Word] = field(default_factory=list)
    end_of_turn: float | None = None


class Stt(Provider):
    read_again: bool = True
    """Whether the worker asks a language model of its own if the words are complete."""

    @staticmethod
    def named_by(settings: Settings) -> tuple[str, str]:
        return "STT_MODEL", settings.stt_model

    @abstractmethod
    async def transcribe(self, batch: Sequence[Hearing]) -> list[Transcript]:
        """One transcript each, in order; "" for no speech. Transient or Permanent if the whole batch failed."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """`messages`: OpenAI chat messages; `prefill`: the reply's beginning, already said, to go on from ("" for a new one);
    `session`: whose reply it is, for the endpoint's own logs and caches ("": nobody's); `verbatim`: JSON may be what was asked
    for, and none of it is a call."""

    messages: list[dict[str, Any]]
    model: str = ""
    temperature: float = 0.7
    max_tokens: int = 200
    seed: int | None = None
    prefill: str = ""
    tools: list[dict[str, Any]] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)
    session: str = ""
    verbatim: bool = False


@dataclass(frozen=True, slots=True)
class CalledTool:
    """What a model wants called. `arguments`: None where they are no JSON object; then `raw` is what they were."""

    name: str
    arguments: dict[str, Any] | None
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of a streamed reply. The last one has `finish` and, if known, `usage`; with `finish` tool, the `calls` in order.

    `finish`: stop, length (max_tokens), tool (it called one) or filter (the endpoint would not let it go on); `thought`: there
    was reasoning, which nobody is told; `forget`: text that came before this and isn't said yet was none of the reply.
    """

    text: str = ""
    finish: Literal["stop", "length", "tool", "filter"] | None = None
    usage: Usage | None = None
    thought: bool = False
    forget: bool = False
    calls: tuple[CalledTool, ...] = ()


class Llm(Provider):
    prefills: bool = False
    """Whether a reply can be continued from a given beginning."""

    @staticmethod
    def named_by(settings: Settings) -> tuple[str, str]:
        return "LLM_MODEL", settings.llm_model

    @abstractmethod
    def stream(self, request: ChatRequest) -> AsyncGenerator[Delta, None]:
        """The reply as it comes; closed in the middle when nobody wants the rest. Transient on timeouts, 5xx, broken streams;
        Permanent on a refused request."""


async def whole_answer(llm: Llm, request: ChatRequest, *, most: int, within: float) -> str:
    """The text of an answer that is not spoken as it comes. With more than `most` characters no more of it is read. TimeoutError:
    it is not whole after `within` seconds; ProviderError."""
    answer = ""
    async with asyncio.timeout(within), contextlib.aclosing(llm.stream(request)) as stream:
        async for delta in stream:
            answer = delta.text if delta.forget else answer + delta.text
            if len(answer) > most:
                break
    return answer


@dataclass(frozen=True, slots=True)
class Speaking:
    """`language`: of the text, ISO 639-1; "" where nobody knows. A voice with a language of its own speaks that. `model`,
    `options`: the agent's, nothing where `takes_options` is False."""

    text: str
    voice: str = ""
    speed: float = 1.0
    language: str = ""
    model: str = ""
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sound:
    """A part of a clip, in order. `pcm`: int16 mono, shape (n,), at `rate` Hz; timings from the start of this part."""

    pcm: Pcm
    rate: int
    last: bool
    words: list[Word] = field(default_factory=list)
    visemes: list[Viseme] = field(default_factory=list)


class Tts(Provider):
    @staticmethod
    def named_by(settings: Settings) -> tuple[str, str]:
        return "TTS_VOICE", settings.tts_voice

    @abstractmethod
    def synthesize(self, request: Speaking) -> AsyncGenerator[Sound, None]:
        """The clip in parts, as they are ready; closed in the middle when nobody wants the rest."""
