"""Typed messages as clients send them: LiveKit's components, older ones, and who sends both ways at once."""

import json
from typing import Any

import pytest

from gateway.rooms.livekit._allowance import OPEN, RATES, Allowance
from gateway.rooms.livekit._chat import Chat, NotAMessage


def packet(text: object = "hello", **fields: Any) -> bytes:
    return json.dumps({"id": "m1", "timestamp": 1_790_000_000_000, "message": text, **fields}).encode()


def test_a_message_sent_both_ways_is_asked_once() -> None:
    """A stream and a packet beside it, with the flag, with the same id, or with the same words: one question, in either order."""
    for twin in (packet(ignoreLegacy=True), packet(id="s1"), packet("hello"), packet(" hello "), packet(id=5)):
        chat = Chat()
        assert [chat.stream("ann", "s1", "hello", 0.0), chat.packet("ann", twin, 0.1)] == ["hello", ""]
    for twin in (packet(id="s1"), packet()):
        chat = Chat()
        assert [chat.packet("ann", twin, 0.0), chat.stream("ann", "s1", "hello", 0.1)] == ["hello", ""]


def test_what_is_said_again_is_asked_again() -> None:
    """The same words, typed twice, by the same way, a while later or by somebody else, are messages of their own."""
    chat = Chat()
    assert [chat.stream("ann", "s1", "yes", 0.0), chat.stream("ann", "s2", "yes", 0.2)] == ["yes", "yes"]
    assert [chat.packet("ann", packet("yes", id=id), 0.3) for id in ("m1", "m2", "m3")] == ["", "", "yes"]
    assert chat.packet("bob", packet("yes"), 0.4) == "yes"
    assert chat.stream("ann", "s9", "yes", 9.0) == "yes"


def test_old_clients_are_heard() -> None:
    """A packet without the flag, or with the flag false, is a question."""
    for one in (packet(), packet(ignoreLegacy=False), b'{"message": "hello"}'):
        assert Chat().packet("ann", one, 0.0) == "hello"


def test_corrections_are_no_questions() -> None:
    """What is edited or deleted afterwards, or was made from speech, is not asked."""
    chat = Chat()
    assert chat.packet("ann", packet("first"), 0.0) == "first"
    for late in (
        packet("edited", editTimestamp=5),
        packet("", deleted=True),
        packet("edited"),
        packet("x", generated=True),
    ):
        assert chat.packet("ann", late, 60.0) == ""


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"5", b"{}", b"\xff", b'{"message": 5}', packet("x" * 4001), b"[" * 30_000]
)
def test_what_is_no_message_says_so(data: bytes) -> None:
    """Rubbish is a sentence."""
    with pytest.raises(NotAMessage, match="chat"):
        Chat().packet("eve", data, 0.0)


def test_halves_of_characters() -> None:
    """An unpaired surrogate becomes U+FFFD; a pair is its character."""
    assert Chat().packet("eve", b'{"message": "a' + b"\\ud83d" + b'b"}', 0.0) == "a\ufffdb"
    assert Chat().packet("eve", b'{"message": "a' + b"\\ud83d\\ude00" + b'"}', 0.0) == "a\U0001f600"
    assert Chat().packet("eve", b'{"message": "a\xed\xa0\xbd"}', 0.0) == "a\ufffd"


def test_each_has_their_own_allowance() -> None:
    """Who has sent too much is not heard for a while; whoever else is there does not notice."""
    allowance = Allowance()
    rate, burst = RATES["typed"]
    assert sum(allowance.take("eve", "typed", 0.0) for _ in range(1000)) == burst
    assert allowance.take("ann", "typed", 0.0)
    assert allowance.take("eve", "keys", 0.0)
    assert allowance.take("eve", "typed", 1.0 / rate)
    assert [allowance.open("eve") for _ in range(OPEN + 1)] == [True] * OPEN + [False]
    assert allowance.open("ann")
    allowance.close("eve")
    assert allowance.open("eve")
