"""The tts stage: its handler and its providers (`piper`, `openai`), found by name through entry points.

A provider implements `workers.providers.Tts` and passes `tests/workers/tts/contract.py`.
"""

from workers.tts.stage import TtsStage

__all__ = ["TtsStage"]
