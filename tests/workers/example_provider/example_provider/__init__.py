"""A provider of each kind, as small as they can be: `STT_PROVIDER=example`, and so for llm and tts."""
