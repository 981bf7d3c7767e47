"""The agent spec: one TOML file says who speaks, how turns are taken, with which providers and within which limits."""

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from schemas.config import knowledge, values
from schemas.config.collecting import (
    FIELDS_MOST,
    UNCHANGED,
    FieldSpec,
    MemorySpec,
    ResultSpec,
    VariantSpec,
    merged,
    schema_from,
)
from schemas.config.conversation import (
    CODE_FILE,
    MOST_STEPS,
    Expects,
    Handover,
    HookName,
    Hooks,
    Kind,
    StepSpec,
    ToolName,
    VoiceSpec,
    hooks_in,
)
from schemas.config.explain import explain, line_of, read_text, read_toml, shown
from schemas.config.knowledge import KnowledgeSpec
from schemas.config.sounds import check_sounds
from schemas.errors import AgentSpecError


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


WakePhrase = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=60)]
SoundName = Annotated[str, StringConstraints(max_length=120, pattern=r"^([^/\\\x00-\x1f.][^/\\\x00-\x1f]*)?$")]
"""Of a file beside the agent's, or of a sound that comes along; "" is none."""


class TurnTaking(_Section):
    """How the floor passes. Seconds; defaults are tuned on recordings of real people (`antiphon bench latency`)."""

    start_speech: float = Field(0.096, ge=0.032, le=1.0)
    """Speech this long opens a turn."""
    soft_end: float = Field(0.2, ge=0.064, le=2.0)
    """Silence after which STT runs."""
    soft_end_idle: float = Field(0.064, ge=0.064, le=2.0)
    """The same while the pools are idle: a wasted job costs nothing then."""
    commit_min: float = Field(0.3, ge=0.0, le=5.0)
    """Silence after which a surely finished utterance is committed."""
    commit_max: float = Field(1.4, ge=0.1, le=10.0)
    """Silence after which anything is committed."""
    commit_silence: float = Field(0.7, ge=0.1, le=10.0)
    """Silence that commits what no model judged, by its words or its melody."""
    waits: float = Field(1.0, ge=0.0, le=3.0)
    """All of these waits, times this: below 1 answers sooner, and is taken back more often."""
    regret: float = Field(0.6, ge=0.0, le=2.0)
    """Seconds of a reply's sound within which whoever goes on speaking takes the turn back, and is answered whole; 0: never."""
    speculate_below: int = Field(4, ge=0)
    """Queued LLM or TTS jobs from which replies are no longer speculated."""
    max_utterance: float = Field(20.0, ge=5.0, le=28.0)
    """Seconds of audio an utterance may carry; unbroken speech is cut there."""
    barge_in: bool = True
    interrupt_after: float = Field(1.0, ge=0.2, le=5.0)
    """Unbroken speech over the agent that interrupts whatever its words."""
    resume_after: float = Field(1.0, ge=0.2, le=5.0)
    """Silence after speech over the agent that lets it go on though the words are not there yet, where the transcript before
    was lost. While hearing works, it waits for them."""
    expects: Expects = "free"
    """What callers are expected to say: a "number" and a "spelling" are dictated in pieces with long pauses, an "amount" and a
    "yes_no" are over at once. "free": by what the agent asked last, as far as it did so in English."""
    backchannels: list[str] = [
        "mhm", "mm", "mmhm", "mm-hmm", "uh-huh", "uhuh", "hm", "hmm", "yeah", "yes", "yep", "ok", "okay",
        "right", "sure", "i see", "aha", "ah", "oh", "huh",
    ]  # fmt: skip
    """Whole utterances that, spoken over the agent, do not interrupt it."""
    answer: Literal["anyone", "linked", "addressed"] = "anyone"
    """Whom the agent answers when several humans are present: anyone, only the linked participant, or whoever says `name`."""
    mode: Literal["voice", "push_to_talk"] = "voice"
    """How a turn begins and ends: by voice, or by the client's button alone. Phones have no button: there it is by voice."""
    wake: list[WakePhrase] = Field([], max_length=8)
    """Phrases by which whoever says one wakes the agent; it answers nobody else. None: it is always awake."""
    wake_for: float = Field(20.0, ge=1.0, le=3600.0)
    """Seconds after its last answer for which it goes on listening to whom it answered, without the phrase."""
    wake_context: bool = False
    """Whether the LLM is told what was said while the agent slept."""


