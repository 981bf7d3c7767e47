"""Fixtures of the LLM tests."""

from tests.workers.llm.endpoints import embedded, misbehaving

__all__ = ["embedded", "misbehaving"]
