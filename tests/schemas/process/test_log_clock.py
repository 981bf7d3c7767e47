"""The log's clock beside a machine's."""

import asyncio

import pytest

from schemas.clock import Micros
from schemas.errors import BusUnavailable
from schemas.process.log_clock import LogClock, apart_in_words


class Log:
    """Whose time is told."""

    time = 1_000_000.0
    is_away = False

    async def now(self) -> Micros:
        if self.is_away:
            raise BusUnavailable("gone")
        return Micros(round(self.time * 1e6))


async def test_it_is_the_logs_once_that_was_asked() -> None:
    """Before, this machine's; and a moment that the answer took is no difference."""
    log, here = Log(), [996_401.0]
    clock = LogClock(lambda: here[0])
    assert (clock.now(), clock.told()) == (996_401.0, [])
    await clock.look(log)
    here[0] += 10
    assert clock.now() == pytest.approx(1_000_010.0)
    assert "this machine's is 60 min behind" in clock.told()[0]
    here[0] = log.time + 0.4
    await clock.look(log)
    assert (clock.now(), clock.told()) == (here[0], [])


async def test_a_log_that_is_away_tells_it_later() -> None:
    """What was known holds until then."""
    log, clock = Log(), LogClock(lambda: 1_007_200.0)
    await clock.look(log)
    log.is_away = True
    following = asyncio.create_task(clock.follow(log))
    await asyncio.sleep(0)
    assert not following.done()
    assert clock.apart == -7_200.0
    following.cancel()
    with pytest.raises(BusUnavailable):
        await clock.look(log)


@pytest.mark.parametrize(
    ("seconds", "words"), [(7_300, "2.0 h ahead"), (-90, "2 min behind"), (-5, "5 s behind"), (59.4, "59 s ahead")]
)
def test_in_words(seconds: float, words: str) -> None:
    """As short as it can be said."""
    assert apart_in_words(seconds) == words