class Idle(_Section):
    """What the agent does when nobody says anything."""

    after: float = Field(0.0, ge=0.0, le=3600.0)
    """Seconds of silence, from the end of its words, after which it asks; 0: never."""
    say: str = "Are you still there?"
    times: int = Field(2, ge=0, le=20)
    """How often it asks, as long as no word comes."""
    goodbye: str = "Goodbye then."
    """What it says after one more such silence, and hangs up. "": it hangs up without a word."""


class SoundsSpec(_Section):
    """What is heard besides the agent's voice: files beside the agent's own, or `soft`, which comes along. Gains: dB, below the
    sound as it is in the file."""

    background: SoundName = ""
    """Heard all the time, over and over."""
    background_gain: float = Field(-30.0, ge=-80.0, le=0.0)
    thinking: SoundName = ""
    """Heard while an answer is waited for."""
    thinking_gain: float = Field(-24.0, ge=-80.0, le=0.0)


class ProviderSpec(_Section):
    """`provider`: entry-point name, "" is the worker's own. `model` ("" is the worker's) and `options`: handed to a provider that
    takes them from agents; one that doesn't refuses the agent, or its jobs."""

    provider: str = ""
    model: str = ""
    options: dict[str, Any] = {}


class LlmSpec(ProviderSpec):
    temperature: float = Field(0.7, ge=0.0, le=2.0)
    max_tokens: int = Field(200, ge=1, le=8192)
    seed: int | None = 7


class SttSpec(ProviderSpec):
    end_of_turn: bool = True
    """Ask the end-of-turn model beside each transcript."""
    complete: bool = True
    """Ask a small language model whether the words are complete, where they leave it open. It knows English."""
    partials: bool = True


class LiveKit(_Section):
    """What the agent tells in a LiveKit room, and what it listens to there. Each convention can be switched off."""

    state: bool = True
    """The attribute `lk.agent.state`, which LiveKit's UI kits show."""
    transcription: bool = True
    """Everybody's words as text streams, topic `lk.transcription`."""
    old_transcription: bool = True
    """The same as transcription packets, while a client from before text streams is there."""
    transcripts: bool = True
    """The data topic `transcripts`: one JSON message per finished utterance."""
    words: bool = True
    """The data topic `antiphon.words`: when each word of a clip sounds."""
    chat: bool = True
    """Text typed into `lk.chat` interrupts and is answered."""
    rtvi: Literal["off", "asked", "always"] = "asked"
    """RTVI messages: never, once a client has said that it is ready, or always (the agent waits for one with its first word)."""
    tts_timing: Literal["off", "server_message", "bare"] = "server_message"
    """`bot-tts-timing` of each clip: inside an RTVI server-message, or bare, at the top level, for clients that look there."""
    tool_calls: Literal["off", "none", "name", "arguments", "full"] = "none"
    """What everybody in the room is told of calls of tools, by RTVI and `session_events`: nothing; that there is one; its name;
    and its arguments; and its result. (RTVI's own report levels. WebSocket clients go by `tools.tell_clients`.)"""
    session_events: bool = True
    """Byte streams `lk.agent.session`, from which LiveKit's playground draws its timeline."""
    disconnect_bot: bool = False
    """Whether anybody in the room may end the session for all, by RTVI's `disconnect-bot`."""
    run_input: bool = False
    """Whether what comes as a request `run_input` on `lk.agent.session` is answered like chat."""


