"""Conversations that must work: sound in, sound out, on the real stack with real models."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import numpy as np

from ops.people.caller import Caller
from ops.people.recordings import packaged
from schemas.audio import HEARING_RATE, Pcm
from schemas.client import SentenceMessage, StateMessage, TalkMessage, TranscriptMessage, TurnMessage, TypedMessage
from schemas.events import TranscriptFinal, TurnEnded
from schemas.session.promises import violations
from tests.e2e.conftest import House

Connect = Callable[..., Awaitable[Caller]]
Lines = Callable[[str], Pcm]

REPLY = 25.0


def silence(seconds: float) -> Pcm:
    return np.zeros(int(seconds * HEARING_RATE), np.int16)


def ended(*how: str) -> Callable[[TurnMessage], bool]:
    """An answer has; "One moment, please.", which bridges the wait for one on a busy machine, is none."""
    return lambda turn: turn.how in how and turn.why != "filler"


def is_speaking(message: StateMessage) -> bool:
    return message.state == "speaking"


async def say(caller: Caller, pcm: Pcm) -> TurnMessage:
    """Speak, and hear the whole answer."""
    began = time.monotonic()
    await caller.speak(pcm)
    turn = await caller.wait_for(TurnMessage, REPLY, began, ended("played", "failed", "expired"))
    assert turn is not None, f"no reply: {[message for when, message in caller.messages if when > began]}"
    await asyncio.sleep(max(0.0, caller.silent_at - time.monotonic()) + 0.3)
    return turn


async def write(caller: Caller, text: str) -> TurnMessage:
    """Type, and hear the whole answer."""
    began = time.monotonic()
    await caller.send(TypedMessage(type="message", text=text))
    turn = await caller.wait_for(
        TurnMessage, REPLY, began, lambda turn: turn.why == "text" and turn.how != "interrupted"
    )
    assert turn is not None, f"no reply: {[message for when, message in caller.messages if when > began]}"
    return turn


def heard_between(caller: Caller, start: float, end: float) -> Pcm:
    """Agent's sound that came in that time."""
    parts = [sound.pcm for sound in caller.heard if start <= sound.start < end]
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


def text_heard(caller: Caller) -> str:
    """The final transcripts of the caller's own words."""
    finals = [one for _, one in caller.messages if isinstance(one, TranscriptMessage) and one.final]
    return " ".join(one.text for one in finals).lower()


async def test_a_plain_turn(house: House, call: Connect, lines: Lines) -> None:
    """A question that is spoken is understood, answered with sound, and ends as played with the text that sounded."""
    caller = await call()
    turn = await say(caller, lines("capital"))
    assert turn.how == "played"
    assert turn.heard
    assert "capital of france" in text_heard(caller)
    sound = np.concatenate([sounded.pcm for sounded in caller.heard])
    assert np.abs(sound.astype(int)).max() > 1000
    await caller.hang_up()
    assert violations(await house.log(caller.session)) == []


async def test_the_tenth_turn_refers_to_the_first(house: House, call: Connect, lines: Lines) -> None:
    """After ten turns in a row the LLM is still given the first question and all answers."""
    caller = await call(llm="brief")
    await say(caller, lines("capital"))
    for number in range(2, 10):
        assert (await write(caller, f"This is message number {number}.")).how == "played", number
    await say(caller, lines("first"))
    given = house.llm.context_of_last(caller.agent)
    assert "capital of France" in given
    assert all(f"message number {number}." in given for number in range(2, 10))
    assert given.count("Yes.") == 9
    assert "first question" in given.lower()


async def test_five_rapid_utterances_are_one_turn_each_word_once(house: House, call: Connect, lines: Lines) -> None:
    """Five utterances 300 ms apart are one turn, and the LLM is given each of them once."""
    caller = await call(llm="brief")
    for start, end in ((1.20, 2.82), (2.99, 4.55), (5.02, 6.20), (6.59, 8.20)):
        await caller.speak(np.concatenate((packaged("two_cities", start - 0.05, end + 0.05), silence(0.2))))
    await say(caller, lines("capital"))
    await caller.hang_up()
    log = await house.log(caller.session)
    assert violations(log) == []
    assert [event.how for event in log if isinstance(event, TurnEnded)] == ["played"], await house.told(caller.session)
    given = house.llm.context_of_last(caller.agent).lower()
    for words in ("best of times", "worst of times", "wisdom", "foolish", "capital of france"):
        assert given.count(words) == 1, f"{given}\n{await house.told(caller.session)}"


async def test_a_pause_in_mid_sentence_does_not_end_the_turn(house: House, call: Connect, lines: Lines) -> None:
    """A pause of 0.6 s after an unfinished phrase is waited out: one turn, with both halves."""
    caller = await call(llm="brief")
    await say(caller, lines("pause"))
    spoken_turns = {message.turn for _, message in caller.messages if isinstance(message, TranscriptMessage)}
    assert len(spoken_turns) == 1
    assert "like to know" in text_heard(caller)
    assert "spider" in text_heard(caller)


