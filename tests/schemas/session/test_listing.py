"""Sessions in a line each, and many of them in figures."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from schemas.bus import SessionInfo
from schemas.clock import Micros
from schemas.events import Event, TurnEnded
from schemas.session.figures import figures, over_time, spread
from schemas.session.listing import Kept, Row, Rows
from schemas.session.summary import Telling, Wanted
from tests.archive import Archive
from tests.golden import scenarios


class Growing(Archive):
    """One open session, of which `there` events are there; `reads`: what was asked for."""

    def __init__(self, log: list[Event], there: int) -> None:
        super().__init__(log)
        self.log, self.reads = log, list[int]()
        self.grow(there)

    def grow(self, there: int) -> None:
        self.logs["s1"] = self.log[:there]

    async def read(self, session: str, after: int = 0, count: int | None = None) -> list[Event]:
        self.reads.append(after)
        return await super().read(session, after, count)

    async def sessions(self, count: int = 100) -> list[SessionInfo]:
        info = await self.info("s1")
        assert info is not None
        return [replace(info, state="open")]

    async def closed(self, count: int = 100) -> list[SessionInfo]:
        return []


async def rows_of(log: Kept, wanted: Wanted | None = None) -> list[Row]:
    return [row async for row in Rows(log).each(wanted)]


async def test_a_row_tells_what_the_whole_log_tells() -> None:
    """Read again as it grows, only what is new is read, and the row is that of the whole; where the log loses its tail, too."""
    log = scenarios.barge_in()
    kept = Growing(log, 8)
    rows = Rows(kept)
    for there in (8, 20, len(log) - 1, 5, len(log) - 1):
        kept.grow(there)
        kept.reads.clear()
        ((row,), more) = await rows.latest(5)
        whole = Telling("s1")
        for event in log[:there]:
            whole.add(event)
        assert (row.told, more) == (whole.summary(), False)
        assert list(row.answers) == whole.answers
        assert kept.reads == {8: [0], 20: [7], 5: [len(log) - 2, 0]}.get(there, kept.reads)
    kept.reads.clear()
    await rows.latest(5)
    assert kept.reads == []


async def test_only_those_that_are_wanted() -> None:
    """By agent, by what went wrong, by how slow the worst answer was, by when they began; and how many at most."""
    log = Archive(scenarios.plain(), scenarios.barge_in(), scenarios.fallback(), scenarios.unanswered())

    async def found(wanted: Wanted | None = None) -> list[str]:
        return [row.told.session for row in await rows_of(log, wanted)]

    assert await found() == ["s1", "s2", "s3", "s4"]
    assert await found(Wanted(failed=True)) == ["s3", "s4"]
    assert await found(Wanted(agent="nobody")) == []
    assert await found(Wanted(state="open")) == []
    worst = max((row for row in await rows_of(log) if row.told.worst), key=lambda row: row.told.worst or 0)
    assert await found(Wanted(slow=worst.told.worst or 0)) == ["s2", "s4"]
    assert await found(Wanted(since=worst.told.at + 10**9)) == []
    latest, more = await Rows(log).latest(2)
    assert ([row.told.session for row in latest], more) == (["s1", "s2"], True)


async def test_an_answer_took_as_long_as_is_told() -> None:
    """Who asks for calls that took as long as a list says of one finds that one, whatever was rounded up to say so."""
    told = replace((await rows_of(Archive(scenarios.plain())))[0].told, worst=1.239961)
    assert told.view()["worst_ms"] == 1240.0
    assert [Wanted(slow=ms / 1e3).finds(told) for ms in (1239.9, 1240, 1240.1, 1241)] == [True, True, False, False]


async def test_figures_of_many_calls() -> None:
    """Counts are sums over the calls, and add up to the turns; what was heard of answers is spread over all of them, part by
    part, as numpy counts percentiles. An answer that was cut short is none that was heard to its end."""
    rows = await rows_of(Archive(*(scenario() for scenario in scenarios.SOUND)))
    told = figures(rows)
    answers = [answer for row in rows for answer in row.answers]
    assert (told.calls, told.timed) == (len(scenarios.SOUND), len(answers))
    assert 0 < told.answered == sum(answer.how == "played" for answer in answers) < told.timed
    assert told.turns == sum(row.told.turns for row in rows)
    ends = told.answered, told.interrupted, told.restarts, told.failed, told.cut_off, told.other
    assert sum(ends) == told.turns
    (cut,) = await rows_of(Archive(scenarios.barge_in()))
    one = figures([cut])
    assert (one.turns, one.answered, one.interrupted, one.other, one.timed) == (2, 1, 1, 0, 2)
    assert told.interrupted == sum(row.told.interrupted for row in rows) > 0
    assert told.failed == sum(row.told.failed for row in rows)
    assert told.total is not None
    totals = [answer.total for answer in answers]
    assert (told.total.p50, told.total.p95) == pytest.approx(np.percentile(totals, [50, 95]))
    assert told.parts["llm"].p95 == pytest.approx(np.percentile([answer.parts[2] for answer in answers], 95))
    nothing = figures([])
    assert (nothing.calls, nothing.total, nothing.parts) == (0, None, {})


def test_a_turn_that_the_end_of_the_call_cut_off_is_counted() -> None:
    """It was neither answered nor failed."""
    log = scenarios.plain()
    ended = next(event for event in log if isinstance(event, TurnEnded))
    cut = ended.model_copy(update={"how": "expired", "reason": "session"})
    telling = Telling("s1")
    for event in log:
        telling.add(cut if event is ended else event)
    told = telling.summary()
    assert (told.cut_off, told.failed) == (1, 0)
    assert (told.view()["cut_off"], told.view()["failed"]) == (1, 0)


async def test_a_reply_that_was_taken_back_is_a_restart_and_no_answer() -> None:
    """It is neither interrupted nor counted among the answers' times, and owes nobody anything; what answered the whole is."""
    log = scenarios.taken_back()
    telling = followed(log)
    told = telling.summary()
    assert (told.turns, told.restarts, told.interrupted, told.unanswered, told.wrong) == (2, 1, 0, 0, False)
    assert [answer.turn for answer in telling.answers] == [2]
    assert (told.view()["restarts"], telling.apart().summary()) == (1, told)
    (row,) = await rows_of(Growing(log, len(log)))
    assert figures([row, row]).view()["restarts"] == 2


