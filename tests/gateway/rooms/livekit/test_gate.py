"""What participants may send a room, before anybody in the process is told of it: counted for each of them by themselves."""

from collections.abc import Callable

import pytest
from livekit.rtc._proto import room_pb2

from gateway.rooms.livekit._sdk import CHANGES_AT_ONCE, PACKETS, PACKETS_AT_ONCE, STREAMS_AT_ONCE, FloodGate

ROOM, OTHER = 7, 8


@pytest.fixture
def gate() -> FloodGate:
    one = FloodGate()
    one.guard(ROOM, frozenset({"", "lk-chat-topic"}), frozenset({"lk.chat"}))
    return one


def packet(sender: str = "eve", topic: str = "", room: int = ROOM) -> room_pb2.RoomEvent:
    event = room_pb2.RoomEvent(room_handle=room)
    event.data_packet_received.participant_identity = sender
    event.data_packet_received.user.topic = topic
    return event


def stream(sender: str = "eve", topic: str = "lk.chat") -> room_pb2.RoomEvent:
    event = room_pb2.RoomEvent(room_handle=ROOM)
    event.text_stream_opened.participant_identity = sender
    event.text_stream_opened.reader.info.topic = topic
    return event


def change(sender: str = "eve") -> room_pb2.RoomEvent:
    event = room_pb2.RoomEvent(room_handle=ROOM)
    event.participant_attributes_changed.participant_identity = sender
    return event


@pytest.mark.parametrize(
    ("made", "at_once"), [(packet, PACKETS_AT_ONCE), (stream, STREAMS_AT_ONCE), (change, CHANGES_AT_ONCE)]
)
def test_who_floods_is_stopped_alone(gate: FloodGate, made: Callable[..., room_pb2.RoomEvent], at_once: float) -> None:
    """So much at once and no more, whatever the kind; somebody else in the same room is let through."""
    assert sum(not gate.stops(made(), 0.0) for _ in range(5000)) == at_once
    assert not gate.stops(made("ann"), 0.0)
    assert not gate.stops(made(), 10.0)


def test_what_nobody_listens_to_costs_nothing(gate: FloodGate) -> None:
    """Packets and streams of other topics go no further, and are not held against who sends them: apps talk to each other."""
    assert all(gate.stops(packet(topic="cursor"), 0.0) for _ in range(5000))
    assert gate.stops(stream(topic="lk.transcription"), 0.0)
    assert not gate.stops(packet(), 0.0)
    assert not gate.stops(stream(), 0.0)


def test_only_the_agents_rooms_are_guarded(gate: FloodGate) -> None:
    """Other rooms of the process, and rooms that were left, are nobody's business here; so is what people do not send."""
    assert not any(gate.stops(packet(room=OTHER), 0.0) for _ in range(5000))
    joined = room_pb2.RoomEvent(room_handle=ROOM)
    joined.participant_connected.SetInParent()
    assert not any(gate.stops(joined, 0.0) for _ in range(5000))
    gate.leave(ROOM)
    assert not any(gate.stops(packet(topic="cursor"), 0.0) for _ in range(10))


def test_keys_and_packets_come_again_with_time(gate: FloodGate) -> None:
    """Who was stopped is let through again as time passes."""
    while not gate.stops(packet(), 0.0):
        pass
    assert gate.stops(packet(), 0.5 / PACKETS)
    assert not gate.stops(packet(), 2.0 / PACKETS)
