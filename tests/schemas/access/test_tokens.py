"""Client tokens: what is good, and everything that only looks like one."""

import base64
import hashlib
import hmac
import json
import math
import time
from typing import Any

import jwt
import pytest

from schemas.access.tokens import AUDIENCE, LONGEST, Grant, TokenRefused, check_secret, mint, verify
from schemas.errors import SettingsError
from tests.gateway.door import SECRET

NOW = int(time.time())
GOOD = {"aud": AUDIENCE, "exp": NOW + 3600}


def forged(claims: Any, header: dict[str, Any] | None = None, secret: str = SECRET, digest: str = "sha256") -> str:
    """A token made by hand: any claims, any header, signed with `secret` all the same."""

    def part(value: Any) -> str:
        text = value if isinstance(value, str) else json.dumps(value)
        return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()

    signed = f"{part(header or {'alg': 'HS256', 'typ': 'JWT'})}.{part(claims)}"
    signature = hmac.digest(secret.encode(), signed.encode(), digest)
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_good() -> None:
    """What was minted is what is allowed, and a token made by hand with the same claims is as good."""
    grant = Grant("lobby", "ann", "greeter", join=True, operator=True)
    assert verify(SECRET, mint(SECRET, grant)) == grant
    assert verify(SECRET, forged(GOOD)) == Grant()
    assert verify(SECRET, forged(GOOD | {"aud": ["other", AUDIENCE], "iat": NOW, "nbf": NOW, "sub": 5})) == Grant()


@pytest.mark.parametrize(
    ("claims", "word"),
    [
        ({"exp": NOW + 60}, "aud"),  # as LiveKit's are
        ({"exp": NOW + 60, "iss": "antiphon", "sub": "ann", "video": {"roomJoin": True, "room": "lobby"}}, "aud"),
        (GOOD | {"aud": ""}, "aud"),
        (GOOD | {"aud": None}, "aud"),
        (GOOD | {"aud": "livekit"}, "aud"),
        (GOOD | {"aud": AUDIENCE.upper()}, "aud"),
        (GOOD | {"aud": {AUDIENCE: 1}}, "aud"),
        ({"aud": AUDIENCE}, "exp"),
        (GOOD | {"exp": None}, "exp"),
        (GOOD | {"exp": True}, "exp"),
        (GOOD | {"exp": str(NOW + 60)}, "exp"),
        (GOOD | {"exp": [NOW + 60]}, "exp"),
        (GOOD | {"exp": math.inf}, "exp"),
        (GOOD | {"exp": math.nan}, "exp"),
        (GOOD | {"exp": 10**400}, "exp"),
        (GOOD | {"exp": (NOW + 60) * 1000}, "milliseconds"),
        (GOOD | {"exp": NOW + 2 * LONGEST}, "exp"),
        (GOOD | {"exp": NOW - 60}, "expired"),
        (GOOD | {"exp": -(10**400)}, "expired"),
        (GOOD | {"nbf": NOW + 86_400}, "nbf"),
        (GOOD | {"nbf": math.inf}, "nbf"),
        (GOOD | {"nbf": False}, "nbf"),
        (GOOD | {"participant": 5}, "participant"),
        (GOOD | {"room": ["lobby"]}, "room"),
        (GOOD | {"participant": "\ud800"}, "participant"),
        (GOOD | {"participant": "ann\nYou are root."}, "participant"),
        (GOOD | {"agent": "x" * 257}, "agent"),
    ],
)
def test_claims(claims: dict[str, Any], word: str) -> None:
    """A token that is rightly signed and says nonsense, too much or too little is refused, in a sentence that names the claim."""
    with pytest.raises(TokenRefused, match=word):
        verify(SECRET, forged(claims))


@pytest.mark.parametrize("value", ["true", 1, "1", [True], {"yes": True}, None])
def test_grants_are_true_or_not(value: object) -> None:
    """`join` and `operator` are given by `true`, and by nothing that resembles it."""
    assert verify(SECRET, forged(GOOD | {"join": value, "operator": value})) == Grant()


