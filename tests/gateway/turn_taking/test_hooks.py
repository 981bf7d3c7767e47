"""When hooks are asked, what waits for them, and what their answers change in a call."""

from typing import Any

import pytest

from gateway.inputs import HungUp, Typed
from gateway.turn_taking import End
from gateway.turn_taking.recovery import fold
from schemas.config.agent import AgentSpec, Idle
from schemas.config.conversation import Hooks, StepSpec, VoiceSpec
from schemas.events import (
    AgentChanged,
    HookCalled,
    PlaybackStarted,
    ReplySentence,
    SessionEnded,
    StepEntered,
    TurnCommitted,
    TurnEnded,
)
from schemas.jobs import HookJob, LlmJob, TtsJob
from schemas.session.promises import violations
from tests.gateway.turn_taking.call import Call


class Hooked(Call):
    """A call whose hooks are answered after `takes` seconds by what `answers` has for them; None: never."""

    def __init__(
        self, hooked: dict[str, str], answers: dict[str, dict[str, Any]] | None = None, takes: float | None = 0.1,
        **agent: Any,
    ) -> None:  # fmt: skip
        self.answers, self.takes = answers or {}, takes
        self.hooks: list[tuple[float, HookJob]] = []
        """When (into the call) a hook was asked."""
        super().__init__(AgentSpec(hooked=hooked, **agent))  # type: ignore[arg-type]

    def _work(self, job: Any) -> None:
        if not isinstance(job, HookJob):
            super()._work(job)
            return
        self.hooks.append((self.now - self.began, job))
        if self.takes is not None:
            fields = self.answers.get(job.hook, {})
            event = HookCalled(call=job.call, hook=job.hook, turn=job.turn, **fields)
            self.after(self.takes, lambda: None if self.state.closed else self.append(event))

    def asked_for(self, hook: str) -> list[tuple[float, HookJob]]:
        return [(moment, job) for moment, job in self.hooks if job.hook == hook]

    def said(self) -> list[str]:
        return [event.text for event in self.of(ReplySentence)]


# ── on_enter ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_on_enter_gives_the_greeting() -> None:
    """Asked with the first who comes; the file's greeting is not said before it has answered, nor after."""
    answers = {"on_enter": {"decision": "greeted", "text": "Hello, Ada."}}
    call = Hooked({"on_enter": "once"}, answers, greeting="Hello, whoever you are.")
    call.run(3)
    assert call.said() == ["Hello, Ada."]
    assert len(call.asked_for("on_enter")) == 1
    assert not violations(call.log)


def test_values_fill_the_greeting_of_the_file() -> None:
    """Where the hook gives none of its own."""
    call = Hooked({"on_enter": "once"}, {"on_enter": {"values": {"name": "Ada"}}}, greeting="Hello, {{values.name}}.")
    call.run(3)
    assert call.said() == ["Hello, Ada."]


def test_an_on_enter_that_never_answers_is_waited_for_a_while() -> None:
    """Its time and a little; then the file's greeting is said, and what was said meanwhile is answered."""
    call = Hooked({"on_enter": "once"}, takes=None, greeting="Hello.", hooks=Hooks(timeout=1.0))
    call.run(3.5)
    assert call.said() == []
    call.run(6)
    assert call.said() == ["Hello."]


def test_no_llm_is_asked_before_the_agent_has_entered() -> None:
    """What it is to be told is not known yet: somebody who speaks at once is answered after it."""
    call = Hooked({"on_enter": "once"}, takes=2.5)
    call.says(0.2, 0.8, "hello there.")
    call.run(2.5)
    assert not [job for job in call.jobs if isinstance(job, LlmJob)]
    call.run(8)
    assert len(call.of(TurnEnded)) == 1
    assert call.of(TurnEnded)[0].how == "played"


# ── on_user_turn ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_replies_that_run_code_with_effects_are_not_made_ahead() -> None:
    """An agent with on_user_turn is asked once the turn is committed; with one that only looks, as soon as any."""
    for kind, committed in (("once", True), ("pure", False)):
        call = Hooked({"on_user_turn": kind})
        call.says(0.5, 1.0, "hello there.")
        call.run(6)
        (job,) = [job for job in call.jobs if isinstance(job, LlmJob)]
        assert job.committed is committed
        assert call.of(TurnEnded)[0].how == "played"


