"""A conversation in text: nothing is spoken, and what is told counts as heard."""

from gateway.inputs import Attached, Joined, Typed
from gateway.turn_taking import Play, Tell
from schemas.client import SentenceMessage
from schemas.config.agent import AgentSpec
from schemas.events import PlaybackFinished, PlaybackStarted, TurnCommitted, TurnEnded
from schemas.jobs import TtsJob
from tests.gateway.turn_taking.call import Call, Stages

AGENT = AgentSpec(sound=False, greeting="Hello. How are you?")


def _call(agent: AgentSpec = AGENT, **stages: object) -> Call:
    call = Call(agent, Stages(tts=1e6, **stages))  # type: ignore[arg-type]
    call.run(0.5)
    return call


def _told(call: Call) -> list[str]:
    messages = [one.message for _, one in call.decisions if isinstance(one, Tell)]
    return [message.text for message in messages if isinstance(message, SentenceMessage) and not message.spoken]


def test_what_is_told_counts_as_heard() -> None:
    """Greeting and answer are told sentence by sentence, each once its playback.started is in the log, and end as played; no TTS
    job is asked for, and nothing is played."""
    call = _call()
    assert _told(call) == ["Hello. How are you?"]
    call.feed(Typed("alice", "fine"))
    call.run(2.0)
    assert _told(call)[1:] == ["This is the first sentence.", "And here is the second one."]
    ends = [event for event in call.log if isinstance(event, TurnEnded)]
    assert [(end.how, end.heard) for end in ends] == [
        ("played", "Hello. How are you?"),
        ("played", "This is the first sentence. And here is the second one."),
    ]
    sounded = [event for event in call.log if isinstance(event, PlaybackStarted | PlaybackFinished)]
    assert [type(event) for event in sounded] == [PlaybackStarted, PlaybackFinished] * 3
    assert not [job for job in call.jobs if isinstance(job, TtsJob)]
    assert not [one for _, one in call.decisions if isinstance(one, Play)]


def test_a_slow_answer_is_bridged_in_text_too() -> None:
    """After the agent's patience its filler is told, and the answer follows; without a filler nothing is."""
    call = _call(AGENT.model_copy(update={"greeting": "", "patience": 1.0}), llm=3.0)
    call.feed(Typed("alice", "fine"))
    call.run(5.0)
    assert _told(call) == ["One moment, please.", "This is the first sentence.", "And here is the second one."]
    call = _call(AGENT.model_copy(update={"greeting": "", "patience": 1.0, "filler": ""}), llm=3.0)
    call.feed(Typed("alice", "fine"))
    call.run(5.0)
    assert _told(call)[0] == "This is the first sentence."


def test_an_answer_that_fails_is_apologized_for_in_text() -> None:
    """The fallback is told where the LLM gave up."""
    call = _call(AGENT.model_copy(update={"greeting": ""}), llm_fails=True)
    call.feed(Typed("alice", "fine"))
    call.run(2.0)
    assert _told(call) == [AGENT.fallback]
    assert [event.why for event in call.log if isinstance(event, TurnCommitted)] == ["text", "fallback"]


def test_what_is_spoken_is_answered_in_text() -> None:
    """Who speaks all the same is heard, and reads the answer."""
    call = _call(AGENT.model_copy(update={"greeting": ""}))
    call.says(1.0, 1.0, "Hello there.")
    call.run(4.0)
    assert _told(call) == ["This is the first sentence.", "And here is the second one."]


def test_whoever_takes_over_tells_nothing_twice() -> None:
    """A sentence whose playback.started is in the log is not told again by another gateway."""
    call = _call(AGENT.model_copy(update={"greeting": ""}))
    call.feed(Typed("alice", "fine"))
    call.run(1.0)
    before = _told(call)
    call.take_over()
    call.run(2.0)
    assert _told(call) == before


def test_the_greeting_tells_values_of_whom_it_greets() -> None:
    """Those of the log: who it is for, the call's metadata as far as it is allowed."""
    agent = AGENT.model_copy(
        update={"greeting": "Hello {{caller.name | there}}, order {{metadata.order}}, {{metadata.secret}}.",
                "prompt_metadata": ["order"]}
    )  # fmt: skip
    call = Call(agent, Stages(tts=1e6), attach=False, people=())
    call.state.metadata = {"order": 7, "secret": "x"}
    call.feed(Joined("a1", name="Ann"))
    call.feed(Attached())
    call.run(0.5)
    assert _told(call) == ["Hello Ann, order 7, unknown."]
