"""What `bench peers` needs around the peers: their environment, the servers all of them use, a room, what each tells of turns."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
from livekit import api, rtc

from ops.bench._harm import Taken
from ops.people.livekit_caller import LiveKitCaller
from ops.stack.embedded.livekit import LiveKit, build_if_missing
from ops.stack.supervisor import ANTIPHON
from ops.stack.system import dying_with_parent, free_port
from schemas.access.livekit import Access
from schemas.config.agent import AgentSpec
from schemas.config.settings import load
from schemas.errors import AntiphonError

HERE = Path(__file__).parent / "peer-agents"
_UP_WITHIN = 180.0  # seconds


class PeersError(AntiphonError):
    """They can't be installed, or don't come up; in a sentence."""


@dataclass(frozen=True, slots=True)
class Peer:
    """`script`: of its agent, in HERE; `arguments`: of that; `environment`: what it is told besides; `ready`: what it says once
    it can take a call; `dispatched`: it takes new rooms by itself."""

    name: str
    script: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] | None = None
    ready: str = "ready"
    dispatched: bool = True


@dataclass(frozen=True, slots=True)
class Servers:
    """What every peer uses: rooms, and our models. `llm`, `speech`: OpenAI-compatible, with /v1."""

    livekit: LiveKit
    llm: str
    speech: str
    folder: Path

    @property
    def access(self) -> Access:
        return Access(self.livekit.url, self.livekit.api_key, self.livekit.api_secret)


def installed(folder: Path) -> str:
    """The Python of the peers' environment in `folder`, made when it is first wanted. PeersError."""
    made = subprocess.run(
        [str(HERE / "install.sh"), str(folder.absolute())], capture_output=True, text=True, check=False
    )
    if made.returncode:
        said = made.stderr.strip().splitlines()
        why = said[-1] if said else "nobody knows why"
        raise PeersError(
            f"bench peers: LiveKit Agents and Pipecat could not be installed into {folder} ({why}); the first run needs a "
            "package index within reach, and about 1 GB"
        )
    return made.stdout.strip()


@asynccontextmanager
async def servers(folder: Path) -> AsyncIterator[Servers]:
    """A LiveKit server and our models, for a while."""
    await build_if_missing()
    llm, speech = free_port(), free_port()
    async with LiveKit(folder / "livekit") as livekit, contextlib.AsyncExitStack() as stack:
        serving = [*ANTIPHON, "llm-server", "--host", "127.0.0.1", "--port", str(llm)]
        hearing = [sys.executable, "-m", "ops.bench.speech_server", str(speech)]
        for name, arguments, port in (("llm", serving, llm), ("speech", hearing, speech)):
            await stack.enter_async_context(_kept(name, arguments, dict(os.environ), folder))
            await _answers(name, f"http://127.0.0.1:{port}/health", folder)
        yield Servers(livekit, f"http://127.0.0.1:{llm}/v1", f"http://127.0.0.1:{speech}/v1", folder)


@asynccontextmanager
async def running(peer: Peer, python: str, among: Servers) -> AsyncIterator["Calls"]:
    """The peer's agent, ready for calls."""
    told = among.folder / f"{peer.name.replace(' ', '-').lower()}.jsonl"
    settings = load()
    environment = {
        **os.environ, **among.livekit.environment,
        "PEER_LLM": among.llm, "PEER_SPEECH": among.speech, "PEER_MODEL": settings.llm_model, "PEER_LOG": str(told),
        "PEER_INSTRUCTIONS": AgentSpec().instructions, "PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1",
        "OPENAI_API_KEY": "none", **(peer.environment or {}),
    }  # fmt: skip
    arguments = [python, str(HERE / peer.script), *peer.arguments]
    name = told.stem
    async with _kept(name, arguments, environment, among.folder) as process:
        await _says(process, peer, among.folder / f"{name}.log")
        yield Calls(peer, among, told, process)


class Calls:
    """Calls with one peer's agent."""

    def __init__(self, peer: Peer, among: Servers, told: Path, process: asyncio.subprocess.Process) -> None:
        self.peer, self._among, self._told, self._process = peer, among, told, process

    async def guest(self) -> "Guest":
        """Somebody in a new room with the agent. CallError: it doesn't come."""
        guest = Guest(self._among.access)
        if not self.peer.dispatched:
            assert self._process.stdin is not None
            grants = api.VideoGrants(room_join=True, room=guest.room_name)
            token = api.AccessToken(self._among.access.api_key, self._among.access.api_secret).with_identity("agent")
            asked = {
                "room": guest.room_name,
                "url": self._among.access.url,
                "token": token.with_grants(grants).with_ttl(timedelta(minutes=30)).to_jwt(),
            }
            self._process.stdin.write(f"{json.dumps(asked)}\n".encode())
        await guest.connect()
        return guest

    def told(self) -> list[dict[str, Any]]:
        """What the agent has told of turns so far, in order."""
        rows = self._told.read_text("utf-8").splitlines() if self._told.exists() else []
        return sorted((json.loads(row) for row in rows), key=lambda row: float(row["at"]))


class Guest(LiveKitCaller):
    """A caller in a room of somebody else's agent: whoever else is there."""

    def _look(self, participant: rtc.Participant) -> None:
        if isinstance(participant, rtc.RemoteParticipant):
            self.session = self.room_name
            self._agent.set()

    def _speaks_for_agent(self, participant: rtc.RemoteParticipant) -> bool:
        return True


def taken_of(told: Sequence[Mapping[str, Any]], since: float, until: float) -> list[Taken]:
    """What an agent took for turns between these moments (seconds since the epoch). `said`: words that it will answer; `speaks`:
    it begins to. Words it had not begun to answer when more came are answered with those."""
    found: list[Taken] = []
    for row in told:
        at = float(row["at"])
        if not since <= at < until:
            continue
        last = found[-1] if found else None
        if row.get("speaks"):
            if last is not None and last.heard is None:
                found[-1] = replace(last, heard=at)
        elif last is not None and last.heard is None:
            found[-1] = replace(last, text=f"{last.text} {row['said']}".strip(), until=at)
        else:
            found.append(Taken(len(found) + 1, str(row["said"]), at))
    return found


# ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────────


@asynccontextmanager
async def _kept(
    name: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process, until the end of the block; it dies with this one. What it says is in `NAME.log`."""
    with (folder / f"{name}.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *dying_with_parent(list(arguments)),
            stdin=asyncio.subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=dict(environment),
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(5):
                    await process.wait()
            except TimeoutError:
                process.kill()
        await process.wait()


async def _answers(name: str, url: str, folder: Path) -> None:
    end = time.monotonic() + _UP_WITHIN
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as http:
        while time.monotonic() < end:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with http.get(url) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.2)
    raise PeersError(f"bench peers: the {name} server did not come up: {_tail(folder / f'{name}.log')}")


async def _says(process: asyncio.subprocess.Process, peer: Peer, log: Path) -> None:
    """Until it has said that it is ready."""
    end = time.monotonic() + _UP_WITHIN
    while time.monotonic() < end and process.returncode is None:
        if peer.ready in await asyncio.to_thread(log.read_text, "utf-8", "replace"):
            return
        await asyncio.sleep(0.1)
    raise PeersError(f"bench peers: {peer.name} did not come up: {_tail(log)}")


def _tail(log: Path) -> str:
    said = log.read_text("utf-8", "replace").strip().splitlines() if log.exists() else []
    return said[-1][-400:] if said else "it says nothing"