class Limits(_Section):
    """Seconds, unless the name says otherwise."""

    session: float = Field(3600.0, gt=0)
    idle: float = Field(600.0, gt=0)
    """A session in which nobody spoke for so long ends."""
    client_gone: float = Field(30.0, gt=0)
    """How long a session waits for a dropped client."""
    nobody_yet: float = Field(300.0, gt=0)
    """How long it waits for the first one, in a room made ahead; `client_gone` counts once somebody has been there."""
    hold: float = Field(600.0, gt=0)
    """How long a phone call may be on hold."""
    stt_deadline: float = Field(10.0, gt=0)
    llm_deadline: float = Field(20.0, gt=0)
    tts_deadline: float = Field(15.0, gt=0)
    turn: float = Field(60.0, gt=0)
    """A turn whose reply doesn't come within this ends as expired, whatever the workers do."""
    history_turns: int = Field(40, ge=1)
    """Turns of chat context given to the LLM, so that a turn's cost does not grow with the session."""
    history_characters: int = Field(24_000, ge=200)
    """The same in characters (English has about four a token), so that turns of any length fit its context."""
    history_tokens: int = Field(0, ge=0, le=1_000_000)
    """The same in tokens, by estimate. Before they are used up a model summarizes the older part in the background, and the LLM
    is given that instead. 0: no such limit, and no summaries."""


class Phone(_Section):
    """How the agent is on a telephone line."""

    echo_gate: float = Field(15.0, ge=0.0, le=60.0)
    """Lines have no echo cancellation: sound so many dB below the agent's own, while it speaks, is its echo; 0 hears all."""
    tell_keys: bool = True
    """What is keyed in is told to the agent as a message; else it stands in the log only."""
    machine: Literal["off", "hang_up", "message"] = "off"
    """Of a call of ours: whether it is found out who has answered, and what is done where it is a machine."""
    machine_message: str = Field("", max_length=4000)
    """What is left on it, after its tone."""

    @model_validator(mode="after")
    def _has_a_message(self) -> Self:
        if self.machine == "message" and not self.machine_message.strip():
            raise ValueError('machine = "message" needs a machine_message: what is to be left on the machine')
        return self


Secret = Annotated[str, Field(pattern=r"^(TOOL_[A-Z0-9_]{1,100})?$")]
"""The name of an environment variable of the workers, never its value. Only those that begin with TOOL_ can be had: who writes an
agent shall not read what else the workers know."""
Builtin = Literal["end_call", "transfer", "send_digits", "hold", "say_by_heart", "wait_quietly", "weather"]


class McpSpec(_Section):
    """A server of the Model Context Protocol: a program that is started, or an address. Its tools that `allow` names, or all
    ("*")."""

    name: ToolName
    command: str = ""
    """A program, one of those that the workers' MCP_COMMANDS names."""
    args: list[str] = []
    env: dict[str, Secret] = {}
    """What the program finds in its environment: name = the variable of the worker that holds it. Nothing else of ours is
    there."""
    url: str = Field("", pattern=r"^(https?://\S+)?$")
    headers: dict[str, Secret] = {}
    """Sent with each request to `url`: name = the variable that holds the value."""
    allow: list[str] = Field(min_length=1)
    repeat: list[str] = []
    """Those that may be called again when it is not known whether they were done: they only look."""

    @model_validator(mode="after")
    def _reached(self) -> "McpSpec":
        if bool(self.command) == bool(self.url):
            raise ValueError("expected either command or url")
        return self


class HttpSpec(_Section):
    """Operations of an HTTP API as an OpenAPI file (JSON, 3.x) describes it: those that `allow` names by `operationId`, or all
    ("*")."""

    openapi: str = Field(min_length=1)
    """Its path from the agent's folder."""
    base_url: str = Field("", pattern=r"^(https?://\S+)?$")
    """Where the API is: "" is the file's first server. Nothing outside of it is ever asked."""
    allow: list[str] = Field(min_length=1)
    auth: Secret = ""
    """The variable that holds what is sent as `Authorization`: a bare token is sent as `Bearer`."""
    headers: dict[str, Secret] = {}


