"""The WebSocket room, and its door /ws."""
