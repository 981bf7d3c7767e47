"""Every environment variable of every process, in one object. `.env.example` documents them; `load()` says which is wrong."""

import base64
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator

from schemas.config._environment import FromEnvironment
from schemas.config.explain import expected, when_left_out
from schemas.config.lease import LONGEST, SHORTEST
from schemas.config.names import misspelt, sentence, unknown
from schemas.errors import SettingsError

_Kind = TypeVar("_Kind", bound=BaseModel)
_WEBHOOK = re.compile(r"https?://[^\s/?#@,]+([/?][^\s,#]*)?")
"""Nobody's password is in it: what is to be secret is signed with, or stands in the path."""


class Settings(FromEnvironment):
    """Names are those people already use; durations are seconds. A variable set to nothing counts as not set."""

    # the log
    redis_url: str = "redis://127.0.0.1:6379/0"
    blob_url: str = ""
    """Another Redis for audio; "" is REDIS_URL."""
    partitions: int | None = Field(None, ge=1, le=4096)
    """P, fixed at the first start of a deployment; None takes what is stored (1 on a new one)."""
    redis_cluster: bool = False

    # models
    llm_base_url: str = "http://127.0.0.1:8081/v1"
    llm_model: str = "smollm2-135m-instruct"
    llm_api_key: SecretStr = SecretStr("")
    llm_prefill: Literal["auto", "on", "off"] = "auto"
    """Whether the endpoint continues an assistant message it is given (llama.cpp, vLLM do); auto: found out at the start."""
    llm_timeout: float = Field(10.0, gt=0)
    llm_provider: str = "openai"
    stt_provider: str = "faster-whisper"
    stt_model: str = "tiny.en"
    """A name faster-whisper knows, or a folder with model.bin; tiny.en comes as a package."""
    stt_language: str = ""
    """For jobs that name no language; "" has the model detect it."""
    stt_device: Literal["auto", "cpu", "cuda"] = "auto"
    stt_compute_type: str = "default"
    """CTranslate2's: default (int8 on CPU, float16 on GPU), int8, float16, float32, …"""
    stt_complete: bool = True
    """Load what says whether words are complete (an agent's `stt.complete`); without it they end by their melody."""
    stt_base_url: str = ""
    """An OpenAI-compatible transcription endpoint, for STT_PROVIDER=openai: `http://host:port/v1`."""
    stt_api_key: SecretStr = SecretStr("")
    stt_timeout: float = Field(10.0, gt=0)
    """Seconds that endpoint may take for an answer."""
    tts_provider: str = "piper"
    tts_voice: str = "en_US-joe-medium"
    """A voice that comes as a package, or the path of a Piper .onnx with its .onnx.json."""
    tts_base_url: str = ""
    """An OpenAI-compatible speech endpoint, for TTS_PROVIDER=openai: `http://host:port/v1`."""
    tts_model: str = "tts-1"
    tts_api_key: SecretStr = SecretStr("")
    tts_rate: int = Field(24_000, ge=8_000, le=48_000)
    """Hz of the PCM that endpoint sends; OpenAI's is 24000."""
    tts_timeout: float = Field(10.0, gt=0)
    """Seconds that endpoint may stay silent."""
    tts_device: Literal["auto", "cpu", "cuda"] = "auto"
    model_threads: int = Field(0, ge=0)
    """CPU threads for a model; 0 chooses by the machine."""

    # workers
    worker_slots: int = Field(0, ge=0)
    """Jobs at once; 0 is the stage's own default."""
    worker_batch: int = Field(0, ge=0)
    lease: float = Field(2.0, ge=SHORTEST, le=LONGEST)
    """Seconds a job or session stays owned without being renewed; the same for all processes of a deployment."""
    max_deliveries: int = Field(4, ge=1)
    """Deliveries after which a job is a dead letter."""
    drain: float = Field(20.0, ge=0)
    """Seconds a process may take to finish its work after SIGTERM."""
    health_host: str = "127.0.0.1"
    health_port: int = Field(0, ge=0, le=65535)
    """/healthz, /readyz and /metrics; 0 takes a free port."""

    # the gateway
    gateway_host: str = "127.0.0.1"
    gateway_port: int = Field(8765, ge=0, le=65535)
    gateway_id: str = ""
    """Its name in the log; "" makes one of host and pid."""
    gateway_token_secret: SecretStr = SecretStr("")
    """HS256 secret of ≥ 32 characters for client tokens; required unless GATEWAY_HOST is loopback. Where it is set, everybody
    needs a token."""
    gateway_allowed_hosts: str = ""
    """Without a secret: names, beside loopback's, that clients may ask for the gateway by, comma-separated."""
    gateway_allowed_origins: str = ""
    """Browser origins that may connect, comma-separated; "" is none but the same host."""
    gateway_proxies: str = ""
    """Addresses or networks of reverse proxies, comma-separated: whom they speak for is read from X-Forwarded-For; "" believes
    nobody."""
    gateway_connections: int = Field(2000, ge=1)
    gateway_connections_per_address: int = Field(100, ge=1)
    """HTTP and WebSocket connections at once, in all and of one address (IPv6: of one /64)."""
    gateway_sessions_per_address: int = Field(50, ge=1)
    gateway_sessions_per_token: int = Field(20, ge=1)
    """WebSocket sessions at once."""
    gateway_opens_per_minute: int = Field(120, ge=1)
    """WebSocket sessions that one address, or one token, may begin within a minute, failed tries included."""
    gateway_needs_workers: bool = False
    """Whether new sessions are refused while a stage has no worker; else they wait."""
    agents: Path | None = None
    """A folder of agent files (<name>.toml) or one file; none serves the built-in default agent."""
    mcp_commands: str = ""
    """Programs that agents may have started as MCP servers by tools workers and LLM workers, comma-separated; "" is none."""
    queue_limit: int = Field(1000, ge=1)
    """Jobs of one stage in one partition from which new ones are refused (FULL)."""

    gateway_public_url: str = ""
    """Where clients reach this gateway, wss://voice.example.com/ws: handed out with tickets. "" is its own host and port."""

    # the API and the web app
    api_host: str = "127.0.0.1"
    api_port: int = Field(8080, ge=0, le=65535)
    api_public_url: str = ""
    """Where people reach the web app, https://voice.example.com; "" is `api_host` and `api_port`."""
    api_allowed_hosts: str = ""
    """On loopback without keys: names, beside loopback's, that it may be asked for by, comma-separated."""
    api_allowed_origins: str = ""
    """Origins whose pages may use the API (CORS), comma-separated; "" is none but its own."""
    api_proxies: str = ""
    """Addresses or networks of reverse proxies, comma-separated: whom they speak for is read from X-Forwarded-For; "" believes
    nobody."""
    api_requests_per_minute: int = Field(3000, ge=60)
    """Of one key, and of one address, in all processes of the API; a sixth of them at once."""
    api_connections: int = Field(2000, ge=1)
    api_connections_per_address: int = Field(600, ge=1)
    """HTTP connections at once, event streams included, in all and of one address (IPv6: of one /64)."""
    api_upload_mib: int = Field(2048, ge=1, le=1 << 20)
    """MiB that a file may have which is sent to be taken in as a session."""
    api_uploads_gib: float = Field(16.0, gt=0)
    """GiB that such files may have together until they are taken in, or a day old."""
    api_exports: int = Field(8, ge=1)
    """Sessions that one process of the API sends as files at once."""
    api_anonymous: Literal["nobody", "caller"] = "nobody"
    """What those without a key may, where keys are asked for: nothing, or hold conversations."""
    api_development: bool = False
    """On loopback, where there is no key any more: let everybody do everything, as before there was one."""
    api_web: Path | None = None
    """The folder of the built web app; None looks for web/dist."""
    api_connects: str = ""
    """Origins beside gateways and LiveKit that the app's pages may fetch from, comma-separated: avatars by their address, say."""
    api_agents: str = ""
    """Agents that callers may choose, comma-separated, the default one first; "" is all."""

    # the archive
    archive: Literal["auto", "on", "off"] = "auto"
    """Whether `antiphon up` archives what has ended; auto: it does."""
    archive_url: str = ""
    """sqlite:///file or postgresql://user:password@host/database; "" is a file in the data folder that stacks keep."""
    archive_blobs: str = ""
    """Where sound is archived: a folder, or s3://bucket/prefix; "" is a folder beside the archive's file."""
    archive_sound: Literal["flac", "opus"] = "flac"
    """flac: as it was, bit by bit; opus: a fifth of the room, for whom that is enough."""
    archive_days: float = Field(0.0, ge=0)
    """Days after which an archived session is deleted; 0: never."""
    archive_sound_days: float = Field(0.0, ge=0)
    """Days after which its sound is; 0: with the session."""
    archive_agents: str = ""
    """Of single agents, other days: receptionist=30/7,demo=1 (sessions/sound), comma-separated; 0: never."""
    archive_gib: float = Field(0.0, ge=0)
    """GiB of the archive from which the oldest sounds, then the oldest sessions, are deleted; 0: none."""
    jobs_redis_url: str = ""
    """The Redis of background jobs, never a cluster; "" is REDIS_URL, where that is none."""

    # what follows once a session is archived
    webhook_url: str = ""
    """https://…: told of each session that ended (docs/operating/webhooks.md); "" tells nobody."""
    webhook_agents: str = ""
    """Of single agents, other addresses: desk=https://crm.example.com/hook,demo=off, comma-separated."""
    webhook_secret: SecretStr = SecretStr("")
    """What deliveries are signed with, whsec_ and base64 of 24 to 64 bytes; several while one replaces another."""
    webhook_private: bool = False
    """Whether a webhook may lead to this machine or a private network, and be http."""
    summaries: Literal["on", "off"] = "off"
    """Whether a model says in two or three sentences what each session was about."""
    summary_base_url: str = ""
    """An OpenAI-compatible endpoint for that; "" is LLM_BASE_URL, asked only while no reply waits for it."""
    summary_model: str = ""
    """"" is LLM_MODEL."""
    summary_api_key: SecretStr = SecretStr("")
    """"" is LLM_API_KEY, where the endpoint is LLM_BASE_URL's."""
    summary_timeout: float = Field(60.0, gt=0, le=300)
    """Seconds that endpoint may stay silent."""
    recordings: Literal["off", "flac", "opus"] = "off"
    """Whether each call's sound is mixed into one stereo file, kept with it."""

    # callers and judges of `antiphon simulate`
    simulate_llm_base_url: str = ""
    """An OpenAI-compatible endpoint for the model that plays callers and judges; "" is LLM_BASE_URL."""
    simulate_llm_model: str = ""
    """"" is LLM_MODEL."""
    simulate_llm_api_key: SecretStr = SecretStr("")
    """"" is LLM_API_KEY, where the endpoint is LLM_BASE_URL's."""

    # phones
    sip_listen: str = ""
    """host:port for SIP by UDP and TCP, such as 0.0.0.0:5060; "" answers no phone."""
    sip_trunks: Path | None = None
    """The trunk file: who may call, and which agent answers (docs/phones.md). Without one nobody may."""
    sip_address: str = ""
    """The address that peers on the internet reach us at, behind NAT; "" is the machine's own."""
    sip_ports: str = "20000-29999"
    """UDP ports for sound: two a call."""
    sip_calls: int = Field(200, ge=1)
    """Calls at once on one gateway."""

    # LiveKit rooms
    livekit_url: str = ""
    """The LiveKit server as the gateway reaches it, ws://host:7880 or wss://…; "" serves no LiveKit rooms."""
    livekit_public_url: str = ""
    """The same server as browsers reach it, wss://rooms.example.com; handed out with tokens. "" is `livekit_url`."""
    livekit_api_key: str = ""
    livekit_api_secret: SecretStr = SecretStr("")
    livekit_token_ttl: float = Field(3600.0, ge=60, le=86_400)
    """Seconds a token is good for that the API hands out: to get in with, the server renews it for whoever is there."""
    livekit_room: str = ""
    """The room of those who ask for a token and name none; "" is a new one for each."""
    livekit_agent_name: str = ""
    """"" offers the agent to every new room; a name waits to be asked for (explicit dispatch)."""
    livekit_sessions: int = Field(25, ge=1)
    """LiveKit sessions this gateway takes at once; more are offered to others."""
    livekit_watch: bool = True
    """Look after rooms that have a human and no agent: those created while no gateway was there."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    sentry_dsn: SecretStr = SecretStr("")
    """Where errors are told to, https://KEY@HOST/NUMBER; "" tells nobody (docs/operating/logs.md)."""

    @field_validator("llm_prefill", mode="before")
    @classmethod
    def _as_switch(cls, value: Any) -> Any:
        """It was a yes or no once."""
        known = str(value).strip().lower()
        return {"true": "on", "1": "on", "yes": "on", "false": "off", "0": "off", "no": "off"}.get(known, known)

    @field_validator("archive_agents")
    @classmethod
    def _names_agents(cls, text: str) -> str:
        for part in filter(None, (part.strip() for part in text.split(","))):
            if not re.fullmatch(r"[^=\s]+=\d+(\.\d+)?(/\d+(\.\d+)?)?", part):
                raise ValueError("agent=days or agent=days/days of sound, comma-separated, such as receptionist=30/7")
        return text

    @field_validator("webhook_url")
    @classmethod
    def _is_webhook(cls, url: str) -> str:
        if url and not _WEBHOOK.fullmatch(url):
            raise ValueError("https://host/path (http:// with WEBHOOK_PRIVATE=true)")
        return url

    @field_validator("webhook_agents")
    @classmethod
    def _has_webhooks(cls, text: str) -> str:
        for part in filter(None, (part.strip() for part in text.split(","))):
            agent, _, url = part.partition("=")
            if not agent or not (url == "off" or _WEBHOOK.fullmatch(url)):
                raise ValueError("agent=https://host/path or agent=off, comma-separated")
        return text

    @field_validator("webhook_secret")
    @classmethod
    def _signs(cls, secret: SecretStr) -> SecretStr:
        for part in secret.get_secret_value().split():
            try:
                length = len(base64.b64decode(part.removeprefix("whsec_"), validate=True))
            except ValueError:
                length = 0
            if not part.startswith("whsec_") or not 24 <= length <= 64:
                raise ValueError('whsec_ and base64 of 24 to 64 bytes: echo "whsec_$(openssl rand -base64 32)"')
        return secret

    @field_validator("redis_url", "blob_url", "jobs_redis_url")
    @classmethod
    def _is_redis(cls, url: str) -> str:
        if url and not re.match(r"(rediss?://.|unix:///)", url):
            raise ValueError("redis://host:port/0 (rediss:// with TLS, unix:///path for a socket)")
        try:
            _ = urlsplit(url).port
        except ValueError:
            raise ValueError(
                "redis://:PASSWORD@host:port/0, with / ? # and @ of the password written as %2F %3F %23 and %40"
            ) from None
        return url

    @field_validator("livekit_url", "livekit_public_url")
    @classmethod
    def _is_livekit(cls, url: str) -> str:
        if url and not re.match(r"(wss?|https?)://.", url):
            raise ValueError("ws://host:7880, or wss://… with TLS")
        return url

    @field_validator("llm_base_url", "stt_base_url", "tts_base_url", "summary_base_url", "simulate_llm_base_url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        if url and not re.match(r"https?://.", url):
            raise ValueError("http://host:port/v1 or https://…")
        return url

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Passwords in URLs are not for logs."""
        for name, value in super().__repr_args__():
            yield name, without_password(value) if isinstance(value, str) else value


def without_password(url: str) -> str:
    """A URL as it may be shown: `redis://:…@host` instead of its password, `?password=…` likewise."""
    shown = re.sub(r"([?&][^=&#]*(?:password|secret|token|key)[^=&#]*=)[^&#]+", r"\1…", url, flags=re.IGNORECASE)
    return re.sub(r"(://[^/@:]*):.*@", r"\1:…@", shown)  # whatever it is written in: none is found that ends early


def load(**overrides: Any) -> Settings:
    """Read the environment and `.env`. SettingsError names each wrong variable, what was found and what is expected."""
    settings = read(Settings, **overrides)
    typos = list(_typos(Path(".env")))
    if typos:
        raise SettingsError("\n".join(typos))
    return settings


def read(kind: type[_Kind], **overrides: Any) -> _Kind:
    """Settings of a class of its own: a provider's, by its prefix. SettingsError as of `load`."""
    try:
        return kind(**overrides)
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(kind, dict(item)) for item in error.errors())) from None
    except UnicodeDecodeError as error:
        raise SettingsError(f".env: byte {error.start} is not UTF-8; save it as UTF-8 text") from None


