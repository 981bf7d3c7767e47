"""Sound that waits to be played."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from gateway.sound.queue import PcmQueue


@given(st.lists(st.integers(-40, 40).filter(bool)))
def test_what_is_pushed_is_taken_in_order(steps: list[int]) -> None:
    """However it is pushed (+) and taken (−), each sample comes out once, in order; silence only where none was left."""
    queue = PcmQueue()
    pushed = taken = 0
    for step in steps:
        if step > 0:
            queue.push(np.arange(pushed + 1, pushed + step + 1, dtype=np.int16))
            pushed += step
        else:
            there = min(-step, pushed - taken)
            expected = [*range(taken + 1, taken + there + 1), *[0] * (-step - there)]
            assert queue.take(-step).tolist() == expected
            taken += there
        assert queue.samples == pushed - taken
    assert queue.clear() == pushed - taken
    assert queue.take(3).tolist() == [0, 0, 0]
