"""Who takes over knows what the gateway before knew: whatever a log says, it says to both.

Left out of the comparison, because no log holds it (each where `known` and what it calls leaves it out):

- voices, buttons, what was decided by them alone (`Turn.decided`), and what the client was told: they are heard, pressed and told
  anew;
- clocks: every timer begins anew with the gateway that waits. So does what our own clock gave up (an utterance `expired`, and
  `deaf` with it) until a decision in the log follows from it: the next gateway waits as long once more;
- what is on its way to the log, or was asked of a stage and not answered: it is asked again in a higher generation;
- of a log that lost its tail: what others had asked for in it, the pauses of speakers, and which numbers were given; the gateway
  that lives on still knows them, and nobody else can.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.inputs import HungUp
from gateway.turn_taking import Decision, Publish, Published, State, resume, step
from gateway.turn_taking.barge_in import looked_at, verdict
from gateway.turn_taking.recovery import fold
from gateway.turn_taking.state import Own, Reply, Sentence, Turn, UsersFloor
from schemas.bus import Outcome
from schemas.clock import Now
from schemas.config.agent import AgentSpec, Limits, TurnTaking
from schemas.events import Event, StageFailed
from schemas.session.fold import SessionState, fold_all
from schemas.session.promises import violations
from tests.gateway.turn_taking.call import Call, Stages
from tests.gateway.turn_taking.test_anything import SHORT, TEXTS, WHO, agents, happening, play, stages
from tests.golden.scenarios import SOUND

Told = set[tuple[int | None, int | None]]
"""Sentences (turn, index) of which the log says that they have no sound."""


class Watched(Call):
    """A call whose log is read anew at every rest: everything published, everything of the others fed."""

    def __init__(self, *arguments: Any, **more: Any):
        self.behind = 0
        self.compared = 0
        super().__init__(*arguments, **more)

    def append(self, event: Event, feed: bool = True, mark: bool = True) -> None:
        appended = len(self.log)
        super().append(event, feed, mark)
        if feed and len(self.log) > appended:
            self.behind += 1
            self.after(0.0005, self._caught_up)  # comes just after it is fed

    def _caught_up(self) -> None:
        self.behind -= 1
        self.compare()

    def _enter(self, state: State, decisions: list[Decision]) -> None:
        super()._enter(state, decisions)
        if self.state is state:
            self.compare()

    def compare(self) -> None:
        if not self.behind and at_rest(self.state) and not self.lost_tail:
            self.compared += 1
            taken = fold("s1", self.log, self.now)
            mine, theirs = known(self.state, self), known(taken, self)
            assert theirs == mine, self.show()
            assert durations(taken) == pytest.approx(durations(self.state), abs=0.001)
            if not self.state.somebody_speaks and self.state.playback is None and not self.losses:
                self.resumes(mine)

    def resumes(self, mine: dict[str, Any]) -> None:
        """Nothing is lost with a gateway in whose rooms nobody speaks: the next says that it is there, and knows the same; only
        where an LLM may be at work unknown to the log, the generation rises, so that it is asked anew."""
        state, (publish, *_) = resume("s1", self.log, {}, self.now, gateway="g2", epoch=self.epoch + 1)
        assert isinstance(publish, Publish)
        if publish.raises is None:
            assert [event.type for event in publish.events] == ["session.resumed"], self.show()
            assert known(state, self) == mine, self.show()


def given_up(parts: int = 1, part: float = 0.0, **stages: Any) -> Watched:
    """A call in which clips come just as their sentences were given up."""
    stages = {"tts": 4.0, "replies": [["One two three.", "Four five six seven."]]} | stages
    agent = AgentSpec(greeting="", patience=0.0, limits=SHORT)
    call = Watched(agent, Stages(stt=0.0, llm=0.0, parts=parts, part=part, **stages))
    play(call, [("speech", 0.2, 0.1, TEXTS[0], "alice"), ("typed", 0.2), ("away", 0.21, 1.0)], 1)
    call.run(26.0)
    return call


def test_a_clip_that_comes_as_its_sentence_was_given_up_is_played() -> None:
    """Live as from the log, unless its place has passed."""
    call = given_up()
    assert ("played", "finished") in {(how, reason) for _, how, reason in call.ended()}
    assert [index for turn, _, index in call.ear if turn == 1] == [0, 1]


def at_rest(state: State) -> bool:
    return state.flight is None and not state.outbox and not state.closed


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
@given(
    agent=agents,
    stages=stages,
    people=st.integers(1, 2),
    happenings=st.lists(happening, max_size=10),
    slow=st.sampled_from((0.001, 0.001, 0.4)),
)
@example(  # while the filler sounds, the reply it bridges is given up by the gateway's own clock
    agent=AgentSpec(greeting="", patience=1.0, limits=Limits(llm_deadline=2.0)),
    stages=Stages(stt=0.0, llm=4.0, tts=0.0, replies=[["Yes."]]),
    people=1,
    happenings=[("speech", 0.2, 0.2, "um", "alice")],
    slow=0.001,
)
@example(  # interim words, when the agent they were said over is done, or may not be interrupted
    agent=AgentSpec(greeting="", patience=0.0, turn_taking=TurnTaking(barge_in=False)),
    stages=Stages(stt=0.0, llm=0.0, tts=0.0, replies=[["Yes."]]),
    people=1,
    happenings=[
        ("say", 0.2, False),
        ("speech", 0.2, 0.1, "What is the weather?", "alice"),
        ("speech", 0.6, 0.6, "What is the weather?", "alice"),
    ],
    slow=0.001,
)
def test_whoever_takes_over_knows_what_was_known(
    agent: AgentSpec, stages: Stages, people: int, happenings: list[Any], slow: float
) -> None:
    """At every rest of 500 calls, the log alone tells the whole state, but for voices, clocks, and what is on its way."""
    call = Watched(agent, stages, people=WHO[:people])
    call.bus_delay = slow
    play(call, happenings, people)
    call.run(26.0)
    assert call.compared or call.state.closed


@pytest.mark.parametrize("scenario", SOUND, ids=lambda scenario: scenario.__name__)
def test_whoever_takes_over_a_stored_session_knows_what_its_log_says(scenario: Callable[[], list[Event]]) -> None:
    """After every publication of every golden session, the gateway that resumes it and the fold of its log are one truth."""
    events = scenario()
    for count in range(1, len(events)):
        if in_the_midst(events, count):
            continue
        state, folded = fold("s1", events[:count], Now(100.0)), fold_all(events[:count])
        assert as_resumed(state) == as_folded(folded), events[count - 1]


@pytest.mark.parametrize("scenario", SOUND, ids=lambda scenario: scenario.__name__)
def test_a_stored_session_taken_over_anywhere_goes_on_without_breaking_a_promise(
    scenario: Callable[[], list[Event]],
) -> None:
    """What the new gateway publishes at once, and at the end when it is hung up, fits the log it found; at rest it knows what the
    log then says."""
    events = scenario()
    for count in range(2, len(events)):
        log = list(events[:count])
        state, decisions = resume("s1", log, {}, Now(100.0), gateway="gw2", epoch=2)
        for _ in range(3):
            for publish in [decision for decision in decisions if isinstance(decision, Publish)]:
                found = [event.model_copy(update={"at": log[-1].at}) for event in publish.events]
                log += [event.model_copy(update={"seq": len(log) + place}) for place, event in enumerate(found, 1)]
                state, decisions = step(state, Published(publish.operation, Outcome.OK, len(log)), Now(100.0))
            if not state.closed and state.flight is None:
                assert in_the_midst(events, count) or as_resumed(state) == as_folded(fold_all(log)), events[count - 1]
                state, decisions = step(state, HungUp(), Now(100.0))
        assert log[-1].type == "session.ended"
        assert not violations(log)


def in_the_midst(events: list[Event], count: int) -> bool:
    """The first `count` end within a publication, as no log does."""
    return (events[count].at, events[count].by) == (events[count - 1].at, events[count - 1].by)


def as_resumed(state: State) -> dict[str, Any]:
    return {
        "generation": state.generation,
        "people": {name: dict(person.attributes) for name, person in state.people.items()},
        "turns": {
            turn.id: (
                turn.phase.why if not isinstance(turn.phase, UsersFloor) else None,
                [(u.id, u.text, u.before, bool(u.failed)) for u in turn.utterances],
                turn.letters,
                [(s.text, len(s.clips), s.complete, s.heard or 0.0) for s in turn.reply.sentences]
                if turn.reply
                else [],
            )
            for turn in state.turns.values()
        },
        "says": [own.text for own in state.wanted if own.why == "say"],
        "letters": [letter.text for letter in state.letters],
        "greeted": state.greeted,
        "phrases": {name: (len(phrase.clips), phrase.complete) for name, phrase in state.phrases.items()},
    }


def as_folded(state: SessionState) -> dict[str, Any]:
    return {
        "generation": state.generation,
        "people": {name: dict(person.attributes) for name, person in state.participants.items() if person.present},
        "turns": {
            turn.id: (
                turn.commit.why if turn.commit else None,
                [(u.id, u.text, u.before, bool(u.lost)) for u in turn.utterances],
                len(turn.letters),
                [(s.text, len(s.clips), s.complete, s.heard) for _, s in sorted(turn.reply.sentences.items())]
                if turn.reply
                else [],
            )
            for turn in state.turns.values()
            if turn.end is None
        },
        "says": [say.text for say in state.says],
        "letters": [letter.text for letter in state.letters],
        "greeted": state.greeted,
        "phrases": {name: (len(phrase.clips), phrase.complete) for name, phrase in state.phrases.items()},
    }


def known(state: State, call: Call) -> dict[str, Any]:
    """What a log must tell. Apart: voices and buttons, clocks (each timer begins anew, and so does what was given up by one),
    what is on its way to the log or was asked of a stage and not answered, and what the client was told. Of a log that lost its
    tail a gateway still knows what others had asked for, that it has greeted, and which numbers it gave."""
    failed = {(e.turn, e.index) for e in call.of(StageFailed) if e.stage == "tts"}
    asked = {"next_turn": state.next_turn, "wanted": wanted(state), "letters": state.letters, "greeted": state.greeted}
    asked |= {"crowded_for": state.crowded_for, "question": state.asked, "questions": state.questions}
    asked |= {"leaving": state.leaving, "left_message": state.left_message}
    return {
        "generation": state.generation,
        "callee": state.callee,
        "people": [(p.name, p.kind, p.shown, dict(p.attributes), p.awake) for p in state.people.values()],
        "pauses": None if call.losses else [person.pauses for person in state.people.values()],
        "turns": [of_turn(state, turn if not call.losses else lost(turn), failed) for turn in state.turns.values()],
        "asked": None if call.losses else asked,
        "phrases": state.phrases,
        "stored": {u.id: state.stored.get(u.id) for turn in state.turns.values() for u in turn.utterances},
    }


def wanted(state: State) -> list[Own]:
    """The greeting is wanted again when somebody is there to hear it."""
    return [own for own in state.wanted if own.why != "greeting" or state.greeted]


def lost(turn: Turn) -> Turn:
    """A log that lost its tail does not tell how urgent a lost request was, nor what had begun to sound unknown to it."""
    return replace(turn, during=None, asked="", own=replace(turn.own, interrupt=False) if turn.own else None)


def of_turn(state: State, turn: Turn, failed: Told) -> Turn:
    still = {"touched": 0.0, "spoken": 0.0, "committed": 0.0, "sure": None, "decided": False}
    utterances = tuple(
        replace(u, asked=0.0, end=None, duration=0.0, failed=None if u.failed == "expired" else u.failed)
        for u in turn.utterances
    )
    reply, over = of_reply(state, turn, failed), turn.over and not decides(state, replace(turn, decided=False))
    return replace(turn, **still, over=over, utterances=utterances, reply=reply)  # type: ignore[arg-type]


def decides(state: State, turn: Turn) -> bool:
    """What was said over the agent takes the floor, by the words at hand: decided at once, and again by who takes over."""
    inputs = looked_at(state, turn, turn.text, final=bool(turn.utterances) and not turn.waiting)
    found = verdict(inputs, state.agent)
    return found == "interrupts" or (found == "waits" and inputs["final"] and bool(turn.asked))


def of_reply(state: State, turn: Turn, failed: Told) -> Reply | None:
    reply = turn.reply
    if reply is not None and reply.finished == "tool" and turn.has_floor:  # its continuation is asked for
        reply = replace(reply, finished=None, resumes=reply.resumes + 1)
    if reply is None or (not reply.sentences and not reply.finished and reply.failed != "failed"):
        return None
    sentences = (of_sentence(state, one, (turn.id, place) in failed) for place, one in enumerate(reply.sentences))
    return replace(reply, asked=0.0, sentences=tuple(sentences))


def of_sentence(state: State, sentence: Sentence, failed: bool) -> Sentence:
    """Of one without sound the client was told, and it is over."""
    spoken = sentence.phrase in state.phrases and state.phrases[sentence.phrase].failed
    return replace(
        sentence,
        at=0.0,
        overdue=False,
        phrase=None if spoken else sentence.phrase,
        failed=sentence.failed and failed,
        ended=sentence.ended and not sentence.failed,
    )


def durations(state: State) -> list[float]:
    return [utterance.duration for turn in state.turns.values() for utterance in turn.utterances]