class Tools(_Section):
    """What the agent can do (docs/tools.md), beside the functions of its `agent.py`. Seconds, unless the name says otherwise."""

    builtin: list[Builtin] = []
    """Of the tools that every agent can have: those that the model is told of."""
    pool: bool = False
    """Whether tools are run by workers of their own (`antiphon worker tools`); else by the LLM's. A tool may say otherwise."""
    rounds: int = Field(5, ge=1, le=20)
    """How often in one reply the model may call tools, several at once; then it has to answer."""
    timeout: float = Field(15.0, gt=0, le=600)
    """How long a call may take that does not say it itself."""
    result_characters: int = Field(8_000, ge=200, le=100_000)
    """What the model is told of a result at most; the rest is cut."""
    tell_clients: bool = False
    """Whether clients are told of calls with arguments and results, which may be private."""
    transfer_to: dict[ToolName, str] = {}
    """Whom the builtin `transfer` may hand callers to: name = phone number or SIP address. The model is told the names."""
    by_heart: dict[ToolName, str] = {}
    """What the builtin `say_by_heart` says word for word: name = text. The model is told the names."""
    weather_url: str = Field("https://api.open-meteo.com/v1/forecast", pattern=r"^https?://\S+$")
    places_url: str = Field("https://geocoding-api.open-meteo.com/v1/search", pattern=r"^https?://\S+$")
    """Whom the builtin `weather` asks: Open-Meteo, which wants no key, or who answers like it."""
    mcp: list[McpSpec] = Field([], max_length=16)
    http: list[HttpSpec] = Field([], max_length=16)


