"""Client tokens: JWTs (HS256, GATEWAY_TOKEN_SECRET) that say who may enter, and into what."""

import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from jwt.types import Options

from schemas.client import fit_metadata
from schemas.errors import AntiphonError, SettingsError

AUDIENCE = "antiphon-gateway"
"""`aud`: a token made with the same secret for something else, LiveKit say, is none of ours."""
SHORTEST_SECRET = 32
LONGEST = 366 * 86_400
"""Seconds a token may be good for."""
LARGEST = 4096
"""Characters of a token."""
_NAME = re.compile("[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]{0,256}")
_LEEWAY = 5  # seconds by which clocks may differ
_EXPIRES = "when it expires, in seconds since 1970"
_CHECKED: Options = {
    "require": ["exp", "aud"],
    "verify_exp": False,  # the library takes a bool or a string of digits for a time
    "verify_nbf": False,
    "verify_iat": False,
    "verify_sub": False,
    "verify_jti": False,
}


class TokenRefused(AntiphonError): ...


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows, beside a session of one's own. "" leaves the choice to the client; `join`: to send the agent into
    LiveKit rooms; `operator`: to have the gateway dial and hang up; `listen`: to hear that session, and nothing else;
    `metadata`: of the session that is begun, before what its client says; `unvouched`: whoever made the token took the
    participant's word for who they are."""

    room: str = ""
    participant: str = ""
    agent: str = ""
    join: bool = False
    operator: bool = False
    listen: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    unvouched: bool = False

    @property
    def caller(self) -> str:
        """Who the token vouches for; "": nobody."""
        return "" if self.unvouched else self.participant


def check_secret(secret: str) -> None:
    """SettingsError for a secret that is too short to keep anything."""
    if len(secret) < SHORTEST_SECRET:
        raise SettingsError(
            f"GATEWAY_TOKEN_SECRET has {len(secret)} characters; give at least {SHORTEST_SECRET} (openssl rand -hex 32)"
        )


def mint(secret: str, grant: Grant, seconds: float = 3600.0, now: float | None = None) -> str:
    """A token for `grant` that is good for `seconds`; `now`: s since 1970 by the log's clock, which whoever is shown it goes by;
    None: by this machine's. SettingsError: the secret is too short, or the time too long."""
    check_secret(secret)
    if seconds > LONGEST:
        raise SettingsError(f"a token is good for {LONGEST // 86_400} days at most; make it for fewer hours")
    claims: dict[str, object] = {"aud": AUDIENCE, "exp": int((time.time() if now is None else now) + seconds)}
    names = ("room", "participant", "agent", "join", "operator", "listen", "metadata", "unvouched")
    claims |= {name: value for name in names if (value := getattr(grant, name))}
    return jwt.encode(claims, secret, algorithm="HS256")


def verify(secret: str, token: str, now: float | None = None) -> Grant:
    """What `token` allows; `now`: as in `mint`. TokenRefused says in one sentence why it is none."""
    claims = claims_of(secret, token, AUDIENCE, now=now)
    values = {name: claims.get(name, "") for name in ("room", "participant", "agent", "listen")}
    if not all(isinstance(value, str) and _NAME.fullmatch(value) for value in values.values()):
        raise TokenRefused(
            "`room`, `participant`, `agent` and `listen` of a token are strings, one line of up to 256 characters"
        )
    metadata = claims.get("metadata", {})
    try:
        metadata = fit_metadata(metadata) if isinstance(metadata, dict) else None
    except ValueError as error:
        raise TokenRefused(f"`metadata` of a token: {error}") from None
    if metadata is None:
        raise TokenRefused("`metadata` of a token is an object")
    join, operator, unvouched = (claims.get(name) is True for name in ("join", "operator", "unvouched"))
    return Grant(**values, metadata=metadata, join=join, operator=operator, unvouched=unvouched)


def claims_of(
    secret: str, token: str, audience: str, signed_with: str = "this gateway's secret", now: float | None = None
) -> dict[str, Any]:
    """What a token says that is for `audience`, and good now. TokenRefused."""
    if len(token) > LARGEST:
        raise TokenRefused(f"the token has {len(token)} characters; {LARGEST} are allowed")
    try:
        claims: dict[str, Any] = jwt.decode(token, secret, algorithms=["HS256"], audience=audience, options=_CHECKED)
    except jwt.MissingRequiredClaimError as error:
        expected = audience if error.claim == "aud" else _EXPIRES
        raise TokenRefused(f"the token has no `{error.claim}`; it must say `{error.claim}`: {expected}") from None
    except jwt.InvalidAudienceError:
        raise TokenRefused(f"the token's `aud` is another's; expected {audience}") from None
    except (jwt.PyJWTError, ValueError, OverflowError, RecursionError):
        raise TokenRefused(f"the token is not signed with {signed_with} (HS256)") from None
    _check_times(claims, time.time() if now is None else now)
    return claims


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    """That now lies between `nbf` and `exp`, and that `exp` is no slip of units."""
    for name in ("exp", "nbf"):
        value = claims.get(name, now)
        endless = isinstance(value, float) and not math.isfinite(value)
        if isinstance(value, bool) or not isinstance(value, int | float) or endless:
            raise TokenRefused(f"the token's `{name}` is no number; it is a time in seconds since 1970")
    if claims["exp"] <= now - _LEEWAY:
        raise TokenRefused("the token has expired; get a new one")
    if claims["exp"] > now + LONGEST + _LEEWAY:
        raise TokenRefused(
            f"the token's `exp` is more than {LONGEST // 86_400} days ahead; it is in seconds since 1970, not in milliseconds"
        )
    if claims.get("nbf", now) > now + _LEEWAY:
        raise TokenRefused("the token is not good yet (`nbf`)")
