"""Moments as the API tells them."""

from datetime import UTC, datetime

from schemas.clock import Micros


def iso(at: Micros) -> str:
    """ISO 8601, UTC, with milliseconds: `2026-03-01T12:00:00.250Z`."""
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
