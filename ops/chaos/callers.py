"""People who keep talking while everything dies: they speak, type, interrupt, lose the line and come back with their ticket."""

import asyncio
import contextlib
import random
import time
from collections.abc import Sequence

from ops.people.caller import Caller
from ops.people.person import CallError
from schemas.access.tokens import Grant, mint
from schemas.audio import Pcm
from schemas.client import SpeechMessage, TurnMessage, TypedMessage

_PATIENCE = 25.0  # seconds a caller waits for a turn to end before it goes on with the next
_HEARD_WITHIN = 8.0
_COMES_BACK_FOR = 28.0  # the session waits 30 s for its client


class Crowd:
    """`count` callers at a time, each one session after another, until `stop`. Half of them say who they are, of the others only
    the token (signed with `secret`) does; all come back as who they were."""

    def __init__(self, gateways: Sequence[str], lines: Sequence[Pcm], count: int, seed: int, secret: str):
        self._gateways = gateways
        self._secret = secret
        self._lines = lines
        self._count = count
        self._random = random.Random(seed)
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.sessions: set[str] = set()
        self.returns = 0
        self.asked = 0
        self.not_heard: list[str] = []
        """Who spoke when all was calm again, and wasn't heard."""

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._live(number)) for number in range(self._count)]

    async def stop(self, patience: float) -> None:
        """No new turns; everybody hangs up, or is cut off after `patience` seconds."""
        self._stopping.set()
        _, late = await asyncio.wait(self._tasks, timeout=patience)
        for task in late:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _live(self, number: int) -> None:
        chance = random.Random(self._random.random())
        while not self._stopping.is_set():
            name = f"caller-{number}"
            by_token = number % 2 == 0
            token = mint(self._secret, Grant(participant=name if by_token else ""))
            caller = Caller(
                chance.choice(self._gateways), participant="" if by_token else name, rate=16_000, token=token
            )
            try:
                with contextlib.suppress(CallError, ConnectionError, OSError):
                    await self._converse(caller, chance)
            finally:
                with contextlib.suppress(Exception):
                    await caller.aclose()
            if caller.session:
                self.sessions.add(caller.session)
            await asyncio.sleep(chance.uniform(0.05, 0.3))

    async def _converse(self, caller: Caller, chance: random.Random) -> None:
        await caller.connect()
        self.sessions.add(caller.session)
        for _ in range(chance.randint(2, 5)):
            if self._stopping.is_set():
                break
            await self._turn(caller, chance)
        if await self._present(caller, chance):
            if self._stopping.is_set():
                await self._is_heard(caller)
            await caller.hang_up()

    async def _is_heard(self, caller: Caller) -> None:
        """Nothing dies any more: whoever speaks now is heard by the session that was theirs all along."""
        began = time.monotonic()
        with contextlib.suppress(ConnectionError, OSError, TimeoutError):
            async with asyncio.timeout(10):
                await caller.speak(self._lines[0])
        heard = await caller.wait_for(SpeechMessage, _HEARD_WITHIN, began)
        self.asked += 1
        if heard is None and caller.connected:
            told = [f"{when - began:+.1f} s {message.type}" for when, message in caller.messages[-8:]]
            self.not_heard.append(
                f"{caller.session}: its caller spoke and was not heard; it was told {', '.join(told)}"
            )

    async def _turn(self, caller: Caller, chance: random.Random) -> None:
        """Say or type something, sometimes over the agent, sometimes drop the line; wait for the turn to end."""
        if not await self._present(caller, chance):
            return
        began = time.monotonic()
        with contextlib.suppress(ConnectionError, OSError, asyncio.TimeoutError):
            if chance.random() < 0.5:
                async with asyncio.timeout(10):
                    await caller.speak(chance.choice(self._lines))
            else:
                await caller.send(TypedMessage(type="message", text=f"number {chance.randint(1, 999)} please"))
        if chance.random() < 0.15:
            await caller.drop()
        end = began + (chance.uniform(0.3, 2.0) if chance.random() < 0.3 else _PATIENCE)
        while time.monotonic() < end and not self._stopping.is_set() and await self._present(caller, chance):
            if await caller.wait_for(TurnMessage, min(1.0, end - time.monotonic()), began):
                return

    async def _present(self, caller: Caller, chance: random.Random) -> bool:
        """Connected, or connected again with the ticket; False when the session is over."""
        end = time.monotonic() + _COMES_BACK_FOR
        while not caller.connected:
            if caller.ended.is_set() or time.monotonic() > end:
                return False
            await caller.drop()
            try:
                await caller.connect(chance.choice(self._gateways))
                self.returns += 1
            except CallError as error:
                if "session" in str(error) and "over" in str(error):
                    return False
                await asyncio.sleep(0.2)
        return True
