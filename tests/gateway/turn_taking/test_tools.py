"""While a tool works: who waits for it, what is heard meanwhile, and what becomes of a result that comes late."""

from typing import Any

from gateway.inputs import Typed
from gateway.turn_taking import End
from schemas.config.agent import AgentSpec
from schemas.events import (
    Cause,
    EndRequested,
    PlaybackStarted,
    ReplyFinished,
    ReplySentence,
    ToolCalled,
    ToolReturned,
    TurnCommitted,
    TurnEnded,
)
from schemas.jobs import LlmJob, TtsJob
from schemas.session.chat import messages
from schemas.session.fold import fold_all
from schemas.session.promises import violations
from tests.gateway.turn_taking.call import Call, Stages

AGENT = AgentSpec(patience=3.0)


class Working(Call):
    """A call whose LLM is the test: it says, calls and ends what it is told to, as its workers would."""

    def __init__(self, agent: AgentSpec = AGENT):
        super().__init__(agent, Stages(dead={"llm"}))

    def _about(self, turn: int, generation: int, resume: int = 0) -> dict[str, Any]:
        job = LlmJob.of(self.agent, "s1", turn, generation, committed=True, resume=resume)
        return {"turn": turn, "generation": generation, "cause": Cause(job=job.id, attempt=1)}

    def answers(self, at: float, turn: int, generation: int, text: str, *, index: int = 0, resume: int = 0) -> None:
        """A sentence, which is spoken; void if the generation has risen."""

        def say() -> None:
            if generation == self.generation:
                self.append(ReplySentence(index=index, text=text, **self._about(turn, generation, resume)))
                self.enqueue(TtsJob.sentence(self.agent, "s1", turn, generation, index, text))

        self.at(at, say)

    def finishes(self, at: float, turn: int, generation: int, reason: Any = "stop", resume: int = 0) -> None:
        def end() -> None:
            if generation == self.generation:
                self.append(ReplyFinished(sentences=0, reason=reason, **self._about(turn, generation, resume)))

        self.at(at, end)

    def calls(self, at: float, turn: int, generation: int, **more: Any) -> None:
        called = {"call": f"{turn}.{generation}.0", "name": "look", "arguments": {}, "timeout": 20.0, "patience": 3.0}
        event = ToolCalled(**{**called, **more}, **self._about(turn, generation))
        self.at(at, lambda: self.append(event))

    def returns(self, at: float, turn: int, generation: int, **more: Any) -> None:
        event = ToolReturned(
            call=f"{turn}.{generation}.0", name="look", result="ten", **more, **self._about(turn, generation)
        )
        self.at(at, lambda: self.append(event))

    @property
    def llm_asked(self) -> list[tuple[float, LlmJob]]:
        """When (into the call) an LLM was asked for what."""
        found = []
        for job, length in self.enqueued:
            if isinstance(job, LlmJob):
                found.append((self.log[length - 1].at / 1e6 - self.began, job))
        return found


def heard(call: Call) -> list[str]:
    return [event.heard for event in call.of(TurnEnded)]


def test_a_slow_tool_does_not_end_its_turn() -> None:
    """As long as a call may take, its reply is waited for: longer than an LLM's deadline, and than a turn's own."""
    call = Working()
    call.says(1.0, 1.0, "What is the news?")
    call.calls(4.0, 1, 0, timeout=100.0, patience=0.0)
    call.returns(90.0, 1, 0)
    call.answers(91.0, 1, 0, "It is ten.")
    call.finishes(91.1, 1, 0)
    call.run(100.0)
    assert heard(call) == ["It is ten."]
    assert not violations(call.log)


def test_one_that_never_returns_is_given_up() -> None:
    """A worker that died in it, and nobody took over: the apology, and not silence."""
    call = Working()
    call.says(1.0, 1.0, "What is the news?")
    call.calls(4.0, 1, 0, patience=0.0)
    call.run(80.0)
    assert call.ended()[0] == (1, "expired", "llm")
    assert heard(call)[-1] == AGENT.fallback


def test_a_reply_that_stopped_for_the_pool_goes_on_when_all_have_returned() -> None:
    """What was said before is heard, the wait is bridged once, and the continuation is asked for behind the last result."""
    call = Working()
    call.says(1.0, 1.0, "What is the news?")
    call.answers(4.0, 1, 0, "Let me look.")
    call.calls(4.1, 1, 0, pool=True)
    call.calls(4.1, 1, 0, pool=True, call="1.0.1")
    call.finishes(4.2, 1, 0, "tool")
    call.returns(9.0, 1, 0)
    call.at(10.0, lambda: call.append(ToolReturned(call="1.0.1", name="look", turn=1, generation=0)))
    call.answers(10.5, 1, 0, "It is ten.", index=2, resume=1)
    call.finishes(10.6, 1, 0, resume=1)
    call.run(20.0)
    resumed = [(at, job) for at, job in call.llm_asked if job.resume]
    assert [(job.resume, job.committed) for _, job in resumed] == [(1, True)]
    assert resumed[0][0] >= 10.0
    assert heard(call) == ["Let me look. One moment, please. It is ten."]
    assert not violations(call.log)


