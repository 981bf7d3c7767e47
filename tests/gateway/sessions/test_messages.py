"""What a client is told: whoever applies the messages in order has on the screen what was said, once."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.sessions.messages import Narrator
from schemas.client import MetricsMessage, SentenceMessage, ToClient, ToolMessage, TranscriptMessage, TurnMessage
from schemas.clock import Micros
from schemas.config.agent import AgentSpec
from schemas.events import (
    ClipReady,
    Event,
    MessageReceived,
    PlaybackStarted,
    ReplySentence,
    SessionEnded,
    SessionResumed,
    SessionRewound,
    StageFailed,
    ToolCalled,
    ToolReturned,
    TranscriptFinal,
    TranscriptPartial,
    TurnCommitted,
    TurnEnded,
    UtteranceCaptured,
)
from tests.gateway.turn_taking.call import Call, Stages
from tests.gateway.turn_taking.test_anything import WHO, agents, happening, play, stages


class Screen:
    """A client: under each name the last that it was told. `loses`: of the messages, which never reach it; `interim`: it shows
    words that are not final."""

    def __init__(self, interim: bool = True, loses: Iterable[int] = ()) -> None:
        self._interim, self._loses, self._told = interim, set(loses), 0
        self.lines: dict[str, str] = {}
        self.final: set[str] = set()
        self._turns: dict[str, int | None] = {}

    def take(self, message: ToClient) -> None:
        if isinstance(message, TurnMessage) and message.reason == "taken_back":
            self.final -= {name for name, turn in self._turns.items() if turn == message.turn}
        if not isinstance(message, TranscriptMessage):
            return
        self._told += 1
        assert message.utterance not in self.final, "final means final"
        assert message.text or not message.final
        if self._told in self._loses or not (message.final or self._interim):
            return
        self._turns[message.utterance] = message.turn
        if message.final:
            self.final.add(message.utterance)
        self.lines[message.utterance] = message.text

    @property
    def words(self) -> Counter[str]:
        return Counter(text for text in self.lines.values() if text)


def shown(events: Iterable[Event], *, interim: bool = True, loses: Iterable[int] = ()) -> list[str]:
    screen, narrator = Screen(interim, loses), Narrator()
    for event in events:
        for message in narrator.messages(event):
            screen.take(message)
    return sorted(screen.words.elements())


def captured(name: str, replaces: str | None = None) -> UtteranceCaptured:
    return UtteranceCaptured(turn=1, utterance=name, participant="ann", audio=[], duration=1.0, replaces=replaces)


def final(name: str, text: str) -> TranscriptFinal:
    return TranscriptFinal(turn=1, utterance=name, participant="ann", text=text)


def partial(name: str, text: str) -> TranscriptPartial:
    return TranscriptPartial(turn=1, utterance=name, participant="ann", text=text)


HALF, MORE, ALL = "I would like", "I would like to book", "I would like to book a table."
CHAIN = [captured("u1"), final("u1", HALF), captured("u2", "u1"), captured("u3", "u2"), final("u3", ALL)]
SOUNDS = PlaybackStarted(turn=1, index=0)
OVER = TurnEnded(turn=1, how="played", reason="finished")


@pytest.mark.parametrize("interim", [True, False])
@pytest.mark.parametrize(
    "events",
    [
        CHAIN,
        [captured("u1"), captured("u2", "u1"), final("u2", HALF), captured("u3", "u2"), final("u3", ALL)],
        [*CHAIN[:2], partial("u2", MORE), *CHAIN[2:]],
        [*CHAIN[:2], partial("u2", MORE), CHAIN[2], partial("u3", MORE), *CHAIN[3:]],
        [partial("u1", "I"), captured("u1"), partial("u2", HALF), *CHAIN[2:]],
        [*CHAIN, partial("u3", MORE)],
        [*CHAIN, partial("u2", MORE)],
        [*CHAIN, final("u2", MORE)],
        [*CHAIN, SOUNDS, final("u2", MORE)],
    ],
    ids=[
        "never told",
        "first never told",
        "interim only",
        "interim twice",
        "nothing but interims",
        "late interim",
        "interim of what was carried",
        "late final",
        "later than the answer",
    ],
)
def test_what_is_said_in_one_go_is_one_line(events: Sequence[Event], interim: bool) -> None:
    """However many utterances it is made of, and whichever nobody was told of: half of it never stays beside the whole."""
    assert shown([*events, OVER], interim=interim) == [ALL]


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_message_that_is_lost_leaves_nothing_behind(lost: int) -> None:
    """Each message is the whole line: whoever missed one has the right words with the next."""
    chain = [captured("u1"), final("u1", HALF), captured("u2", "u1"), final("u2", MORE), *CHAIN[3:], OVER]
    assert shown(chain, loses=[lost]) == [ALL]


def test_half_of_a_sentence_is_never_beside_the_whole() -> None:
    """Not even while its second half is being said, or waits to be transcribed."""
    screen, narrator = Screen(), Narrator()
    for event in [captured("u1"), final("u1", HALF), partial("u2", MORE), *CHAIN[2:], OVER]:
        for message in narrator.messages(event):
            screen.take(message)
            assert len(screen.words) <= 1
    assert screen.final == {"u1"}


def test_final_words_are_told_before_what_answers_them() -> None:
    """Until the answer sounds the caller may go on, and the words change; then they are told once more, as final."""
    narrator = Narrator()
    assert [message.final for event in CHAIN for message in narrator.messages(event)] == [False, False]  # type: ignore[union-attr]
    narrator.remember(SOUNDS)  # as published by ourselves, before the inbox brings it
    assert narrator.sentence(1, 0, 0) == [
        TranscriptMessage(participant="ann", turn=1, utterance="u1", text=ALL, final=True),
        SentenceMessage(turn=1, index=0, text="", spoken=True),
    ]
    assert narrator.messages(SOUNDS) == []


def test_what_bridges_the_wait_makes_nothing_final() -> None:
    """The caller may still go on with what the filler's sound was made for."""
    bridge = [TurnCommitted(turn=2, why="filler"), PlaybackStarted(turn=2, index=0), TurnEnded(turn=2, how="played")]
    narrator = Narrator()
    told = [message for event in [*CHAIN, *bridge] for message in narrator.messages(event)]
    assert not any(message.final for message in told if isinstance(message, TranscriptMessage))


