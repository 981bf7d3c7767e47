from gateway.bucket import Bucket


def test_so_many_at_once_and_so_many_a_second() -> None:
    """A full bucket gives its burst at once, then its rate; what is refused costs nothing."""
    bucket = Bucket.full(2.0, 0.0, burst=4.0)
    assert [bucket.take(0.0) for _ in range(5)] == [True] * 4 + [False]
    assert bucket.take(0.5)
    assert not bucket.take(0.5)
    assert not bucket.take(1.0, cost=2.0)
    assert bucket.take(1.0)
