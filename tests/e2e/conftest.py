"""The real stack, once for all conversations: Valkey, LLM server, real models, one gateway, each a process."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from ops.demo.script import line
from ops.people.caller import Caller
from ops.stack.stack import Plan, Stack
from ops.stack.web_app import ROOT
from schemas.audio import Pcm
from schemas.bus import Bus
from schemas.config.settings import Settings, load
from schemas.events import Event
from schemas.log import connect
from tests.e2e.browsers import InOneRun, has_livekit, lacking
from tests.e2e.llm_proxy import LlmProxy, Mode
from tests.gateway.rooms.sip.baresip import two_free_ports
from tests.servers import unable

_NOISE = {"seq", "at", "by", "trace", "clock", "saw", "cause", "agent"}
"""Of an event, where its story is told."""
AGENTS = Path(__file__).parent / "agents"


@dataclass
class House:
    """The stack, its log, the proxy before its LLM, the port on which it answers phones, and the folder of its agents."""

    stack: Stack
    bus: Bus
    llm: LlmProxy
    phones: int
    agents: Path
    callers: int = 0

    def caller(self, agent: str, **options: Any) -> Caller:
        """Somebody who has an agent of their own: one of ours by another name, which is the `user` of its requests to the LLM."""
        self.callers += 1
        name = f"{agent}-{self.callers}"
        spec = (AGENTS / f"{agent}.toml").read_text() + f'[llm.options]\nuser = "{name}"\n'
        (self.agents / f"{name}.toml").write_text(spec)
        named = {"participant": "ann"} | options  # nobody is called as those are who don't say
        return Caller(self.stack.gateways[0], agent=name, **named)

    async def log(self, session: str) -> list[Event]:
        return await self.bus.read(session)

    async def sessions(self, beginning: str) -> set[str]:
        """Those whose name begins so."""
        return {info.session for info in await self.bus.sessions() if info.session.startswith(beginning)}

    async def told(self, session: str) -> str:
        """The log in a few words an event, for a failing test's message."""
        events = await self.bus.read(session)
        return "\n".join(
            f"{event.at / 1e6 % 1000:8.3f} {event.type} {event.model_dump(exclude_defaults=True, exclude=_NOISE)}"[:260]
            for event in events
        )

    async def event(self, session: str, fits: Callable[[Event], bool], seconds: float = 15.0) -> Event:
        """Wait for an event of the session's log."""
        for _ in range(int(seconds / 0.05)):
            for event in await self.bus.read(session):
                if fits(event):
                    return event
            await asyncio.sleep(0.05)
        said = [event.type for event in await self.bus.read(session)]
        raise AssertionError(f"it never came; the log has {said}")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Workers talk to the LLM through the proxy; the proxy talks to the stack's own server."""
    proxy = LlmProxy()
    await proxy.start()
    folder, phones = tmp_path_factory.mktemp("stack"), two_free_ports()
    (folder / "trunks.toml").write_text(
        '[[trunk]]\nname = "home"\naddresses = ["127.0.0.1"]\nnumbers = { "*" = "greeter" }\n'
    )
    agents = Path(shutil.copytree(AGENTS, folder / "agents"))
    environment = {
        "AGENTS": str(agents),
        "SIP_LISTEN": f"127.0.0.1:{phones}",
        "SIP_TRUNKS": str(folder / "trunks.toml"),
    }
    stack = Stack(Plan(folder, free_ports=True, environment=environment), load(), llm_front=proxy.url)
    proxy.upstream = lambda: stack.llm_base_url  # workers warm up through it while the stack is still starting
    async with stack:
        bus = connect(Settings(redis_url=stack.redis_url))
        await bus.start()
        yield House(stack, bus, proxy, phones, agents)
        await bus.aclose()
        stack.end_at_once()  # nobody is there any more whom a gateway would wait for
    await proxy.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def call(house: House) -> AsyncIterator[Callable[..., Awaitable[Caller]]]:
    """Connect callers, `llm`: how theirs behaves (brief, where the answer itself is not the point: it takes a second, not five).
    Whoever is still there at the end of the test is hung up."""
    callers: list[Caller] = []

    async def connect_one(agent: str = "plain", llm: Mode = "pass", **options: object) -> Caller:
        callers.append(caller := house.caller(agent, **options))
        house.llm.modes[caller.agent] = llm
        await caller.connect()
        return caller

    yield connect_one
    await asyncio.gather(*(caller.hang_up() for caller in callers), return_exceptions=True)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def browsed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, object]]:
    """The stack that browsers are shown, as `antiphon up --json` tells of itself, and its data folder. Gateways of it die."""
    if why := lacking():
        unable(why)
    data = tmp_path_factory.mktemp("browser")
    allowed = json.loads((ROOT / "web" / "e2e" / "environment.json").read_text())
    agents = shutil.copytree(ROOT / "web" / "e2e" / "agents", data / "agents")
    environment = allowed | {"AGENTS": str(agents), "ARCHIVE": "on"}
    plan = Plan(
        data / "up", gateways=2, jobs=1, free_ports=True, api=True, livekit=has_livekit(), environment=environment
    )
    archive = f"sqlite:///{data / 'archive' / 'archive.sqlite'}"  # where commands look that have this data folder
    settings = load(archive="on", archive_url=archive, **{name.lower(): value for name, value in allowed.items()})
    async with Stack(plan, settings) as one:
        yield one.endpoints() | {"processes": one.supervisor.table(), "data": str(data)}
        one.end_at_once()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def run(request: pytest.FixtureRequest, browsed: dict[str, object]) -> AsyncIterator[InOneRun]:
    """Of all files of web/e2e that are asked for: to start Vitest and Chromium for each took a quarter of what they take."""
    asked = [item.callspec.params["file"] for item in request.session.items if item.path == request.path]
    one = InOneRun(asked, browsed)
    yield one
    await one.aclose()


@pytest.fixture(scope="session")
def lines() -> Callable[[str], Pcm]:
    """What the demo's caller says, by name."""
    return line


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(str(item.path)).parent == Path(__file__).parent:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(180))  # ten spoken turns take their time
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)  # before that of auto mode


os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
