"""`antiphon chaos`, short: real processes on a real server are killed, frozen and cut off, and the logs are read."""

import pytest

from ops.chaos.judge import TWICE
from ops.chaos.run import Chaos, chaos

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]


async def test_nothing_is_lost_and_nothing_happens_twice() -> None:
    """Whatever is killed, every session's log keeps all promises, and everything drains."""
    figures = await chaos(Chaos(seconds=10.0, kills=25, callers=8))
    assert figures["first_violations"] == []
    assert figures["sessions"] >= 4
    assert figures["kills"] >= 25
    assert figures["callers_came_back"] > 0


async def test_the_missing_fence_is_found() -> None:
    """With the ownership check removed from the log, a zombie's commit gets through, and the judge says what is there twice."""
    figures = await chaos(Chaos(seconds=90.0, mutant="no-fence", gateway_every=1e9, redis_every=1e9, hold_every=0.5))
    assert [line for line in figures["first_violations"] if TWICE in line], figures["first_violations"]
