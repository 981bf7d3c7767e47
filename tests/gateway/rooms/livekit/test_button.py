"""Push-to-talk by RPC, as LiveKit's examples call it."""

import asyncio

import pytest
from livekit import rtc

from gateway.inputs import PushToTalk, RoomInput
from gateway.rooms.livekit._button import TAIL, Button
from gateway.rooms.livekit.conventions import Scene, SetAttributes
from gateway.rooms.livekit.conventions.agent_state import AgentState
from gateway.rooms.livekit.facts import StateChanged
from workers.testing import virtually


class Pressed:
    def __init__(self, may: bool = True):
        self.put: list[RoomInput] = []
        self.button = Button(self.put.append, lambda who: may)


@virtually
async def test_a_turn_begins_at_once_and_ends_a_little_later() -> None:
    """Its last sound is still on the way when the end is called."""
    pressed = Pressed()
    pressed.button.called("start_turn", "ann")
    pressed.button.called("end_turn", "ann")
    assert pressed.put == [PushToTalk("ann", True)]
    await asyncio.sleep(TAIL + 0.01)
    assert pressed.put == [PushToTalk("ann", True), PushToTalk("ann", False)]


@virtually
async def test_who_presses_again_meanwhile_has_ended_the_turn_before() -> None:
    """In their order."""
    pressed = Pressed()
    for method in ("start_turn", "end_turn", "end_turn", "start_turn"):
        pressed.button.called(method, "ann")
    await asyncio.sleep(1.0)
    assert pressed.put == [PushToTalk("ann", True), PushToTalk("ann", False), PushToTalk("ann", True)]


@virtually
async def test_a_turn_is_cancelled_even_as_it_ends() -> None:
    """Nothing of it is answered."""
    pressed = Pressed()
    pressed.button.called("start_turn", "ann")
    pressed.button.called("end_turn", "ann")
    pressed.button.called("cancel_turn", "ann")
    pressed.button.called("cancel_turn", "bob")
    await asyncio.sleep(1.0)
    cancels = [PushToTalk("ann", False, cancel=True), PushToTalk("bob", False, cancel=True)]
    assert pressed.put == [PushToTalk("ann", True), *cancels]


@virtually
async def test_who_presses_too_often_is_told() -> None:
    """But always heard when they let go."""
    pressed = Pressed(may=False)
    with pytest.raises(rtc.RpcError, match="too many turns"):
        pressed.button.called("start_turn", "ann")
    pressed.button.called("end_turn", "ann")
    pressed.button.close()
    await asyncio.sleep(1.0)
    assert pressed.put == []


def test_the_room_is_told_how_one_talks() -> None:
    """By an attribute beside the agent's state; not where it goes by voice."""
    scene = Scene("agent")
    by_button = AgentState(by_button=True).tell(StateChanged("listening"), scene)
    assert by_button == [SetAttributes({"lk.agent.state": "listening", "antiphon.talk": "push_to_talk"})]
    assert AgentState().tell(StateChanged("listening"), scene) == [SetAttributes({"lk.agent.state": "listening"})]
    assert AgentState(state=False, by_button=True).tell(StateChanged("thinking"), scene) == [
        SetAttributes({"antiphon.talk": "push_to_talk"})
    ]
