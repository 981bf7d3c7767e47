"""A button, a background and a sound of thinking in a real room: LiveKit's own client calls the agent's RPC, and hears."""

import asyncio
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from livekit import rtc

from gateway.rooms.livekit.room import LiveKitRoom
from gateway.sessions.fairness import KEYING
from schemas.config.agent import AgentSpec, SoundsSpec, TurnTaking
from schemas.events import PlaybackFinished, PlaybackStarted, TurnCommitted, TurnEnded
from tests.gateway.rooms.livekit.site.rooms.house import Rooms, SpeakingPools
from tests.gateway.rooms.livekit.site.rooms.human import Human

BY_BUTTON = AgentSpec(turn_taking=TurnTaking(mode="push_to_talk"))


async def press(ann: Human, room: LiveKitRoom, method: str) -> None:
    await ann.room.local_participant.perform_rpc(destination_identity=room.identity, method=method, payload="")


async def sees_the_agent(ann: Human) -> dict[str, str]:
    """Its attributes, once it is there with its voice."""
    await ann.until(lambda: ann.agents_tracks, "the agent's voice")
    agents = ann.room.remote_participants.values()
    await ann.until(lambda: [one for one in agents if "lk.agent.state" in one.attributes], "its attributes")
    return next(dict(one.attributes) for one in agents)


async def test_a_turn_by_the_button(rooms: Rooms) -> None:
    """The agent's attribute tells of the button; what is said without it is not heard; what is said with it is answered as it is
    let go, pauses and all; what is cancelled never is."""
    async with SpeakingPools(rooms.bus, seconds=0.4, says=["Good."]) as pools:
        session, room = await rooms.agent(BY_BUTTON)
        ann = await rooms.human("ann")
        assert (await sees_the_agent(ann))["antiphon.talk"] == "push_to_talk"
        await ann.speak(0.8)
        await press(ann, room, "start_turn")
        await ann.speak(0.8)
        await press(ann, room, "cancel_turn")
        cancelled = await rooms.event(session, TurnEnded)
        assert (cancelled.how, cancelled.reason) == ("dropped", "cancelled")
        await press(ann, room, "start_turn")
        await ann.speak(0.6)
        await asyncio.sleep(1.5)  # by voice the turn would be over long since
        assert not [event for event in await rooms.log(session) if isinstance(event, TurnCommitted)]
        await ann.speak(0.6)
        await press(ann, room, "end_turn")
        committed = await rooms.event(session, TurnCommitted)
        assert committed.why == "push_to_talk"
        await rooms.event(session, PlaybackFinished)
        await ann.until(lambda: ann.states[-1:] == ["listening"] and "speaking" in ann.states, "its states")
        assert pools.jobs


async def test_who_presses_too_often(rooms: Rooms) -> None:
    """Is told so by LiveKit's own error; a method that the agent does not have is LiveKit's business."""
    async with SpeakingPools(rooms.bus):
        _, room = await rooms.agent(BY_BUTTON)
        ann = await rooms.human("ann")
        await sees_the_agent(ann)
        at_once = int(KEYING[1])
        pressed = await asyncio.gather(
            *(press(ann, room, "start_turn") for _ in range(2 * at_once)), return_exceptions=True
        )
        refused = [one for one in pressed if isinstance(one, rtc.RpcError) and "too many turns" in one.message]
        assert refused
        assert len(pressed) - len(refused) >= at_once
        with pytest.raises(rtc.RpcError) as unknown:
            await press(ann, room, "sing")
        assert unknown.value.code == rtc.RpcError.ErrorCode.UNSUPPORTED_METHOD


async def test_the_background_and_thinking_are_heard(rooms: Rooms, tmp_path: Path) -> None:
    """The one all the time, the other while an answer is waited for; both through LiveKit's codec, to who is in the room; and the
    agent's words are timed and told as without them."""
    tone = (4_000 * np.sin(2 * np.pi * 200 * np.arange(24_000) / 24_000)).astype(np.int16)
    soundfile.write(tmp_path / "office.wav", tone // 4, 24_000, "PCM_16")
    soundfile.write(tmp_path / "ticking.wav", tone, 24_000, "PCM_16")
    rooms.house.beside = lambda agent, name: tmp_path / name
    sounds = SoundsSpec(background="office.wav", background_gain=0, thinking="ticking.wav", thinking_gain=0)
    async with SpeakingPools(rooms.bus, seconds=0.6, says=["Good."]) as pools:
        session, _ = await rooms.agent(AgentSpec(sounds=sounds))
        ann = await rooms.human("ann")
        await sees_the_agent(ann)
        await ann.until(lambda: 600 < loudness(ann, 0.5) < 1_600, "the background")
        pools.held.add("llm")
        await ann.speak(0.8)
        await ann.until(lambda: ann.states[-1:] == ["thinking"], "thinking")
        await ann.until(lambda: loudness(ann, 0.3) > 3_000, "the sound of thinking")
        pools.held.clear()
        await rooms.event(session, PlaybackStarted)
        finished = await rooms.event(session, PlaybackFinished)
        assert finished.position == pytest.approx(0.6, abs=0.02)
        await ann.until(lambda: 600 < loudness(ann, 0.5) < 1_600, "the background alone")


def loudness(ann: Human, seconds: float) -> float:
    """The median of what was heard last."""
    since = time.monotonic() - seconds
    heard = [loud for when, loud in ann.heard if when > since]
    return float(np.median(heard)) if len(heard) > 10 else 0.0
