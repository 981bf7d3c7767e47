"""Digest authentication, the side that asks (RFC 7616): who calls must know a user's secret. Nothing is kept for who doesn't."""

import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Literal
from urllib.parse import unquote

from aiosipua.auth import SipDigestAuth, build_credentials
from aiosipua.headers import AuthChallenge, parse_auth, parse_uri, stringify_auth

from schemas.clock import Clock

Answer = Literal["right", "wrong", "stale", "none"]

_GOOD_FOR = 60.0
"""Seconds a nonce may be used in."""
_REMEMBERED = 10_000
_COUNT = re.compile(r"[0-9a-fA-F]{8}")


class Digest:
    """`realm`: what the phone shows beside the question for a password."""

    def __init__(self, clock: Clock, realm: str = "antiphon"):
        self._clock, self._realm = clock, realm
        self._key = secrets.token_bytes(32)
        self._used: OrderedDict[tuple[str, int], float] = OrderedDict()

    def challenge(self, host: str, algorithm: str, *, stale: bool = False) -> str:
        """The value of WWW-Authenticate for a caller at `host`."""
        params = self._params(self._nonce(host, self._clock.now()), algorithm)
        if stale:
            params["stale"] = "true"
        return stringify_auth(AuthChallenge("Digest", params))

    def check(
        self, headers: Sequence[str], method: str, uri: str, host: str, users: Mapping[str, str], algorithm: str
    ) -> tuple[Answer, str]:
        """`headers`: the values of Authorization; `uri`: what the request asks for; `users`: name → secret. Answers the
        verdict, and the user it is about."""
        if not headers:
            return "none", ""
        made = [parse_auth(header, credentials=True) for header in headers[:4]]
        digests = [one.params for one in made if one.scheme.lower() == "digest"]
        given = next((params for params in digests if params.get("realm") == self._realm), {})
        user, nonce = given.get("username", ""), given.get("nonce", "")
        fresh, count = self._is_ours(nonce, host), given.get("nc", "")
        as_asked = given.get("qop") == "auth" and given.get("algorithm", algorithm).upper() == algorithm
        if fresh is None or not as_asked or not _COUNT.fullmatch(count) or not same_address(given.get("uri", ""), uri):
            return "wrong", user
        expected = build_credentials(
            SipDigestAuth(user, users.get(user) or secrets.token_hex()),  # who isn't there takes as long as who is
            AuthChallenge("Digest", self._params(nonce, algorithm)), method, given["uri"],
            nonce_count=int(count, 16), cnonce=given.get("cnonce", ""),
        )  # fmt: skip
        if expected is None or not _equal(expected.params["response"], given.get("response", "").lower()):
            return "wrong", user
        if not fresh or not self._first_use(nonce, int(count, 16)):
            return "stale", user
        return "right", user

    def _params(self, nonce: str, algorithm: str) -> dict[str, str]:
        return {"realm": self._realm, "nonce": nonce, "algorithm": algorithm, "qop": "auth"}

    def _nonce(self, host: str, at: float) -> str:
        moment = f"{at:.3f}"
        return f"{moment}-{hmac.new(self._key, f'{moment} {host}'.encode(), hashlib.sha256).hexdigest()[:32]}"

    def _is_ours(self, nonce: str, host: str) -> bool | None:
        """Whether a nonce is still good; None when it was never ours."""
        moment, _, _ = nonce.partition("-")
        try:
            at = float(moment)
        except ValueError:
            return None
        if not _equal(self._nonce(host, at), nonce):
            return None
        return 0 <= self._clock.now() - at + 0.001 <= _GOOD_FOR

    def _first_use(self, nonce: str, count: int) -> bool:
        now = self._clock.now()
        while self._used and now - next(iter(self._used.values())) > _GOOD_FOR + 1:
            self._used.popitem(last=False)
        if (nonce, count) in self._used or len(self._used) >= _REMEMBERED:
            return False  # what can't be remembered can't be told from a repeat
        self._used[nonce, count] = now
        return True


def same_address(answered: str, asked: str) -> bool:
    """Whether a digest for the address `answered` is one for the address that is `asked` for (RFC 3261 §19.1.4, where a
    proxy or phone may leave the port and parameters out)."""
    one, other = parse_uri(answered), parse_uri(asked)
    return (
        answered.partition(":")[0].lower() == asked.partition(":")[0].lower()
        and unquote(one.user or "") == unquote(other.user or "")
        and one.host.lower() == other.host.lower()
        and (one.port is None or other.port is None or one.port == other.port)
        and all((one.params[name] or "").lower() == (other.params[name] or "").lower()
                for name in one.params.keys() & other.params.keys())
    )  # fmt: skip


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))
