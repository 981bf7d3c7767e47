"""Real LLM workers on a real server are killed in the midst of tools, and nothing is called twice."""

import pytest

from ops.bench.tools import killed

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


@pytest.mark.parametrize("pool", [False, True], ids=["llm", "tools"])
async def test_a_killed_worker_calls_nothing_twice(pool: bool) -> None:
    """Every call comes to its end, whoever makes it; of what nobody knows the model is told."""
    figures = await killed(60, workers=2, every=0.7, pool=pool)
    assert figures["twice"] == 0
    assert figures["lost"] == 0
    assert figures["calls"] == 60
    assert figures["kills"] >= 3
    assert figures["ran"] >= 60 - figures["unknown"]
