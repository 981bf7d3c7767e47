"""Tasks with a parent."""

import asyncio

import pytest

from schemas.process.tasks import Tasks


async def test_none_outlives_its_parent() -> None:
    """Closing cancels what still runs, and returns when it is gone."""
    ended: list[str] = []

    async def lasting(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    tasks = Tasks()
    both = [tasks.spawn(lasting(name)) for name in ("a", "b")]
    await asyncio.sleep(0)
    await tasks.aclose()
    assert sorted(ended) == ["a", "b"]
    assert all(task.cancelled() for task in both)


async def test_the_parent_hears_of_what_fails() -> None:
    """An error of a child goes to one place, once; a cancelled child and one that has ended tell nothing."""
    heard: list[str] = []

    async def fail() -> None:
        raise ValueError("no")

    tasks = Tasks(lambda error: heard.append(str(error)))
    tasks.spawn(fail())
    tasks.spawn(asyncio.sleep(0))
    tasks.spawn(asyncio.sleep(60))
    for _ in range(3):
        await asyncio.sleep(0)
    assert heard == ["no"]
    await tasks.aclose()
    assert heard == ["no"]


async def test_what_fails_unheard_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Where nobody listens, the process' log says which task failed, and of what."""

    async def fail() -> None:
        raise ValueError("no")

    tasks = Tasks()
    with pytest.raises(ValueError, match="no"):
        await tasks.spawn(fail(), "the errand")
    await asyncio.sleep(0)
    assert "the errand failed" in caplog.text
    assert "ValueError: no" in caplog.text


async def test_a_child_may_close_its_parent() -> None:
    """A child that ends its parent is not cancelled by that: it finishes, its siblings do not."""
    tasks = Tasks()
    done = asyncio.Event()

    async def close() -> None:
        await tasks.aclose()
        done.set()

    sibling = tasks.spawn(asyncio.sleep(60))
    tasks.spawn(close())
    async with asyncio.timeout(5):
        await done.wait()
    assert sibling.cancelled()
