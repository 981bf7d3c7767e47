"""Turn-taking replayed: the same settings decide the same, others otherwise, and what nobody recorded is told as an estimate."""

import json
from typing import Any

import pytest

from gateway.inputs import Detached, Joined, Left, Typed
from gateway.turn_taking import SpeechEdge
from ops.replay._decide import decide
from ops.replay._edges import believed
from ops.replay._reading import recorded
from ops.replay._recorded import Given
from ops.replay.scripted import Says, held
from ops.replay.turns import ReplayError, aligned, decisions, replay
from schemas.bus import Outcome
from schemas.codec import event_from_json, event_to_json
from schemas.config.agent import AgentSpec
from schemas.events import (
    Event,
    GatewayEvent,
    MemoryLoaded,
    PlaybackStarted,
    ReplySentence,
    SayRequested,
    SessionStarted,
    TranscriptFinal,
    TurnEnded,
    UtteranceCaptured,
)
from schemas.session.fold import fold_all
from schemas.session.promises import violations
from schemas.session.words import line
from tests.gateway.turn_taking.call import Stages
from tests.gateway.turn_taking.kept import Kept
from tests.golden.decided import cut_in, talked_over
from tests.golden.test_golden import NAMES, stored
from tests.ops.replay.generated import session

FRAME = 512


def agent_of(events: list[Event], **turn_taking: Any) -> AgentSpec:
    """The session's agent, with some settings others."""
    first = events[0]
    assert isinstance(first, SessionStarted)
    return first.agent.model_copy(update={"turn_taking": first.agent.turn_taking.model_copy(update=turn_taking)})


def call() -> list[Event]:
    """A gateway's session: a question, a hum over its answer, an interruption, a question with a pause in it."""
    one = Kept(
        stages=Stages(
            stt=0.1,
            replies=[["This is a sentence of quite some length to be interrupted.", "And another."], ["All right."]],
        )
    )
    one.says(1.0, 1.0, "What is the news?")
    one.says(3.5, 0.3, "Mhm.")
    one.says(5.0, 1.0, "Stop it now.")
    one.says(9.0, 0.8, "I'd like to know")
    one.says(10.2, 0.8, "what comes next.")
    one.run(20.0)
    return one.log


@pytest.mark.parametrize("session", [cut_in, talked_over, call], ids=["cut in", "talked over", "a gateway's"])
def test_the_same_settings_decide_the_same(session: Any) -> None:
    """Turn by turn: committed at the same moment by the same reason, ended the same way, after the same words."""
    events = session()
    replayed = replay(events, agent_of(events))
    assert [pair.otherwise for pair in replayed.turns] == [[] for _ in replayed.turns]
    assert replayed.exact
    for pair in replayed.turns:
        assert pair.was is not None
        assert pair.now is not None
        assert pair.later is None or abs(pair.later) < 0.05


@pytest.mark.parametrize("session", [cut_in, talked_over, call], ids=["cut in", "talked over", "a gateway's"])
def test_a_fork_is_a_session_like_any(session: Any) -> None:
    """It keeps every promise, folds, says what it came from, is decided again, and can be replayed itself."""
    events = session()
    fork = replay(
        events, agent_of(events, commit_max=2.5), session="s1", changed={"turn_taking.commit_max": 2.5}
    ).events
    assert violations(fork) == []
    assert fold_all(fork).metadata["forked_from"] == {
        "session": "s1",
        "turn": None,
        "changed": {"turn_taking.commit_max": 2.5},
    }
    read = [event_from_json(json.loads(json.dumps(event_to_json(event)))) for event in fork]
    assert decide(read).same
    again = replay(read, agent_of(read))
    assert [pair.otherwise for pair in again.turns] == [[] for _ in again.turns]


def test_what_was_remembered_of_a_caller_is_in_a_fork() -> None:
    """As it stood in the log, whatever a store says by now; and who it was, and which variant they had."""
    events = call()
    first = events[0]
    assert isinstance(first, SessionStarted)
    known = MemoryLoaded(caller="ann", text="Likes tea.", at=first.at + 1000)
    events = [
        event.model_copy(update={"seq": number})
        for number, event in enumerate(
            (first.model_copy(update={"caller": "ann", "variant": "short"}), known, *events[1:]), 1
        )
    ]
    fork = fold_all(replay(events, agent_of(events, commit_max=2.5)).events)
    assert fork.memory is not None
    assert (fork.memory.text, fork.caller, fork.variant) == ("Likes tea.", "ann", "short")