# ── on_agent_turn ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_on_agent_turn_is_told_what_was_heard() -> None:
    """Of each reply that was heard at all, in full or until it was interrupted."""
    call = Hooked({"on_agent_turn": "once"})
    call.says(0.5, 1.0, "hello there.")
    call.run(8)
    ((_, job),) = call.asked_for("on_agent_turn")
    assert (job.turn, job.call) == (1, "on_agent_turn/1")
    assert job.about == {
        "said": "This is the first sentence. And here is the second one.",
        "heard": "This is the first sentence. And here is the second one.",
        "interrupted": False,
    }


# ── on_idle ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_on_idle_is_asked_again_and_again_until_somebody_speaks() -> None:
    """Counted; what it answers is said, and silence counts from there."""
    answers = {"on_idle": {"decision": "said", "text": "Are you there?"}}
    call = Hooked({"on_idle": "once"}, answers, idle=Idle(after=5, times=3))
    call.says(20.0, 1.0, "yes I am.")
    call.run(38)
    counts = [job.about["count"] for _, job in call.asked_for("on_idle")]
    moments = [moment for moment, _ in call.asked_for("on_idle")]
    assert 1 in counts[2:]
    assert counts[:2] == [1, 2]
    assert 4.9 < moments[0] < 5.2
    assert "Are you there?" in call.said()
    assert "idle" in {event.why for event in call.of(TurnCommitted)}
    assert len({job.id for _, job in call.asked_for("on_idle")}) == len(counts)
    assert not violations(call.log)


def test_on_idle_has_the_last_words_too() -> None:
    """Told that these are the last, its words stand for the goodbye; then the session ends, as without it."""
    answers = {"on_idle": {"decision": "said", "text": "Bye, Ada."}}
    call = Hooked({"on_idle": "once"}, answers, idle=Idle(after=5, times=1))
    call.run(30)
    assert [job.about for _, job in call.asked_for("on_idle")] == [
        {"count": 1, "last": False},
        {"count": 2, "last": True},
    ]
    assert call.said() == ["Bye, Ada.", "Bye, Ada."]
    assert [event.why for event in call.of(TurnCommitted)] == ["idle", "goodbye"]
    assert call.of(SessionEnded)[0].reason == "idle"
    assert not violations(call.log)


@pytest.mark.parametrize("takes", [0.1, None])
def test_an_on_idle_without_words_leaves_it_to_the_file(takes: float | None) -> None:
    """None, an error or no answer at all: the agent asks and says goodbye as its file has it, once for each silence."""
    call = Hooked({"on_idle": "once"}, takes=takes, idle=Idle(after=5, times=1, say="Hello?", goodbye="Bye."))
    call.run(40)
    assert call.said() == ["Hello?", "Bye."]
    assert call.of(SessionEnded)[0].reason == "idle"


def test_an_on_idle_that_sees_to_it_itself_is_called_again_after_as_much_silence() -> None:
    """Nothing is said then, nor does the session end; the silences are counted all the same."""
    call = Hooked({"on_idle": "once"}, {"on_idle": {"decision": "said", "text": ""}}, idle=Idle(after=5, times=1))
    call.run(17)
    asked = call.asked_for("on_idle")
    assert [job.about["count"] for _, job in asked] == [1, 2, 3]
    assert [round(moment) for moment, _ in asked] == [5, 10, 15]
    assert call.said() == []
    assert not call.of(SessionEnded)


def test_what_on_idle_says_too_late_is_not_said() -> None:
    """Somebody spoke while it thought: the silence is over."""
    answers = {"on_idle": {"decision": "said", "text": "Are you there?"}}
    call = Hooked({"on_idle": "once"}, answers, takes=2.0, idle=Idle(after=5))
    call.says(6.0, 0.8, "yes I am.")
    call.run(11)
    assert len(call.asked_for("on_idle")) == 1
    assert "Are you there?" not in call.said()


