"""A browser's ticket: what it gets for a key, and shows from then on, so that the key itself is kept nowhere.

Beside it it gets one for addresses, which logs and histories keep: that opens the sound of sessions, and nothing else.

A JWT of an audience of its own, signed with GATEWAY_TOKEN_SECRET, or with what the log keeps where that is not set: a gateway's
token is no ticket, and a ticket lets nobody into a gateway. It names its key: a ticket dies with that.
"""

import time
from dataclasses import dataclass
from typing import cast, get_args

import jwt

from schemas.access.keys import Role
from schemas.access.tokens import TokenRefused, claims_of

AUDIENCE = "antiphon-api"
SOUND = "antiphon-api-sound"
GOOD_FOR = 3600
"""Seconds."""
RENEWABLE_FOR = 7 * 86_400
"""Seconds after which the key is asked for again."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """`key`: the public half of the key it was got for; `since`: when that was shown, `until`: when it ends (0 before it is
    minted); s since 1970, by the log's clock. `sound`: it is the one for addresses."""

    key: str
    role: Role
    since: int
    until: int = 0
    sound: bool = False


def mint(secret: str, ticket: Ticket, now: float | None = None) -> tuple[str, int]:
    """What the browser shows, and the seconds it is good for; `now`: s since 1970 by the log's clock, by which all processes of
    the API go, None: by this machine's. TokenRefused: it was renewed for long enough."""
    began = int(time.time() if now is None else now)
    seconds = min(GOOD_FOR, ticket.since + RENEWABLE_FOR - began)
    if seconds <= 0:
        raise TokenRefused(f"a ticket can be renewed for {RENEWABLE_FOR // 86_400} days; show the key again")
    claims = {"exp": began + seconds, "key": ticket.key, "role": ticket.role, "since": ticket.since}
    claims["aud"] = SOUND if ticket.sound else AUDIENCE
    return jwt.encode(claims, secret, algorithm="HS256"), seconds


def verify(secret: str, shown: str, *, sound: bool = False, now: float | None = None) -> Ticket:
    """`sound`: it stood in an address; `now`: as in `mint`. TokenRefused says in one sentence why it is none."""
    claims = claims_of(secret, shown, SOUND if sound else AUDIENCE, "what signs this API's tickets", now)
    key, role, since = claims.get("key"), claims.get("role"), claims.get("since")
    if not isinstance(key, str) or role not in get_args(Role) or type(since) is not int:
        raise TokenRefused("this is no ticket of this API's; POST /v1/login gives one for a key")
    return Ticket(key, cast(Role, role), since, int(claims["exp"]), sound)
