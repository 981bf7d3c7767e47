"""Rooms of a LiveKit server: made, listed, looked after. Each function asks the server once or twice; errors are `asking`'s."""

import json
import secrets
import time
from collections.abc import Collection, Sequence
from typing import Any

from livekit import api
from livekit.protocol import models

from api.problems import Problem, missing

OLD_CHAT = "lk-chat-topic"
"""The topic of packets that LiveKit's chat kits show; a server can't send the text streams they use among each other."""
LARGEST_PACKET = 15_000
"""Bytes that one message may have."""

Source = str
"""microphone, camera, screen_share, screen_share_audio or unknown."""


def new_name() -> str:
    """That nobody guesses: who knows a room's name may ask for a token of it."""
    return f"room-{secrets.token_hex(8)}"


async def find(livekit: api.LiveKitAPI, room: str) -> models.Room:
    """Problem 404: there is none of this name."""
    found = (await livekit.room.list_rooms(api.ListRoomsRequest(names=[room]))).rooms
    if not found:
        raise missing("room", room)
    return found[0]


async def every(livekit: api.LiveKitAPI) -> list[models.Room]:
    """The newest first."""
    rooms = (await livekit.room.list_rooms(api.ListRoomsRequest())).rooms
    return sorted(rooms, key=place, reverse=True)


def place(room: models.Room) -> tuple[int, str]:
    """Where a room stands among the others: when it was made, and its id."""
    return room.creation_time_ms or room.creation_time * 1000, room.sid


async def people(livekit: api.LiveKitAPI, room: str) -> list[models.ParticipantInfo]:
    """Everybody in the room, agents and phones too. Problem 404: there is no such room."""
    await find(livekit, room)
    return list((await livekit.room.list_participants(api.ListParticipantsRequest(room=room))).participants)


async def mute(
    livekit: api.LiveKitAPI, room: str, identity: str, muted: bool, sources: Collection[Source]
) -> list[models.TrackInfo]:
    """Their tracks of these sources, muted or not. Problem 404: they are not there, or publish none of these."""
    somebody = await livekit.room.get_participant(api.RoomParticipantIdentity(room=room, identity=identity))
    tracks = [track for track in somebody.tracks if source_of(track) in sources]
    if not tracks:
        raise Problem(404, "missing", f"{identity[:80]!r} publishes nothing of: {', '.join(sorted(sources))}")
    for track in tracks:
        if track.muted != muted:
            wanted = api.MuteRoomTrackRequest(room=room, identity=identity, track_sid=track.sid, muted=muted)
            await livekit.room.mute_published_track(wanted)
            track.muted = muted
    return tracks


async def send(livekit: api.LiveKitAPI, room: str, text: str, to: Sequence[str], topic: str) -> list[str]:
    """`text` to the people called `to`, or to all who are no agents, as data; answers whom it was sent to. "" as topic has
    LiveKit's chat kits show it. Problem 404: one of them isn't there; 409: nobody is; 422: it is too long."""
    body = text if topic else _chat(text)
    data = body.encode()
    if len(data) > LARGEST_PACKET:
        raise Problem(422, "form", f"body.text: {len(data)} bytes; a packet holds {LARGEST_PACKET}")
    there = await people(livekit, room)
    names = {one.identity for one in there}
    for name in to:
        if name not in names:
            raise missing("participant", name)
    # an agent would take it for what a caller typed
    wanted = list(to) or [one.identity for one in there if one.kind != models.ParticipantInfo.AGENT]
    if not wanted:
        raise Problem(409, "nobody", "there is nobody in the room to read it")
    packet = api.SendDataRequest(
        room=room,
        data=data,
        kind=models.DataPacket.RELIABLE,
        destination_identities=wanted,
        topic=topic or OLD_CHAT,
        nonce=secrets.token_bytes(16),
    )
    await livekit.room.send_data(packet)
    return wanted


def source_of(track: models.TrackInfo) -> Source:
    return models.TrackSource.Name(track.source).lower()


def _chat(text: str) -> str:
    message: dict[str, Any] = {"id": secrets.token_hex(8), "timestamp": int(time.time() * 1000), "message": text}
    return json.dumps(message, ensure_ascii=False)
