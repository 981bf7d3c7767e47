"""What Python calls the library with is what Lua asks for, name by name: its tables answer nil to a name nobody gave."""

import re
from collections.abc import Iterator
from typing import get_args

import pytest

from schemas.log._calls import Call, DeliveryRow, EventRow, HoldRow, JobRow, SeenRow
from schemas.log.library import source

CALLS = get_args(Call)
ROWS = {"event": EventRow, "job": JobRow, "delivery": DeliveryRow, "held": HoldRow, "seen": SeenRow}
"""What a row is called in Lua, wherever one is in hand."""
CODE = re.sub(r"--.*", "", source())


def asked(code: str, name: str) -> set[str]:
    """The fields Lua asks of what it calls `name`."""
    return set(re.findall(rf"\b{name}\.(\w+)", code))


def function_of(call: type) -> str:
    return call.__name__.removesuffix("Call").lower()


def lua(pattern: str) -> str:
    found = re.search(pattern, source(), re.S | re.M)
    assert found, f"no {pattern} in the library"
    return found[1]


def names_in(header: str) -> Iterator[str]:
    """`consumer, lease (ms), seen` without its brackets."""
    return (name.strip() for name in re.sub(r"\([^)]*\)", "", header.replace("\n--", " ")).split(","))


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.__name__)
def test_a_function_asks_for_what_it_is_given(call: type) -> None:
    """Each argument is used, nothing else is asked for, and the comment above the function names them all in their order."""
    function = function_of(call)
    body = lua(rf"^local function {function}\(call,.*?\)\n(.*?)^end$")
    header = lua(rf"^-- {function}: [^\n]*(?:\n--[^\n]*)*?\n-- ARGV  ((?:[^\n]|\n--      +)*?)\n-- ->")
    assert asked(re.sub(r"--.*", "", body), "call") == set(call.__annotations__)
    assert list(names_in(header)) == list(call.__annotations__)


def test_no_function_is_without_its_call() -> None:
    """What the library registers can be called, and nothing else."""
    assert set(re.findall(r"^register\('(\w+)'", CODE, re.M)) == {function_of(call) for call in CALLS}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_has_the_fields_that_are_asked_of_it(name: str) -> None:
    """Events, jobs, deliveries and holds are asked for just what they have."""
    assert asked(CODE, name) == set(ROWS[name].__annotations__)
