"""`antiphon chaos --rooms`: a real LiveKit server and Valkey, gateways that sit in its rooms, people who converse there by
LiveKit's own client. A gateway is killed in the middle of a reply, over and over; now and then one is stopped instead, and wakes
as a zombie once another has its room. Recovery is from the kill until the agent sounds again in the same room. Then the judge
reads the logs, and what people heard is compared with them.
"""

import asyncio
import contextlib
import random
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from redis.asyncio import Redis

from ops.bench.figures import milliseconds
from ops.chaos.guest import Guest
from ops.chaos.judge import judge, settled
from ops.chaos.run import LINES, listening
from ops.chaos.sounds import Hit, misheard
from ops.demo.script import line
from ops.people.livekit_caller import CallerBus
from ops.stack.embedded.livekit import LiveKit, build_if_missing
from ops.stack.embedded.valkey import Valkey
from ops.stack.processes import KeptProcess, Kind, Role, preload, simulated
from ops.stack.system import free_port
from schemas.access.livekit import Access
from schemas.config.settings import Settings
from schemas.events import STAGES, Event
from schemas.log import connected

_COSTS = {
    "STT_MS": "100",
    "LLM_MS": "50",
    "LLM_TOKEN_MS": "10",
    "LLM_SENTENCES": "4",
    "TTS_MS": "50",
    "TTS_CHAR_MS": "40",
}
"""A reply of four sentences of one to two seconds: a kill in the first leaves three to be said."""
_INTO_IT = (0.5, 1.2)
"""Seconds a reply has sounded when its gateway is killed."""
_LEASE = 2.0
_TAKEN_OVER_WITHIN = _LEASE + 13.0  # seconds; later is never
_A_REPLY_WITHIN = 60.0
_ZOMBIE_EVERY = 5
"""Kills to one gateway that is stopped and wakes."""
_ENDS_WITHIN = 20.0
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class RoomChaos:
    kills: int = 20
    rooms: int = 2
    gateways: int = 3
    seed: int = 1
    keep: Path | None = None


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Of a gateway killed, or stopped, while it spoke to `guest`. `after`: seconds until the agent sounded again, if ever."""

    guest: Guest
    hit: Hit
    after: float | None
    zombie: bool

    def wrong(self, events: Sequence[Event]) -> list[str]:
        if self.after is None:
            return [f"turn {self.hit.turn} was not gone on with within {_TAKEN_OVER_WITHIN:.0f} s"]
        return misheard(self.hit, self.guest.sounds, events)


async def chaos(options: RoomChaos, say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Answers `kills recovery_p95_ms violations` and what explains them."""
    await build_if_missing()
    with contextlib.ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="antiphon-chaos-")))
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        async with (
            Valkey(folder / "valkey", free_port(), "always") as log,
            LiveKit(folder / "livekit", log.url) as server,
            connected(Settings(redis_url=log.url)) as bus,
            Redis.from_url(log.url) as redis,
        ):
            run = _Run(options, folder, bus, redis, say)
            try:
                return await run.run({"REDIS_URL": log.url, **server.environment}, server)
            finally:
                await run.stop()


