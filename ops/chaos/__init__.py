"""Chaos: everything is killed all the time, and afterwards the logs must read as if nothing had happened."""