def met() -> list[Event]:
    """A gateway's session: somebody calls by phone, of whom more is known later; another comes; another gateway takes over."""
    one = Kept(people=())
    one.gives(0.1, Joined("alice", "sip", "Ann Caller", {"sip.from": "+49 1"}))
    one.says(1.0, 1.0, "What is the news?")
    one.gives(3.0, Joined("alice", "sip", "Ann Caller", {"sip.from": "+49 1", "tier": "gold"}))
    one.gives(3.2, Joined("bob", "standard", "Bob", {"team": "desk"}))
    one.says(8.0, 1.0, "And tomorrow?")
    one.at(9.5, one.take_over)
    one.says(13.0, 1.0, "And then?")
    one.gives(16.0, Left("bob"))
    one.run(20.0)
    return one.log


def as_of_old(events: list[Event]) -> list[Event]:
    """As a gateway wrote it that did not note what it was fed."""
    return [
        event.model_copy(update={"inputs": None})
        if isinstance(event, GatewayEvent) and not isinstance(event, SessionStarted)
        else event
        for event in events
    ]


@pytest.mark.parametrize("from_turn", [None, 1, 2, 3])
@pytest.mark.parametrize("old", [False, True])
def test_who_took_part_takes_part_again(from_turn: int | None, old: bool) -> None:
    """By the same ids, names, kinds and attributes, from whichever turn on, whoever wrote the log."""
    events = as_of_old(met()) if old else met()
    was = fold_all(events).participants
    assert [(one.identity, one.name, one.kind) for one in was.values()] == [
        ("alice", "Ann Caller", "sip"), ("bob", "Bob", "standard"),
    ]  # fmt: skip
    fork = replay(events, agent_of(events), from_turn=from_turn).events
    assert fold_all(fork).participants == was


def overloaded(stage: str) -> list[Event]:
    """A gateway's session in which there was no room for one job of a stage; before it and after it there was."""
    one = Kept(stages=Stages(replies=[["It is nine."], ["It is ten."], ["It is noon."]]))
    one.says(1.0, 1.0, "What is the time?")
    match stage:
        case "stt":
            one.says(8.0, 1.0, "And what is it in Paris?")
            one.at(9.05, lambda: one.outcomes.append(Outcome.FULL))
        case "llm":
            one.gives(8.0, Typed("alice", "And what is it in Paris?"))
            one.at(7.999, lambda: one.outcomes.append(Outcome.FULL))
        case _:
            one.at(8.0, lambda: one.append(SayRequested(text="Your train leaves now.")))
            one.at(8.0, lambda: one.outcomes.append(Outcome.FULL))
    one.says(20.0, 1.0, "What is it in Rome?")
    one.run(30.0)
    assert not one.outcomes
    return one.log


def refused(events: list[Event]) -> list[tuple[str, str]]:
    """How its turns ended for which there was no room, and what was unheard."""
    ends = [(event.how, event.reason) for event in events if isinstance(event, TurnEnded)]
    unheard = [
        event for event in events if isinstance(event, UtteranceCaptured) and (event.inputs or {}).get("unheard")
    ]
    return [*(one for one in ends if one[1] == "overload"), *(("unheard", "") for _ in unheard)]


@pytest.mark.parametrize("stage", ["stt", "llm", "tts"])
def test_what_there_was_no_room_for_finds_none_again(stage: str) -> None:
    """Where the log refused a job, the replay's is refused; every other one is taken, and nothing is decided otherwise."""
    events = overloaded(stage)
    assert refused(events)
    replayed = replay(events, agent_of(events))
    assert refused(replayed.events) == refused(events)
    assert [pair.otherwise for pair in replayed.turns] == [[] for _ in replayed.turns]
    assert not [note for note in replayed.notes if "no room" in note.what]
    assert violations(replayed.events) == []
    read = [event_from_json(json.loads(json.dumps(event_to_json(event)))) for event in replayed.events]
    assert decide(read).same
    assert refused(replay(read, agent_of(read)).events) == refused(events)


def test_a_job_at_another_moment_is_refused_as_the_nearest_was() -> None:
    """Waited for longer, the same speech is sent later: there was no room then either, as far as anybody knows, which is told."""
    events = overloaded("stt")
    replayed = replay(events, agent_of(events, commit_min=1.5, commit_max=3.0, soft_end=1.2, soft_end_idle=1.2))
    assert refused(replayed.events) == refused(events)
    assert any(note.what.startswith("its transcript: no room for it") for note in replayed.notes)


