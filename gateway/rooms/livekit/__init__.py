"""The LiveKit room. `join` is the door."""

from gateway.rooms.livekit.room import LiveKitRoom, join
from schemas.access.livekit_errors import LiveKitError

__all__ = ["LiveKitError", "LiveKitRoom", "join"]
