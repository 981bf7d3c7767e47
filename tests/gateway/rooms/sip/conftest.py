"""A gateway that answers phones, in this process: real sockets, the real VAD, a log in memory, pools with a script."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gateway.main import Gateway, start_gateway
from gateway.rooms.sip.door import Phones
from ops.demo.script import line
from schemas.config.settings import Settings
from schemas.events import Event
from schemas.log import MemoryBus
from tests.gateway.pools import CLIP_RATE, Pools
from tests.gateway.rig import ticks
from tests.servers import unable

AGENTS = Path(__file__).parent / "agents"

LOOPBACK = """
[[trunk]]
name = "loopback"
addresses = ["127.0.0.1"]
numbers = { "*" = "greeter", "100" = "plain", "unknown" = "nobody" }
calls_per_second = 100
"""


@dataclass
class Office:
    """`uri`: what is dialled to reach a number here."""

    gateway: Gateway
    pools: Pools
    known: set[str] = field(default_factory=set)

    @property
    def phones(self) -> Phones:
        assert self.gateway.phones is not None
        return self.gateway.phones

    def uri(self, number: str = "1", transport: str = "udp") -> str:
        return f"sip:{number}@127.0.0.1:{self.phones.port}" + (";transport=tcp" if transport == "tcp" else "")

    async def session(self, seconds: float = 5.0) -> str:
        """The name of the next session that is begun."""
        for _ in range(int(seconds / 0.02)):
            found = [*await self.gateway.bus.sessions(), *await self.gateway.bus.closed()]
            fresh = {info.session for info in found} - self.known
            if fresh:
                self.known.add(name := fresh.pop())
                return name
            await asyncio.sleep(0.02)
        raise AssertionError("no session was begun")

    async def event(self, session: str, fits: Callable[[Event], bool], seconds: float = 10.0) -> Event:
        """Wait for an event of a session's log."""
        for _ in range(int(seconds / 0.02)):
            for event in await self.gateway.bus.read(session):
                if fits(event):
                    return event
            await asyncio.sleep(0.02)
        told = "\n".join(str(event)[:200] for event in await self.gateway.bus.read(session))
        raise AssertionError(f"it never came; the log has\n{told}")

    async def ticks(self, count: int) -> None:
        await ticks(self.gateway.house, count)

    async def types(self, session: str) -> list[str]:
        return [event.type for event in await self.gateway.bus.read(session)]


class Tones(Pools):
    """A level without a tone is nothing an Opus encoder would keep. `spoken`: what a person says, over and over, instead."""

    spoken = False

    def sound(self, samples: int, index: int, part: int) -> NDArray[np.int16]:
        if self.spoken:
            return np.resize(line("story"), samples)
        return (4_000 * np.sin(2 * np.pi * 440 / CLIP_RATE * np.arange(samples))).astype(np.int16)


@asynccontextmanager
async def office(
    folder: Path,
    trunks: str = LOOPBACK,
    listen: str = "127.0.0.1:0",
    agents: Path = AGENTS,
    secret: str = "",
    spoken: bool = False,
    **pools: object,
) -> AsyncIterator[Office]:
    file = folder / "trunks.toml"
    file.write_text(trunks)
    settings = Settings(
        gateway_port=0, gateway_token_secret=secret, agents=agents, sip_listen=listen, sip_trunks=file,
        sip_ports="21000-28999", _env_file=None,
    )  # type: ignore[call-arg]  # fmt: skip
    bus = MemoryBus()
    await bus.start()
    async with Tones(bus, **pools) as workers:
        workers.spoken = spoken  # type: ignore[arg-type]
        gateway = await start_gateway(settings, bus)
        try:
            yield Office(gateway, workers)
        finally:
            await gateway.aclose()
            await bus.aclose()


def needs(program: str) -> None:
    """Skip, with the reason, where a phone of Debian's isn't there; CI must not."""
    if shutil.which(program) is None:
        unable(f"{program} is not installed: apt-get install {PACKAGES[program]}")


PACKAGES = {"baresip": "baresip", "linphonec": "linphone-cli", "sipp": "sip-tester"}
