"""From the session's messages to what is told in a room, and when."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gateway.room import WordsAhead
from gateway.rooms.livekit.captions import Captions
from gateway.rooms.livekit.facts import (
    ClipWords,
    Fact,
    Hushed,
    Over,
    ReplyBegan,
    ReplyEnded,
    SentenceBegan,
    SentenceEnded,
    SentenceWords,
    Trouble,
    TurnOver,
    UserText,
    WordsSounded,
)
from schemas.client import EndedMessage, ErrorMessage, SentenceMessage, TranscriptMessage, TurnMessage

RATE = 24_000
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def captions() -> Captions:
    return Captions("x", RATE, lambda: NOON)


def transcript(
    utterance: str,
    text: str,
    *,
    turn: int | None = 1,
    final: bool = True,
    who: str = "ann",
) -> TranscriptMessage:
    return TranscriptMessage(participant=who, turn=turn, utterance=utterance, text=text, final=final)


def sentence(index: int, text: str, *, turn: int = 1, spoken: bool = True) -> SentenceMessage:
    return SentenceMessage(turn=turn, index=index, text=text, spoken=spoken)


def words(
    index: int, timings: list[list[Any]], *, turn: int = 1, part: int = 0, offset: float = 0.0,
    rest: Any = (), whole: bool = True,
) -> WordsAhead:  # fmt: skip
    """`offset`: seconds."""
    known = tuple((word, float(begin), float(end)) for word, begin, end in timings)
    further = tuple((word, float(begin), float(end)) for word, begin, end in rest)
    return WordsAhead(turn, index, part, round(offset * RATE), known, further, whole)


def timed(facts: list[Fact]) -> list[SentenceWords]:
    return [fact for fact in facts if isinstance(fact, SentenceWords)]


def ended(turn: int, how: str = "played", heard: str = "") -> TurnMessage:
    return TurnMessage(turn=turn, how=how, reason="", heard=heard)


def texts(facts: list[Fact]) -> list[tuple[str, str, bool]]:
    return [(fact.segment, fact.text, fact.final) for fact in facts if isinstance(fact, UserText)]


def test_what_people_say_is_told_as_it_comes() -> None:
    """A line keeps its segment, with all of its words each time, until they are final; a line that is taken away is over."""
    one = captions()
    assert texts(one.take(transcript("u1", "I would like", final=False), 0, 0)) == [("x-u1", "I would like", False)]
    whole = "I would like a coffee."
    assert texts(one.take(transcript("u1", whole), 0, 0)) == [("x-u1", whole, True)]
    assert texts(one.take(transcript("u2", "Uh", final=False, who="bob"), 0, 0)) == [("x-u2", "Uh", False)]
    assert texts(one.take(transcript("u2", "", final=False, who="bob"), 0, 0)) == [("x-u2", "", True)]


def test_words_are_told_as_they_sound() -> None:
    """Each word at its middle, as the log counts what was heard; all of the sentence at its end."""
    one = captions()
    one.take(sentence(0, "Good day, Ann."), 10.0, 10.0)
    facts = one.take(words(0, [["Good", 0.0, 0.4], ["day", 0.4, 0.8], ["Ann", 0.8, 1.2]]), 10.0, 10.0)
    timings = (("Good", 0.0, 0.4), ("day", 0.4, 0.8), ("Ann", 0.8, 1.2))
    assert facts == [
        SentenceWords(1, "x-agent-1", "Good day, Ann.", timings),
        ClipWords(1, "x-agent-1", "Good day, Ann.", 0.0, timings),
    ]
    assert one.advance(10.1) == []
    assert one.advance(10.25) == [WordsSounded("x-agent-1", "Good", "Good")]
    assert one.advance(10.7) == [WordsSounded("x-agent-1", " day,", "Good day,")]
    facts = one.take(sentence(1, "Sit down."), 11.3, 11.3)
    assert facts[0] == WordsSounded("x-agent-1", " Ann.", "Good day, Ann.")
    assert facts[1:] == [
        SentenceEnded("x-agent-1", 1, "Good day, Ann.", True),
        SentenceBegan("x-agent-1", 2, "Sit down.", True),
    ]
    facts = one.take(ended(1, heard="Good day, Ann. Sit down."), 12.0, 12.0)
    assert facts[-1] == ReplyEnded("x-agent-1", "Good day, Ann. Sit down.", "played", NOON)


def test_cut_speech_ends_where_it_was_cut() -> None:
    """What the log says was heard is what was told, though the last word may have to be added."""
    one = captions()
    one.take(sentence(0, "one two three four"), 0.0, 0.0)
    one.take(words(0, [["one", 0, 1], ["two", 1, 2], ["three", 2, 3], ["four", 3, 4]]), 0.0, 0.0)
    one.advance(0.6)
    facts = one.take(ended(1, "interrupted", "one two"), 1.6, 1.6)
    assert facts == [
        WordsSounded("x-agent-1", " two", "one two"),
        ReplyEnded("x-agent-1", "one two", "interrupted", NOON),
    ]
    assert one.advance(9.0) == []


@pytest.mark.parametrize("how", ["failed", "expired", "dropped"])
def test_a_reply_that_fails_is_not_taken_for_an_interrupted_one(how: str) -> None:
    """Its end says how it ended, with what was heard until then."""
    one = captions()
    one.take(sentence(0, "one two"), 0.0, 0.0)
    facts = one.take(ended(1, how, "one"), 1.0, 1.0)
    assert facts == [WordsSounded("x-agent-1", "one", "one"), ReplyEnded("x-agent-1", "one", how, NOON)]


def test_a_reply_that_was_taken_back_counts_as_never_said() -> None:
    """What was heard of it goes into nobody's history, and the caller's line goes on under its name."""
    one = captions()
    one.take(transcript("u1", "A table for"), 0, 0)
    one.take(sentence(0, "For how many people?"), 0, 0)
    one.take(words(0, [["For", 0.0, 0.2]]), 0, 0)
    assert [fact.said for fact in one.advance(0.2) if isinstance(fact, WordsSounded)] == ["For"]
    over = TurnMessage(turn=1, how="dropped", reason="taken_back", heard="For")
    assert one.take(over, 0.3, 0.3) == [ReplyEnded("x-agent-1", "", "taken_back", NOON)]
    assert one.take(over.model_copy(update={"turn": 3}), 0.3, 0.3) == [TurnOver("x-agent-3", "taken_back")]
    goes_on = transcript("u1", "A table for", turn=2, final=False)
    assert texts(one.take(goes_on, 0.3, 0.3)) == [("x-u1", "A table for", False)]


def test_a_turn_without_a_reply_says_how_it_ended() -> None:
    """While another reply sounds, too; and one that had to end for the next is told of again."""
    one = captions()
    assert one.take(ended(1, "expired"), 0.0, 0.0) == [TurnOver("x-agent-1", "expired")]
    one.take(sentence(0, "one", turn=2), 0.0, 0.0)
    assert one.take(ended(3, "dropped"), 0.0, 0.0) == [TurnOver("x-agent-3", "dropped")]
    assert ReplyEnded("x-agent-2", "", "interrupted", NOON) in one.take(sentence(0, "two", turn=4), 1.0, 1.0)
    assert one.take(ended(2), 1.0, 1.0) == [TurnOver("x-agent-2", "played")]


def test_trouble_is_told_as_it_is() -> None:
    """A stage's failure with the code and the sentence that every client gets."""
    error = ErrorMessage(code="llm_timeout", message="The answer could not be found.", fatal=False)
    assert captions().take(error, 0.0, 0.0) == [Trouble("llm_timeout", "The answer could not be found.", False)]


