from gateway.bucket import Bucket, Buckets


def test_so_many_at_once_and_so_many_a_second() -> None:
    """A full bucket gives its burst at once, then its rate; what is refused costs nothing."""
    bucket = Bucket.full(2.0, 0.0, burst=4.0)
    assert [bucket.take(0.0) for _ in range(5)] == [True] * 4 + [False]
    assert bucket.take(0.5)
    assert not bucket.take(0.5)
    assert not bucket.take(1.0, cost=2.0)
    assert bucket.take(1.0)


def test_whoever_was_seen_longest_ago_is_forgotten() -> None:
    """Of many senders so many are remembered: a crowd of new ones gives nobody who is still sending a new allowance."""
    buckets: Buckets[str] = Buckets(3)
    assert buckets.take("busy", 0.0, 0.1)
    for stranger in range(10):
        assert not buckets.take("busy", 0.0, 0.1)
        assert buckets.take(f"stranger {stranger}", 0.0, 0.1)
    assert len(buckets) == 3
    assert "stranger 0" not in buckets
    buckets.forget(lambda sender: sender.startswith("stranger"))
    assert len(buckets) == 1
    buckets.forget()
    assert buckets.take("busy", 0.0, 0.1)
