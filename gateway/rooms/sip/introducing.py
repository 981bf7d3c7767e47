"""A warm transfer: whoever takes over is called, told about the caller by the agent's voice, and then joined with them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np

from gateway.rooms.sip.bridge import Bridge
from gateway.rooms.sip.calls import Call, Calls
from gateway.rooms.sip.dialing import NotDialled
from gateway.rooms.sip.transfer import NotMoved
from gateway.sessions.session import Session
from schemas.audio import Pcm
from schemas.config.agent import AgentSpec
from schemas.config.agent import Phone as PhoneSpec
from schemas.errors import AntiphonError

RING = 45.0
"""Seconds for which it rings at whoever is to take over."""
_TOLD = 60.0
"""Seconds within which they have been told."""
_LOOK = 0.1
_LONGEST = 500
"""Characters that are said to them."""
_TONE, _BEEP, _PAUSE, _LEVEL = 425, 1.0, 4.0, 2_000
"""Hz, seconds and level of what the caller hears meanwhile: it rings."""

Ring = Callable[[AgentSpec, Mapping[str, Any]], Awaitable[Session]]


def announcer(agent: AgentSpec, announced: str) -> AgentSpec:
    """`agent` as it speaks to whoever takes over: the same voice, and nothing but the announcement."""
    return AgentSpec(
        name=agent.name,
        instructions="You announce a caller to whoever takes the call over. Say that they are being put through.",
        greeting=announced[:_LONGEST].replace("{{", "").replace("}}", ""),
        greeting_interruptible=False,
        fallback="", repeat="", filler="", patience=0.0,
        language=agent.language, voice=agent.voice, stt=agent.stt, llm=agent.llm, tts=agent.tts,
        phone=PhoneSpec(machine="off" if agent.phone.machine == "off" else "hang_up", echo_gate=agent.phone.echo_gate),
        limits=agent.limits,
    )  # fmt: skip


async def introduce(calls: Calls, call: Call, announced: str, ring: Ring) -> None:
    """Join the caller of `call` with whoever is rung, who is told `announced` first; the caller waits meanwhile, and hears it
    ring. NotMoved: and the caller is back with the agent."""
    session, room = call.session, call.room
    if call.moving is not None:
        raise NotMoved(491, "a transfer of this call is under way")
    if session is None or room is None or call.gone:
        raise NotMoved(481, "the call is not answered yet, or over")
    call.moving = asyncio.get_running_loop().create_future()
    room.hold("transfer", True)
    work = asyncio.create_task(_told(calls, session, announced, ring))
    left = asyncio.create_task(session.over.wait())
    ringing = asyncio.create_task(_rings(call))
    try:
        await asyncio.wait({work, left}, return_when=asyncio.FIRST_COMPLETED)
        if left.done():
            raise NotMoved(487, "the caller has hung up")
        other = await work
        call.line.clear()
        if room.holding:
            room.put_on_hold(False)
        Bridge(calls, call, other, room.clock)
    except (NotDialled, NotMoved) as error:
        call.line.clear()
        raise NotMoved(error.status, str(error)) from None
    finally:
        call.moving = None
        for task in (ringing, left, work):
            task.cancel()
        with suppress(asyncio.CancelledError, AntiphonError):
            await work
        room.hold("transfer", False)
    for one in (call, other):
        assert one.room is not None
        one.room.leave("transferred")


async def _told(calls: Calls, session: Session, announced: str, ring: Ring) -> Call:
    """The call with whoever takes over, once they know. NotDialled, NotMoved."""
    taken = await ring(announcer(session.state.agent, announced), {"transfer_of": session.name})
    try:
        async with asyncio.timeout(_TOLD):
            while not taken.over.is_set() and not _said(taken):
                await asyncio.sleep(_LOOK)
    except TimeoutError:
        pass  # better that they speak with each other unannounced than not at all
    except asyncio.CancelledError:
        taken.hang_up("transfer_given_up")
        raise
    other = calls.of_session(taken.name)
    if taken.over.is_set() or other is None or other.gone:
        machine = taken.ended_as == "machine"
        raise NotMoved(480, "a machine took the call" if machine else "they hung up before they were put through")
    return other


def _said(session: Session) -> bool:
    """The announcement was made, or there was none, or it failed."""
    state = session.state
    if not state.agent.greeting.strip():
        return True
    return state.greeted and not any(turn.own and turn.own.why == "greeting" for turn in state.turns.values())


async def _rings(call: Call) -> None:
    tone = _tone(call.line.deal.form.send_rate)
    while True:
        call.line.push(tone, voice=False)
        await asyncio.sleep(_BEEP + _PAUSE)


def _tone(rate: int) -> Pcm:
    time = np.arange(round(rate * _BEEP)) / rate
    edge = np.minimum(1.0, np.minimum(time, _BEEP - time) / 0.01)
    made: Pcm = np.round(_LEVEL * edge * np.sin(2 * np.pi * _TONE * time)).astype(np.int16)
    return made
