"""Fixtures of the LLM tests."""

from tests.servers import misbehaving
from tests.workers.llm.endpoints import embedded

__all__ = ["embedded", "misbehaving"]
