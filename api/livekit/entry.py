"""Who asks to come into a room gets a token for it: for this room, as this person, with an agent they may choose, and no more."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from api.choice import choosable, chosen_or_draft
from api.livekit.fields import a_persons, a_persons_attributes
from api.livekit.rooms import new_name
from api.problems import Problem
from schemas.access.livekit import Access, agent_named, call_asked, dispatches
from schemas.bus import Drafting
from schemas.config.agents import Agents
from schemas.config.collecting import UNVOUCHED
from schemas.config.settings import Settings


@dataclass(frozen=True, slots=True)
class Person:
    """As asked for: "" is left to us. `agent`: who shall answer, should the room be made by their coming in; `call`: the metadata
    of the call then."""

    room: str = ""
    identity: str = ""
    name: str = ""
    metadata: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    agent: str = ""
    call: Mapping[str, Any] = field(default_factory=dict)
    vouched: bool = True
    """Whether whoever asks vouches for the identity."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`url`: of the LiveKit server, as browsers reach it. The token is never shown."""

    url: str
    token: str = field(repr=False)
    room: str
    identity: str


def public_url(settings: Settings) -> str:
    return settings.livekit_public_url or settings.livekit_url


async def entry_of(access: Access, settings: Settings, agents: Agents, drafts: Drafting, person: Person) -> Entry:
    """What lets `person` in, for LIVEKIT_TOKEN_TTL. Problem 403: an agent that can't be chosen, an identity or attributes of
    agents; 404: a draft of an agent that is no longer kept."""
    agent = await chosen_or_draft(drafts, settings, agents, person.agent)
    room = person.room or settings.livekit_room or new_name()
    identity = a_persons(person.identity) or f"guest-{secrets.token_hex(8)}"
    token = access.person_token(
        room,
        identity,
        timedelta(seconds=settings.livekit_token_ttl),
        dispatches(settings.livekit_agent_name, agent, person.call),
        name=person.name,
        metadata=person.metadata,
        attributes=a_persons_attributes(dict(person.attributes)) | ({} if person.vouched else {UNVOUCHED: "yes"}),
    )
    return Entry(public_url(settings), token, room, identity)


def call_asked_for(wanted: Sequence[str]) -> dict[str, Any]:
    """The call's metadata in the `metadata` of the agents that LiveKit's kits ask for. Problem 422: it is too large."""
    try:
        return call_asked(wanted[0]) if wanted else {}
    except ValueError as error:
        raise Problem(422, "form", f"room_config.agents: metadata: {error}") from None


def agent_asked_for(wanted: Sequence[tuple[str, str]], settings: Settings, agents: Agents) -> str:
    """Which agent LiveKit's kits ask for, by (agent_name, metadata) of each: metadata may name it as in a job; else it is
    `agent_name`, unless that is the gateways' own name, under which all agents come. Problem 422: several."""
    if len(wanted) > 1:
        raise Problem(422, "form", f"room_config.agents: one agent comes into a room, {len(wanted)} were asked for")
    for agent_name, metadata in wanted:
        names = choosable(settings, agents)
        by_metadata = agent_named(metadata, names)
        if by_metadata or agent_name in names:
            return by_metadata or agent_name
        return agent_name if agent_name != settings.livekit_agent_name else ""
    return ""