TAKEN_BACK = TurnEnded(turn=1, how="dropped", reason="taken_back", into=2)
REST = "a table."


def of_next(event: Event) -> Event:
    """The same of turn 2."""
    return event.model_copy(update={"turn": 2})


@pytest.mark.parametrize("interim", [True, False])
@pytest.mark.parametrize(
    "rest",
    [
        [TAKEN_BACK, of_next(captured("u2", "u1")), of_next(final("u2", ALL))],
        [of_next(partial("u2", REST)), TAKEN_BACK, of_next(captured("u2", "u1")), of_next(final("u2", ALL))],
        [
            of_next(captured("u2")),
            of_next(final("u2", REST)),
            TAKEN_BACK,
            of_next(captured("u3", "u2").model_copy(update={"joins": ["u1"]})),
            of_next(final("u3", ALL)),
        ],
    ],
    ids=["speaks on", "interim words first", "heard once more"],
)
def test_who_takes_a_turn_back_goes_on_with_their_line(rest: Sequence[Event], interim: bool) -> None:
    """What was final is not any more, once the client is told of the turn; and in the end the line is the whole."""
    over = TurnEnded(turn=2, how="played", reason="finished")
    assert shown([captured("u1"), final("u1", MORE), SOUNDS, *rest, over], interim=interim) == [ALL]


def test_a_reply_that_was_taken_back_is_told_as_that_and_has_no_figures() -> None:
    """First its end, then what changes by it; it answered nothing."""
    narrator = Narrator()
    commit = TurnCommitted(turn=1, why="text", delay=0.4, at=Micros(10_000_000))
    clip = ClipReady.model_construct(turn=1, index=0, part=0, took=0.06)
    for event in [captured("u1"), final("u1", MORE), commit, clip, SOUNDS]:
        narrator.messages(event)
    assert narrator.messages(TAKEN_BACK) == [
        TurnMessage(turn=1, how="dropped", reason="taken_back", why="text", heard=""),
        TranscriptMessage(participant="ann", turn=2, utterance="u1", text=MORE, final=False),
    ]


