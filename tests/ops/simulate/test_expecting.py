"""What is expected, held against what came of it."""

from typing import Any

import pytest

from ops.simulate.expecting import Check, checks, fits, says
from ops.simulate.observed import Observed, Spoken, ToolUse, observed
from ops.simulate.scenario import Expect
from schemas.config.agent import AgentSpec
from schemas.events import (
    Event,
    MessageReceived,
    PlaybackStarted,
    ReplySentence,
    SessionEnded,
    SessionStarted,
    StageFailed,
    ToolCalled,
    ToolReturned,
    TranscriptFinal,
    TurnCommitted,
    TurnEnded,
)

BOOK = ToolUse("book", {"guests": 4, "name": "Anna Berg", "when": {"day": "Friday", "hour": 20}}, "done", returned=True)


def talked(*lines: str, **more: Any) -> Observed:
    """The agent says these."""
    return Observed([Spoken("agent", line) for line in lines], list(lines), **more)


def only(expect: Expect, found: Observed, cut_ins: int = 0) -> Check:
    """What is said beside that every turn was answered."""
    answered, check = checks(expect, found, cut_ins)
    assert answered.kind == "answered"
    return check


@pytest.mark.parametrize(
    ("wanted", "given", "fit"),
    [
        (4, 4, True), (4, 4.0, True), (4, "4", True), (4, "four", False), (4, 5, False), (4, True, False), (1, True, False),
        ("anna", "Anna", True), ("anna  berg", "Anna Berg", True), ("anna", "Anna Berg", False), ("/^anna/", "Anna Berg", True),
        ("4", 4, True), (True, True, True), (True, "true", True), (True, 1, False), (False, False, True), (None, None, True),
        ({"day": "friday"}, {"day": "Friday", "hour": 20}, True), ({"day": "friday"}, {"hour": 20}, False),
        ({"day": 1}, "x", False),
        (["a", 2], ["A", "2"], True), (["a"], ["a", "b"], False), ("a", ["a"], False), (4, None, False), (4, [4], False),
    ],
)  # fmt: skip
def test_arguments_as_a_model_writes_them(wanted: Any, given: Any, fit: bool) -> None:
    """Whatever the case, and numbers also as texts; tables by the keys that matter."""
    assert fits(wanted, given) is fit


def test_what_was_said() -> None:
    """A part of it, whatever the case and the blanks, over sentences, too; or by a regular expression."""
    assert says("Your  table\nis booked.", "TABLE IS")
    assert says("A table for 4 guests", r"/for \d guests?/")
    assert not says("A table", "/tabel/")
    found = talked("Sure.", "A table for", "four people?")
    assert only(Expect(said=["for four people"]), found).passed
    check = only(Expect(said=["pizza"]), found)
    assert (check.passed, check.what) == (False, "the agent says “pizza”")
    assert check.why == "it said “Sure. A table for four people?”"


def test_what_must_never_be_said() -> None:
    """Also where nobody heard it to its end."""
    found = talked("Hello.")
    found.begun = ["Hello.", "As an AI I can't."]
    check = only(Expect(never=["as an ai"]), found)
    assert (check.passed, check.why) == (False, "it said “As an AI I can't.”")
    assert only(Expect(never=["pizza"]), found).passed


@pytest.mark.parametrize(
    ("call", "passed", "why"),
    [
        ({"name": "book"}, True, ""),
        ({"name": "book", "arguments": {"guests": 4, "when": {"day": "friday"}}}, True, ""),
        ({"name": "book", "arguments": {"guests": 5}}, False, "it was with other arguments: book(guests=4, "),
        ({"name": "book", "times": 2}, False, "it was once"),
        ({"name": "book", "times": 1}, True, ""),
        ({"name": "cancel", "times": 0}, True, ""),
        ({"name": "cancel"}, False, "only book was"),
    ],
)
def test_tools_that_must_be_called(call: dict[str, Any], passed: bool, why: str) -> None:
    """With these arguments, so often; else it is told which calls there were."""
    check = only(Expect.model_validate({"called": [call]}), talked(tools=[BOOK]))
    assert check.passed is passed
    assert check.why.startswith(why)


def test_tools_that_must_not() -> None:
    """The one there was is told."""
    check = only(Expect(not_called=["book"]), talked(tools=[BOOK]))
    assert not check.passed
    assert "book(guests=4" in check.why
    assert only(Expect(not_called=["cancel"]), talked(tools=[BOOK])).passed


