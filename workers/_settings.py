"""One stage's part of the settings, by the same names whichever stage it is."""

from dataclasses import dataclass

from schemas.config.settings import Settings, without_password
from schemas.events import Stage

__all__ = ["StageSettings"]

_ENDPOINT = "openai"
"""The providers that ask a server: `<STAGE>_BASE_URL` names it."""


@dataclass(frozen=True, slots=True)
class StageSettings:
    """`provider`: its name; `model`: the setting that names the model, and its value; `timeout`: seconds an endpoint has."""

    stage: Stage
    provider: str
    model: tuple[str, str]
    base_url: str
    timeout: float

    @classmethod
    def of(cls, stage: Stage, settings: Settings) -> "StageSettings":
        if stage == "stt":
            model = ("STT_MODEL", settings.stt_model)
            return cls(stage, settings.stt_provider, model, settings.stt_base_url, settings.stt_timeout)
        if stage == "llm":
            model = ("LLM_MODEL", settings.llm_model)
            return cls(stage, settings.llm_provider, model, settings.llm_base_url, settings.llm_timeout)
        model = ("TTS_VOICE", settings.tts_voice)
        return cls(stage, settings.tts_provider, model, settings.tts_base_url, settings.tts_timeout)

    @property
    def asks_an_endpoint(self) -> bool:
        return self.provider == _ENDPOINT

    @property
    def warmed_up(self) -> str:
        """`STT_PROVIDER=openai (STT_BASE_URL=http://…)`: the settings to look at when warming up takes long."""
        name, value = (f"{self.stage.upper()}_BASE_URL", self.base_url) if self.asks_an_endpoint else self.model
        return f"{self.stage.upper()}_PROVIDER={self.provider} ({name}={without_password(value)})"

    @property
    def warm_up_within(self) -> float | None:
        """Seconds for one try to warm up: None where there is a model to load."""
        return self.timeout + 3.0 if self.asks_an_endpoint else None

    @property
    def awaited(self) -> str:
        """`no answer yet, …`, where an endpoint is asked."""
        if not self.asks_an_endpoint:
            return ""
        return f"no answer yet, one is expected within {self.timeout:g} s ({self.stage.upper()}_TIMEOUT)"