def test_a_pause_moves_the_words_that_are_left() -> None:
    """After a pause the same clip is told again, with its number, at its new place."""
    one = captions()
    one.take(sentence(0, "one two"), 0.0, 0.0)
    timings = [["one", 0, 1], ["two", 1, 2]]
    one.take(words(0, timings), 0.0, 0.0)
    one.advance(0.6)
    again = one.take(words(0, timings, offset=-0.7), 5.0, 5.0)
    assert [fact.sequence for fact in again if isinstance(fact, ClipWords)] == [1]
    assert [fact.ahead for fact in again if isinstance(fact, ClipWords)] == [-0.7]
    assert one.advance(5.5) == []
    assert one.advance(5.9) == [WordsSounded("x-agent-1", " two", "one two")]


def test_a_sentence_is_timed_once_and_whole() -> None:
    """However many parts its sound comes in: one telling, at its beginning, exact in the parts that are there, and after them at
    the same pace; neither a further part nor a pause tells it again."""
    one = captions()
    one.take(sentence(0, "one two three four five"), 3.0, 3.0)
    first = [["one", 0.1, 0.5], ["two", 0.5, 1.0]]
    facts = one.take(words(0, first, rest=[["three", 1.1, 1.6]], whole=False), 3.0, 3.0)
    told = timed(facts)[0]
    assert told.text == "one two three four five"
    assert told.words[:3] == (("one", 0.1, 0.5), ("two", 0.5, 1.0), ("three", 1.1, 1.6))
    pace = len("one two three ") / 1.6
    assert [word for word, _, _ in told.words[3:]] == ["four", "five"]
    assert told.words[3][1:] == (1.6, round(1.6 + 5 / pace, 3))
    assert told.words[4][2] == round(1.6 + 10 / pace, 3)
    for later in (words(0, [["three", 0.1, 0.6]], part=1, offset=1.0), words(0, first, offset=-0.7)):
        assert timed(one.take(later, 4.0, 4.0)) == []
    facts = one.take(sentence(1, "Go on."), 5.0, 5.0)
    assert [fact.number for fact in timed(one.take(words(1, [["Go", 0, 0.2], ["on", 0.2, 0.4]]), 5.0, 5.0))] == [2]


