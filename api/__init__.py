"""The HTTP API: tokens, rooms, sessions, replay. It comes later; there is nothing here yet."""
