"""What whoever writes a provider tests it with (docs/writing-a-provider.md): the stages on a log in memory, asyncio in virtual
time and, in `workers.testing.contracts`, what every provider promises. Only the last needs pytest."""

from workers.testing.stages import answer, hear, speak
from workers.testing.virtual_time import LoopClock, ManualClock, Stuck, VirtualLoop, simulate, virtually

__all__ = ["LoopClock", "ManualClock", "Stuck", "VirtualLoop", "answer", "hear", "simulate", "speak", "virtually"]
