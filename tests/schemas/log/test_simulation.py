"""Two hundred interleavings in virtual time; and the proof that they would find a missing fence."""

import pytest

from tests.schemas.log.simulation import converse
from workers.testing import VirtualLoop, simulate

SEEDS = range(200)


@pytest.mark.timeout(240)
def test_every_interleaving_keeps_the_promises() -> None:
    """Whatever dies, stalls or interrupts, each stage's events are in the log once and none of a voided generation."""
    broken = {seed: wrong for seed in SEEDS if (wrong := simulate(seed, converse))}
    assert broken == {}


def test_a_missing_fence_is_found() -> None:
    """Without the ownership check the same simulation finds duplicated work."""

    async def unfenced(loop: VirtualLoop) -> list[str]:
        return await converse(loop, fenced=False)

    found = [wrong for seed in range(20) for wrong in simulate(seed, unfenced)]
    assert any(" 2 times" in wrong for wrong in found)


def test_a_seed_is_one_interleaving() -> None:
    """The same seed gives the same conversation, so that what was found can be looked at."""

    async def trace(loop: VirtualLoop) -> tuple[list[str], float, float]:
        return await converse(loop), loop.time(), loop.random.random()

    assert simulate(7, trace) == simulate(7, trace)
    assert simulate(7, trace) != simulate(8, trace)
