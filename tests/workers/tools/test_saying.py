"""What tools and hooks have said, and what they leave in a session's state."""

import asyncio
import json

import pytest

from schemas.process.tasks import Tasks
from workers.testing import virtually
from workers.tools import Saying, Unreadable, changed


@virtually
async def test_it_is_said_in_order_and_so_many_times() -> None:
    """However long each takes to be written; whoever waits for it has it all."""
    said: list[str] = []

    async def say(text: str) -> None:
        await asyncio.sleep(0.1 if len(said) % 2 else 0.5)
        said.append(text)

    tasks = Tasks()
    saying = Saying(say, tasks)
    for number in range(100):
        saying(str(number))
    await saying.done()
    assert said == [str(number) for number in range(20)]
    await tasks.aclose()


@virtually
async def test_what_was_said_last_is_waited_for_too() -> None:
    """From a coroutine that returns at once: what it asked for is only on its way then."""
    said: list[str] = []

    async def say(text: str) -> None:
        said.append(text)

    tasks = Tasks()
    saying = Saying(say, tasks)
    asyncio.get_running_loop().call_soon_threadsafe(saying, "Done.")
    await saying.done()
    assert said == ["Done."]
    await tasks.aclose()


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ({}, {"a": "x" * 20_000}, "more than 16,000 characters"),
        ({"a": "x" * 60_000}, {"a": "x" * 60_000, "b": "x" * 5_000}, "more than 64,000 characters of JSON in all"),
        ({}, {"a": json.loads("[" * 100 + "]" * 100)}, "nested more than 32 deep"),
        ({}, {"a": object()}, "no JSON"),
    ],
)
def test_a_sessions_state_is_bounded(before: dict[str, object], after: dict[str, object], why: str) -> None:
    """By call and as a whole, and it can be read back."""
    with pytest.raises(Unreadable, match=why):
        changed(before, after)


def test_what_makes_it_smaller_is_kept() -> None:
    """Also of one that is too large already."""
    assert changed({"a": "x" * 70_000, "b": 1}, {"a": "x" * 70_000}) == {"b": None}