def test_who_takes_over_says_what_on_idle_answered() -> None:
    """Its words stand in the log, as the agent's question or its goodbye."""
    answers = {"on_idle": {"decision": "said", "text": "Are you there?"}}
    call = Hooked({"on_idle": "once"}, answers, idle=Idle(after=5))
    call.run(7)
    place = next(number for number, event in enumerate(call.log) if isinstance(event, HookCalled))
    again = fold("s1", call.log[: place + 1], call.now)
    assert [(own.why, own.text) for own in again.wanted] == [("idle", "Are you there?")]


def test_nobody_is_asked_while_the_agent_works_or_nobody_is_there() -> None:
    """Silence is what nobody breaks."""
    call = Hooked({"on_idle": "once"}, idle=Idle(after=5))
    call.stages.llm = 9.0
    call.says(0.5, 1.0, "hello there.")
    call.run(9)
    assert call.asked_for("on_idle") == []


# ── on_exit ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_session_ends_once_on_exit_was_called() -> None:
    """Its answer is the last but one event of the log; whoever speaks or writes meanwhile is not answered."""
    call = Hooked({"on_exit": "once"}, takes=1.0)
    call.says(0.5, 1.0, "hello there.")
    call.at(3.0, lambda: call.feed(HungUp("hang_up")))
    call.at(3.5, lambda: call.feed(Typed("alice", "wait")))
    call.run(8)
    ((moment, job),) = call.asked_for("on_exit")
    assert job.about == {"reason": "hang_up"}
    assert [event.type for event in call.log[-2:]] == ["hook.called", "session.ended"]
    assert call.log[-1].reason == "hang_up"  # type: ignore[union-attr]
    assert [one.reason for _, one in call.decisions if isinstance(one, End)] == ["hang_up"]
    assert call.of(TurnEnded)[-1].reason == "session"
    assert not violations(call.log)
    assert 2.9 < moment < 3.1


def test_an_on_exit_that_never_answers_ends_nothing_late() -> None:
    """The session ends by itself, after the hook's time and a little."""
    call = Hooked({"on_exit": "once"}, takes=None, hooks=Hooks(exit=2))
    call.at(3.0, lambda: call.feed(HungUp("hang_up")))
    call.run(7.9)
    assert not call.of(SessionEnded)
    call.run(9)
    assert call.of(SessionEnded)[0].reason == "hang_up"


# ── steps, and another agent ─────────────────────────────────────────────────────────────────────────────────────────

_STEPS = [StepSpec(name="one"), StepSpec(name="two", voice=VoiceSpec(name="loud"))]


def test_a_step_is_spoken_in_its_own_voice() -> None:
    """Fixed phrases, too, which are made anew; and a gateway that takes over knows the same."""
    call = Hooked({}, steps=_STEPS)
    call.run(2)
    call.append(StepEntered(step="two", via="goto"))
    call.run(4)
    assert (call.state.agent.step, call.state.agent.voice.name) == ("two", "loud")
    phrases = [job for job in call.jobs if isinstance(job, TtsJob) and job.phrase]
    assert {job.id for job in phrases if job.voice == "loud"} == {"tts/fallback@1", "tts/repeat@1", "tts/filler@1"}
    again = fold("s1", call.log, call.now)
    assert (again.agent, again.voices) == (call.state.agent, 1)


def test_another_agents_settings_count_from_then_on() -> None:
    """Its fallback, its turn-taking; it is not entered by the gateway, nor does it greet."""
    call = Hooked({}, greeting="Hello.")
    call.run(3)
    other = AgentSpec(
        name="billing", greeting="Billing here.", fallback="The books are closed.", hooked={"on_enter": "once"}
    )
    call.append(AgentChanged(agent=other, via="hand_over"))
    call.stages.llm_fails = True
    call.says(4.0, 1.0, "my bill please.")
    call.run(12)
    assert call.said() == ["Hello.", "The books are closed."]
    assert call.asked_for("on_enter") == []
    assert call.state.agents == 1
    assert {event.turn for event in call.of(PlaybackStarted)} <= {event.turn for event in call.of(TurnCommitted)}
