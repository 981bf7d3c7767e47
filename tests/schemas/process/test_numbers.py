"""Phone numbers in logs."""

import json
import logging

import pytest

from schemas.process.logging import _Json, _Text
from schemas.process.numbers import numbers_shortened, shortened


@pytest.mark.parametrize(
    ("number", "kept"),
    [
        ("+4930555123", "+49…23"), ("004930555123", "00…23"), ("030 555-123", "03…23"), ("555123", "…23"),
        ("(030) 555.123", "03…23"),
        ("100", "100"), ("4711", "4711"), ("ann", "ann"), ("anonymous", "anonymous"), ("ann+4930555123", "ann+49…23"),
        ("user4930555123", "user49…23"), ("", ""), ("+49", "+49"),
    ],
)  # fmt: skip
def test_a_number_is_known_again_and_not_called_back(number: str, kept: str) -> None:
    """Two digits at the end stay, two more at the beginning of a long one; extensions and names are no numbers."""
    assert shortened(number) == kept
    assert shortened(kept) == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("call of +49 30 555123 came", "call of +49…23 came"),
        ("<sip:4930555123@192.0.2.1:5060>", "<sip:49…23@192.0.2.1:5060>"),
        ("SIPS:4930555123@host", "SIPS:49…23@host"),
        ("sip:%2B4930555123@host", "sip:49…23@host"),
        ("tel:030-555-1234", "tel:03…34"),
        ("call-_+15105550100_xYz", "call-_+15…00_xYz"),
        ("call-_15105550100_xYz", "call-_15…00_xYz"),
        ("sip_15105550100 and phone-15105550100", "sip_15…00 and phone-15…00"),
        ('{"sip.phoneNumber": "+15105550100"}', '{"sip.phoneNumber": "+15…00"}'),
    ],
)
def test_numbers_in_a_sentence(text: str, kept: str) -> None:
    """What can only be a phone number is shortened wherever it stands."""
    assert numbers_shortened(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "listening on 127.0.0.1:50600", "sip:192.168.100.200:5060", "12345678 bytes",
        "entry 1700000000000-0", "seq 1234567, epoch 12",
        "2026-11-26T00:00:00.123+0100", "sip-1234567890123456: ended", "a model of_20231128", "port 20000-29999",
        "+1.25 s, +100 %",
    ],
)  # fmt: skip
def test_what_is_no_number_stays(text: str) -> None:
    """Addresses, ports, sessions, times and counts are told whole."""
    assert numbers_shortened(text) == text


def test_seven_digits_where_nothing_else_is_meant() -> None:
    """In what a caller is told, digits in a row are a number; an address is none."""
    said = "404 Not Found: no agent answers 4930555123, asked from 203.0.113.77:40000"
    assert numbers_shortened(said, bare=True) == said.replace("4930555123", "49…23")


@pytest.mark.parametrize("formatter", [_Text(), _Json("gateway")])
def test_every_line_of_a_process(formatter: logging.Formatter) -> None:
    """Messages, further fields and tracebacks, as text and as JSON, hold no whole number."""
    try:
        raise ValueError("sip:4930555123@host went wrong")
    except ValueError as error:
        record = logging.LogRecord(
            "x", logging.ERROR, "x", 1, "call of %s", ("+4930555123",), (ValueError, error, error.__traceback__)
        )
    record.room, record.count = "call-_4930555123_x", 4930555
    line = formatter.format(record)
    assert "4930555123" not in line
    assert "+49…23" in line
    assert "sip:49…23@host" in line
    assert "call-_49…23_x" in line
    assert "4930555" in line
    if isinstance(formatter, _Json):
        assert json.loads(line)["count"] == 4930555