class _Run:
    def __init__(self, options: RoomChaos, folder: Path, bus: CallerBus, redis: Redis, say: Callable[[str], None]):
        self._options, self._folder, self._bus, self._redis, self._say = options, folder, bus, redis, say
        self._random = random.Random(options.seed)
        self._gateways: list[KeptProcess] = []
        self._workers: list[KeptProcess] = []
        self._guests: list[Guest] = []
        self._conversations: list[asyncio.Task[None]] = []
        self._taken: list[TakeOver] = []

    async def run(self, environment: dict[str, str], server: LiveKit) -> dict[str, Any]:
        await self._start(environment)
        await self._invite(Access(server.url, server.api_key, server.api_secret))
        self._say(f"killing {self._options.kills} gateways in the middle of replies …")
        kills = 0
        while kills < self._options.kills:
            zombie = len(self._taken) % (_ZOMBIE_EVERY + 1) == _ZOMBIE_EVERY
            await self._hit(zombie)
            kills += not zombie
        self._say("no more kills; reading the logs …")
        return self._figures(*await self._judged())

    async def stop(self) -> None:
        for task in self._conversations:
            task.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)
        await asyncio.gather(*(guest.aclose() for guest in self._guests), return_exceptions=True)
        await asyncio.gather(*(process.stop(3.0) for process in [*self._gateways, *self._workers]))

    # ── who takes part ───────────────────────────────────────────────────────────────────────────────────────────────

    async def _start(self, environment: dict[str, str]) -> None:
        preload("gateway.rooms.livekit.door")
        shared = environment | {"LOG_LEVEL": "info", "HEALTH_PORT": "0", "DRAIN": "2", "LEASE": str(_LEASE)}
        shared |= simulated(_COSTS)

        async def begin(name: str, kind: Kind, **more: str) -> KeptProcess:
            return await asyncio.to_thread(
                KeptProcess, Role(name, kind, shared | more, self._folder / "logs" / f"{name}.log")
            )

        self._workers = [await begin(stage, stage) for stage in STAGES]
        ports = [free_port() for _ in range(self._options.gateways)]
        for number, port in enumerate(ports):
            self._gateways.append(await begin(f"gateway-{number}", "gateway", GATEWAY_PORT=str(port)))
        for port in ports:
            await listening(port)

    async def _invite(self, access: Access) -> None:
        lines = [line(name) for name in LINES]
        for number in range(self._options.rooms):
            guest = Guest(access, self._bus, f"guest-{number}", lines, self._random.randrange(1 << 30))
            self._guests.append(guest)
            await guest.connect()
            self._conversations.append(asyncio.create_task(guest.converse()))

    # ── a kill ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _hit(self, zombie: bool) -> None:
        guest = await self._somebody_spoken_to()
        gateway = await self._gateway_of(guest)
        known = guest.sounds.tracks
        hit = Hit(guest.sounds.begins[-1][1], time.monotonic(), known)
        if zombie:
            gateway.signal(signal.SIGSTOP)
        else:
            await gateway.kill()
        again = await self._until(lambda: guest.sounds.first_by_another(known, hit.when), _TAKEN_OVER_WITHIN)
        after = again - hit.when if again else None
        self._taken.append(TakeOver(guest, hit, after, zombie))
        if zombie:
            gateway.signal(signal.SIGCONT)
        how = "stopped" if zombie else "killed"
        self._say(f"{guest.session}: {how}, " + (f"{after:.2f} s" if after else "never"))

    async def _somebody_spoken_to(self) -> Guest:
        """A room in which a reply has sounded for long enough, and not too long."""
        least = self._random.uniform(*_INTO_IT)
        used = {(one.guest, one.hit.turn) for one in self._taken}

        def now() -> Guest | None:
            for guest in self._guests:
                since = guest.speaking_since
                if since is None or (guest, guest.sounds.begins[-1][1]) in used:
                    continue
                if least <= time.monotonic() - since <= _INTO_IT[1] + 0.3:
                    return guest
            return None

        found = await self._until(now, _A_REPLY_WITHIN)
        if found is None:
            raise TimeoutError(f"for {_A_REPLY_WITHIN:.0f} s nobody was spoken to; see {self._folder}/logs (--keep)")
        return found

    async def _gateway_of(self, guest: Guest) -> KeptProcess:
        info = await self._bus.info(guest.session)
        assert info is not None, f"{guest.session} is not in the log"
        return next(one for one in self._gateways if f"-{one.pid}-" in info.owner)

    @staticmethod
    async def _until(come: Callable[[], _Found | None], seconds: float) -> _Found | None:
        end = time.monotonic() + seconds
        while (found := come()) is None and time.monotonic() < end:
            await asyncio.sleep(0.02)
        return found

    # ── afterwards ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _judged(self) -> tuple[int, list[str]]:
        for guest in self._guests:
            guest.stop()
        await asyncio.wait(self._conversations, timeout=_ENDS_WITHIN)
        found = []
        for taken in self._taken:
            wrong = taken.wrong(await self._bus.read(taken.guest.session))
            found += [f"{taken.guest.session}: {line}" for line in wrong]
        for guest in self._guests:
            found += [f"{guest.session}: {line}" for line in guest.sounds.at_once()]
            if len(guest.sessions) != 1:
                found.append(f"room {guest.room_name} had the sessions {sorted(guest.sessions)}; it should have one")
            await guest.hang_up()
        drained = await settled(self._redis, _ENDS_WITHIN)
        sessions, violations = await judge(self._bus, self._redis)
        found += violations
        if sessions != len(self._guests):
            found.append(f"{sessions} sessions for {len(self._guests)} rooms")
        if not drained:
            found.append(f"not drained within {_ENDS_WITHIN:.0f} s")
        return sessions, found

    def _figures(self, sessions: int, violations: Sequence[str]) -> dict[str, Any]:
        killed = [one.after or _TAKEN_OVER_WITHIN for one in self._taken if not one.zombie]
        return {
            "kills": len(killed),
            "recovery_p95_ms": milliseconds(killed, 95),
            "violations": len(violations),
            "recovery_p50_ms": milliseconds(killed, 50),
            "recovery_max_ms": milliseconds(killed, 100),
            "zombies": sum(one.zombie for one in self._taken),
            "rooms": len(self._guests),
            "sessions": sessions,
            "turns": sum(guest.turns for guest in self._guests),
            "first_violations": list(violations[:10]),
        }
