"""The llm stage: its handler, from a session's log to the sentences of a reply, and its providers (`openai`, `simulated`), found
by name through entry points.

A provider inherits `workers.providers.Llm` and passes `workers.testing.contracts.LlmContract`.
"""

from workers.llm.stage import LlmStage

__all__ = ["LlmStage"]