class AgentSpec(_Section):
    """A named configuration of an agent. Every field has a default: an empty file is an agent."""

    name: str = "default"
    """Of an agent from a file that gives none: the file's, without `.toml`."""
    default: bool = Field(False, exclude=True)
    """Whoever names no agent gets this one: one file of a folder may say so. Of the file, not of the agent: no log holds it."""
    instructions: str = (
        "You are a friendly voice assistant on a phone line. Answer in one or two short spoken sentences. "
        "No lists, no markdown, no emoji."
    )
    greeting: str = ""
    """Spoken on join when not empty."""
    greeting_interruptible: bool = True
    """Whether the caller may interrupt the greeting; else what is said meanwhile is heard, and answered after it."""
    fallback: str = "I'm sorry, I have trouble answering just now. Please try again in a moment."
    """Spoken when the LLM fails or stays silent."""
    filler: str = "One moment, please."
    """Spoken, once a turn, when its answer is not there after `patience`."""
    patience: float = Field(5.0, ge=0.0, le=60.0)
    """Seconds from the moment the floor is the agent's; 0: nothing is said meanwhile."""
    repeat: str = "Sorry, I didn't catch that. Could you say it again?"
    """Spoken when hearing fails."""
    prompt_attributes: list[str] = []
    """Attributes of participants that the LLM is told, by name (`metadata`: LiveKit's participant metadata). What participants or
    their apps set reaches the prompt in no other way."""
    prompt_metadata: list[str] = []
    """Keys of the call's metadata (token, dispatch, dial, start) that `{{metadata.KEY}}` may tell."""
    timezone: Annotated[str, Field(max_length=64)] = "UTC"
    """IANA name; of `{{now}}`."""
    sound: bool = True
    """Whether it is spoken: else its words are told as text (no TTS), and count as heard when they are told. A client that asks
    for a conversation without sound gets this agent so."""
    language: str = "en"
    """ISO 639-1; "" detects it."""
    voice: VoiceSpec = VoiceSpec()
    turn_taking: TurnTaking = TurnTaking()
    idle: Idle = Idle()
    sounds: SoundsSpec = SoundsSpec()
    stt: SttSpec = SttSpec()
    llm: LlmSpec = LlmSpec()
    tts: ProviderSpec = ProviderSpec()
    tools: Tools = Tools()
    hooks: Hooks = Hooks()
    handover: Handover = Handover()
    steps: list[StepSpec] = Field([], max_length=MOST_STEPS)
    """Parts of the conversation (docs/hooks.md). It is in one of them at a time, if there are any."""
    first_step: str = ""
    """In which it begins: "" is the first of the file."""
    knowledge: KnowledgeSpec = KnowledgeSpec()
    phone: Phone = Phone()
    livekit: LiveKit = LiveKit()
    limits: Limits = Limits()
    fields: list[FieldSpec] = Field([], max_length=FIELDS_MOST)
    """What the agent asks for, in this order."""
    result: ResultSpec = ResultSpec()
    memory: MemorySpec = MemorySpec()
    variants: list[VariantSpec] = Field([], max_length=FIELDS_MOST)
    """Of a session's agent none: one was chosen when it began, and `session.started` says which."""

    code: str = Field("", pattern=r"^[0-9a-f]{0,16}$")
    """The version of the `agent.py` in the agent's folder, when the session began. Whoever reads the folder writes it."""
    hooked: dict[HookName, Kind] = {}
    """The hooks that it has. Written with `code`."""
    step: str = ""
    """In which step the conversation is: `voice` and `llm` are that step's. Written by whoever follows a session."""

    @field_validator("fields", "variants")
    @classmethod
    def _names_differ(cls, named: list[Any]) -> list[Any]:
        names = [one.name for one in named]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f'there are two of the name "{twice[0]}"; expected a name of its own for each')
        return named

    @field_validator("variants")
    @classmethod
    def _shares_fit(cls, variants: list[VariantSpec]) -> list[VariantSpec]:
        if any(one.name == UNCHANGED for one in variants):
            raise ValueError(f'"{UNCHANGED}" is what those get who get none; expected another name')
        whole = sum(one.share for one in variants)
        if whole > 1.0 + 1e-9:
            raise ValueError(f"their shares are {whole:g} together; expected 1 at most")
        return variants

    @model_validator(mode="after")
    def _variants_fit(self) -> "AgentSpec":
        for variant in self.variants:
            self.varied(variant)
        return self

    def chosen(self, who: str) -> tuple["AgentSpec", str]:
        """The agent for whoever this is (a caller, or a session of nobody known), always the same while its variants are; and the
        variant's name, "" where there are none."""
        if not self.variants:
            return self, ""
        if (variant := self.variant_of(who)) is not None:
            return self.varied(variant), variant.name
        return self.model_copy(update={"variants": []}), UNCHANGED

    def variant_of(self, who: str) -> VariantSpec | None:
        """The variant that falls to whoever this is; None: none does."""
        digest = hashlib.sha256(f"{self.name}\0{who}".encode()).digest()
        place = int.from_bytes(digest[:8]) / 2**64
        for variant in self.variants:
            place -= variant.share
            if place < 0:
                return variant
        return None

    def varied(self, variant: VariantSpec) -> "AgentSpec":
        """The agent as those get it who get this variant. ValueError: it is none."""
        settings = variant.settings
        for own in ("default", "variants"):
            if own in settings:
                raise ValueError(f'variant "{variant.name}" sets {own}; expected settings that a session can have')
        base = self.model_dump(mode="json", exclude={"variants"})
        try:
            return AgentSpec.model_validate(merged(base, settings))
        except ValidationError as error:
            name = f'variant "{variant.name}"'
            raise ValueError(
                "; ".join(explain(AgentSpec, name, "", dict(item)) for item in error.errors()[:5])
            ) from None

    @property
    def has_tools(self) -> bool:
        """Whether the model may be told of any."""
        own = self.tools.builtin or self.tools.mcp or self.tools.http
        return bool(self.code or self.fields or own or self.steps or self.handover.to) or self.looks_up

    @property
    def looks_up(self) -> bool:
        """Whether the model has `search_knowledge`."""
        return self.knowledge.searched and self.knowledge.mode == "tool"

    @model_validator(mode="after")
    def _steps_known(self) -> "AgentSpec":
        names = [step.name for step in self.steps]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two steps are called {name}; give one of them another name")
        for step in self.steps:
            if unknown := [name for name in step.to or () if name not in names]:
                raise ValueError(f"step {step.name}: to = {unknown[0]!r}; there are {', '.join(names)}")
        if self.first_step and self.first_step not in names:
            there = f"there are {', '.join(names)}" if names else "there are no [[steps]]"
            raise ValueError(f"first_step = {self.first_step!r}; {there}")
        return self