def test_a_voice_without_timings_is_timed_by_its_pace() -> None:
    """Nothing known: the whole sentence is estimated, once it sounds; one that can't be heard is not timed."""
    one = captions()
    one.take(sentence(0, "alpha beta"), 2.0, 2.0)
    assert timed(one.advance(2.0)) == []
    assert [fact.words for fact in timed(one.advance(2.03))] == [(("alpha", 0.0, 0.4), ("beta", 0.4, 0.733))]
    assert timed(one.advance(2.06)) == []
    one.take(sentence(1, "shown only", spoken=False), 3.0, 3.0)
    assert timed(one.advance(4.0)) == []


def test_words_spoken_otherwise_than_written() -> None:
    """A number said as two words, or a dash that isn't said, does not shift what follows."""
    one = captions()
    one.take(sentence(0, "It is — 42 then."), 0.0, 0.0)
    one.take(words(0, [["It", 0, 1], ["is", 1, 2], ["42", 2, 3], ["then", 3, 4]]), 0.0, 0.0)
    assert one.advance(2.6) == [WordsSounded("x-agent-1", "It is — 42", "It is — 42")]


def test_without_timings_words_come_at_an_even_pace() -> None:
    """A sentence of which nothing is known is told at 15 characters a second of its sound."""
    one = captions()
    one.take(sentence(0, "alpha beta gamma"), 2.0, 2.0)
    assert [type(fact) for fact in one.advance(2.1)] == [SentenceWords]
    assert [fact.said for fact in one.advance(2.75) if isinstance(fact, WordsSounded)] == ["alpha beta"]


def test_text_without_sound_is_told_at_once() -> None:
    """A sentence whose sound could not be made is shown whole."""
    one = captions()
    kinds = [type(fact) for fact in one.take(sentence(0, "Read this.", spoken=False), 0.0, 0.0)]
    assert kinds == [ReplyBegan, SentenceBegan, WordsSounded, SentenceEnded]


def test_the_end_leaves_nothing_open() -> None:
    """A reply in mid-sentence ends with the session."""
    one = captions()
    one.take(sentence(0, "one two", turn=1), 0.0, 0.0)
    one.take(words(0, [["one", 0, 1], ["two", 1, 2]]), 0.0, 0.0)
    one.advance(0.6)
    facts = one.take(EndedMessage(reason="hang_up"), 1.0, 1.0)
    assert facts == [ReplyEnded("x-agent-1", "one", "interrupted", NOON), Over("hang_up")]


def test_a_hush_is_told_of_the_reply_it_cuts() -> None:
    """While a reply sounds its segment is named; while none does there is nothing to hush."""
    one = captions()
    assert one.hushed() == []
    one.take(sentence(0, "Here you are."), 0, 0)
    assert one.hushed() == [Hushed("x-agent-1")]
    one.take(ended(1, "interrupted", "Here"), 0, 0)
    assert one.hushed() == []


def test_what_an_operator_writes_is_final_at_once() -> None:
    """It belongs to no turn whose end would make it so, and nothing will replace it."""
    told = captions().take(transcript("message-7", "We close at five.", turn=None, who="operator"), 0.0, 0.0)
    assert told == [UserText("operator", "x-message-7", "We close at five.", True, NOON)]