def test_the_original_is_never_touched() -> None:
    """Not one of its events is another afterwards."""
    events = cut_in()
    before = [json.dumps(event_to_json(event)) for event in events]
    replay(events, agent_of(events, commit_max=2.5, barge_in=False))
    assert [json.dumps(event_to_json(event)) for event in events] == before


def test_a_pause_that_was_cut_in_upon_is_waited_for_by_another_setting() -> None:
    """The fault is gone: one turn, all of its words, answered once."""
    events = cut_in()
    assert any(isinstance(event, TurnEnded) and event.how == "interrupted" for event in events)
    replayed = replay(events, agent_of(events, commit_min=0.4, commit_max=2.5))
    assert not any(isinstance(event, TurnEnded) and event.how == "interrupted" for event in replayed.events)
    first = replayed.turns[0]
    assert first.now is not None
    assert first.now.text == "I would like to book a table for four people on Sunday evening."
    assert any("played (finished) instead of interrupted (barge_in)" in told for told in first.otherwise)


def test_without_barge_in_nobody_interrupts() -> None:
    """A setting that is no time."""
    events = talked_over()
    replayed = replay(events, agent_of(events, barge_in=False))
    assert not any(isinstance(event, TurnEnded) and event.how == "interrupted" for event in replayed.events)


def test_what_was_never_recorded_is_noted() -> None:
    """Words that lie there, replies to other words: estimates, each with its turn."""
    events = cut_in()
    replayed = replay(events, agent_of(events, commit_min=0.4, commit_max=2.5))
    told = [note.what for note in replayed.notes]
    assert any(what.startswith("its reply: that of turn") for what in told)
    assert all(note.at >= 0 for note in replayed.notes)


def test_a_session_without_any_reply_is_answered_by_nothing_known() -> None:
    """It can be replayed all the same, and says that the reply is not known."""
    one = Kept(stages=Stages(dead={"llm"}))
    one.says(1.0, 1.0, "What is the news?")
    one.run(6.0)
    replayed = replay(one.log, agent_of(one.log))
    assert any(isinstance(event, ReplySentence) and event.text == "(not known)" for event in replayed.events)
    assert "its reply: not known, the session has none" in [note.what for note in replayed.notes]


@pytest.mark.parametrize("name", NAMES)
def test_a_log_from_before_edges_were_kept_is_replayed_too(name: str) -> None:
    """By its facts: and says that its edges are read off."""
    events = stored(name)
    replayed = replay(events, agent_of(events))
    assert not replayed.exact
    assert violations(replayed.events) == []
    heard = {event.utterance for event in events if isinstance(event, UtteranceCaptured)}
    assert bool(heard) <= any(isinstance(event, UtteranceCaptured) for event in replayed.events)


def test_from_a_turn_on_what_was_before_is_kept() -> None:
    """The first events of the fork are the original's, to the last one before that turn."""
    events = call()
    turn = decisions(events)[-1].turn
    replayed = replay(events, agent_of(events, commit_max=2.5), session="s1", from_turn=turn)
    kept = fold_all(replayed.events).metadata["forked_from"]["kept"]
    assert kept > 10
    assert replayed.events[1:kept] == events[1:kept]
    assert replayed.events[kept].type == "session.resumed"
    told = line(replayed.events[kept], fold_all(replayed.events[: kept + 1]))
    assert (told.text, told.style) == ("the replay begins here; what is before it is kept from s1", "system")
    assert violations(replayed.events) == []
    assert decide(replayed.events).same
    with pytest.raises(ReplayError, match="there is no turn 77"):
        replay(events, agent_of(events), from_turn=77)


def test_who_went_away_is_away_in_the_fork() -> None:
    """Nothing sounds while nobody hears."""
    one = Kept(stages=Stages(replies=[["This is a sentence of quite some length to be heard by nobody."]]))
    one.says(1.0, 1.0, "What is the news?")
    one.gives(3.0, Detached())
    one.run(12.0)
    replayed = replay(one.log, agent_of(one.log))
    paused = [event for event in replayed.events if event.type == "playback.paused"]
    assert [event.inputs["away"] for event in paused] == [True]  # type: ignore[union-attr]


