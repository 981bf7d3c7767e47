"""What things are called: sessions of rooms, the agent as a participant."""

import secrets

from schemas.access.livekit import AGENT_PREFIX

SESSION_ATTRIBUTE = "antiphon.session"
"""Of the agent as a participant: the name of its session in the log."""


PREFIX = "lk-"
"""Of every LiveKit session's name."""


def session_name(room_sid: str, dispatch: str = "") -> str:
    """One name for one room, whoever comes to it; an agent that was asked for by name has one for each time it was."""
    return PREFIX + (dispatch or room_sid).partition("_")[2]


def attributes(session: str, agent_name: str = "") -> dict[str, str]:
    """Of the agent as a participant, from its first moment on."""
    named = {"lk.agent.name": agent_name} if agent_name else {}
    return {SESSION_ATTRIBUTE: session, "lk.agent.state": "initializing", **named}


def new_identity() -> str:
    """Of an agent in its room. It stands in the log: whoever takes the session over comes back as the same participant."""
    return f"{AGENT_PREFIX}{secrets.token_hex(6)}"
