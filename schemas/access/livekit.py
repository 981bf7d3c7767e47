"""How we get into a LiveKit server: its address, our key, and tokens that allow no more than their errand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

import aiohttp
from livekit import api

from schemas.config.settings import Settings
from schemas.errors import SettingsError

_WORKER = timedelta(minutes=2)  # used once, at the connection
_AGENT = timedelta(minutes=15)  # to get in with; the server renews it while the agent is there
_PATIENCE = aiohttp.ClientTimeout(total=5)


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

    def agent_token(self, room: str, identity: str, name: str = "", attributes: Mapping[str, str] | None = None) -> str:
        """To be the agent of one room: hear everybody, speak with one voice, say things as data, set its own attributes."""
        grants = api.VideoGrants(
            room_join=True, room=room, agent=True, can_publish_sources=["microphone"], can_update_own_metadata=True
        )
        token = self._token().with_identity(identity).with_kind("agent").with_ttl(_AGENT).with_grants(grants)
        return str(token.with_name(name).with_attributes(dict(attributes or {})).to_jwt())

    def person_token(
        self, room: str, identity: str, lifetime: timedelta, agents: Sequence[api.RoomAgentDispatch]
    ) -> str:
        """To be a person in one room: hear, speak, show, chat. `agents` come along when it is this person who makes the room."""
        grants = api.VideoGrants(room_join=True, room=room)
        token = self._token().with_identity(identity).with_ttl(lifetime).with_grants(grants)
        return str(token.with_room_config(api.RoomConfiguration(agents=agents)).to_jwt())

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
