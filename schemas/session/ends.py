"""Why sessions end, in words. Apart from all other words, for a list of sessions needs no more of them."""

ENDS = {
    "hang_up": ("they hung up", "hung up"),
    "client_gone": ("the client was gone for too long", "client gone"),
    "end_requested": ("somebody asked for the end", "asked to end"),
    "limit": ("a limit was reached", "limit reached"),
    "idle": ("nobody said anything", "nobody there"),
    "machine": ("an answering machine took the call", "answering machine"),
    "gateway_lost": ("its gateway was lost", "gateway lost"),
    "room_closed": ("the room was closed", "room closed"),
    "error": ("an error", "error"),
    "broken_off": ("the replay was stopped", "replay stopped"),
}
"""In a sentence, and in two or three words."""


def in_words(reason: str) -> str:
    """Why a session ended, in two or three words."""
    return ENDS[reason][1] if reason in ENDS else reason