AGENT_FILE, INSTRUCTIONS_FILE = "agent.toml", "instructions.md"
SCENARIOS, KNOWLEDGE = "scenarios", knowledge.FOLDER
"""What a folder that is an agent holds: all but the first as it likes."""
LONGEST_INSTRUCTIONS = 200_000
"""Bytes of `instructions.md`."""


def is_folder(path: Path) -> bool:
    """Whether this agent file is that of a folder, not one file beside others: it is called agent.toml, and something of an
    agent's lies beside it, or nothing but it."""
    if path.name != AGENT_FILE:
        return False
    beside = [path.with_name(name) for name in (INSTRUCTIONS_FILE, CODE_FILE, SCENARIOS, KNOWLEDGE)]
    return any(one.exists() for one in beside) or list(path.parent.glob("*.toml")) == [path]


def name_of(path: Path) -> str:
    """What the agent in this file is called, where its text does not say."""
    return path.resolve().parent.name if is_folder(path) else path.stem


def load_agent(path: Path, *, folder: bool | None = None) -> AgentSpec:
    """Read an agent: its folder, or its file, and the instructions beside that; without `name` it is called like the file, or its
    folder. `folder`: whether it is one's, None: as it looks (`is_folder`). AgentSpecError names the file, the line, what was
    found and what is allowed."""
    path = path / AGENT_FILE if path.is_dir() else path
    folder = is_folder(path) if folder is None else folder
    name = path.resolve().parent.name if folder else path.stem
    text = read_text(path, AgentSpecError, "the path of an agent file, or of an agent's folder,")
    return agent_from(text, path, name, folder=folder)


def agent_from(text: str, path: Path, name: str, *, folder: bool) -> AgentSpec:
    """The agent that the file at `path` is with this `text`, called `name` where that says nothing; `folder`: with the
    instructions beside it. AgentSpecError."""
    spec = parse_agent(text, str(path), name)
    spec = with_schema(spec, text, path)
    beside = path.with_name(INSTRUCTIONS_FILE)
    apart = folder and beside.exists()
    spec = with_instructions(spec, text, path) if apart else spec
    if found := wrong_values(spec, text, path, beside if apart else path):
        raise AgentSpecError("\n".join(found))
    check_sounds({"background": spec.sounds.background, "thinking": spec.sounds.thinking}, path, text)
    if not folder:
        return spec.model_copy(update={"code": "", "hooked": {}, "step": ""})
    try:
        known = knowledge.with_files(spec.knowledge, knowledge.read(path.parent))
    except (knowledge.WrongKnowledgeError, OSError) as error:
        raise AgentSpecError(str(error)) from None
    code = code_version(path.parent)
    hooked = hooks_in(path.parent) if code else {}
    if "on_idle" in hooked and not spec.idle.after:
        raise AgentSpecError(
            f"{path}: {CODE_FILE} has on_idle, which is called after [idle] after seconds of silence, and that is 0 (never); "
            "set it, or take on_idle away"
        )
    return spec.model_copy(update={"code": code, "hooked": hooked, "step": "", "knowledge": known})


