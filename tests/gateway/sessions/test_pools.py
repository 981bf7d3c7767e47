"""A stage without workers is told of: in figures, on the health page, in the log; and where it is asked for, to who calls."""

import asyncio
import logging
from collections.abc import Sequence

import pytest
from aiohttp import WSCloseCode

from gateway.rooms.memory.room import MemoryRoom
from gateway.sessions.pools import EVERY, GRACE
from gateway.sessions.reception import Refused
from schemas.bus import Publication, StageSeen
from schemas.client import ErrorMessage
from schemas.config.agent import AgentSpec
from schemas.errors import BusUnavailable
from schemas.events import POOLS, STAGES, SessionStarted, Stage
from schemas.jobs import ToolJob
from schemas.log import MemoryBus
from tests.gateway.door import door
from tests.gateway.rig import Rig, rig
from workers.testing import LoopClock, virtually


class Deployment(MemoryBus):
    """`there`: stages that have a worker, which looks for jobs all the time; `away`: the log doesn't answer such questions."""

    def __init__(self, there: Sequence[Stage] = STAGES) -> None:
        super().__init__(clock=LoopClock())
        self.there, self.away = set(there), False

    async def stages(self) -> list[StageSeen]:
        if self.away:
            raise BusUnavailable("the line is cut")
        for stage in POOLS:
            if stage in self.there:
                await self.take(stage, 0, f"{stage}-1", 1)
            else:
                await self.retire(stage, 0, f"{stage}-1")
        return await super().stages()


def warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "antiphon.gateway.pools"]


def backlog(gateway: Rig) -> list[str]:
    lines = gateway.house.metrics.text().decode().splitlines()
    return [line for line in lines if line.startswith(("antiphon_queue_", "antiphon_workers{"))]


@virtually
async def test_a_stage_that_loses_its_workers_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """Not for the second in which one replaces another; then once, and once when they are back."""
    caplog.set_level(logging.INFO, "antiphon.gateway.pools")
    log = Deployment()
    async with rig(log) as gateway:
        pools = gateway.reception.pools
        await asyncio.sleep(2 * EVERY)
        assert pools.told() == []
        log.there.discard("llm")
        await asyncio.sleep(GRACE)
        assert (pools.told(), warned(caplog)) == ([], [])
        await asyncio.sleep(60.0)
        [told] = pools.told()
        assert told.startswith("no llm worker for 6")
        [line] = warned(caplog)
        assert "antiphon worker llm" in line
        log.there.add("llm")
        await asyncio.sleep(2 * EVERY)
        assert pools.told() == []
        assert warned(caplog) == [line, "there are llm workers again"]


@virtually
async def test_workers_may_take_their_time_to_start(caplog: pytest.LogCaptureFixture) -> None:
    """A gateway that comes first says on its page what is missing, and leaves its log alone while models load."""
    caplog.set_level(logging.INFO, "antiphon.gateway.pools")
    log = Deployment([])
    async with rig(log) as gateway:
        await asyncio.sleep(10.0)
        assert [told.split()[1] for told in gateway.reception.pools.told()] == list(STAGES)
        assert warned(caplog) == []
        log.there.update(STAGES)
        await asyncio.sleep(10.0)
        assert warned(caplog) == []


@virtually
async def test_the_backlog_is_in_the_figures() -> None:
    """Of each stage; and nothing at all while the log does not tell: the last figure is none of now."""
    log = Deployment(["stt", "tts"])
    async with rig(log) as gateway:
        await gateway.open(AgentSpec(greeting="Hello."))
        await asyncio.sleep(2 * EVERY)
        told = backlog(gateway)
        assert 'antiphon_workers{stage="llm"} 0.0' in told
        assert 'antiphon_workers{stage="stt"} 1.0' in told
        assert len(told) == 4 * len(STAGES)
        log.away = True
        await asyncio.sleep(2 * EVERY)
        assert backlog(gateway) == []
        assert gateway.reception.pools.told() == []


@virtually
async def test_the_tools_pool_is_one_where_there_is_one(caplog: pytest.LogCaptureFixture) -> None:
    """It has figures of its own; that nobody is there matters while something waits, and to no session that begins."""
    caplog.set_level(logging.INFO, "antiphon.gateway.pools")
    log = Deployment(POOLS)
    async with rig(log) as gateway:
        await asyncio.sleep(2 * EVERY)
        assert 'antiphon_workers{stage="tools"} 1.0' in backlog(gateway)
        await gateway.open(AgentSpec(greeting="Hello."))
        log.there.discard("tools")
        await asyncio.sleep(60.0)
        assert not [line for line in backlog(gateway) if "tools" in line]
        assert gateway.reception.pools.missing() == {}
        called = {"turn": 1, "reply": 0, "call": "1.0.0", "name": "book", "arguments": {}, "timeout": 5.0}
        job = ToolJob(id="tools/1.0.0", session="s9", deadline=600.0, **called)  # type: ignore[arg-type]
        started = SessionStarted(room="r", transport="memory", agent=AgentSpec(), gateway="gw")
        await log.open("s9", "gw", "open s9", [started])
        await log.publish("s9", 1, Publication(1, [], [job]))
        await asyncio.sleep(20.0)
        assert 'antiphon_queue_jobs{stage="tools"} 1.0' in backlog(gateway)
        assert list(gateway.reception.pools.missing()) == ["tools"]
        assert gateway.reception.pools.told() == []
        [line] = warned(caplog)
        assert "what agents are to do waits (1 jobs now); start one: antiphon worker tools" in line


@virtually
@pytest.mark.parametrize("needed", [True, False])
async def test_nobody_is_let_in_to_wait_where_that_is_set(needed: bool) -> None:
    """GATEWAY_NEEDS_WORKERS: a new session is refused with a reason that names nothing of ours; else it begins and waits."""
    log = Deployment(["stt", "tts"])
    async with rig(log) as gateway:
        gateway.reception.needs_workers = needed
        await asyncio.sleep(2 * EVERY)
        if not needed:
            await gateway.open()
            return
        with pytest.raises(Refused, match="nobody is here to answer just now") as refusal:
            await gateway.reception.open("s1", MemoryRoom(gateway.clock), AgentSpec())
        assert refusal.value.code == "workers"
        assert await log.info("s1") is None
        log.there.add("llm")
        await asyncio.sleep(2 * EVERY)
        await gateway.open()


async def test_a_client_is_told_by_a_code() -> None:
    """`workers`, and that it may try again (1013)."""
    async with door() as gateway:
        gateway.reception.needs_workers = True
        await gateway.reception.pools.look()
        client, refused = await gateway.begin()
        assert isinstance(refused, ErrorMessage)
        assert (refused.code, refused.fatal) == ("workers", True)
        await client.receive()
        assert client.close_code == WSCloseCode.TRY_AGAIN_LATER
        assert b'antiphon_gateway_refused_total{reason="workers"} 1.0' in gateway.reception.house.metrics.text()
