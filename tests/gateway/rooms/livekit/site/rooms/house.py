"""A gateway whose rooms are real LiveKit rooms: real engine, sessions and turn-taking; a memory log, scripted pools."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

import numpy as np
from livekit import api, rtc

from gateway.rooms.livekit.room import LiveKitRoom, join
from gateway.sessions.engine import Engine
from gateway.sessions.house import House
from gateway.sessions.reception import Reception
from gateway.sessions.session import Session
from ops.stack.embedded.livekit import LiveKit
from schemas.audio import AudioRef
from schemas.config.agent import AgentSpec
from schemas.config.agents import Agents
from schemas.events import ClipReady, Event, Word
from schemas.jobs import TtsJob
from schemas.log import MemoryBus
from schemas.process.clock import MonotonicClock
from tests.gateway.pools import CLIP_RATE, Pools
from tests.gateway.rig import LoudnessVad
from tests.gateway.rooms.livekit.site.rooms.human import Human


class SpeakingPools(Pools):
    """Clips that can be heard through a codec: a tone, with one timing for each word; in `parts`, so many words each."""

    timings = True

    async def _speak(self, job: TtsJob, common: dict[str, object]) -> list[Event]:
        written = job.text.split()
        step = self.seconds / len(written)
        each = -(-len(written) // self.parts)
        clips: list[Event] = []
        for part, first in enumerate(range(0, len(written), each)):
            spoken = written[first : first + each]
            samples = int(step * len(spoken) * CLIP_RATE)
            pcm = (6000 * np.sin(2 * np.pi * 300 * np.arange(samples) / CLIP_RATE)).astype(np.int16)
            key = await self.bus.put_blob(job.session, f"{job.id}-{part}", pcm.tobytes())
            words = [Word(text=word, start=step * n, end=step * (n + 1)) for n, word in enumerate(spoken)]
            audio = AudioRef(key=key, rate=CLIP_RATE, samples=samples)
            clips.append(
                ClipReady(
                    **common,  # type: ignore[arg-type]
                    index=job.index,
                    part=part,
                    last=first + each >= len(written),
                    audio=audio,
                    duration=audio.duration,
                    text=job.text,
                    words=words if self.timings else [],
                    phrase=job.phrase,
                )
            )
        return clips


class Rooms:
    """`agent` lets an agent into a room of its own name, `human` a person."""

    def __init__(self, server: LiveKit):
        self.server = server
        self.bus = MemoryBus(clock=MonotonicClock())
        self.house = House(self.bus, MonotonicClock(), LoudnessVad(), "gateway-a")
        self.engine = Engine(self.house, threaded=False)
        self.reception = Reception(self.house, self.engine, Agents())
        self.room = f"room-{secrets.token_hex(4)}"
        self._humans: list[Human] = []
        self._sessions: list[Session] = []

    async def start(self) -> None:
        await self.engine.start()
        self.reception.start()

    async def stop(self) -> None:
        for human in self._humans:
            await human.leave()
        for session in self._sessions:
            session.let_go("lost")
        await asyncio.gather(*(session.room.aclose("lost") for session in self._sessions))
        await self.reception.aclose()
        await self.engine.aclose()

    def token(self, identity: str, *, agent: bool = False, kind: str = "", **options: Any) -> str:
        grants = api.VideoGrants(room_join=True, room=self.room, agent=agent, can_update_own_metadata=True)
        token = api.AccessToken(self.server.api_key, self.server.api_secret).with_identity(identity).with_grants(grants)
        if kind or agent:
            token = token.with_kind(kind or "agent")  # type: ignore[arg-type]
        if "attributes" in options:
            token = token.with_attributes(options["attributes"])
        if "metadata" in options:
            token = token.with_metadata(options["metadata"])
        return token.with_name(options.get("name", "")).to_jwt()

    async def join(self, spec: AgentSpec | None = None, identity: str = "antiphon", **options: Any) -> LiveKitRoom:
        return await join(
            self.server.url,
            self.token(identity, agent=True),
            clock=self.house.clock,
            agent=spec or AgentSpec(),
            **options,
        )

    async def agent(self, spec: AgentSpec | None = None, **options: Any) -> tuple[Session, LiveKitRoom]:
        room = await self.join(spec, **options)
        session = await self.reception.open(f"lk-{secrets.token_hex(4)}", room, spec or AgentSpec())
        self._sessions.append(session)
        return session, room

    async def human(self, identity: str = "ann", *, microphone: bool = True, **options: Any) -> Human:
        human = Human(identity)
        self._humans.append(human)
        await human.join(self.server.url, self.token(identity, **options), microphone=microphone)
        return human

    def people(self, room: LiveKitRoom) -> list[rtc.RemoteParticipant]:
        """Whom the agent's client sees."""
        assert room._connection is not None
        return list(room._connection.room.remote_participants.values())

    def heard(self, room: LiveKitRoom) -> list[rtc.RemoteTrackPublication]:
        """What the agent's client has of their tracks."""
        return [one for person in self.people(room) for one in person.track_publications.values() if one.track]

    async def log(self, session: Session) -> list[Event]:
        return await self.bus.read(session.name)

    async def event(self, session: Session, kind: type[Any], fits: Callable[[Any], bool] = lambda _: True) -> Any:
        """Wait for an event of the session's log."""
        for _ in range(400):
            for event in await self.bus.read(session.name):
                if isinstance(event, kind) and fits(event):
                    return event
            await asyncio.sleep(0.02)
        raise AssertionError(
            f"no {kind.__name__}; the log has {[event.type for event in await self.bus.read(session.name)]}"
        )
