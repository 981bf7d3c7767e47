"""Fixtures every folder of tests may use."""

from tests.servers import valkey

__all__ = ["valkey"]
