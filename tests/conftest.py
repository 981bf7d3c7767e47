"""Fixtures every folder of tests may use."""

from tests.servers import livekit, shared_livekit, shared_valkey, valkey

__all__ = ["livekit", "shared_livekit", "shared_valkey", "valkey"]
