"""The tts stage: its handler and its providers (`piper`, `openai`, `simulated`), found by name through entry points.

A provider inherits `workers.providers.Tts` and passes `workers.testing.contracts.TtsContract`.
"""

from workers.tts.stage import TtsStage

__all__ = ["TtsStage"]
