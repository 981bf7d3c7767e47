"""The tool `note_field`, by which the LLM notes what callers say for the fields of an agent. Pure."""

from collections.abc import Mapping
from typing import Any

from schemas.config.agent import AgentSpec
from schemas.events import FieldCollected
from schemas.session.collecting import NOTE_FIELD, note
from schemas.session.state import SessionState
from schemas.text.clean import one_line

__all__ = ["NOTE_FIELD", "TOLD", "call", "parameters_of"]

TOLD = "Note what the caller said for a field; answers what to say next."
"""What the tool does, for the LLM."""
_SAID = 500
"""Characters of what was said that stand in the log."""


def parameters_of(agent: AgentSpec) -> dict[str, Any] | None:
    """The tool's arguments, as JSON schema. None: the agent has no fields."""
    names = [spec.name for spec in agent.fields]
    if not names:
        return None
    properties = {
        "name": {"type": "string", "enum": names},
        "value": {"type": "string", "description": "What the caller said for it, word for word."},
        "confirmed": {"type": "boolean", "description": "The caller said that the value you read back is right."},
    }
    return {"type": "object", "properties": properties, "required": ["name", "value"]}


def call(state: SessionState, turn: int, arguments: Mapping[str, Any]) -> tuple[FieldCollected | None, str]:
    """What a call amounts to: the event, None where nothing is noted, and the answer for the LLM. `turn`: in which it is called.
    Whatever a model writes as arguments, it is an answer and no error."""
    name = one_line(str(arguments.get("name") or ""), 60)
    said = arguments.get("value")
    noted = note(state, turn, name, said if said is not None else "", arguments.get("confirmed") is True)
    if noted.value is None:
        return None, noted.answer
    before = state.fields.get(name)
    words = said if isinstance(said, str) else ""
    if not words and before is not None:
        words = before.said
    event = FieldCollected(
        turn=turn, name=name, value=noted.value, said=one_line(words, _SAID), confirmed=noted.confirmed
    )
    return event, noted.answer
