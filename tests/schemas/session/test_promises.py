"""The checker: each broken promise is named. (Sound logs and the broken golden one: tests/golden.)"""

from collections.abc import Callable

import pytest

from schemas.events import (
    ClipReady,
    Event,
    PlaybackFinished,
    PlaybackStarted,
    ReplyFinished,
    ReplySentence,
    SessionEnded,
    SpeechStarted,
    ToolReturned,
    TranscriptFinal,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.session.promises import violations
from tests.golden import scenarios

Change = Callable[[list[Event]], list[Event]]


def numbered(log: list[Event]) -> list[Event]:
    return [event.model_copy(update={"seq": place}) for place, event in enumerate(log, 1)]


def again(kind: type) -> Change:
    """The first event of this type stands twice."""

    def change(log: list[Event]) -> list[Event]:
        place = next(i for i, event in enumerate(log) if isinstance(event, kind))
        return numbered([*log[: place + 1], log[place], *log[place + 1 :]])

    return change


def without(kind: type) -> Change:
    """The last event of this type is missing."""

    def change(log: list[Event]) -> list[Event]:
        place = next(i for i in reversed(range(len(log))) if isinstance(log[i], kind))
        return numbered(log[:place] + log[place + 1 :])

    return change


def altered(kind: type, **fields: object) -> Change:
    """The first event of this type says something else."""

    def change(log: list[Event]) -> list[Event]:
        place = next(i for i, event in enumerate(log) if isinstance(event, kind))
        return [*log[:place], log[place].model_copy(update=fields), *log[place + 1 :]]

    return change


def swapped(kind: type, other: type) -> Change:
    """The first events of these types stand in each other's place."""

    def change(log: list[Event]) -> list[Event]:
        one, two = (next(i for i, event in enumerate(log) if isinstance(event, sought)) for sought in (kind, other))
        order = {one: two, two: one}
        at = [event.at for event in log]
        return [log[order.get(i, i)].model_copy(update={"seq": i + 1, "at": at[i]}) for i in range(len(log))]

    return change


def at_the_end(event: Event) -> Change:
    """An event before the session's end."""
    return lambda log: numbered([*log[:-1], event.model_copy(update={"at": log[-2].at}), log[-1]])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (again(TurnEnded), "turn 1 ended a second time"),
        (without(TurnEnded), "turn 1, named first by event 3, never ended"),
        (again(TranscriptFinal), "utterance u1 transcribed a second time"),
        (again(UtteranceCaptured), "utterance u1 captured a second time"),
        (again(ReplySentence), "sentence 0 of turn 1 a second time"),
        (again(ReplyFinished), "the reply of turn 1 finished a second time"),
        (again(ClipReady), "part 0 of sentence 0 a second time"),
        (again(PlaybackStarted), "sentence 0 of turn 1 played a second time"),
        (again(SessionEnded), "after the session's end"),
        (without(TurnCommitted), "turn 1 was never committed"),
        (altered(ReplySentence, index=5), "sentence 5 of turn 1 before sentence 0"),
        (altered(ClipReady, generation=7), "sentence 0 of turn 1 has no sound"),
        (altered(UtteranceCaptured, turn=None), "utterance u1 belongs to no turn"),
        (altered(UtteranceCaptured, replaces="u0"), "replaces utterance u0, which was never captured"),
        (altered(TranscriptFinal, utterance="u9"), "utterance u9, which was never captured"),
        (altered(SpeechStarted, at=0), "before the event it follows"),
        (altered(SpeechStarted, seq=9), "seq has a gap or went back"),
        (altered(UtteranceCaptured, raises=0), "raises the generation to 0, which it had: 0"),
        (lambda log: log[1:], "a log begins with session.started, seq 1"),
        (at_the_end(ToolReturned(turn=1, generation=0, call="c", name="x")), "tool call c was never made"),
        (at_the_end(TurnCommitted(turn=1, why="silence")), "turn 1 ended with event"),
        (at_the_end(PlaybackFinished(turn=1, generation=0, index=1, position=1.0)), "turn 1 ended with event 17"),
        (altered(PlaybackStarted, generation=1), "of generation 1, while it is 0"),
        (altered(PlaybackFinished, index=1), "before the sentence of event 13 was over"),
        (swapped(UtteranceCaptured, PlaybackFinished), "reopens turn 1, which plays since event 13"),
    ],
)
def test_each_broken_promise_is_named(change: Change, says: str) -> None:
    """One change to a sound log, and the checker says what is wrong and where."""
    found = violations(change(scenarios.plain()))
    assert any(says in violation for violation in found), found


@pytest.mark.parametrize("kind", [ReplySentence, ReplyFinished, ClipReady])
def test_nothing_of_a_voided_reply_may_follow(kind: type) -> None:
    """Any event of the reply the barge-in made void is a violation; the gateway's own account of it is not."""
    log = scenarios.barge_in()
    voided = next(event for event in log if isinstance(event, kind) and event.generation == 0)
    found = violations(at_the_end(voided)(log))
    assert any("of generation 0, which event 16 made void" in violation for violation in found)


def test_an_utterance_is_replaced_once_and_by_its_own_speaker() -> None:
    """Two utterances cannot stand for the same audio."""
    log = scenarios.reopened()
    second = next(event for event in log if isinstance(event, UtteranceCaptured) and event.replaces)
    third = second.model_copy(update={"utterance": "u3", "raises": None})
    assert any("which u2 has replaced" in violation for violation in violations(at_the_end(third)(log)))
    other = third.model_copy(update={"participant": "bob"})
    assert any("of another participant" in violation for violation in violations(at_the_end(other)(log)))


def test_what_was_taken_back_goes_on_in_an_open_turn_and_carries_what_stands() -> None:
    """A turn that is none, or has ended, answers nothing; an utterance that was replaced is not carried again."""
    log = scenarios.taken_back()
    assert any("turn 9 does not go on" in violation for violation in violations(altered(TurnEnded, into=9)(log)))
    joined = next(event for event in log if isinstance(event, UtteranceCaptured) and event.joins)
    again = joined.model_copy(update={"utterance": "u4", "replaces": "u3"})
    found = violations(at_the_end(again)(log))
    assert any("replaces utterance u1, which u3 has replaced" in violation for violation in found)


@pytest.mark.parametrize(("reason", "sound"), [("hang_up", False), ("error", True), ("gateway_lost", True)])
def test_only_a_session_that_nobody_was_left_to_end_may_leave_a_turn_open(reason: str, sound: bool) -> None:
    """An ordinary end of a session ends its turns first."""
    log = altered(SessionEnded, reason=reason)(without(TurnEnded)(scenarios.plain()))
    assert (violations(log) == []) is sound
