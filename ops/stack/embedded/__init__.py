"""Servers that come along, so that a machine without them can hold a conversation: the log, an LLM, LiveKit."""
