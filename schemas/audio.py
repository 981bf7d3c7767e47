"""References to stretches of audio. Sound never travels inside an event; it lies beside the log as a blob."""

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Pcm = NDArray[np.int16]
    """Sound in memory: int16 mono, shape (n,)."""

HEARING_RATE = 16_000
"""Hz of everything the gateway hears and the STT workers read: int16 mono."""


class AudioRef(BaseModel):
    """A blob of raw little-endian int16 mono PCM.

    `key`: the blob's whole Redis key (`{pNN}:blob:<session>/<name>`); `rate`: Hz; `samples`: how many.
    """

    model_config = ConfigDict(frozen=True)

    key: str
    rate: int
    samples: int

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.samples / self.rate


def __getattr__(name: str) -> Any:
    """`Pcm` for whoever imports it; who only reads events does not wait for numpy."""
    if name != "Pcm":
        raise AttributeError(name)
    import numpy as np
    from numpy.typing import NDArray

    return NDArray[np.int16]
