"""Tokens for LiveKit rooms."""

from datetime import timedelta
from typing import Any

import jwt
import pytest
from livekit import api

from schemas.access.livekit import Access, dispatches

ACCESS = Access("ws://livekit:7880", "key", "a-secret-of-more-than-thirty-two-characters")
HOUR = timedelta(hours=1)


def _claims(token: str) -> dict[str, Any]:
    told: dict[str, Any] = jwt.decode(token, ACCESS.api_secret, ["HS256"])
    assert told.pop("exp") - told.pop("nbf") == 3600
    return told


@pytest.mark.parametrize("agents", [[], dispatches("antiphon", "helper")])
@pytest.mark.parametrize("more", [{}, {"name": "Ann 三", "metadata": "{}", "attributes": {"colour": "blue"}}])
def test_as_livekit_makes_it(agents: list[api.RoomAgentDispatch], more: dict[str, Any]) -> None:
    """A person's token says to the letter what LiveKit's own kit would have put into it, and is taken by its verifier."""
    made = ACCESS.person_token("lobby", "ann", HOUR, agents, **more)
    theirs = api.AccessToken(ACCESS.api_key, ACCESS.api_secret).with_identity("ann").with_ttl(HOUR)
    theirs = theirs.with_grants(api.VideoGrants(room_join=True, room="lobby")).with_name(more.get("name", ""))
    theirs = theirs.with_metadata(more.get("metadata", "")).with_attributes(more.get("attributes", {}))
    theirs = theirs.with_room_config(api.RoomConfiguration(agents=agents))
    assert _claims(made) == _claims(theirs.to_jwt())
    assert api.TokenVerifier(ACCESS.api_key, ACCESS.api_secret).verify(made).identity == "ann"
