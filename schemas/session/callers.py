"""Who a session's caller is, as far as somebody vouches for it: a phone line, or a token. What strangers say of themselves is
nothing. Pure."""

import re

from schemas.config.collecting import UNVOUCHED
from schemas.session.state import Participant, SessionState

__all__ = ["caller_of", "phone"]

_FEWEST = 5
"""Digits of a phone number: less is an extension, which is somebody else's elsewhere."""
_GUEST = "guest-"
"""Of identities that are made up for who has none."""


def phone(number: str) -> str:
    """A number without what is between its digits; "": it is none ("anonymous")."""
    bare = re.sub(r"[\s()./-]", "", number)
    return bare if re.fullmatch(rf"\+?\d{{{_FEWEST},20}}", bare) else ""


def caller_of(state: SessionState) -> str:
    """ "": nobody is known, or several people are."""
    if state.caller or state.transport != "livekit":
        return state.caller
    people = [_known(one) for one in state.participants.values() if one.kind != "agent"]
    return people[0] if len(people) == 1 else ""


def _known(person: Participant) -> str:
    if person.kind == "sip":
        return phone(person.attributes.get("sip.phoneNumber", ""))
    unknown = UNVOUCHED in person.attributes or person.identity.startswith(_GUEST)
    return "" if unknown else person.identity
