"""Moments that are none: of turn time, and of a gateway's."""

from schemas.clock import Now, TurnTime

NEVER = TurnTime(float("inf"))
LONG_AGO = TurnTime(float("-inf"))
NO_TIMER = Now(float("inf"))
AT_FIRST = Now(0.0)
