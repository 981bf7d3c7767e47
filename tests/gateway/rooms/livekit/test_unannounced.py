"""Data that outruns the news of who sent it."""

from livekit import rtc
from livekit.rtc._proto import participant_pb2

from gateway.inputs import Joined, Typed
from gateway.rooms.livekit.room import LiveKitRoom
from schemas.config.agent import AgentSpec
from workers.testing import LoopClock, virtually


def somebody(identity: str) -> rtc.RemoteParticipant:
    known = participant_pb2.OwnedParticipant()
    known.info.identity = known.info.name = identity
    return rtc.RemoteParticipant(known)


def empty_room() -> LiveKitRoom:
    return LiveKitRoom("ws://127.0.0.1:9", "", LoopClock(), AgentSpec())


def said(room: LiveKitRoom) -> list[tuple[str, str]]:
    return [
        (item.participant, item.text if isinstance(item, Typed) else "joins")
        for item in room.drain()
        if isinstance(item, Typed | Joined)
    ]


@virtually
async def test_a_packet_waits_until_its_sender_is_known() -> None:
    """What comes from somebody who is not announced yet is theirs once they are; it is never taken for somebody else's."""
    room = empty_room()
    room.participant_connected(somebody("ann"))
    room.put(Typed("bob", "It is I."))
    assert said(room) == [("ann", "joins")]
    room.participant_connected(somebody("bob"))
    assert said(room) == [("bob", "joins"), ("bob", "It is I.")]


@virtually
async def test_what_nobody_sent_is_forgotten() -> None:
    """However many packets claim to come from strangers, a few wait."""
    room = empty_room()
    for number in range(10_000):
        room.put(Typed(f"nobody-{number}", "hello"))
        room.put(Typed("bob", "hello"))
    room.participant_connected(somebody("bob"))
    assert 1 < len(said(room)) < 100
