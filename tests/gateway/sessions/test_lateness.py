"""What is said of a late tick is true."""

import pytest

from gateway.sessions.lateness import EVERY, Lateness

TICK = 0.032


class Machine:
    """A tick each 32 ms, until one is late. `cpu`: what this process had of the processor so far."""

    def __init__(self) -> None:
        self.now, self.cpu = 100.0, 5.0
        self.lateness = Lateness(TICK, lambda: self.cpu)

    def goes_on(self, seconds: float, cpu: float) -> None:
        self.now += seconds
        self.cpu += cpu

    def tick(self, took: float = 0.002, *, after: float = TICK, cpu: float = 0.002) -> None:
        self.lateness.begins(self.now)
        self.goes_on(took, min(took, cpu))
        self.lateness.ended(self.now)
        self.goes_on(after - took, max(0.0, cpu - took))


@pytest.mark.parametrize(
    ("took", "after", "cpu", "sessions", "why"),
    [
        (0.002, 0.2, 0.01, 1, "in the 200 ms before, this process had the processor for 10 ms only: other programs"),
        (
            0.19,
            0.2,
            0.19,
            240,
            "the one before took 190 ms for 240 sessions, and there are 32: too much for this machine",
        ),
        (0.19, 0.2, 0.01, 1, "in the 200 ms before, this process had the processor for 10 ms only"),
        (0.002, 0.2, 0.2, 1, "the one before took 2 ms for 1 session; something else in this process held it up"),
    ],
)
def test_the_reason_is_the_one(took: float, after: float, cpu: float, sessions: int, why: str) -> None:
    """Too many sessions only where they took the time; else another program, or something else in this one."""
    machine = Machine()
    machine.tick()
    machine.tick(took, after=after, cpu=cpu)
    machine.lateness.begins(machine.now)
    told = machine.lateness.told(machine.now, after - TICK, sessions)
    assert told.startswith(f"a tick began {(after - TICK) * 1e3:.0f} ms late: {why}")


def test_it_is_said_now_and_then_with_how_often_it_was() -> None:
    """Not at each of them."""
    machine = Machine()
    said = []
    for _ in range(30):
        machine.tick(0.002, after=EVERY / 20)
        machine.lateness.begins(machine.now)
        said.append(machine.lateness.told(machine.now, EVERY / 20 - TICK, 1))
    assert [bool(line) for line in said] == [number % 20 == 0 for number in range(30)]
    assert "×" not in said[0]
    assert "(×20 since this was said last)" in said[20]
