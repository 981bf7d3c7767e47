"""LiveKit rooms: `room.join` is the way into one. Nothing is imported here: its library is loaded where LIVEKIT_URL is set."""