def wrong_values(spec: AgentSpec, text: str, path: Path | str, instructions: Path | str) -> list[str]:
    """What names a value that no session of this agent can have, with the file and the line. `text`: of its file, at `path`;
    `instructions`: the file where those stand."""
    found = []
    if values.zone_of(spec.timezone) is None:
        line = line_of(text, ("timezone",))
        found.append(
            f"{_place(path, line)}: timezone = {shown(spec.timezone)}; expected an IANA name, such as Europe/Berlin"
            " (left out: UTC)"
        )
    texts = [("instructions", instructions, spec.instructions), ("greeting", path, spec.greeting)]
    texts += [("steps", path, step.instructions) for step in spec.steps]
    for key, where, said in texts:
        for one in values.mistakes(said, spec.prompt_attributes, spec.prompt_metadata, spoken=key == "greeting"):
            if where == path:
                first = line_of(text, (key,))
                line = None if first is None else first + _lines_to(text, one.name, first)
            else:
                line = said.count("\n", 0, one.offset) + 1
            found.append(f"{_place(where, line)}: {one.message}")
    return found


def _lines_to(text: str, name: str, first: int) -> int:
    """How many lines below line `first` a value is named; 0 where that can't be told."""
    rest = text.splitlines()[first - 1 :]
    return next((number for number, line in enumerate(rest) if name in line), 0)


def _place(path: Path | str, line: int | None) -> str:
    return f"{path}, line {line}" if line else str(path)


def code_files(folder: Path) -> list[Path]:
    """`agent.py` and the Python beside it, which it may import; none without an `agent.py`."""
    return sorted(folder.glob("*.py"))[:_MOST_CODE] if (folder / CODE_FILE).is_file() else []


_MOST_CODE = 100


def code_version(folder: Path) -> str:
    """Another one whenever `agent.py`, or Python beside it, was changed; "": there is none."""
    digest = hashlib.sha256()
    files = code_files(folder)
    for file in files:
        try:
            text = file.read_bytes()
        except OSError:  # said by whoever loads it
            text = b""
        digest.update(f"{file.name} {len(text)} ".encode() + text)
    return digest.hexdigest()[:16] if files else ""


def with_instructions(spec: AgentSpec, text: str, path: Path) -> AgentSpec:
    """`spec`, of the file at `path` that says `text`, with what `instructions.md` says beside it. AgentSpecError: both say some,
    or it can't be read."""
    beside = path.with_name(INSTRUCTIONS_FILE)
    if "instructions" in spec.model_fields_set:
        line = line_of(text, ("instructions",))
        raise AgentSpecError(
            f"{path}{f', line {line}' if line else ''}: instructions = …; {beside} says them, too: keep one of the two"
        )
    return spec.model_copy(update={"instructions": _instructions(beside)})


def _instructions(path: Path) -> str:
    wanted = f"text in UTF-8 of at most {LONGEST_INSTRUCTIONS:,} bytes"
    try:
        if path.stat().st_size > LONGEST_INSTRUCTIONS:
            raise AgentSpecError(f"{path}: {path.stat().st_size:,} bytes; expected {wanted}")
        return path.read_text("utf-8").strip()
    except OSError as problem:
        raise AgentSpecError(f"{path}: cannot be read ({problem.strerror}); expected {wanted}") from None
    except UnicodeDecodeError as problem:
        raise AgentSpecError(f"{path}: byte {problem.start} is not UTF-8; expected {wanted}") from None


def with_schema(spec: AgentSpec, text: str, path: Path) -> AgentSpec:
    """`spec`, of the file at `path` that says `text`, with the schema of its result where it names a file. AgentSpecError: that
    is none, or can't be read."""
    name = spec.result.schema
    if not isinstance(name, str) or not name:
        return spec
    try:
        schema = schema_from(path.parent, name)
    except ValueError as error:
        line = line_of(text, ("result", "schema"))
        raise AgentSpecError(f"{path}{f', line {line}' if line else ''}: result.schema: {error}") from None
    return spec.model_copy(update={"result": spec.result.model_copy(update={"schema": schema})})


def parse_agent(text: str, name: str = "agent.toml", called: str = "") -> AgentSpec:
    """An agent from TOML text; `name`: what errors call it; `called`: what the agent is called where the text does not say."""
    return read_toml(AgentSpec, text, name, AgentSpecError, defaults={"name": called} if called else {})
