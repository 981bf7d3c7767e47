"""How facts are told in a room: one file per convention, each a pure mapping from facts to what is to be sent."""

from gateway.rooms.livekit.conventions._sending import (
    CloseText,
    Convention,
    Old,
    OpenText,
    Scene,
    Send,
    SendBytes,
    SendData,
    SendText,
    SetAttributes,
    WriteText,
)

__all__ = [
    "CloseText",
    "Convention",
    "Old",
    "OpenText",
    "Scene",
    "Send",
    "SendBytes",
    "SendData",
    "SendText",
    "SetAttributes",
    "WriteText",
]
