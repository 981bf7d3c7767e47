"""How an utterance ends, by its words."""

import pytest

from schemas.text.endings import Ending, ending


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("What is the capital of France?", "question"),
        ("Can you send it to?", "open"),
        ("who wrote Romeo and Juliet.", "open"),
        ("I'd like to change my appointment from Monday to Thursday.", "open"),
        ("Call me back at 6.", "open"),
        ("Yes.", "answer"),
        ("Thank you very much.", "answer"),
        ("Please tell me a long story about a dragon.", "command"),
        ("Please repeat that.", "command"),
        ("Let's talk about something else.", "command"),
        ("मैं कल घर जाऊँगा।", "statement"),
        ("میں کل گھر جاؤں گا۔", "statement"),
        ("አንተ ማን ነህ፧", "question"),
        ("We laugh less heartily, so we have still that resource.", "statement"),
        ("No matter.", "statement"),
        ("How nice.", "statement"),
        ("My number is 555 1234", "number"),
        ("I would like to know.", "unfinished"),
        ("I did not know that", "unfinished"),
        ("And then we went to the", "unfinished"),
        ("Well, first of all,", "unfinished"),
        ("I was thinking...", "unfinished"),
        ("I want a um", "hesitation"),
        ("", "hesitation"),
        ("東京の天気は？", "question"),
    ],
)
def test_the_words_say_how_they_end(text: str, kind: Ending) -> None:
    """Punctuation, the first and the last words, and a few whole utterances tell what may follow."""
    assert ending(text) == kind
