"""Is the speaker done? smart-turn v3.2 hears it in the voice: the melody's fall, the last word's length."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from schemas.audio import Pcm
from schemas.errors import Permanent
from workers.stt._mel import FFT, HOP, RATE, Floats, log_mel, normalized

__all__ = ["SmartTurn", "locate", "turn_features"]

SECONDS = 8
"""Of sound the model hears: the last ones."""
_FRAMES = SECONDS * RATE // HOP


class SmartTurn:
    """The model, loaded. Thread-safe; compute in a thread."""

    def __init__(self, threads: int = 1) -> None:
        """`threads`: of CPU. Permanent when the model's package is missing or broken."""
        path = locate()
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry(
            "session.intra_op.allow_spinning", "0"
        )  # whoever waits leaves the core to Whisper
        options.log_severity_level = 3
        try:
            self._session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own errors share no base but this
            raise Permanent(
                f"{path}: no end-of-turn model ({error}); `make setup` installs it", "model_broken"
            ) from None
        self._input = self._session.get_inputs()[0].name

    def probabilities(self, sounds: Sequence[Pcm]) -> list[float]:
        """0..1 for each utterance (int16, 16 kHz, shape (n,), n > 0): how surely its speaker is done."""
        features = np.stack([turn_features(pcm) for pcm in sounds])
        (done,) = self._session.run(None, {self._input: features})
        return [float(min(1.0, max(0.0, value))) for value in done.reshape(-1)]


def locate() -> Path:
    """Where the model lies. Permanent when its package is missing."""
    spec = importlib.util.find_spec("pipecat")
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"
        if path.is_file():
            return path
    raise Permanent(
        "the end-of-turn model comes with the package pipecat-ai, which is not installed: `make setup` installs it, "
        "or set end_of_turn = false in the agent file",
        "model_missing",
    )


def turn_features(pcm: Pcm) -> Floats:
    """Log-mel of the last 8 s, shape (80, 800): silence before shorter sound, then zero mean and unit variance over the
    8 s. Silence is the same in every frame, so only one frame of it is computed."""
    heard = pcm[-SECONDS * RATE :].astype(np.float32) / np.float32(32768.0)
    whole = SECONDS * RATE
    mean = float(heard.sum(dtype=np.float64)) / whole
    variance = float(np.square(heard, dtype=np.float64).sum()) / whole - mean * mean
    scale = np.float32(1.0 / np.sqrt(max(variance, 0.0) + 1e-7))
    missing = (whole - len(heard)) // HOP
    quiet = max(0, missing - 2 * FFT // HOP)
    wave = np.concatenate([np.zeros((whole - len(heard)) - quiet * HOP, np.float32), heard])
    energies = log_mel((wave - np.float32(mean)) * scale)
    energies = np.concatenate([np.repeat(energies[:, :1], quiet, axis=1), energies], axis=1)
    return normalized(energies, _FRAMES)
