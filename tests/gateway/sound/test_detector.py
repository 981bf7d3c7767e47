"""The speech detector: probabilities in, edges out."""

from gateway.sound.detector import FRAME, Detector


def edges(
    probabilities: list[float], start_speech: float = 0.096, faded: tuple[int, ...] = ()
) -> list[tuple[str, int, int]]:
    detector = Detector("alice", start_speech)
    found = [
        edge
        for number, probability in enumerate(probabilities)
        for edge in detector.frame(probability, number in faded)
    ]
    return [(edge.kind, edge.position // FRAME, edge.head // FRAME) for edge in found]


def test_speech_is_believed_after_start_speech_and_dated_to_its_first_frame() -> None:
    """Three frames of 32 ms make 96 ms."""
    assert edges([0.1, 0.9, 0.9, 0.9, 0.9]) == [("onset", 1, 2), ("start", 1, 4)]


def test_a_click_is_an_onset_and_then_noise() -> None:
    """Fewer frames than start_speech are taken back."""
    assert edges([0.9, 0.8, 0.1]) == [("onset", 0, 1), ("noise", 0, 3)]


def test_hysteresis_carries_speech_over_a_weak_frame() -> None:
    """Begun at 0.5, it goes on down to 0.35."""
    assert edges([0.6, 0.4, 0.4, 0.4, 0.34]) == [("onset", 0, 1), ("start", 0, 3), ("stop", 4, 5)]
    assert edges([0.4, 0.4, 0.4, 0.4]) == []


def test_speech_again_shortly_after_a_stop_needs_one_frame() -> None:
    """A gap of up to four frames is a gap between words."""
    assert edges([0.9] * 3 + [0.1] * 4 + [0.9])[2:] == [("stop", 3, 4), ("start", 7, 8)]
    assert edges([0.9] * 3 + [0.1] * 5 + [0.9])[2:] == [("stop", 3, 4), ("onset", 8, 9)]


def test_a_start_of_one_frame_is_onset_and_start_at_once() -> None:
    """start_speech may be as short as a frame."""
    assert edges([0.9], start_speech=0.032) == [("onset", 0, 1), ("start", 0, 1)]


def test_speech_stops_where_its_sound_did_though_the_vad_still_believes_it() -> None:
    """Two frames as good as silent are enough; one, or what the VAD lets go of sooner, is dated back all the same."""
    assert edges([0.9] * 6, faded=(4, 5))[2:] == [("stop", 4, 6)]
    assert edges([0.9] * 5 + [0.1], faded=(4,))[2:] == [("stop", 4, 6)]
    assert edges([0.9] * 6, faded=(3, 5))[2:] == []


def test_the_vads_belief_in_silence_does_not_take_speech_up_again() -> None:
    """Shortly after a stop only sound does."""
    assert edges([0.9] * 9, faded=(3, 4, 5, 6))[2:] == [("stop", 3, 5), ("start", 7, 8)]


def test_far_sound_ends_speech_where_the_speaker_was_heard_last_and_begins_none() -> None:
    """Somebody else's words are no speech of this participant, however sure the VAD is of them."""
    detector = Detector("a", 0.096)
    found = [edge for far in (0,) * 8 + (3, 4, 5, 6) for edge in detector.frame(0.9, far=far)]
    assert [(edge.kind, edge.position // FRAME) for edge in found] == [("onset", 0), ("start", 0), ("stop", 6)]
    near = detector.frame(0.9)  # shortly after the stop one frame takes it up again
    assert [edge.kind for edge in near] == ["start"]
