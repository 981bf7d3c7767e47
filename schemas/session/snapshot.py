"""A session's state as bytes, to go on from, and as JSON values: `load(dump(state)) == state`.

Apart from the fold, for only who keeps a state or shows it whole waits until its validator is made.
"""

from typing import Any

import msgpack
from pydantic import TypeAdapter, ValidationError

from schemas.errors import EventError
from schemas.session.chat import messages
from schemas.session.state import SessionState

_STATE = TypeAdapter(SessionState)


def dump(state: SessionState) -> bytes:
    """A snapshot; to be kept beside `FOLD_VERSION` and `state.seq`."""
    packed: bytes = msgpack.packb(_STATE.dump_python(state))
    return packed


def load(snapshot: bytes) -> SessionState:
    """The state of a snapshot of this `FOLD_VERSION`. EventError if it is none."""
    try:
        return _STATE.validate_python(msgpack.unpackb(snapshot, strict_map_key=False))
    except (ValidationError, ValueError, TypeError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise EventError(f"this snapshot of {len(snapshot)} bytes can't be read: {reason}; fold the log") from None


def view(state: SessionState) -> dict[str, Any]:
    """The state as JSON values, whole, with what follows from it (floor)."""
    dumped: dict[str, Any] = _STATE.dump_python(state, mode="json")
    return {"seq": state.seq, "floor": state.floor, **dumped}


def whole(state: SessionState) -> dict[str, Any]:
    """The state as JSON values, with the chat an LLM would be given now as `messages`."""
    last = state.turns[max(state.turns)] if state.turns else None
    # an ended turn is past, with what was heard of it
    present = 0 if last is None else last.id + (last.end is not None)
    return view(state) | {"messages": messages(state, present)}