def test_speech_taken_for_more_of_a_line_that_it_is_not_has_its_own() -> None:
    """Too long to be carried again: the line before it gets its own words back."""
    more = partial("u2", "and")
    assert shown([*CHAIN[:2], more]) == ["and"]
    assert shown([*CHAIN[:2], more, captured("u2")]) == [HALF, "and"]
    assert shown([*CHAIN[:2], more, captured("u2"), final("u2", "And more."), OVER]) == ["And more.", HALF]
    assert shown([*CHAIN[:2], more, SOUNDS]) == [HALF, "and"]  # the answer sounds: what is being said is another turn's


def test_two_people_have_lines_of_their_own() -> None:
    """Who speaks between is told apart."""
    other = captured("u2").model_copy(update={"participant": "bob"})
    his = final("u2", "Good day.").model_copy(update={"participant": "bob"})
    again = partial("u3", "And")
    assert shown([captured("u1"), final("u1", HALF), other, his, again]) == ["And", "Good day.", HALF]


def test_interim_words_are_withdrawn_when_their_final_ones_never_come() -> None:
    """What the turn then rests on is what stands there."""
    lost = StageFailed(stage="stt", code="x", message="x", job="stt/u2", utterance="u2", turn=1)
    assert shown([*CHAIN[:2], partial("u2", MORE), CHAIN[2], lost, OVER]) == [HALF]
    assert shown([partial("u1", HALF), captured("u1"), lost, OVER]) == []


def test_whoever_takes_over_tells_the_open_turns_again() -> None:
    """By the same names, and final if they were."""
    narrator = Narrator()
    for event in [*CHAIN, OVER, captured("u4").model_copy(update={"turn": 2}), final("u4", "Well."), SOUNDS]:
        narrator.messages(event)
    told = narrator.again({2})
    assert told == [TranscriptMessage(participant="ann", turn=2, utterance="u4", text="Well.", final=False)]
    narrator.messages(PlaybackStarted(turn=2, index=0))
    assert narrator.again({2}) == [told[0].model_copy(update={"final": True})]


@pytest.mark.parametrize(
    "end",
    [SessionResumed(gateway="g2", epoch=2), SessionEnded(reason="hang_up"), SessionRewound(after=1)],
    ids=lambda e: e.type,
)
def test_interim_words_go_with_the_gateway_that_heard_them(end: Event) -> None:
    """Speech that nobody has captured is lost with its gateway, or its session."""
    assert shown([*CHAIN, partial("u4", "And also"), end]) == [ALL]
    assert shown([partial("u1", "I"), captured("u1"), end, final("u1", HALF)]) == [HALF]


def test_words_heard_anew_take_the_place_of_those_that_the_log_lost() -> None:
    """An utterance is transcribed once more when the log lost its tail: the answer is to those words, and they are the line."""
    anew = [SessionRewound(after=1), final("u1", MORE)]
    assert shown([captured("u1"), final("u1", HALF), *anew, OVER]) == [MORE]
    assert shown([*CHAIN, SessionRewound(after=1), captured("u3", "u2"), final("u3", MORE), OVER]) == [MORE]
    assert shown([captured("u1"), final("u1", HALF), SOUNDS, *anew, OVER]) == [HALF]  # told as final


