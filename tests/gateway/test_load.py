"""How much a gateway says it has to do."""

from gateway.load import DELAY, LATE, Delays, Readings, full, lateness, load
from schemas.events import SpeechStarted, TranscriptFinal


def test_idle_is_zero_and_full_is_one() -> None:
    """Nothing to do is 0; no place left is 1, and nothing but full is 1."""
    assert load(Readings(0, 10)) == 0.0
    assert load(Readings(10, 10)) == 1.0
    assert load(Readings(9, 10, cpu=1.0)) < 1.0


def test_the_scarcest_counts() -> None:
    """Sessions, CPU, time and queues: whatever is nearest to its end is the load."""
    assert load(Readings(5, 10)) == 0.5
    assert load(Readings(5, 10, cpu=0.8)) == 0.8
    assert load(Readings(1, 10, late=LATE / 2)) == 0.5
    assert load(Readings(1, 10, delay=DELAY / 2)) == 0.5


def test_what_harms_calls_is_full() -> None:
    """Late ticks, long queues and a shutdown take no more; a busy CPU alone does."""
    assert full(Readings(1, 10, late=LATE))
    assert full(Readings(1, 10, delay=DELAY))
    assert full(Readings(1, 10, draining=True))
    assert not full(Readings(1, 10, cpu=1.0))


def test_one_late_tick_is_no_lateness() -> None:
    """The middle of the last two seconds counts, not the worst tick nor what was long ago."""
    assert lateness([]) == lateness([0.5]) == lateness([0.5] * 31) == 0.0
    assert lateness([0.5] * 33) == 0.5
    assert lateness([0.001] * 63 + [0.5]) == 0.001
    assert lateness([0.5] * 100 + [0.001] * 64) == 0.001


def test_delays_are_of_late_and_of_the_slowest_stage() -> None:
    """What jobs waited more than 10 s ago is forgotten; events that waited for nothing don't count."""
    delays = Delays()
    assert delays.seconds(0.0) == 0.0
    for waited, when in ((9.0, 0.0), (1.0, 15.0), (3.0, 16.0)):
        delays.note(TranscriptFinal(utterance="u", participant="p", text="hi", queued=waited), when)
    delays.note(SpeechStarted(participant="p"), 16.0)
    assert delays.seconds(16.0) == 2.0
    assert delays.seconds(40.0) == 0.0
