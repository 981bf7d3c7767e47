"""One connection to a LiveKit room: made with all handlers in place, and never left behind half made."""

import asyncio
import contextlib
from typing import Any, Protocol

from livekit import rtc

from gateway.rooms.livekit._sdk import GuardedRoom
from schemas.access.livekit_errors import LiveKitError, explain

AGENT_SESSION = "lk.agent.session"
CHAT = "lk.chat"
OLD_CHAT = "lk-chat-topic"
"""Data packets of chat, as clients sent them before text streams."""
EARLY_SOUND = "lk.agent.pre-connect-audio-buffer"
_PACKETS = frozenset({"", OLD_CHAT})
_STREAMS = frozenset({CHAT, AGENT_SESSION, EARLY_SOUND})
_LARGEST_STREAM = 4 << 20
"""Bytes of an incoming stream; sound from before the join is the largest."""
_LEAVE_WITHIN = 2.0  # seconds


class Listener(Protocol):
    """Whom a connection tells what happens; all called on the event loop."""

    def participant_connected(self, participant: rtc.RemoteParticipant) -> None: ...
    def participant_disconnected(self, participant: rtc.RemoteParticipant) -> None: ...
    def attributes_changed(self, participant: rtc.Participant) -> None: ...
    def tracks_changed(self, participant: rtc.Participant) -> None: ...
    def track_subscribed(
        self, track: rtc.Track, publication: rtc.RemoteTrackPublication, participant: rtc.RemoteParticipant
    ) -> None: ...
    def voice_subscribed(self) -> None: ...
    def voice_republished(self, publication: rtc.LocalTrackPublication) -> None: ...
    def data_received(self, packet: rtc.DataPacket, identity: str) -> None: ...
    def dtmf_received(self, dtmf: rtc.SipDTMF, identity: str) -> None: ...
    def text_stream(self, reader: rtc.TextStreamReader, identity: str) -> None: ...
    def early_sound(self, reader: rtc.ByteStreamReader, identity: str) -> None: ...
    def agent_session(self, reader: rtc.ByteStreamReader, identity: str) -> None: ...
    def admits(self, topic: str, identity: str) -> bool: ...
    def wavering(self, wavering: bool) -> None: ...
    def disconnected(self, reason: int) -> None: ...


class RoomConnection:
    def __init__(self, listener: Listener):
        self.room = GuardedRoom(_PACKETS, _STREAMS)
        self._left = False
        room, hear = self.room, listener
        for event, tell in {
            "participant_connected": hear.participant_connected,
            "participant_disconnected": hear.participant_disconnected,
            "participant_attributes_changed": lambda changed, participant: hear.attributes_changed(participant),
            "participant_metadata_changed": lambda participant, old, new: hear.attributes_changed(participant),
            "track_published": lambda publication, participant: hear.tracks_changed(participant),
            "track_unpublished": lambda publication, participant: hear.tracks_changed(participant),
            "track_muted": lambda participant, publication: hear.tracks_changed(participant),
            "track_unmuted": lambda participant, publication: hear.tracks_changed(participant),
            "track_subscribed": hear.track_subscribed,
            "local_track_subscribed": lambda track: hear.voice_subscribed(),
            "local_track_republished": lambda publication, sid: hear.voice_republished(publication),
            "data_received": lambda packet: hear.data_received(packet, room.sender),
            "sip_dtmf_received": lambda dtmf: hear.dtmf_received(dtmf, room.sender),
            "reconnecting": lambda: hear.wavering(True),
            "reconnected": lambda: hear.wavering(False),
        }.items():
            room.on(event, self._unless_left(tell))  # type: ignore[arg-type]  # a literal in a loop
        room.on("disconnected", self._unless_left(listener.disconnected))
        room.admits = lambda topic, identity: not self._left and listener.admits(topic, identity)
        room.register_text_stream_handler(CHAT, self._unless_left(listener.text_stream))
        room.register_byte_stream_handler(AGENT_SESSION, self._unless_left(listener.agent_session))
        room.register_byte_stream_handler(EARLY_SOUND, self._unless_left(listener.early_sound))

    def _unless_left(self, tell: Any) -> Any:
        """After we left, or were put out, nothing of this connection concerns anybody."""

        def handler(*arguments: Any) -> None:
            if not self._left:
                tell(*arguments)

        return handler

    async def aclose(self) -> None:
        self._left = True
        self.room.unguard()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LEAVE_WITHIN):
                await self.room.disconnect()


async def connect(url: str, token: str, listener: Listener, timeout: float) -> RoomConnection:
    """LiveKitError: why it can't be, in a sentence."""
    connection = RoomConnection(listener)
    options = rtc.RoomOptions(
        auto_subscribe=False,
        single_peer_connection=False,  # in one for both directions, a subscription is lost when we publish just then
        connect_timeout=timeout,
        data_stream=rtc.DataStreamOptions(max_payload_byte_length=_LARGEST_STREAM),
    )
    making = asyncio.create_task(connection.room.connect(url, token, options))
    try:
        async with asyncio.timeout(timeout):
            await asyncio.shield(making)
    except rtc.ConnectError as error:
        raise explain(error.message, url) from None
    except BaseException as error:
        _given_up.add(undone := asyncio.create_task(_undo(connection, making)))
        undone.add_done_callback(_given_up.discard)
        if isinstance(error, TimeoutError):
            raise LiveKitError(f"LiveKit at {url} did not answer within {timeout:.0f} s; check LIVEKIT_URL") from None
        raise
    return connection


_given_up: set[asyncio.Task[None]] = set()


async def _undo(connection: RoomConnection, making: "asyncio.Task[None]") -> None:
    """It may still get in, and must not stay: the SDK comes back by itself, for as long as the process lives."""
    with contextlib.suppress(rtc.ConnectError):
        await making
        await connection.aclose()


async def none_left_behind(within: float) -> None:
    """Wait until the connections that were given up while they were made have failed, or been left, for `within` s at most."""
    if undoing := [task for task in _given_up if task.get_loop() is asyncio.get_running_loop()]:
        await asyncio.wait(undoing, timeout=within)