def words(log: Sequence[Event]) -> list[str]:
    """What was said, by the log: of each chain of utterances that carry one another the words of the latest that has any, as far
    as they were there when the answer sounded or the turn ended; later ones where there were none. (Where it was taken back: the
    answer to the turn that goes on with it.) And what the API wrote."""
    captures = {event.utterance: event for event in log if isinstance(event, UtteranceCaptured)}
    settled = {event.turn: event.seq for event in reversed(log) if isinstance(event, PlaybackStarted | TurnEnded)}
    heirs = {event.turn: event.into for event in log if isinstance(event, TurnEnded) and event.into is not None}
    texts = {event.utterance: event for event in log if isinstance(event, TranscriptFinal)}
    said = [event.text for event in log if isinstance(event, MessageReceived) and event.turn is None]

    def carried(name: str) -> list[str]:
        event = captures[name]
        return [*event.joins, *([event.replaces] if event.replaces is not None else [])]

    def chain(name: str) -> list[TranscriptFinal]:
        mine = [texts[name]] if name in texts else []
        return [*mine, *(event for other in carried(name) for event in chain(other))]

    def in_time(name: str, until: int) -> str | None:
        if name in texts and texts[name].seq < until:
            return texts[name].text.strip()
        until = captures[name].seq if captures[name].joins else until
        before = [text for other in carried(name) if (text := in_time(other, until)) is not None]
        return " ".join(text for text in before if text) if before else None

    for last in captures.keys() - {other for name in captures for other in carried(name)}:
        turn = captures[last].turn
        while turn in heirs:
            turn = heirs[turn]
        until = settled.get(turn, 1 << 40)
        late = sorted((event for event in chain(last) if event.seq > until), key=lambda event: event.seq)
        told = in_time(last, until) or next((event.text.strip() for event in late if event.text.strip()), "")
        said.append(told)
    return sorted(text for text in said if text)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), report_multiple_bugs=False)
@given(
    agent=agents,
    stages=stages,
    people=st.integers(1, 2),
    happenings=st.lists(happening.filter(lambda item: item[0] != "rewind"), max_size=14),
    interim=st.booleans(),
    dies=st.integers(0, 200),
)
def test_whatever_happens_the_screen_shows_the_words_of_the_last_utterances(
    agent: AgentSpec, stages: Stages, people: int, happenings: list[Any], interim: bool, dies: int
) -> None:
    """In any order of events, for clients with and without interim words, and when another gateway goes on telling."""
    call = Call(agent, stages, people=WHO[:people])
    play(call, happenings, people)
    call.run(40.0)
    screen, narrator = Screen(interim), Narrator()
    for place, event in enumerate(call.log):
        if place == dies:
            narrator = Narrator()
            for earlier in call.log[:place]:
                narrator.messages(earlier)
        for message in narrator.messages(event):
            screen.take(message)
    assert sorted(screen.words.elements()) == words(call.log), call.show()


def test_what_an_operator_writes_is_told_and_what_the_client_typed_is_not() -> None:
    """The client has its own words on the screen; those of others it would never see."""
    by_the_api = MessageReceived(participant="operator", text="We close at five.", seq=7)
    assert Narrator().messages(by_the_api) == [
        TranscriptMessage(participant="operator", turn=None, utterance="message-7", text=by_the_api.text, final=True)
    ]
    assert Narrator().messages(MessageReceived(turn=1, participant="ann", text="Hello.", seq=8)) == []


@pytest.mark.parametrize("published_first", [True, False])
def test_how_long_an_answer_took_is_by_the_logs_time(published_first: bool) -> None:
    """What the gateway has just published is known before the log has timed it, or after: the figures are the same."""
    narrator = Narrator()
    commit = TurnCommitted(turn=1, why="text", delay=0.4, at=Micros(10_000_000))
    heard = PlaybackStarted(turn=1, index=0, at=Micros(10_250_000))
    ours = commit.model_copy(update={"at": Micros(0)})
    narrator.remember(ClipReady.model_construct(turn=1, index=0, part=0, took=0.06))
    for event in (ours, commit) if published_first else (commit, ours):
        narrator.remember(event)
    narrator.remember(heard)
    narrator.remember(heard.model_copy(update={"at": Micros(0)}))
    told, _ = narrator.messages(TurnEnded(turn=1, how="played", heard="Paris."))
    assert told == MetricsMessage(turn=1, end_of_turn=0.4, tts=0.06, first_sound=0.65)


