"""The HTTP API: tokens, rooms, sessions, replay. It comes later; so far there are phones in LiveKit rooms (`telephony`), which
`antiphon sip` asks for."""
