"""Who a session's caller is, as far as somebody vouches for it: a phone line, or a token. What strangers say of themselves is
nothing. Pure."""

import re
from collections.abc import Mapping
from typing import Protocol

from schemas.config.collecting import UNVOUCHED
from schemas.session.state import SessionState

__all__ = ["Known", "caller_among", "caller_of", "phone"]

_FEWEST = 5
"""Digits of a phone number: less is an extension, which is somebody else's elsewhere."""
_GUEST = "guest-"
"""Of identities that are made up for who has none."""


def phone(number: str) -> str:
    """A number without what is between its digits; "": it is none ("anonymous")."""
    bare = re.sub(r"[\s()./-]", "", number)
    return bare if re.fullmatch(rf"\+?\d{{{_FEWEST},20}}", bare) else ""


class Known(Protocol):
    """Somebody who is, or was, in a session."""

    @property
    def kind(self) -> str: ...
    @property
    def attributes(self) -> Mapping[str, str]: ...


def caller_of(state: SessionState) -> str:
    """ "": nobody is known, or several people are."""
    return caller_among(state.caller, state.transport, state.participants)


def caller_among(caller: str, transport: str, people: Mapping[str, Known]) -> str:
    """The same of people by their identities; `caller`: as `session.started` says."""
    if caller or transport != "livekit":
        return caller
    known = [_known(identity, one) for identity, one in people.items() if one.kind != "agent"]
    return known[0] if len(known) == 1 else ""


def _known(identity: str, person: Known) -> str:
    if person.kind == "sip":
        return phone(person.attributes.get("sip.phoneNumber", ""))
    return "" if UNVOUCHED in person.attributes or identity.startswith(_GUEST) else identity
