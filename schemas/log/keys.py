"""Where everything lies: partitions and keys. One hash tag per partition, so that one call stays in one slot."""

import hashlib
from binascii import crc_hqx

from schemas.bus import FORK

PARTITIONS = "antiphon:partitions"
"""The deployment's P."""
LEASE = "antiphon:lease"
"""The lease in force, ms; it expires when nobody who holds any is left."""
SPEAKS = "antiphon:speaks"
"""Before a stage: a hash of its workers, and what each one's model speaks."""
API_KEYS = "antiphon:api:keys"
"""A hash: the public half of each key of the API, and what is kept of it."""
KEYED = "antiphon:api:keyed"
"""Is there once there was a key."""
TICKET_SECRET = "antiphon:api:secret"
AUDIT = "antiphon:api:audit"
"""A stream: what was done through the API, and by whom."""
SPENT = "antiphon:api:spent"
"""Before who: how much of their allowance is gone. It expires when all is back."""
GATEWAYS = "antiphon:gateways"
"""A hash: what each gateway tells of itself."""
DRAFTS = "{antiphon:drafts}:names"
"""A sorted set: the names of drafts, by when they are forgotten."""
GROUP = "workers"
"""The one consumer group of each job stream."""


def forks_begin(original: str) -> str:
    """What the ids of a session's forks begin with, so that people see it; their metadata says it for sure."""
    return f"{FORK}{original.removeprefix(FORK)[:80]}-"


def partition_of(session: str, partitions: int) -> int:
    """CRC16 (XMODEM, as Redis Cluster's slots) of the session's id, mod P."""
    return crc_hqx(session.encode(), 0) % partitions


def tag(partition: int) -> str:
    return f"{{p{partition:02d}}}"


def events(partition: int, session: str) -> str:
    return f"{tag(partition)}:ev:{session}"


def session_hash(partition: int, session: str) -> str:
    return f"{tag(partition)}:s:{session}"


def snapshot(partition: int, session: str) -> str:
    return f"{tag(partition)}:snap:{session}"


def parked(partition: int, session: str) -> str:
    return f"{tag(partition)}:parked:{session}"


def taking_in(partition: int, session: str) -> str:
    """While one that was held elsewhere comes, page by page: who takes it in."""
    return f"{tag(partition)}:taking:{session}"


def queue(partition: int, stage: str) -> str:
    return f"{tag(partition)}:q:{stage}"


def inbox(partition: int, gateway: str) -> str:
    return f"{tag(partition)}:in:{gateway}"


def leases(partition: int) -> str:
    return f"{tag(partition)}:lease"


def open_sessions(partition: int) -> str:
    return f"{tag(partition)}:open"


def closed_sessions(partition: int) -> str:
    return f"{tag(partition)}:closed"


def dead_letters(partition: int) -> str:
    return f"{tag(partition)}:dead"


def blob(partition: int, session: str, name: str) -> str:
    return f"{tag(partition)}:blob:{session}/{name}"


def shared_blob(partition: int, pcm: bytes) -> str:
    """Made of the sound itself: what is the same is stored once, and what has a key never changes."""
    return f"{tag(partition)}:blob:shared/{hashlib.blake2b(pcm, digest_size=16).hexdigest()}"


def draft(name: str) -> str:
    """In one slot with their names."""
    return f"{{antiphon:drafts}}:draft:{name}"