def test_a_session_that_two_gateways_had_lies_on_one_time_line() -> None:
    """Edges and samples go on where the first gateway's end, by the log's clock."""
    one = Kept(stages=Stages(stt=0.1))
    one.says(1.0, 1.0, "What is the news?")
    one.at(6.0, one.take_over)
    one.says(9.0, 1.0, "And what else?")
    one.run(16.0)
    recording = recorded(one.log)
    starts = [
        given.at for given in recording.given if isinstance(given.item, SpeechEdge) and given.item.kind == "start"
    ]
    assert starts == pytest.approx([1.1, 9.1], abs=0.02)
    assert [getattr(heard.result, "text", "") for heard in recording.heard] == ["What is the news?", "And what else?"]


def test_words_are_found_in_other_stretches_of_sound() -> None:
    """Half of an utterance has half of its words, and another opinion of its end than the whole."""
    events = held([Says(1.0, "one two three four five six", pause=0.4)], until=8.0)
    recording = recorded(events)
    assert recording.words_in("caller", [(0.6, 2.0)]) == "one two three"
    assert recording.words_in("caller", [(2.0, 3.5)]) == "four five six"
    whole = next(event for event in reversed(events) if isinstance(event, TranscriptFinal))
    assert recording.ends_with("caller", [(0.6, 3.3)]) == whole.end_of_turn


def edges(*kinds: tuple[str, int, int]) -> list[Given]:
    """(kind, frame it was told after, frame it lies at)."""
    return [
        Given(head * FRAME / 16_000, SpeechEdge("a", kind, at * FRAME, head * FRAME))  # type: ignore[arg-type]
        for kind, head, at in kinds
    ]


def test_an_ear_that_believes_later_hears_less() -> None:
    """Speech of ten frames is believed two frames later; of four frames it is nothing."""
    long = edges(("onset", 1, 0), ("start", 3, 0), ("stop", 11, 10))
    assert believed(long, 0.096, 0.160) == edges(("onset", 1, 0), ("start", 5, 0), ("stop", 11, 10))
    short = edges(("onset", 1, 0), ("start", 3, 0), ("stop", 5, 4))
    assert believed(short, 0.096, 0.160) == edges(("onset", 1, 0), ("noise", 5, 0))


def test_an_ear_that_believes_sooner_hears_more() -> None:
    """Two frames that were nothing are speech to an ear that needs one."""
    noise = edges(("onset", 1, 0), ("noise", 3, 0))
    assert believed(noise, 0.096, 0.032) == edges(("onset", 1, 0), ("start", 1, 0), ("stop", 3, 2))


def test_the_same_ear_hears_the_same() -> None:
    """Speech that goes on shortly after a stop, without a first frame of its own, too."""
    heard = edges(("onset", 1, 0), ("start", 3, 0), ("stop", 8, 7), ("start", 10, 9), ("stop", 20, 19))
    assert believed(heard, 0.096, 0.096) == heard
    assert believed(heard, 0.096, 0.128)[-2:] == heard[-2:]


def test_turns_are_aligned_by_when_they_began() -> None:
    """Their numbers drift apart as soon as one is decided otherwise."""
    events = cut_in()
    was, now = decisions(events), decisions(replay(events, agent_of(events, commit_max=2.5)).events)
    pairs = aligned(was, now)
    last = pairs[-1]
    assert last.was is not None
    assert last.now is not None
    assert last.was.text == last.now.text == "Thank you very much."


def test_nothing_sounds_twice_in_a_fork() -> None:
    """Each sentence begins once, as in a call."""
    for held_once in (cut_in, talked_over, call):
        events = held_once()
        fork = replay(events, agent_of(events, commit_min=1.0)).events
        started = [(event.turn, event.index) for event in fork if isinstance(event, PlaybackStarted)]
        assert len(started) == len(set(started))


@pytest.mark.parametrize("number", range(40))
def test_whatever_happened_can_be_replayed(number: int) -> None:
    """With other settings, from whatever turn on: a fork that keeps every promise, and is decided again as it was."""
    events = session(number)
    turns = decisions(events)
    middle = turns[len(turns) // 2].turn if turns else None
    for agent, since in (
        (agent_of(events), None),
        (agent_of(events, commit_max=3.0, soft_end_idle=0.3, start_speech=0.16), None),
        (agent_of(events), middle),
    ):
        fork = replay(events, agent, from_turn=since).events
        assert violations(fork) == []
        decided = decide(fork)
        assert decided.same, [decided.broken_off, *(one.sentence for one in decided.differences)]
