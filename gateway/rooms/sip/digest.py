"""Digest authentication, the side that asks (RFC 7616): who calls must know a user's secret. Nothing is kept for who doesn't."""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from typing import Literal

from aiosipua.auth import SipDigestAuth, build_credentials
from aiosipua.headers import AuthChallenge, parse_auth, stringify_auth

from schemas.clock import Clock

Answer = Literal["right", "wrong", "stale", "none"]

_GOOD_FOR = 60.0
"""Seconds a nonce may be used in."""
_REMEMBERED = 10_000


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
        self, header: str | None, method: str, host: str, users: Mapping[str, str], algorithm: str
    ) -> tuple[Answer, str]:
        """`header`: the value of Authorization; `users`: name → secret. Answers the verdict, and the user it is about."""
        if not header:
            return "none", ""
        given = parse_auth(header, credentials=True).params
        user, nonce = given.get("username", ""), given.get("nonce", "")
        fresh = self._is_ours(nonce, host)
        if fresh is None or user not in users:
            return "wrong", user
        try:
            count = int(given.get("nc", ""), 16)
        except ValueError:
            return "wrong", user
        expected = build_credentials(
            SipDigestAuth(user, users[user]), AuthChallenge("Digest", self._params(nonce, algorithm)), method,
            given.get("uri", ""), nonce_count=count, cnonce=given.get("cnonce", ""),
        )  # fmt: skip
        if expected is None or not hmac.compare_digest(expected.params["response"], given.get("response", "").lower()):
            return "wrong", user
        if not fresh or not self._first_use(nonce, count):
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
        if not hmac.compare_digest(self._nonce(host, at), nonce):
            return None
        return 0 <= self._clock.now() - at + 0.001 <= _GOOD_FOR

    def _first_use(self, nonce: str, count: int) -> bool:
        if (nonce, count) in self._used:
            return False
        if len(self._used) >= _REMEMBERED:
            self._used.popitem(last=False)
        self._used[nonce, count] = self._clock.now()
        return True