def _typos(file: Path) -> Iterator[str]:
    """Names in `.env` that are none of ours but look like one; what else stands there is somebody else's."""
    text = file.read_text("utf-8") if file.is_file() else ""
    names = re.findall(r"^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=", text, re.MULTILINE)
    for name, near in misspelt(names, _names()):
        yield f".env: {sentence(name, near)}"


def strangers(environment: Mapping[str, str] = os.environ) -> list[str]:
    """What is to be warned of at a start: a line for each variable of the environment that was meant for us and is no setting.
    Those of `.env` are errors: that file is ours."""
    return unknown(environment, _names())


def _names() -> list[str]:
    return [name.upper() for name in Settings.model_fields]


def _explain(kind: type[BaseModel], item: dict[str, Any]) -> str:
    name = str(item["loc"][0]).lower()
    field = kind.model_fields[name]
    variable = f"{kind.model_config.get('env_prefix', '')}{name}".upper()
    if field.annotation is SecretStr:
        found = "(a secret)"
    else:
        found = without_password(str(item["input"]))
    custom = item.get("ctx", {}).get("error")
    allowed = str(custom) if isinstance(custom, ValueError) else expected(field)
    return f"{variable}={found}: expected {allowed}{when_left_out(field)}{_by_kubernetes(variable, found)}"


def _by_kubernetes(variable: str, found: str) -> str:
    if not (variable.endswith("_PORT") and found.startswith(("tcp://", "udp://"))):
        return ""
    service = variable.removesuffix("_PORT").lower()
    return (
        f"; Kubernetes sets it so for a service called {service}: enableServiceLinks: false, or another name for that"
    )
