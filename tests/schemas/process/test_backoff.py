"""How long is waited before the next try."""

from itertools import islice

from schemas.process.backoff import A_POOL, Backoff


def test_delays_double_up_to_the_longest() -> None:
    """Each delay is twice the one before, up to the longest and never beyond."""
    assert list(islice(Backoff(0.2, 5.0), 8)) == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


def test_after_a_success_it_begins_again() -> None:
    """Reset, the next delay is the first one."""
    delays = Backoff(5.0, 300.0)
    before = list(islice(delays, 3))
    delays.reset()
    assert list(islice(delays, 3)) == before == [5.0, 10.0, 20.0]


def test_a_pool_does_not_march_in_step() -> None:
    """A spread draws each delay anew between its bounds, whatever it has grown to."""
    drawn = [next(Backoff(4.0, 4.0, A_POOL)) for _ in range(200)]
    assert 2.0 <= min(drawn) < 2.5
    assert 3.5 < max(drawn) <= 4.0
