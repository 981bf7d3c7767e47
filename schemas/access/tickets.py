"""Tickets: what a client shows to come back to its session. Who has one may have the session; the log keeps only its hash."""

import hashlib
import hmac
import secrets


def new_ticket() -> str:
    return secrets.token_urlsafe(24)


def hash_of(ticket: str) -> str:
    """What the log keeps of a ticket: `Bus.open` and `Bus.claim` take this."""
    return hashlib.sha256(ticket.encode()).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two tickets are one; how long that takes tells nothing of them."""
    return hmac.compare_digest(one.encode(), other.encode())
