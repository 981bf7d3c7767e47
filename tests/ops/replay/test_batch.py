"""Many sessions replayed: what got better and worse; what is done is not done again; nothing stands in the way of the rest."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from ops.replay import batch as many
from ops.replay import stages
from ops.replay._virtual import Virtual
from ops.replay.batch import AtWork, Report, Row, Wish, batch, sessions_for
from ops.replay.scripted import Says
from schemas.bus import Bus
from schemas.errors import AntiphonError
from schemas.session.summary import Wanted, is_fork
from tests.ops.replay.piped import AGENT, QUICK, SCRIPT, recorded_call, serving

PAUSING = (
    Says(
        1.0, "I would like to know whether", ("Sure.", "What is it that you want to know today?"), pause=0.0, sure=0.97
    ),
    Says(3.9, "you have a table for two.", ("Yes, we have.",)),
)


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


async def test_whoever_shares_the_loop_is_not_held_up(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    """A jobs worker renews leases and archives meanwhile: whatever takes long with a long call is done on threads."""
    names = await calls(bus, 1)
    seen: dict[str, set[bool]] = {}

    def watched(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def one(*given: Any, **named: Any) -> Any:
            seen.setdefault(name, set()).add(threading.current_thread() is threading.main_thread())
            return work(*given, **named)

        return one

    for name in ("recorded", "chats", "aligned", "decisions", "_as_kept"):
        monkeypatch.setattr(stages, name, watched(name, getattr(stages, name)))
    for name in ("differences", "row_of"):
        monkeypatch.setattr(many, name, watched(name, getattr(many, name)))
    for name in ("advance", "__init__"):
        monkeypatch.setattr(Virtual, name, watched(name, getattr(Virtual, name)))
    async with serving(bus):
        report = await batch(bus, bus, names, Wish(anew=("stt",)))
    assert [row.error for row in report.rows] == [""]
    assert len(seen) == 9
    assert set().union(*seen.values()) == {False}, seen


async def test_a_session_without_an_end_is_told_and_the_others_go_on(bus: Bus) -> None:
    """Closed, and its log breaks off: nobody knows what is missing."""
    names = await calls(bus, 1)
    events = (await bus.read(names[0]))[:-1]

    async def pages() -> Any:
        yield events

    await bus.take_in("broken", pages())
    assert sorted((await sessions_for(bus, None, 10))[0]) == ["broken", *names]
    async with asyncio.timeout(20), serving(bus):
        report = await batch(bus, bus, ["broken", *names], Wish({"llm.seed": 3}))
    assert [row.error for row in report.rows] == [
        "broken is over, and its log has no session.ended: part of it is lost; it can't be replayed", "",
    ]  # fmt: skip


async def test_which_models_answered_is_told_and_where_that_was_not_meant(bus: Bus) -> None:
    """Before and after, of all sessions; a worker with another model is warned of, and one that was given another meanwhile."""
    names = await calls(bus, 2)
    wish = Wish({"instructions": "Be curt."})
    async with serving(bus, models={"llm": "small"}):
        first = await batch(bus, bus, names[:1], wish)
    told = first.view()
    assert told["models"]["llm"] == [{}, {"small": 1}]
    assert told["sessions"][0]["models"]["llm"] == [[], ["small"]]
    assert told["warnings"] == []  # of the call itself nobody knows which it was
    async with serving(bus, models={"llm": "large"}):
        both = (await batch(bus, bus, names, wish)).view()
        assert both["models"]["llm"] == [{}, {"small": 1, "large": 1}]
        (warning,) = both["warnings"]
        assert warning.startswith("replies: by large and small, mixed: ")
        fork = first.rows[0].fork
        again = (await batch(bus, bus, [fork], Wish({"instructions": "Be long."}))).view()
        assert again["warnings"] == [
            "replies: by small then and large now, which nobody asked for: what differs may come of that"
        ]
        meant = (await batch(bus, bus, [fork], Wish(anew=("llm",)))).view()
        assert (meant["models"]["llm"], meant["warnings"]) == ([{"small": 1}, {"large": 1}], [])


def test_a_model_that_was_asked_for_and_did_not_answer_is_warned_of() -> None:
    """By its name, and whoever answered instead."""
    models: Any = {"stt": ((), ()), "llm": (("small",), ("large",)), "tts": ((), ())}
    row = Row("s1", models=models, named={"stt": "", "llm": "huge", "tts": ""}, other={"llm"})
    assert Report([row, Row("s2", error="gone")]).warnings() == [
        "replies: huge was asked for, and large answered in 1 of 1 sessions"
    ]


async def test_what_is_deleted_while_it_is_replayed_leaves_no_fork(bus: Bus) -> None:
    """It is told in its row, and its fork is given to whoever deletes."""
    names = await calls(bus, 1)
    dropped: list[str] = []

    async def tell(at: AtWork) -> None:
        info = await bus.info(names[0])
        if at.going is not None and info is not None:
            await bus.forget(names[0], info.seq)

    async def drop(fork: str) -> None:
        dropped.append(fork)

    slow = QUICK.model_copy(update={"llm_ms": 400.0})
    async with serving(bus, simulation=slow):
        report = await batch(bus, bus, names, Wish({"llm.seed": 3}), tell=tell, drop=drop)
    assert report.rows[0].error == "call-0 was deleted while it was replayed; so is its fork"
    assert [is_fork(name) for name in dropped] == [True]
