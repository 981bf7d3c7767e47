"""Fixtures every folder of tests may use."""

from tests.servers import livekit, valkey

__all__ = ["livekit", "valkey"]
