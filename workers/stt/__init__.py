"""The stt stage: its handler and its providers (`faster-whisper`, `openai`), found by name through entry points.

A provider implements `workers.providers.Stt` and passes `tests/workers/stt/contract.py`.
"""

from workers.stt.stage import SttStage

__all__ = ["SttStage"]
