"""The edges of speech another ear would have heard, from those that one heard."""

from collections.abc import Sequence

from gateway.sound.detector import FRAME
from gateway.turn_taking import SpeechEdge
from ops.replay._recorded import Given
from schemas.audio import HEARING_RATE

_FRAME = FRAME / HEARING_RATE


def believed(given: Sequence[Given], was: float, now: float) -> list[Given]:
    """The edges, had speech been believed after `now` seconds instead of `was` (`turn_taking.start_speech`).

    No sound is needed for that: speech goes on by the rule by which its first frames count, so that all of it is known, from its
    first frame to its stop, or to where it turned out to be nothing. Noise that the record left out stays noise.
    """
    needed, before = (max(1, round(seconds * HEARING_RATE / FRAME)) for seconds in (now, was))
    if needed == before:
        return list(given)
    found: list[Given] = []
    onset: dict[str, Given] = {}
    since: dict[str, Given] = {}
    for one in given:
        edge = one.item
        if not isinstance(edge, SpeechEdge):
            found.append(one)
            continue
        who = edge.participant
        match edge.kind:
            case "onset":
                onset[who] = one
                found.append(one)
            case "start" if who in onset:
                since[who] = onset.pop(who)
            case "noise" | "stop" if who in since:
                found += _run(since.pop(who), one, needed)
            case "noise" | "stop" if who in onset:
                found += _run(onset.pop(who), one, needed)
            case _:
                found.append(one)
    found += [_begun(first, needed) for first in since.values()]
    return sorted(found, key=lambda one: one.at)


def _begun(first: Given, needed: int) -> Given:
    """Speech that is believed after so many frames. `first`: its onset."""
    edge = first.item
    assert isinstance(edge, SpeechEdge)
    head = edge.head + (needed - 1) * FRAME
    return Given(first.at + (needed - 1) * _FRAME, SpeechEdge(edge.participant, "start", edge.position, head))


def _run(first: Given, last: Given, needed: int) -> list[Given]:
    """What becomes of speech, or of what was nothing, from its first frame to where it stopped."""
    edge, end = first.item, last.item
    assert isinstance(edge, SpeechEdge)
    assert isinstance(end, SpeechEdge)
    begun = _begun(first, needed)
    assert isinstance(begun.item, SpeechEdge)
    if begun.item.head >= end.head:
        return [Given(last.at, SpeechEdge(edge.participant, "noise", edge.position, end.head))]
    stop = end.position if end.kind == "stop" else end.head - FRAME
    return [begun, Given(last.at, SpeechEdge(edge.participant, "stop", stop, end.head))]