def test_how_long_an_answer_took_is_told_before_its_end() -> None:
    """From the end of speech, as last committed, to the first sound of the reply."""
    narrator = Narrator()
    commit = TurnCommitted(turn=1, why="end_of_turn", delay=0.4, at=Micros(10_000_000))
    heard = PlaybackStarted(turn=1, index=0, at=Micros(10_250_000))
    later = PlaybackStarted(turn=1, index=1, at=Micros(12_000_000))
    events: list[Event] = [commit.model_copy(update={"at": Micros(9_000_000)}), commit]
    events += [ClipReady.model_construct(turn=1, index=0, part=0, took=0.06), heard, later]
    events += [TurnEnded(turn=1, how="played", heard="Paris.")]
    told = [message for event in events for message in narrator.messages(event)]
    assert [type(message) for message in told] == [MetricsMessage, TurnMessage]
    assert told[0] == MetricsMessage(turn=1, end_of_turn=0.4, tts=0.06, first_sound=0.65)


@pytest.mark.parametrize("first", ["answer", "inbox"])
def test_the_answer_to_a_publication_and_the_inbox_may_come_in_any_order(first: str) -> None:
    """What was published bears no time of the log's yet: nothing is reckoned from it."""
    narrator = Narrator()
    commit = TurnCommitted(turn=1, why="text", at=Micros(1_795_767_500_000_000))
    heard = PlaybackStarted(turn=1, index=0, at=Micros(1_795_767_501_500_000))
    events: list[Event] = [ClipReady.model_construct(turn=1, index=0, part=0, took=0.06)]
    for event in (commit, heard):
        untimed = event.model_copy(update={"at": Micros(0)})
        events += [untimed, event] if first == "answer" else [event, untimed]
    for event in events:
        (narrator.remember if event.at == 0 else narrator.messages)(event)
    told = narrator.messages(TurnEnded(turn=1, how="played", heard="Paris."))
    assert told[0] == MetricsMessage(turn=1, end_of_turn=0.0, tts=0.06, first_sound=1.5)


def test_a_filler_takes_nothing_from_the_answer_it_bridges() -> None:
    """It is told as one, ends first, and the answer's sentence and figures are told after it all the same."""
    narrator = Narrator()
    events: list[Event] = [
        TurnCommitted(turn=1, why="end_of_turn", delay=0.4, at=Micros(10_000_000)),
        TurnCommitted(turn=2, why="filler", at=Micros(12_000_000)),
        ReplySentence.model_construct(turn=1, generation=0, index=0, text="Paris."),
        TurnEnded(turn=2, how="played", heard="One moment, please."),
    ]
    told = [message for event in events for message in narrator.messages(event)]
    assert told == [TurnMessage(turn=2, how="played", reason="", why="filler", heard="One moment, please.")]
    assert narrator.sentence(1, 0, 0) == [SentenceMessage(turn=1, index=0, text="Paris.", spoken=True)]
    events = [
        ClipReady.model_construct(turn=1, index=0, part=0, took=0.06),
        PlaybackStarted(turn=1, index=0, at=Micros(14_000_000)),
        TurnEnded(turn=1, how="played", heard="Paris."),
    ]
    assert [message for event in events for message in narrator.messages(event)] == [
        MetricsMessage(turn=1, end_of_turn=0.4, tts=0.06, first_sound=4.4),
        TurnMessage(turn=1, how="played", reason="", why="end_of_turn", heard="Paris."),
    ]


def test_clients_are_told_of_tools_only_where_the_agent_says_so() -> None:
    """With arguments and result, which may be private: else not a word of them."""
    called = ToolCalled(turn=1, generation=0, call="1.0.0", name="book", arguments={"guests": 4})
    returned = ToolReturned(turn=1, generation=0, call="1.0.0", name="book", result="table 7")
    assert [Narrator().messages(event) for event in (called, returned)] == [[], []]
    narrator = Narrator(tells_tools=True)
    told = [message for event in (called, returned) for message in narrator.messages(event)]
    begun = ToolMessage(turn=1, call="1.0.0", name="book", arguments={"guests": 4})
    assert told == [begun, begun.model_copy(update={"returned": True, "result": "table 7"})]
