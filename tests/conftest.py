"""Fixtures every folder of tests may use."""

import os

from tests.servers import livekit, shared_livekit, shared_valkey, valkey

__all__ = ["livekit", "shared_livekit", "shared_valkey", "valkey"]

# What a stack's jobs worker does is tested where it is meant, not in every start of one.
os.environ.setdefault("ARCHIVE", "off")
