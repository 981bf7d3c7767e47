"""Many sessions replayed: what got better and worse; what is done is not done again; nothing stands in the way of the rest."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from ops.replay.batch import AtWork, Wish, batch, is_fork, sessions_for
from ops.replay.scripted import Says
from ops.stack.embedded.valkey import Valkey
from schemas.bus import Bus
from schemas.errors import AntiphonError
from schemas.log import RedisBus
from schemas.session.summary import Wanted
from tests.ops.replay.piped import AGENT, QUICK, SCRIPT, recorded_call, serving

PAUSING = (
    Says(
        1.0, "I would like to know whether", ("Sure.", "What is it that you want to know today?"), pause=0.0, sure=0.97
    ),
    Says(3.9, "you have a table for two.", ("Yes, we have.",)),
)


@pytest.fixture
async def bus(shared_valkey: Valkey) -> Any:
    raw = Redis.from_url(shared_valkey.url)
    await raw.flushall()
    await raw.aclose()
    log = RedisBus(shared_valkey.url)
    await log.start()
    yield log
    await log.aclose()


async def calls(bus: Bus, number: int) -> list[str]:
    """So many, of which the first is of another agent."""
    names = [f"call-{n}" for n in range(number)]
    for n, name in enumerate(names):
        agent = AGENT if n else AGENT.model_copy(update={"name": "desk"})
        await recorded_call(bus, name, SCRIPT, agent=agent)
    return names


async def test_each_is_compared_with_what_it_was(bus: Bus) -> None:
    """Replies made anew: the words are the same, tokens are counted, waits are of both sides."""
    names = await calls(bus, 3)
    wish = Wish({"instructions": "Be curt."}, reference="original")
    async with serving(bus):
        report = await batch(bus, bus, names, wish)
    told = report.view()
    assert [row["session"] for row in told["sessions"]] == names
    figures = told["figures"]
    assert figures["turns"] == [9, 9]
    assert figures["wer_to_reference"] == [0.0, 0.0]
    assert figures["referenced"] == 3
    assert figures["completion_tokens"][0] == 0
    assert figures["completion_tokens"][1] > 100
    assert figures["unreplayed"] == 0
    assert len(told["waits_ms"][0]) == len(told["waits_ms"][1]) == 9
    assert figures["p50_ms"][0] <= figures["p95_ms"][0]
    for row in told["sessions"]:
        assert row["changed"] == ["instructions"]
        assert row["divergence"] == "turn 1"
        assert is_fork(row["fork"])
        assert await bus.info(row["fork"]) is not None


async def test_what_is_done_is_not_done_again(bus: Bus) -> None:
    """Stopped after the first ones, the same wish finds them, and does the rest; another wish finds none."""
    names = await calls(bus, 3)
    wish = Wish({"llm.seed": 3})
    seen: list[AtWork] = []

    async def until_two(at: AtWork) -> None:
        seen.append(at)
        if at.done == 2:
            raise AntiphonError("enough")

    async with serving(bus):
        with pytest.raises(AntiphonError, match="enough"):
            await batch(bus, bus, names, wish, at_once=1, tell=until_two)
        kept = [one.session for one in await bus.closed() if is_fork(one.session)]
        assert len(kept) == 2
        report = await batch(bus, bus, names, wish, tell=_into(seen))
        assert seen[-1] == AtWork(3, 3, 2, seen[-1].session)
        assert len(report.whole) == 3
        await batch(bus, bus, names, wish.again(), tell=_into(seen))
        assert seen[-1].found == 0


def _into(seen: list[AtWork]) -> Any:
    async def tell(at: AtWork) -> None:
        seen.append(at)

    return tell


async def test_one_that_fails_is_told_and_the_others_go_on(bus: Bus) -> None:
    """A session that is no more, and one that begins nowhere."""
    names = await calls(bus, 1)
    async with serving(bus):
        report = await batch(bus, bus, ["gone", *names], Wish({"llm.seed": 3}))
    assert [row.error for row in report.rows] == ["there is no session gone any more", ""]
    assert report.figures()["unreplayed"] == 1


async def test_turn_taking_alone_needs_no_workers(bus: Bus) -> None:
    """Its forks are made of what was recorded; fewer are cut in upon."""
    hasty = AGENT.model_copy(update={"turn_taking": AGENT.turn_taking.model_copy(update={"commit_max": 0.4})})
    await recorded_call(bus, "hasty", PAUSING, agent=hasty, until=9.0)
    report = await batch(bus, bus, ["hasty"], Wish({"turn_taking.commit_max": 2.0, "turn_taking.commit_min": 1.5}))
    (row,) = report.rows
    assert row.error == ""
    assert list(row.figures["cut_ins"]) == [1, 0]
    assert row.verdict == "better"
    assert report.figures()["better"] == 1


async def test_a_wrong_setting_is_refused_of_each(bus: Bus) -> None:
    """With the sentence that names it."""
    names = await calls(bus, 1)
    report = await batch(bus, bus, names, Wish({"llm.temprature": 1}))
    assert "temprature" in report.rows[0].error


async def test_forks_and_what_goes_on_are_no_sessions_of_a_batch(bus: Bus) -> None:
    """Of what is wanted, the latest; that there are more is told."""
    names = await calls(bus, 3)
    async with serving(bus):
        await batch(bus, bus, names, Wish({"llm.seed": 3}))
    found, more = await sessions_for(bus, None, 10)
    assert sorted(found) == names
    assert not more
    assert await sessions_for(bus, Wanted(agent="desk"), 10) == (["call-0"], False)
    assert (await sessions_for(bus, None, 2))[1]


async def test_cancelled_it_leaves_nothing_half_done(bus: Bus) -> None:
    """What was being made is not kept under its name, so that the next makes it whole."""
    names = await calls(bus, 1)
    begun = asyncio.Event()

    async def tell(at: AtWork) -> None:
        if at.going is not None and at.going.done:
            begun.set()

    slow = QUICK.model_copy(update={"llm_ms": 400.0})
    async with serving(bus, simulation=slow):
        task = asyncio.create_task(batch(bus, bus, names, Wish({"llm.seed": 3}), tell=tell))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [one.session for one in await bus.closed()] == names
    assert await bus.sessions() == []
