"""Client tokens: JWTs (HS256, GATEWAY_TOKEN_SECRET) that say who may enter, and into what."""

import time
from dataclasses import dataclass

import jwt

from schemas.errors import AntiphonError, SettingsError

SHORTEST_SECRET = 32
_LEEWAY = 5


class TokenRefused(AntiphonError): ...


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows. "" leaves the choice to the client; `join`: to send the agent into LiveKit rooms; `operator`: to have
    the gateway dial and hang up."""

    room: str = ""
    participant: str = ""
    agent: str = ""
    join: bool = False
    operator: bool = False


def check_secret(secret: str) -> None:
    """SettingsError for a secret that is too short to keep anything."""
    if len(secret) < SHORTEST_SECRET:
        raise SettingsError(
            f"GATEWAY_TOKEN_SECRET has {len(secret)} characters; give at least {SHORTEST_SECRET} (openssl rand -hex 32)"
        )


def mint(secret: str, grant: Grant, seconds: float = 3600.0) -> str:
    """A token for `grant` that is good for `seconds`."""
    check_secret(secret)
    claims: dict[str, object] = {"exp": int(time.time() + seconds)}
    names = ("room", "participant", "agent", "join", "operator")
    claims |= {name: value for name in names if (value := getattr(grant, name))}
    return jwt.encode(claims, secret, algorithm="HS256")


def verify(secret: str, token: str) -> Grant:
    """What `token` allows. TokenRefused says in one sentence why it is none."""
    try:
        claims = jwt.decode(token, secret, algorithms=["HS256"], options={"require": ["exp"]}, leeway=_LEEWAY)
    except jwt.ExpiredSignatureError:
        raise TokenRefused("the token has expired; get a new one") from None
    except jwt.MissingRequiredClaimError as error:
        raise TokenRefused(f"the token has no `{error.claim}`; it must say when it expires") from None
    except jwt.InvalidTokenError:
        raise TokenRefused("the token is not signed with this gateway's GATEWAY_TOKEN_SECRET (HS256)") from None
    values = {name: claims.get(name, "") for name in ("room", "participant", "agent")}
    if not all(isinstance(value, str) for value in values.values()):
        raise TokenRefused("`room`, `participant` and `agent` of a token are strings")
    return Grant(**values, join=claims.get("join") is True, operator=claims.get("operator") is True)
