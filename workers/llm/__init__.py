"""Thinking: from a session's log to the sentences of a reply."""

from schemas.text.sentences import Piece, SentenceSplitter, speakable
from workers.llm.stage import LlmStage

__all__ = ["LlmStage", "Piece", "SentenceSplitter", "speakable"]
