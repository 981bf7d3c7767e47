"""Tickets: what a client shows to come back to its session. Who has one may have the session; the log keeps only its hash."""

import hashlib
import hmac
import secrets


def new_ticket() -> str:
    return secrets.token_urlsafe(24)


def hash_of(ticket: str) -> str:
    """What the log keeps of a ticket: `Bus.open` and `Bus.claim` take this."""
    return hashlib.sha256(ticket.encode()).hexdigest()


def is_hash_of(kept: str, ticket: str) -> bool:
    """Whether `kept` is the hash of `ticket`; "" is of none."""
    return bool(kept) and hmac.compare_digest(kept, hash_of(ticket))