def followed(log: list[Event]) -> Telling:
    telling = Telling("s1")
    for event in log:
        telling.add(event)
    return telling


@pytest.mark.parametrize("scenario", scenarios.SOUND, ids=lambda scenario: scenario.__name__)
def test_many_events_at_once_are_told_as_one_by_one(scenario: Callable[[], list[Event]]) -> None:
    """In whatever pages they come."""
    log = scenario()
    for size in (1, 7, len(log)):
        telling = Telling("s1")
        for begin in range(0, len(log), size):
            telling.add_all(log[begin : begin + size])
        one_by_one = followed(log)
        assert (telling.state, telling.answers) == (one_by_one.state, one_by_one.answers)
        assert telling.summary() == one_by_one.summary()


def test_who_was_let_wait_in_vain_was_not_answered() -> None:
    """Longer than the agent's patience until the end, or at all where no turn was answered: something went wrong. Who hangs up
    before an answer can be there, after others, is no such."""
    log = scenarios.unanswered()
    told = followed(log).summary()
    assert (told.unanswered, told.failed, told.cut_off, told.wrong) == (1, 0, 1, True)
    assert (told.view()["unanswered"], followed(log).apart().summary()) == (1, told)
    sooner = [one.model_copy(update={"at": min(one.at, log[-3].at - 30_000_000)}) for one in log]
    assert followed(sooner).summary().wrong is False
    second = [one for one in sooner if one.turn != 1]
    assert (followed(second).summary().unanswered, followed(second).summary().wrong) == (1, True)


@pytest.mark.parametrize(("reason", "owed"), [("overload", 1), ("noise", 0), ("unaddressed", 0), ("replaced", 0)])
def test_what_needs_no_answer_is_none_that_is_missing(reason: str, owed: int) -> None:
    """A turn dropped because its queue was full was to be answered, however soon it was dropped; noise was not."""
    log = [
        event.model_copy(update={"reason": reason}) if isinstance(event, TurnEnded) and event.turn == 2 else event
        for event in scenarios.unanswered()
    ]
    log = [one.model_copy(update={"at": min(one.at, log[-3].at - 30_000_000)}) for one in log]
    assert followed(log).summary().unanswered == owed


async def test_over_time() -> None:
    """Each answer lies in the one interval in which it was asked for."""
    (answer,) = (await rows_of(Archive(scenarios.plain())))[0].answers
    answers = [replace(answer, at=Micros(answer.at + second * 1_000_000), total=1.0 + second) for second in range(4)]
    intervals = over_time(answers, 4)
    assert [one.spread.p50 if one.spread else None for one in intervals] == [1.0, 2.0, 3.0, 4.0]
    gap = over_time([answers[0], answers[3]], 4)
    assert [one.spread is None for one in gap] == [False, True, True, False]
    assert over_time([], 4) == []


def test_of_one_answer_both_are_itself() -> None:
    """And of none there is no spread."""
    found = spread([0.5])
    assert found is not None
    assert (found.p50, found.p95, spread([])) == (0.5, 0.5, None)
