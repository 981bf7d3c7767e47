"""Voice activity for every participant of every session: Silero, one batch per tick, one thread."""

import importlib.util
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from gateway.sound import silero
from gateway.sound.detector import FRAME
from schemas.errors import Permanent

_CONTEXT = 64
_MODEL = "data/silero_vad_op18_ifless.onnx"


def model_path() -> Path:
    """The model's file inside the silero-vad package, which is never imported. Permanent: it isn't installed."""
    found = importlib.util.find_spec("silero_vad")
    path = Path(found.origin).parent / _MODEL if found and found.origin else None
    if path is None or not path.is_file():
        raise Permanent(f"silero-vad: no {_MODEL}; run `make setup` to install the weight packages", "model_missing")
    return path


class VoiceActivity(Protocol):
    """What the engine needs of a VAD. `run` may be called in a thread; the rest between two runs."""

    def warm_up(self) -> None: ...

    def take_slot(self) -> int: ...

    def give_slot(self, slot: int) -> None: ...

    def run(self, slots: list[int], frames: NDArray[np.int16]) -> list[float]: ...


class Vad:
    """The model and what it remembers of each participant, in slots of preallocated arrays.

    `run` computes (a millisecond and more): call it in a thread, one call at a time. The rest is for the event loop, between
    two runs.
    """

    def __init__(self, capacity: int = 64):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # the model carries unused initializers, which nobody need read about
        model = silero.for_batches(model_path())
        self._model = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._state = np.zeros((2, capacity, 128), np.float32)
        self._input = np.zeros((capacity, _CONTEXT + FRAME), np.float32)
        self._free = list(range(capacity - 1, -1, -1))

    def warm_up(self) -> None:
        """Run once, so that the first caller does not wait for it."""
        slot = self.take_slot()
        self.run([slot], np.zeros((1, FRAME), np.int16))
        self.give_slot(slot)

    def take_slot(self) -> int:
        """A place for one more participant, with nothing remembered."""
        if not self._free:
            capacity = len(self._input)
            self._state = np.concatenate((self._state, np.zeros_like(self._state)), axis=1)
            self._input = np.concatenate((self._input, np.zeros_like(self._input)))
            self._free = list(range(2 * capacity - 1, capacity - 1, -1))
        slot = self._free.pop()
        self._state[:, slot] = 0
        self._input[slot] = 0
        return slot

    def give_slot(self, slot: int) -> None:
        self._free.append(slot)

    def run(self, slots: list[int], frames: NDArray[np.int16]) -> list[float]:
        """Probability of speech of each frame. `frames`: shape (n, 512), the next of those in `slots`, all distinct."""
        rows = np.array(slots)
        batch = self._input[rows]
        batch[:, :_CONTEXT] = batch[:, FRAME:]  # the end of the frame before
        np.multiply(frames, np.float32(1 / 32768), out=batch[:, _CONTEXT:], casting="unsafe")
        probabilities, state = self._model.run(None, {"input": batch, "state": self._state[:, rows]})
        self._input[rows] = batch
        self._state[:, rows] = state
        return probabilities.ravel().tolist()  # type: ignore[no-any-return]
