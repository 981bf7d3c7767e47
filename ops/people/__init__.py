"""Callers of our own: recordings that speak, by WebSocket or in LiveKit rooms."""
