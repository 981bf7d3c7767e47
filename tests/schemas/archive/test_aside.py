"""What archiving computes takes what calls leave of the processor, and is done all the same."""

import os
import threading

import pytest

from schemas.archive import _aside
from schemas.archive._aside import _Aside


def _where() -> tuple[str, int]:
    """The thread, and how it is scheduled."""
    return threading.current_thread().name, os.sched_getscheduler(0)


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="Linux alone has it")
async def test_it_gives_way_and_nobody_else_does() -> None:
    """One thread is of the lowest class; who waits for it is not."""
    name, policy = await _Aside().do(_where)
    assert name.startswith("archiving")
    assert policy == os.SCHED_IDLE
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


async def test_it_does_not_give_way_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where that thread gets nothing, other threads do it, and what follows for a while."""
    monkeypatch.setattr(_aside, "_SLOW", 0.01)
    aside, gets_on = _Aside(), threading.Event()
    aside._idle.submit(gets_on.wait, 60.0)  # as if it had no processor
    assert not (await aside.do(_where))[0].startswith("archiving")
    gets_on.set()
    monkeypatch.setattr(_aside, "_SLOW", 60.0)
    assert not (await aside.do(_where))[0].startswith("archiving")
    aside.hurry_until = 0.0
    assert (await aside.do(_where))[0].startswith("archiving")


async def test_its_errors_are_the_callers() -> None:
    """And the next one is done."""

    def fails() -> None:
        raise ValueError("no sound")

    aside = _Aside()
    with pytest.raises(ValueError, match="no sound"):
        await aside.do(fails)
    assert await aside.do(abs, -1) == 1