async def test_who_is_cut_in_upon_goes_on_and_is_answered_whole(house: House, call: Connect) -> None:
    """A pause in mid-sentence, taken for its end: the caller goes on, the agent falls silent, and both halves are heard and
    answered as one. Of the reply that had begun the LLM is told nothing."""
    caller = await call("hasty")
    began = time.monotonic()
    await caller.speak(packaged("two_cities", 1.15, 2.87))
    assert await caller.wait_for(StateMessage, REPLY, began, is_speaking)
    on = time.monotonic()
    await caller.speak(packaged("two_cities", 2.94, 4.60))
    back = await caller.wait_for(TurnMessage, REPLY, began, ended("dropped"))
    assert back is not None
    assert back.reason == "taken_back", await house.told(caller.session)
    whole = await caller.wait_for(TurnMessage, 60.0, on, ended("played"))
    assert whole is not None, await house.told(caller.session)
    await caller.hang_up()
    log = await house.log(caller.session)
    assert violations(log) == []
    ends = [event for event in log if isinstance(event, TurnEnded)]
    assert [(event.turn, event.into) for event in ends] == [(back.turn, whole.turn), (whole.turn, None)]
    words = [event.text.lower() for event in log if isinstance(event, TranscriptFinal)][-1]
    assert all(half in words for half in ("best of times", "worst of times")), await house.told(caller.session)
    told = [message for message in house.llm.last(caller.agent) if message["role"] != "system"]
    assert [message["role"] for message in told] == ["user"]
    assert told[0]["content"].lower() == words
    shown = {one.utterance: one.text for _, one in caller.messages if isinstance(one, TranscriptMessage)}
    assert [text.lower() for text in shown.values() if text] == [words]


async def test_an_interruption_leaves_what_was_heard(house: House, call: Connect, lines: Lines) -> None:
    """Speaking over the agent silences it; the next request to the LLM holds what had been heard, and no more."""
    caller = await call("talker")
    began = time.monotonic()
    await caller.speak(lines("story"))
    assert await caller.wait_for(StateMessage, REPLY, began, is_speaking)
    await asyncio.sleep(1.5)
    house.llm.modes[caller.agent] = "brief"
    interrupted_at = time.monotonic()
    await caller.speak(lines("stop"))
    cut = await caller.wait_for(TurnMessage, REPLY, interrupted_at, ended("interrupted"))
    assert cut is not None, await house.told(caller.session)
    heard = cut.heard
    assert await caller.wait_for(TurnMessage, REPLY, interrupted_at, ended("played"))
    said = [
        message.text
        for when, message in caller.messages
        if isinstance(message, SentenceMessage) and when < interrupted_at
    ]
    assert heard
    assert " ".join(said).startswith(heard.rstrip(". …"))
    given = [message["content"] for message in house.llm.last(caller.agent) if message["role"] == "assistant"]
    assert given[-1].strip().startswith(heard.strip()[:20])
    assert len(given[-1]) <= len(heard) + 5


async def test_yeah_over_the_agent_does_not_interrupt_it(house: House, call: Connect, lines: Lines) -> None:
    """A backchannel pauses the agent for a moment, and it says the rest."""
    caller = await call(llm="tale")
    began = time.monotonic()
    await caller.speak(lines("story"))
    assert await caller.wait_for(StateMessage, REPLY, began, is_speaking)
    await asyncio.sleep(1.0)
    await caller.speak(lines("yeah"))
    played = await caller.wait_for(TurnMessage, 60.0, began, ended("played", "interrupted"))
    assert played is not None
    assert played.how == "played", await house.told(caller.session)


async def test_a_lost_socket_resumes_in_mid_reply(house: House, call: Connect, lines: Lines) -> None:
    """A caller who loses the line while the agent speaks comes back with the ticket and hears the rest, once."""
    caller = await call(llm="tale")
    began = time.monotonic()
    await caller.speak(lines("story"))
    assert await caller.wait_for(StateMessage, REPLY, began, is_speaking)
    await asyncio.sleep(1.0)
    await caller.drop()
    await asyncio.sleep(0.5)
    back = time.monotonic()
    assert await caller.connect()
    turn = await caller.wait_for(TurnMessage, 60.0, began, ended("played"))
    assert turn is not None
    assert len(heard_between(caller, back, time.monotonic())) > caller.rate // 2
    await caller.hang_up()
    assert violations(await house.log(caller.session)) == []


async def test_a_greeting_is_spoken_on_join(house: House, call: Connect) -> None:
    """An agent with a greeting speaks first."""
    caller = await call("greeter")
    turn = await caller.wait_for(TurnMessage, REPLY, fits=ended("played"))
    assert turn is not None
    assert turn.heard == "Good morning, this is the greeter."


async def test_push_to_talk_commits_on_release(house: House, call: Connect, lines: Lines) -> None:
    """While the key is pressed no pause ends the turn; its release does."""
    caller = await call(llm="brief")
    began = time.monotonic()
    await caller.send(TalkMessage(type="talk", pressed=True))
    await caller.speak(np.concatenate((lines("capital"), silence(2.5))))
    assert await caller.wait_for(TurnMessage, 0.01, began, ended("played")) is None
    assert not [sound for sound in caller.heard if sound.start > began]
    await caller.send(TalkMessage(type="talk", pressed=False))
    assert await caller.wait_for(TurnMessage, REPLY, began, ended("played"))
    committed = await house.event(caller.session, lambda event: event.type == "turn.committed")
    assert committed.type == "turn.committed"
    assert committed.why == "push_to_talk"
