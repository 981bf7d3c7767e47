"""One suite, two implementations: what the log promises, whoever keeps it."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from schemas.log.library import without_ownership
from tests.schemas.log.harness import Harness, MemoryHarness, RedisHarness, SharedServer
from tests.schemas.log.machine.model import COMMITTED_TWICE, NOT_THE_OWNERS
from tests.schemas.log.machine.whole import LogMachine

QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@pytest.fixture(scope="module")
def server() -> Iterator[SharedServer]:
    shared = SharedServer()
    yield shared
    shared.close()


class OnMemory(LogMachine):
    def harness(self) -> Harness:
        return MemoryHarness()


@pytest.mark.timeout(300)
def test_memory_keeps_the_promises() -> None:
    """Whatever workers, gateways, callers and failovers do, the in-memory log keeps every promise of the model."""
    run_state_machine_as_test(
        OnMemory,
        settings=settings(max_examples=100, stateful_step_count=50, deadline=None, suppress_health_check=QUIET),
    )


@pytest.mark.timeout(300)
def test_redis_keeps_the_promises(server: SharedServer) -> None:
    """Whatever workers, gateways, callers and failovers do, the log on a real server keeps every promise of the model."""
    url = server.server.url

    class OnRedis(LogMachine):
        def harness(self) -> Harness:
            return RedisHarness(url)

    run_state_machine_as_test(
        OnRedis,
        settings=settings(max_examples=60, stateful_step_count=50, deadline=None, suppress_health_check=QUIET),
    )


@pytest.mark.timeout(120)
def test_the_suite_finds_a_missing_fence(server: SharedServer) -> None:
    """With the ownership check removed from the function library, the same suite sees commits that must not be."""
    url = server.server.url

    class OnMutant(LogMachine):
        def harness(self) -> Harness:
            return RedisHarness(url, library=without_ownership())

        def end_in_order(self) -> None:
            """Not asked for: it would name what came of such a commit, a job lost perhaps."""

    quick = settings(
        max_examples=100,
        stateful_step_count=50,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=QUIET,
    )
    with pytest.raises(AssertionError, match=f"^({NOT_THE_OWNERS}|{COMMITTED_TWICE})"):
        run_state_machine_as_test(OnMutant, settings=quick)
