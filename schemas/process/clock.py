"""The clock of a process: the machine's monotonic one."""

import time

from schemas.clock import Now


class MonotonicClock:
    def now(self) -> Now:
        return Now(time.monotonic())
