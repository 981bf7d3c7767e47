"""`antiphon chaos --rooms`, short; and that what people hear can convict."""

import pytest

from ops.chaos.rooms import RoomChaos, chaos
from ops.chaos.sounds import Hit, Sounds, Window, misheard
from schemas.events import Event, PlaybackStarted, ReplySentence, SessionResumed
from tests.servers import livekit_binary
from workers.simulated import pitch

SAID = ["I heard you.", "This comes second.", "And this is the third."]
TONES = [pitch(text) for text in SAID]


def log() -> list[Event]:
    """A reply of three sentences, whose gateway dies in the first."""
    sentences = [ReplySentence(turn=1, generation=1, index=index, text=text) for index, text in enumerate(SAID)]
    started = [PlaybackStarted(turn=1, generation=1, index=index) for index in range(3)]
    return [*sentences, started[0], SessionResumed(gateway="b", epoch=2), *started[1:]]


def heard(*tones: tuple[float, int, str]) -> Sounds:
    """Half a second of each, from that moment on, by that track."""
    windows = [Window(when + 0.1 * step, tone, track) for when, tone, track in tones for step in range(5)]
    return Sounds(windows, [(0.9, 1)])


HIT = Hit(1, 2.0, frozenset({"old"}))


def test_what_was_heard_as_it_should_be() -> None:
    """The rest of the started sentence is left out, the later ones are heard once: nothing is wrong."""
    assert misheard(HIT, heard((1, TONES[0], "old"), (5, TONES[1], "new"), (6, TONES[2], "new")), log()) == []


def test_what_was_heard_again_is_found() -> None:
    """A sentence heard before the kill and after it is named."""
    sounds = heard((1, TONES[0], "old"), (4, TONES[0], "new"), (5, TONES[1], "new"), (6, TONES[2], "new"))
    assert misheard(HIT, sounds, log()) == [f"turn 1: {TONES[0]} Hz was heard again"]


def test_what_was_not_heard_is_found() -> None:
    """A sentence the log calls played and nobody heard is named."""
    assert misheard(HIT, heard((1, TONES[0], "old"), (5, TONES[1], "new")), log()) == [
        f"turn 1: {TONES[2]} Hz was played and not heard"
    ]


def test_what_a_second_kill_cut_off_need_not_be_heard() -> None:
    """The sentence another kill met may have been heard or not; the next must be."""
    again = [*log()[:-1], SessionResumed(gateway="c", epoch=3), log()[-1]]
    assert misheard(HIT, heard((1, TONES[0], "old"), (8, TONES[2], "newest")), again) == []
    assert misheard(HIT, heard((1, TONES[0], "old")), again) != []


def test_two_agents_are_found() -> None:
    """A zombie's track that sounds after its successor's is named, once."""
    sounds = heard((1, TONES[0], "old"), (4, TONES[1], "new"), (4.6, TONES[0], "old"), (5.2, TONES[1], "new"))
    assert sounds.at_once() == ["two agents sounded: track old again after new"]


@pytest.mark.chaos
@pytest.mark.timeout(240)
async def test_gateways_die_in_the_middle_of_replies() -> None:
    """Whoever is killed while speaking in a LiveKit room: another goes on there, and nothing is lost, or heard twice."""
    livekit_binary()
    figures = await chaos(RoomChaos(kills=2, rooms=1, gateways=2))
    assert figures["first_violations"] == []
    assert (figures["kills"], figures["sessions"]) == (2, 1)
