"""The larger models that `make models` has fetched, or somebody put there: `up` and `demo` use what is there.

Below the data folder: `models/llm/*.gguf` for the embedded LLM server; `models/stt/NAME/model.bin` for faster-whisper."""

import os
from collections.abc import Collection, Iterable, Mapping, MutableMapping
from pathlib import Path

from ops.stack.embedded.llm_server import MODEL_NAME, packaged_model
from ops.stack.here import data_folder
from schemas.config.settings import Settings, load
from schemas.errors import SettingsError
from schemas.events import Stage

LLM_FILE = "LLM_FILE"
"""The GGUF file that `antiphon llm-server` serves."""


def use_models_here(environment: MutableMapping[str, str] = os.environ) -> list[str]:
    """Have this process, and those it starts, use what is there, where no setting names others. A sentence for each."""
    settings, said, packaged = load(), [], Settings.model_fields
    llm, stt = _newest((_models() / "llm").glob("*.gguf")), _newest((_models() / "stt").glob("*/model.bin"))
    if llm is not None and _embeds_llm(settings) and not environment.get(LLM_FILE):
        environment.update({LLM_FILE: str(llm), "LLM_MODEL": llm.stem})
        said.append(
            f"{llm.stem} of {llm.parent} answers; LLM_MODEL={packaged['llm_model'].default} would take the packaged one"
        )
    if stt is not None and _embeds_stt(settings):
        environment["STT_MODEL"] = str(folder := stt.parent)
        said.append(
            f"{folder.name} of {folder.parent} listens; STT_MODEL={packaged['stt_model'].default} would take the packaged one"
        )
    return said


def served_llm(environment: Mapping[str, str] = os.environ) -> str:
    """What the model of the embedded LLM server is called. SettingsError: it isn't there."""
    file = environment.get(LLM_FILE, "")
    if not file:
        packaged_model()
        return MODEL_NAME
    if not Path(file).is_file():
        raise SettingsError(f"{LLM_FILE}={file}: no such file; give a .gguf, or unset it for the packaged {MODEL_NAME}")
    return Path(file).stem


def in_use(settings: Settings, llm: str, stages: Collection[Stage]) -> dict[str, str]:
    """What hears, answers and speaks in `stages`, in a few words each, by stage. `llm`: the model that answers."""
    names = {
        "stt": _named(
            settings.stt_provider, _hearing(settings), "faster-whisper", Settings.model_fields["stt_model"].default
        ),
        "llm": _named(
            settings.llm_provider, llm, "openai", "" if "llm_base_url" in settings.model_fields_set else MODEL_NAME
        ),
        "tts": _named(settings.tts_provider, settings.tts_voice, "piper", Settings.model_fields["tts_voice"].default),
    }
    if settings.tts_provider == "openai":
        names["tts"] = f"{settings.tts_model} (openai)"
    return {stage: name for stage, name in names.items() if stage in stages}


def answering(settings: Settings) -> str:
    """The model that answers where an agent has none of its own; "": only its provider knows. SettingsError: it isn't there."""
    if settings.llm_provider != "openai":
        return ""
    return settings.llm_model if "llm_base_url" in settings.model_fields_set else served_llm()


def speaking(settings: Settings) -> str:
    """The voice that speaks where an agent has none of its own; "": only its provider knows."""
    if settings.tts_provider == "openai":
        from workers.tts.openai_speech import OpenAiTts

        return OpenAiTts.asked_for(settings)
    return settings.tts_voice if settings.tts_provider == "piper" else ""


def _hearing(settings: Settings) -> str:
    if settings.stt_provider != "openai":
        return settings.stt_model
    from workers.stt.openai import OpenAiStt

    return OpenAiStt.asked_for(settings)


def models_line(names: Mapping[str, str]) -> str:
    return " · ".join(f"{stage.upper()} {name}" for stage, name in names.items())


def _named(provider: str, model: str, usual: str, packaged: str) -> str:
    if provider not in (usual, "openai"):
        return provider
    return f"{model} ({provider})" if provider != usual else f"{model} (packaged)" if model == packaged else model


def _embeds_llm(settings: Settings) -> bool:
    return settings.llm_provider == "openai" and not {"llm_base_url", "llm_model"} & settings.model_fields_set


def _embeds_stt(settings: Settings) -> bool:
    return settings.stt_provider == "faster-whisper" and "stt_model" not in settings.model_fields_set


def _models() -> Path:
    return data_folder().absolute() / "models"


def _newest(found: Iterable[Path]) -> Path | None:
    return max(found, key=lambda path: path.stat().st_mtime, default=None)
