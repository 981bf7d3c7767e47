"""What strangers write to be called, as a request may hold it: what is unfit is refused, for another room or person must not be
taken for the one that was meant."""

from typing import Annotated

from pydantic import AfterValidator, Field

from api.problems import Problem
from schemas.access.livekit import AGENT_PREFIX
from schemas.text.clean import one_line, plain

LONGEST_NAME = 128
"""Characters of what a room, a person or an agent is called."""
MOST_BYTES = 256
"""Of the same in UTF-8: LiveKit takes no more."""
LONGEST_TEXT = 4096
"""Characters of metadata; of all attributes together, names and values."""
MOST_ATTRIBUTES = 64
_RESERVED = ("lk.", "antiphon.", "sip.")
"""What attributes of agents and of phones begin with."""


def _line(text: str) -> str:
    if one_line(plain(text, len(text)), len(text)) != text:
        raise ValueError("one line is expected, without controls, and without blanks at its ends")
    if len(text.encode()) > MOST_BYTES:
        raise ValueError(f"at most {MOST_BYTES} bytes of UTF-8 are expected")
    return text


def _text(text: str) -> str:
    if plain(text, len(text)) != text:
        raise ValueError("text without controls is expected")
    return text


def _room(text: str) -> str:
    if "/" in text or text in (".", ".."):
        raise ValueError('a room that can be named in an address is expected: no "/", not "." or ".."')
    return text


Line = Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(_line)]
"""What somebody is called; "" where it is left to us."""
RoomName = Annotated[Line, AfterValidator(_room)]
Text = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(_text)]
"""Metadata: theirs, handed on as it is."""
Attributes = Annotated[dict[Line, Text], Field(max_length=MOST_ATTRIBUTES)]


def a_persons(identity: str) -> str:
    """`identity`, unless an agent of ours could be it. Problem 403."""
    if identity.casefold().startswith(AGENT_PREFIX):
        raise Problem(403, "identity", f"identities that begin with {AGENT_PREFIX} are those of agents; choose another")
    return identity


def a_persons_attributes(attributes: dict[str, str]) -> dict[str, str]:
    """`attributes`, unless they would pass for an agent's or a phone's. Problem 403: these; 422: too many characters."""
    for name in attributes:
        if name.casefold().startswith(_RESERVED):
            kinds = ", ".join(f"{kind}…" for kind in _RESERVED)
            raise Problem(
                403, "attributes", f"{name[:80]!r} can't be set: attributes {kinds} are those of agents and phones"
            )
    if sum(len(name) + len(value) for name, value in attributes.items()) > LONGEST_TEXT:
        raise Problem(422, "form", f"the attributes have more than {LONGEST_TEXT} characters together")
    return attributes
