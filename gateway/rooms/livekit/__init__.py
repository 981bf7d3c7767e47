"""The LiveKit room. `join` is the door."""

from gateway.rooms.livekit._errors import LiveKitError
from gateway.rooms.livekit.room import LiveKitRoom, join

__all__ = ["LiveKitError", "LiveKitRoom", "join"]
