"""What the people of the LiveKit benchmarks say."""

import numpy as np

from ops.bench._people import opus


def test_sound_becomes_packets_of_20_ms() -> None:
    """Three seconds of sound, which Ogg spreads over several pages, are 150 packets (and what the codec adds at the end)."""
    sound = np.random.default_rng(1).integers(-8000, 8000, 48_000).astype(np.int16)
    packets = opus(sound)
    assert 150 <= len(packets) <= 152
    assert all(0 < len(packet) < 1276 for packet in packets)
    assert len({packet[0] for packet in packets}) <= 3  # the first byte of each names mode and length
