"""What whoever writes a provider tests it with (docs/writing-a-provider.md). Needs pytest only where it says so."""

from workers.testing.virtual_time import LoopClock, Stuck, VirtualLoop, simulate, virtually

__all__ = ["LoopClock", "Stuck", "VirtualLoop", "simulate", "virtually"]
