"""The stages' names, and those of the ways in which people reach a session: apart, for who only looks loads no events."""

from typing import Literal

Stage = Literal["stt", "llm", "tts", "tools"]
STAGES: tuple[Stage, ...] = ("stt", "llm", "tts")
"""Those that every conversation needs; `tools` has workers where an agent wants them to have some."""
POOLS: tuple[Stage, ...] = (*STAGES, "tools")
"""All that may have workers."""
TransportName = Literal["websocket", "file", "livekit", "sip", "memory"]
"""By which a session reaches its people."""