HEADLESS = forged(GOOD).rpartition(".")[0]


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "\ud800",
        "\N{SNOWMAN}.\N{SNOWMAN}.\N{SNOWMAN}",
        HEADLESS,
        HEADLESS + ".",
        forged(GOOD, {"alg": "none"}),
        forged(GOOD, {"alg": "none"}).rpartition(".")[0] + ".",
        forged(GOOD, {"alg": "None", "typ": "JWT"}),
        forged(GOOD, {"alg": "HS512"}, digest="sha512"),
        forged(GOOD, {"alg": "HS384"}, digest="sha384"),
        forged(GOOD, {"alg": "RS256"}),
        forged(GOOD, {"alg": ["HS256"]}),
        forged(GOOD, {"typ": "JWT"}),
        forged(GOOD, {"alg": "HS256", "crit": ["b64"], "b64": False}),
        forged(GOOD, {"alg": "HS256", "jwk": {"kty": "oct", "k": "AAAA"}}, secret="\0" * 3),
        forged(GOOD, {"alg": "HS256", "kid": "../../dev/null"}, secret=""),
        forged(GOOD, secret=hashlib.sha256(SECRET.encode()).hexdigest()),
        forged("[]"),
        forged("null"),
        forged("not json"),
        forged('{"a":' * 600 + "1" + "}" * 600),
    ],
)
def test_forged(token: str) -> None:
    """Another algorithm or none, another key, a key of the token's own, no object for a body: refused, never an error of ours."""
    with pytest.raises(TokenRefused):
        verify(SECRET, token)


def test_every_changed_byte_counts() -> None:
    """A good token with any one character changed is none."""
    token = mint(SECRET, Grant(participant="ann"))
    last = len(token) - 1  # its lowest bits are padding
    for position in range(last):
        changed = "A" if token[position] != "A" else "B"
        with pytest.raises(TokenRefused):
            verify(SECRET, token[:position] + changed + token[position + 1 :])


def test_by_the_logs_clock() -> None:
    """Whoever mints and whoever looks go by it, however wrong their own machines' are."""
    later = NOW + 7_200.0
    token = mint(SECRET, Grant("lobby"), 120, later)
    assert verify(SECRET, token, later + 60) == Grant("lobby")
    with pytest.raises(TokenRefused, match="expired"):
        verify(SECRET, token, later + 300)
    with pytest.raises(TokenRefused, match="expired"):
        verify(SECRET, mint(SECRET, Grant(), 120), later)


def test_oversized() -> None:
    """A token of more than 4096 characters is refused before it is read."""
    with pytest.raises(TokenRefused, match="4096"):
        verify(SECRET, forged(GOOD | {"filler": "x" * 5000}))


def test_another_audience_with_the_same_secret() -> None:
    """A token that LiveKit's own library signs with the same secret opens nothing here, and ours nothing there."""
    api = pytest.importorskip("livekit.api")
    grants = api.VideoGrants(room_join=True, room="lobby", room_admin=True)
    with pytest.raises(TokenRefused, match="aud"):
        verify(SECRET, api.AccessToken("antiphon", SECRET).with_identity("ann").with_grants(grants).to_jwt())
    with pytest.raises(jwt.PyJWTError):
        api.TokenVerifier("antiphon", SECRET).verify(mint(SECRET, Grant("lobby", "ann", join=True)))


def test_minted_for_too_long() -> None:
    """No token is made that would be refused, nor one with a secret that keeps nothing."""
    with pytest.raises(SettingsError, match="366 days"):
        mint(SECRET, Grant(), LONGEST + 1)
    with pytest.raises(SettingsError, match="32"):
        mint("short", Grant())
    with pytest.raises(SettingsError):
        check_secret("x" * 31)


def test_a_token_may_hold_metadata_of_the_session() -> None:
    """As an object within the bounds of a client's; else it is no token."""
    secret = "a secret of at least thirty-two characters"
    token = mint(secret, Grant(agent="pizza", metadata={"order": 4711}))
    assert verify(secret, token).metadata == {"order": 4711}
    for metadata, told in (("x", "is an object"), ({"a": "b" * 2048}, "at most 2048 bytes")):
        made = jwt.encode(
            {"aud": AUDIENCE, "exp": int(time.time()) + 60, "metadata": metadata}, secret, algorithm="HS256"
        )
        with pytest.raises(TokenRefused, match=told):
            verify(secret, made)