@pytest.mark.parametrize(
    ("end", "by_itself"), [("end_requested", True), ("idle", True), ("hang_up", False), ("error", False), ("", False)]
)
def test_who_ended_it(end: str, by_itself: bool) -> None:
    """What the caller, a limit or an error ended, the agent did not."""
    assert only(Expect(ended=True), talked(end=end)).passed is by_itself
    assert only(Expect(ended=False), talked(end=end)).passed is not by_itself


def test_latency_of_95_of_100() -> None:
    """The nearest rank; nothing answered is no pass."""
    quick = talked(latencies=[0.5] * 19 + [9.0])
    assert only(Expect(latency_p95=1.0), quick).passed
    slow = only(Expect(latency_p95=1.0), talked(latencies=[0.5, 2.0]))
    assert (slow.passed, slow.why) == (False, "they begin within 2.00 s")
    assert not only(Expect(latency_p95=1.0), talked()).passed


def test_interruptions() -> None:
    """There must be one, for each the agent must have fallen silent, and what was said over it must have been answered."""
    wanted = Expect(interruptions=True)
    assert only(wanted, talked(interrupted=2), 2).passed
    assert "never spoke over it" in only(wanted, talked(interrupted=0), 0).why
    assert only(wanted, talked(interrupted=1), 2).why == "spoken over 2 times, it fell silent once"
    _, check = checks(wanted, talked(interrupted=1, unanswered=["wait"]), 1)
    assert check.why == "no answer to “wait”"
    assert not only(Expect(interruptions=False), talked(interrupted=1)).passed


def test_lines_of_the_caller() -> None:
    """At most so many."""
    found = Observed([Spoken("caller", "a"), Spoken("agent", "b"), Spoken("caller", "c")])
    assert only(Expect(turns=2), found).passed
    assert only(Expect(turns=1), found).why == "they were 2"


# ── what came of it ──────────────────────────────────────────────────────────────────────────────────────────────────


def log(*events: Event) -> list[Event]:
    beginning = SessionStarted(room="r", transport="memory", agent=AgentSpec(), gateway="g")
    return [event.model_copy(update={"seq": seq}) for seq, event in enumerate((beginning, *events), 1)]


def test_a_log_is_read() -> None:
    """Who said what in which order, tools with what came of them, what was left unsaid, and how it ended."""
    found = observed(
        log(
            MessageReceived(turn=1, participant="caller", text="A table for four."),
            TurnCommitted(turn=1, why="text"),
            ToolCalled(turn=1, call="c1", name="book", arguments={"guests": 4}),
            ToolReturned(turn=1, call="c1", name="book", result="booked"),
            ToolCalled(turn=1, call="c2", name="mail", arguments={}),
            ReplySentence(turn=1, generation=0, index=0, text="It is booked."),
            ReplySentence(turn=1, generation=0, index=1, text="Anything else?"),
            PlaybackStarted(turn=1, generation=0, index=0, position=0.0),
            TurnEnded(turn=1, how="interrupted", reason="barge_in", heard="It is"),
            TranscriptFinal(turn=2, utterance="u1", participant="caller", text="Wait."),
            TurnCommitted(turn=2, why="silence"),
            StageFailed(turn=2, stage="llm", code="down", message="the LLM is away", job="j"),
            TurnEnded(turn=2, how="failed", reason="llm"),
            TurnCommitted(turn=3, why="fallback"),
            TurnEnded(turn=3, how="played", heard="I have trouble."),
            SessionEnded(reason="end_requested"),
        )
    )
    assert [(line.who, line.text, line.cut) for line in found.transcript] == [
        ("caller", "A table for four.", False),
        ("tool", "book(guests=4) → booked", False),
        ("tool", "mail() …", False),
        ("agent", "It is", True),
        ("caller", "Wait.", False),
        ("agent", "I have trouble.", False),
    ]
    assert found.begun == ["It is booked."]
    assert (found.tools[0].came, found.tools[0].returned, found.tools[1].returned) == ("booked", True, False)
    assert (found.interrupted, found.unanswered, found.end, found.ended_by_itself) == (
        1,
        ["Wait."],
        "end_requested",
        True,
    )
    assert found.troubles == ["llm: the LLM is away"]
    answered = next(iter(checks(Expect(), found)))
    assert answered.why == "no answer to “Wait.” (“llm: the LLM is away”)"
