"""The stt stage: its handler and its providers (`faster-whisper`, `openai`, `simulated`), found by name through entry points.

A provider inherits `workers.providers.Stt` and passes `workers.testing.contracts.SttContract`.
"""

from workers.stt.stage import SttStage

__all__ = ["SttStage"]
