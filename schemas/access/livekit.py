"""How we get into a LiveKit server: its address, our key, and tokens that allow no more than their errand."""

import json
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import jwt
from google.protobuf.json_format import MessageToDict
from livekit import api

from schemas.client import fit_metadata
from schemas.config.settings import Settings
from schemas.errors import SettingsError

_WORKER = timedelta(minutes=2)  # used once, at the connection
_AGENT = timedelta(minutes=15)  # to get in with; the server renews it while the agent is there
_PATIENCE = aiohttp.ClientTimeout(total=5)

_PERSON: dict[str, Any] = api.access_token.Claims(video=api.VideoGrants(room_join=True)).asdict()["video"]
"""What each person's token allows, but for the room. Put together once: LiveKit's `to_jwt` does so for each token, which takes
most of its time."""

AGENT_PREFIX = "agent-"
"""Of the identity of every agent of ours in a room: nobody else may come in under one."""


@dataclass(frozen=True, slots=True)
class Access:
    """`url`: ws://host:port, as settings name it. The secret is never shown."""

    url: str
    api_key: str
    api_secret: str = field(repr=False)

    @property
    def http_url(self) -> str:
        """The same server for HTTP."""
        parts = urlsplit(self.url)
        scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
        return f"{scheme}://{parts.netloc}{parts.path.rstrip('/')}"

    @property
    def agent_url(self) -> str:
        """Where agent workers register."""
        return f"{self.http_url.replace('http', 'ws', 1)}/agent"

    def worker_token(self) -> str:
        """To register as an agent worker, and for nothing else."""
        grants = api.VideoGrants(agent=True, can_publish=False, can_subscribe=False, can_publish_data=False)
        return str(self._token().with_ttl(_WORKER).with_grants(grants).to_jwt())

    def agent_token(
        self,
        room: str,
        identity: str,
        name: str = "",
        attributes: Mapping[str, str] | None = None,
        *,
        worker: bool = True,
    ) -> str:
        """To be the agent of one room: hear everybody, speak with one voice, say things as data, set its own attributes.
        `worker`: it may also register as an agent worker, and so be sent into other rooms."""
        grants = api.VideoGrants(
            room_join=True,
            room=room,
            agent=worker or None,
            can_publish_sources=["microphone"],
            can_update_own_metadata=True,
        )
        token = self._token().with_identity(identity).with_kind("agent").with_ttl(_AGENT).with_grants(grants)
        return str(token.with_name(name).with_attributes(dict(attributes or {})).to_jwt())

    def person_token(
        self, room: str, identity: str, lifetime: timedelta, agents: Sequence[api.RoomAgentDispatch], *,
        name: str = "", metadata: str = "", attributes: Mapping[str, str] | None = None,
    ) -> str:  # fmt: skip
        """To be a person in one room: hear, speak, show, chat. `agents` come along when it is this person who makes the room."""
        now = int(time.time())
        claims = {
            "sub": identity,
            "iss": self.api_key,
            "nbf": now,
            "exp": now + int(lifetime.total_seconds()),
            "name": name,
            "metadata": metadata,
            "attributes": dict(attributes or {}),
            "video": {**_PERSON, "room": room},
            "roomConfig": MessageToDict(api.RoomConfiguration(agents=agents)),
        }
        return jwt.encode({name: claim for name, claim in claims.items() if claim != ""}, self.api_secret, "HS256")

    def client(self) -> api.LiveKitAPI:
        """The server's API; each of its calls signs a token with just the grant it needs. To be closed."""
        return api.LiveKitAPI(self.http_url, self.api_key, self.api_secret, timeout=_PATIENCE, failover=False)

    def _token(self) -> api.AccessToken:
        return api.AccessToken(self.api_key, self.api_secret)


def access(settings: Settings) -> Access:
    """The LiveKit server of the settings. SettingsError: its address, its key or its secret is missing."""
    if not settings.livekit_url:
        raise SettingsError("LIVEKIT_URL is not set: give the LiveKit server's address, such as ws://127.0.0.1:7880")
    secret = settings.livekit_api_secret.get_secret_value()
    missing = [
        name
        for name, value in (("LIVEKIT_API_KEY", settings.livekit_api_key), ("LIVEKIT_API_SECRET", secret))
        if not value
    ]
    if missing:
        raise SettingsError(
            f"LIVEKIT_URL={settings.livekit_url} is set, so {' and '.join(missing)} must be too: a key of that server "
            "and its secret"
        )
    return Access(settings.livekit_url, settings.livekit_api_key, secret)


def dispatches(agent_name: str, agent: str = "", call: Mapping[str, Any] = {}) -> list[api.RoomAgentDispatch]:
    """What brings the agent called `agent` ("": the gateways' own choice) into a room that is made. `agent_name`: the gateways'
    LIVEKIT_AGENT_NAME; where they have none they come by themselves, and are told which agent it is, and `call`, at most."""
    if not (agent or agent_name or call):
        return []
    return [api.RoomAgentDispatch(agent_name=agent_name, metadata=job_metadata(agent, call))]


def job_metadata(agent: str, call: Mapping[str, Any] = {}) -> str:
    """Of a job: which agent is asked for, which `agent_named` reads; and the call's metadata, for `call_metadata`, in which
    `agent` is no key of its own."""
    told = {key: value for key, value in call.items() if key != "agent"} | ({"agent": agent} if agent else {})
    return json.dumps(told, ensure_ascii=False) if told else ""


def call_asked(metadata: str) -> dict[str, Any]:
    """The call's metadata in what somebody wants a job to have: all of a JSON object but its `agent`. ValueError, in a sentence:
    too large, too deep."""
    try:
        found = json.loads(metadata) if metadata else {}
    except (ValueError, RecursionError):
        return {}
    return (
        fit_metadata({key: value for key, value in found.items() if key != "agent"}) if isinstance(found, dict) else {}
    )


def call_metadata(metadata: str, allowed: Collection[str]) -> dict[str, Any]:
    """What of a job's metadata may stand in the session's: `allowed` keys of a JSON object; nothing of one that is larger than a
    session's metadata may be."""
    try:
        found = json.loads(metadata) if metadata else {}
        known = {key: value for key, value in found.items() if key in allowed} if isinstance(found, dict) else {}
        return fit_metadata(known)
    except (ValueError, RecursionError):
        return {}


def agent_named(metadata: str, names: Collection[str]) -> str:
    """Which agent a job's metadata asks for: `{"agent": NAME}`, or the bare name of one there is. "": none; what else
    stands in metadata is somebody else's."""
    try:
        found = json.loads(metadata)
    except (ValueError, RecursionError):
        return metadata.strip() if metadata.strip() in names else ""
    wanted = found.get("agent") if isinstance(found, dict) else None
    return wanted if isinstance(wanted, str) else ""
