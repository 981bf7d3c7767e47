"""Callers of our own: a `person` speaks and hears, by WebSocket (`caller`) or in a LiveKit room (`livekit_caller`); how they find
and enter a gateway (`entry`); what they say (`recordings`), and the conversation as a file (`audio`).
And oneself: `talk`, by `sound_card`, with what is `said` on the screen."""
