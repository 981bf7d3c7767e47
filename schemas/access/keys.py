"""Keys of the HTTP API: what their bearers show, and the little of it that is kept.

A key is `antiphon_ID_SECRET`. The log has the ID, whose key it is, its role, and the SHA-256 of the secret: 256 random bits need
no slow hash, nobody guesses them. So whoever reads the log, or a copy of it, can't show a key.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Literal

from schemas.clock import Micros

Role = Literal["caller", "operator", "admin"]
"""Each may what those before it may: hold conversations; watch them and intervene; give and take keys, change agents."""

LONGEST_NAME = 60
MOST = 1000
"""Keys of one deployment."""
_SHOWN = re.compile(r"antiphon_([0-9a-f]{8})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`key`: its public half, by which it is removed; `name`: whose it is, for people and the audit log; several may have one
    name, as a key and its successor do; `hash`: of the secret half; `made`: when."""

    key: str
    name: str
    role: Role
    hash: str
    made: Micros


def looks_like_a_key(shown: str) -> bool:
    """And not like a ticket."""
    return shown.startswith("antiphon_")


def public_half(shown: str) -> str:
    """Which key somebody shows; "" for what is none."""
    found = _SHOWN.fullmatch(shown)
    return found[1] if found else ""


def is_shown(key: ApiKey | None, shown: str) -> bool:
    """Whether `shown` is that key. How long the answer takes tells nothing of the secret, nor whether there is such a key."""
    found = _SHOWN.fullmatch(shown)
    same = hmac.compare_digest(hash_of(found[2] if found else ""), key.hash if key else "0" * 64)
    return same and key is not None


def hash_of(secret: str) -> str:
    """What is kept of the secret half."""
    return hashlib.sha256(secret.encode()).hexdigest()