def test_the_wait_for_the_pool_is_bridged_in_text_too() -> None:
    """By words that are told: nothing is spoken."""
    call = Working(AGENT.model_copy(update={"sound": False}))
    call.feed(Typed("alice", "What is the news?"))
    call.calls(1.0, 1, 0, pool=True)
    call.finishes(1.1, 1, 0, "tool")
    call.run(5.0)
    assert [event.text for event in call.of(ReplySentence)] == [AGENT.filler]
    assert [event.turn for event in call.of(PlaybackStarted)] == [1]
    assert not [job for job in call.jobs if isinstance(job, TtsJob)]


def test_a_pool_without_workers_holds_nobody_for_ever() -> None:
    """When its time is over the LLM goes on, and says so."""
    call = Working()
    call.says(1.0, 1.0, "What is the news?")
    call.calls(4.0, 1, 0, pool=True, patience=0.0)
    call.finishes(4.1, 1, 0, "tool")
    call.run(25.0)
    assert not any(job.resume for _, job in call.llm_asked)
    call.run(28.0)
    assert [job.resume for _, job in call.llm_asked if job.resume] == [1]


def test_who_speaks_meanwhile_is_answered_with_the_result() -> None:
    """What is said over it belongs to a new turn, whose answer waits for the result, a moment."""
    call = Working()
    call.says(1.0, 1.0, "What is the time?")
    call.answers(3.0, 1, 0, "I look it up for you.")
    call.calls(3.1, 1, 0)
    call.says(4.2, 0.8, "And hurry up please.")
    call.returns(5.9, 1, 0)
    call.run(12.0)
    interrupted = call.of(TurnEnded)[0]
    assert (interrupted.turn, interrupted.how) == (1, "interrupted")
    second = [(at, job) for at, job in call.llm_asked if job.turn != 1]
    assert second
    at, job = second[0]
    assert at >= 5.9
    chat = messages(fold_all(call.log), job.turn)
    assert [message["role"] for message in chat[1:]] == ["user", "assistant", "tool", "assistant", "user"]
    assert chat[3]["content"] == "ten"


def test_a_late_result_is_told_by_itself() -> None:
    """The caller is answered after a moment, without it; when it comes, the agent takes the floor and tells it."""
    call = Working()
    call.says(1.0, 1.0, "What is the time?")
    call.answers(3.0, 1, 0, "I look it up for you.")
    call.calls(3.1, 1, 0)
    call.says(4.6, 1.2, "By the way, who are you?")
    call.run(9.0)
    at, job = next((at, job) for at, job in call.llm_asked if job.turn != 1)
    assert 6.0 <= at <= 8.5
    call.answers(9.0, job.turn, job.generation, "I am Antiphon.")
    call.finishes(9.1, job.turn, job.generation)
    call.returns(13.0, 1, 0)
    call.run(16.0)
    told = call.of(TurnCommitted)[-1]
    assert told.why == "tool"
    at, job = call.llm_asked[-1]
    assert (job.turn, job.committed) == (told.turn, True)
    assert messages(fold_all(call.log), job.turn)[-1]["content"].startswith("(The result has come.")
    call.answers(16.0, job.turn, job.generation, "It is ten.")
    call.finishes(16.1, job.turn, job.generation)
    call.run(25.0)
    assert heard(call)[-1] == "It is ten."
    assert not violations(call.log)


def test_silence_that_was_asked_for() -> None:
    """A reply of nothing is played, not failed: no apology follows."""
    call = Working()
    call.says(1.0, 1.0, "Hold on a second.")
    call.finishes(4.0, 1, 0, "silent")
    call.run(20.0)
    assert call.ended() == [(1, "played", "silent")]


def test_the_call_ends_behind_the_goodbye() -> None:
    """Asked for by a tool, the end waits until all is said."""
    call = Working()
    call.says(1.0, 1.0, "That was all, goodbye.")
    call.answers(4.0, 1, 0, "Goodbye, and thank you for calling.")
    call.at(4.1, lambda: call.append(EndRequested(reason="agent", said=True)))
    call.finishes(4.2, 1, 0)
    call.run(20.0)
    assert heard(call) == ["Goodbye, and thank you for calling."]
    assert [decision.reason for _, decision in call.decisions if isinstance(decision, End)] == ["end_requested"]
    assert call.log[-1].type == "session.ended"


def test_who_speaks_on_keeps_the_call() -> None:
    """A further question during the goodbye, and the call goes on."""
    call = Working()
    call.says(1.0, 1.0, "That was all, goodbye.")
    call.answers(4.0, 1, 0, "Goodbye, and thank you so much for calling us today and have a very nice evening.")
    call.at(4.1, lambda: call.append(EndRequested(reason="agent", said=True)))
    call.finishes(4.2, 1, 0)
    call.says(6.5, 1.0, "Wait, what about the price?")
    call.run(12.0)
    assert call.of(TurnEnded)[0].how == "interrupted"
    assert call.log[-1].type != "session.ended"
