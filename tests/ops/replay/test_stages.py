"""A session replayed through the pools: what depends on what changed is made anew, the rest is as it was recorded."""

import asyncio
import threading
from itertools import count
from typing import Any

import pytest

from ops.replay import _bench
from ops.replay._bench import BenchError, Taken
from ops.replay._piped import Piped
from ops.replay._virtual import Virtual
from ops.replay.check import Stored, check
from ops.replay.scripted import Says
from ops.replay.stages import Forked, Going, replay_stages
from schemas.bus import Bus, Delivery
from schemas.config.agent import AgentSpec, TurnTaking
from schemas.config.knowledge import KnowledgeSpec
from schemas.config.settings import load
from schemas.events import (
    STAGES,
    Cause,
    ClipReady,
    Event,
    KnowledgeFound,
    PlaybackFinished,
    ReplySentence,
    SessionEnded,
    SessionStarted,
    TranscriptFinal,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.session.promises import violations
from tests.ops.replay.piped import AGENT, QUICK, SCRIPT, recorded_call, serving
from tests.workers.stt.test_stage import CountingStt
from workers.stt import SttStage


async def replayed(bus: Bus, events: list[Event], stage: Any, agent: AgentSpec = AGENT, **options: Any) -> Forked:
    return await replay_stages(bus, "script", events, bus, stage=stage, agent=agent, **options)


def texts(events: list[Event], kind: type) -> list[str]:
    return [str(getattr(event, "text", "")) for event in events if isinstance(event, kind)]


def replies(events: list[Event]) -> list[str]:
    """What was said in each turn."""
    said: dict[int | None, list[str]] = {}
    for event in events:
        if isinstance(event, ReplySentence):
            said.setdefault(event.turn, []).append(event.text)
    return [" ".join(texts) for texts in said.values()]


def jobs(forked: Forked) -> dict[str, dict[str, int]]:
    """Of all turns, without the fixed phrases."""
    forked.became.pop(0, None)
    return {stage: {str(how): count for how, count in counts.items()} for stage, counts in forked.jobs().items()}


async def test_what_is_likely_while_the_agent_sleeps_is_told_in_a_replay_too(bus: Bus) -> None:
    """The words are asked for at their moments: before those nobody knows whether it sleeps."""
    agent = AGENT.model_copy(update={"turn_taking": TurnTaking(wake=["hey pizza"])})
    script = (
        Says(1.0, "Hey pizza, what is left?", ("Two slices.",)),
        Says(6.0, "And how much is it?", ("Four euros.",)),
    )
    events = await recorded_call(bus, script=script, agent=agent)
    provider = CountingStt()
    async with serving(bus, stt=SttStage(provider, load())):
        await replayed(bus, events, "stt", agent)
    assert [hearing.keyterms for batch in provider.asked for hearing in batch] == [["hey pizza"], ["hey pizza"]]


async def test_another_prompt_makes_replies_anew(bus: Bus) -> None:
    """The words are the recorded ones; each reply is another, to the chat as the fork has it; its sound is made for it."""
    events = await recorded_call(bus)
    agent = AGENT.model_copy(update={"instructions": "Be curt."})
    async with serving(bus, ["llm", "tts"]):
        forked = await replayed(bus, events, "llm", agent, changed={"instructions": "Be curt."})
    assert texts(forked.events, TranscriptFinal) == [one.text for one in SCRIPT]
    assert replies(forked.events) == [
        "I heard you say What is the news today. This is sentence number 2 to 2 messages.",
        "I heard you say And what about tomorrow. This is sentence number 2 to 4 messages.",
        "I heard you say Thank you very much. This is sentence number 2 to 6 messages.",
    ]
    assert jobs(forked)["stt"] == {"reused": 3}
    assert jobs(forked)["llm"] == {"made": 3}
    assert set(jobs(forked)["tts"]) == {"made"}
    assert violations(forked.events) == []


@pytest.mark.parametrize("as_recorded", [True, False])
async def test_what_was_looked_up_is_not_looked_up_again(bus: Bus, as_recorded: bool) -> None:
    """The request has what the agent's files said then, though they are not there any more; with other settings of theirs they
    are asked."""
    knowledge = KnowledgeSpec(mode="always", version="0123456789abcdef")
    known = AGENT.model_copy(update={"knowledge": knowledge})
    recorded = await recorded_call(bus, agent=known)
    place = next(event for event in recorded if isinstance(event, PlaybackFinished))
    found = KnowledgeFound(
        seq=place.seq, at=place.at, turn=1, query="What is the news today?", text="[news.md]\nIt rains."
    )
    events = [found if event is place else event for event in recorded]
    agent = known.model_copy(update={"instructions": "Be curt."})
    if not as_recorded:
        agent = agent.model_copy(update={"knowledge": knowledge.model_copy(update={"passages": 2})})
    async with serving(bus, ["llm", "tts"]):
        forked = await replayed(bus, events, "llm", agent)
    told = [event.text for event in forked.events if isinstance(event, KnowledgeFound) and event.turn == 1]
    assert told == ["[news.md]\nIt rains." if as_recorded else ""]
    assert ("It rains" in replies(forked.events)[0]) is as_recorded
    assert violations(forked.events) == []


async def test_another_voice_keeps_words_and_replies(bus: Bus) -> None:
    """Only the sound is made anew, of every sentence."""
    events = await recorded_call(bus)
    agent = AGENT.model_copy(update={"voice": AGENT.voice.model_copy(update={"speed": 1.5})})
    async with serving(bus, ["tts"]):
        forked = await replayed(bus, events, "tts", agent)
    assert jobs(forked) == {"stt": {"reused": 3}, "llm": {"reused": 3}, "tts": {"made": 4}}
    assert texts(forked.events, ReplySentence) == texts(events, ReplySentence)
    clips = [event for event in forked.events if isinstance(event, ClipReady)]
    assert clips
    for clip in clips:
        assert clip.audio.rate == QUICK.tts_rate
        assert await bus.get_blob(clip.audio.key)


async def test_other_words_are_answered_anew_and_what_follows_too(bus: Bus) -> None:
    """Where a transcript is another one, so is all the LLM is told from there on; before it the recorded replies stand."""
    events = await recorded_call(bus)
    async with serving(bus):
        forked = await replayed(bus, events, "stt")
    assert jobs(forked)["stt"] == {"made": 3}
    assert jobs(forked)["llm"] == {"made": 3}
    assert all(text.startswith("Sound number") for text in texts(forked.events, TranscriptFinal))

    kept = SCRIPT[0].text

    same = QUICK.model_copy(update={"stt_text": kept})
    async with serving(bus, simulation=same):
        forked = await replayed(bus, events, "stt")
    first = forked.turns[0]
    assert first.now is not None
    assert first.now.text == kept
    assert forked.became[1]["llm"] == {"reused": 1}
    assert forked.became[2]["llm"] == {"made": 1}


async def test_all_of_it_again(bus: Bus) -> None:
    """Every stage does its work, and turn-taking decides by what they say."""
    events = await recorded_call(bus)
    async with serving(bus):
        forked = await replayed(bus, events, "all")
    assert {stage: set(counts) for stage, counts in jobs(forked).items()} == {stage: {"made"} for stage in STAGES}
    assert violations(forked.events) == []


async def test_the_fork_is_a_session_like_any(bus: Bus) -> None:
    """It lies in the log as one that has just ended, says what it came from, has a sound of its own, is decided again, and can be
    replayed itself; the original is as it was."""
    events = await recorded_call(bus)
    async with serving(bus):
        forked = await replayed(bus, events, "llm", changed={"llm.seed": 3})
        kept = await bus.read(forked.session)
        assert kept == forked.events
        assert next(one.session for one in await bus.closed()) == forked.session
        assert await bus.sessions() == []
        began = kept[0]
        assert isinstance(began, SessionStarted)
        assert began.metadata["forked_from"] == {
            "session": "script", "turn": None, "changed": {"llm.seed": 3}, "stage": "llm",
        }  # fmt: skip
        now = await bus.now()
        assert 0 <= now - kept[-1].at < 60e6
        for event in kept:
            if isinstance(event, UtteranceCaptured):
                for ref in event.audio:
                    assert ":blob:shared/" in ref.key
                    assert await bus.get_blob(ref.key)
        checked = check(Stored(forked.session, kept))
        assert checked.sound, list(checked.errors)
        again = await replay_stages(bus, forked.session, kept, bus, stage="tts", agent=AGENT)
        assert again.session.startswith("fork-script-")
        assert jobs(again)["llm"] == {"reused": 3}
    assert await bus.read("script") == events


async def test_from_a_turn_on_what_was_before_is_kept(bus: Bus) -> None:
    """Earlier turns are copied as they are, and the LLM is told them."""
    events = await recorded_call(bus)
    async with serving(bus):
        forked = await replayed(bus, events, "llm", from_turn=3)
    assert replies(forked.events) == [
        "Nothing much. It rains.",
        "It will rain again.",
        "I heard you say Thank you very much. This is sentence number 2 to 6 messages.",
    ]
    assert jobs(forked)["llm"] == {"made": 1}
    assert violations(forked.events) == []


async def test_without_workers_it_says_so(bus: Bus) -> None:
    """Before anything is begun."""
    events = await recorded_call(bus)
    with pytest.raises(
        BenchError, match="this replay needs TTS workers, and none is there; start one: antiphon worker tts"
    ):
        await replayed(bus, events, "tts")
    assert len(await bus.closed()) == 1


async def test_sound_that_is_gone_is_told(bus: Bus) -> None:
    """What can't be heard again has its recorded words, and a note."""
    events = await recorded_call(bus)
    heard = next(event for event in events if isinstance(event, UtteranceCaptured))
    await bus._blobs.command(heard.audio[0].key, "DEL", heard.audio[0].key)  # type: ignore[attr-defined]
    async with serving(bus):
        forked = await replayed(bus, events, "stt")
    assert forked.gone == 1
    assert jobs(forked)["stt"] == {"made": 2, "reused": 1}
    assert any("its sound is gone" in note.what for note in forked.notes)


async def test_who_stops_it_has_what_was_made(bus: Bus) -> None:
    """Cancelled, the fork ends there, and is kept as one that was stopped."""
    events = await recorded_call(bus)
    slow = QUICK.model_copy(update={"llm_ms": 300.0})
    stopping = asyncio.Event()

    def going(how: Going) -> None:
        if how.done >= 2:
            stopping.set()

    async with serving(bus, simulation=slow):
        task = asyncio.create_task(replayed(bus, events, "llm", going=going))
        await stopping.wait()
        task.cancel()
        forked = await task
    assert forked.broken_off
    last = forked.events[-1]
    assert isinstance(last, SessionEnded)
    assert last.reason == "broken_off"
    assert check(Stored("fork", forked.events)).sound
    assert await bus.read(forked.session) == forked.events
    assert violations(forked.events) == []


async def test_stopped_while_it_computes_it_ends_where_that_has_come_to(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a thread is at is nobody else's before it is through, however often somebody stops it."""
    events = await recorded_call(bus)
    computing, go_on = threading.Event(), threading.Event()
    plain, end, steps, ended = Virtual.advance, Piped.break_off, count(1), list[bool]()

    def advance(self: Virtual) -> bool:
        if next(steps) == 40:
            computing.set()
            assert go_on.wait(20)
        return plain(self)

    def break_off(self: Piped) -> None:
        ended.append(go_on.is_set())
        end(self)

    monkeypatch.setattr(Virtual, "advance", advance)
    monkeypatch.setattr(Piped, "break_off", break_off)
    task = asyncio.create_task(replayed(bus, events, "all", anew=()))
    assert await asyncio.to_thread(computing.wait, 20)
    for _ in range(2):
        task.cancel()
        for _ in range(5):  # turns of the loop: it hears of it
            await asyncio.sleep(0)
    assert ended == []
    go_on.set()
    forked = await task
    assert ended == [True]
    assert forked.broken_off
    assert violations(forked.events) == []
    assert await bus.read(forked.session) == forked.events


async def test_a_worker_that_dies_in_the_midst_of_it_loses_nothing(bus: Bus) -> None:
    """It had said a sentence: another goes on after that, and the fork has all of it once."""
    events = await recorded_call(bus)
    await bus.take("llm", 0, "doomed", 1)
    async with serving(bus, ["tts"]):
        task = asyncio.create_task(replayed(bus, events, "llm"))
        taken: list[Delivery] = []
        while not taken:
            taken = (await bus.take("llm", 0, "doomed", 1)).deliveries
            await asyncio.sleep(0.01)
        said = ReplySentence(turn=1, generation=taken[0].job.generation, index=0, text="I heard you say What is")
        said = said.model_copy(update={"cause": Cause(job=taken[0].job.id, attempt=1), "took": 0.1})
        await bus.commit("llm", "doomed", taken[0], 0, "step", [said])
        async with serving(bus, ["llm"]):
            forked = await task
    assert jobs(forked)["llm"] == {"made": 3}
    assert replies(forked.events)[0] == (
        "I heard you say What is the news today. This is sentence number 2 to 2 messages."
    )
    assert violations(forked.events) == []


@pytest.mark.parametrize("hung_up_on", [False, True])
async def test_who_went_when_they_were_answered_hears_a_longer_answer_out(bus: Bus, hung_up_on: bool) -> None:
    """Unless they had hung up in the midst of one."""
    events = await recorded_call(bus, until=12.5 if hung_up_on else 14.0)
    assert any(isinstance(event, TurnEnded) and event.reason == "session" for event in events) is hung_up_on
    wordy = QUICK.model_copy(update={"llm_sentences": 6})
    async with serving(bus, simulation=wordy):
        forked = await replayed(bus, events, "llm")
    ended = [event for event in forked.events if isinstance(event, TurnEnded)]
    assert ended[-1].reason == ("session" if hung_up_on else "finished")


async def test_what_a_dead_one_left_is_taken_up(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of that name that is being made is left alone; when nobody goes on with it, it begins anew."""
    events = await recorded_call(bus)
    began = events[0]
    assert isinstance(began, SessionStarted)
    await bus.open("fork-script-x", "dead", "q", [began])
    async with serving(bus):
        with pytest.raises(Taken):
            await replayed(bus, events, "llm", name="fork-script-x")
        monkeypatch.setattr(_bench, "_SILENT", 0.0)
        forked = await replayed(bus, events, "llm", name="fork-script-x")
    assert forked.kept
    assert await bus.read("fork-script-x") == forked.events


async def test_in_real_time_it_takes_as_long(bus: Bus) -> None:
    """What is decided is told as it comes."""
    script = (Says(0.2, "Hello there.", ("Hi.",)),)
    events = await recorded_call(bus, "script", script, until=2.5)
    seen: list[Going] = []
    async with serving(bus):
        forked = await replayed(bus, events, "llm", speed="real", going=seen.append)
    assert forked.took >= 2.0
    assert [going.event for going in seen if going.event is not None][-1].type == "session.ended"


async def test_what_was_never_one_utterance_is_cut_from_the_sound_and_heard(bus: Bus) -> None:
    """A more patient agent hears in one what a hasty one had cut in two; the fork has that sound."""
    hasty = AGENT.model_copy(update={"turn_taking": AGENT.turn_taking.model_copy(update={"commit_max": 0.4})})
    script = (
        Says(1.0, "I would like to know whether", ("Sure.", "What is it that you want to know today?")),
        Says(3.9, "you have a table for two.", ("Yes, we have.",)),
    )
    events = await recorded_call(bus, "script", script, agent=hasty, until=9.0)
    patient = AGENT.model_copy(
        update={"turn_taking": AGENT.turn_taking.model_copy(update={"commit_max": 2.0, "commit_min": 1.5})}
    )
    async with serving(bus):
        forked = await replayed(bus, events, "all", patient, anew=())
    heard = [event for event in forked.events if isinstance(event, UtteranceCaptured)]
    whole = heard[-1]
    assert whole.replaces
    (sound,) = whole.audio
    assert f":blob:{forked.session}/cut-" in sound.key
    pcm = await bus.get_blob(sound.key)
    assert pcm is not None
    assert len(pcm) == 2 * sound.samples
    assert any(pcm)
    assert abs(whole.duration - sound.samples / 16_000) < 0.1
    assert jobs(forked)["stt"]["made"] >= 1
    assert texts(forked.events, TranscriptFinal)[-1].startswith("Sound number")


async def test_what_fails_is_told_as_in_any_call(bus: Bus) -> None:
    """The turn fails, the fallback is spoken, and the replay goes on to its end."""
    events = await recorded_call(bus)
    broken = QUICK.model_copy(update={"llm_trouble": "permanent"})
    async with serving(bus, simulation=broken):
        forked = await replayed(bus, events, "llm")
    ended = [event for event in forked.events if isinstance(event, TurnEnded)]
    assert [event.how for event in ended].count("failed") == 3
    assert AGENT.fallback in texts(forked.events, ReplySentence)
    assert not forked.broken_off
    assert violations(forked.events) == []
    assert await bus.dead_letters() == []
