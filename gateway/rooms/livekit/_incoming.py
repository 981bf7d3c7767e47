"""What participants send beside their voice: chat, data, keys, sound from before the join. Each mistake costs one line."""

import asyncio
import json
import logging
from typing import Protocol

from livekit import rtc

from gateway.room import Digits, RoomInput, Typed
from gateway.rooms.livekit._early_sound import decode
from gateway.rooms.livekit._ears import Ears
from gateway.rooms.livekit._outbox import Outbox
from gateway.rooms.livekit._sdk import client_protocol
from gateway.rooms.livekit.conventions.agent_session import AgentSession
from gateway.rooms.livekit.conventions.rtvi import Answer, Rtvi
from schemas.agent import AgentSpec
from schemas.errors import AudioFileError

log = logging.getLogger("antiphon.gateway.livekit")

OLD_CHAT = "lk-chat-topic"
"""Data packets of chat, as clients sent them before text streams."""
LONGEST = 4000
"""Characters of a typed message."""
LARGEST = 32 * 1024
"""Bytes of a data packet that is looked into."""
_LARGEST_SOUND = 12 << 20
_COMPLAINTS = 20  # lines a room may cost


class Where(Protocol):
    @property
    def name(self) -> str: ...

    def put(self, item: RoomInput) -> None: ...


class Incoming:
    def __init__(
        self, room: Where, agent: AgentSpec, rtvi: Rtvi, session: AgentSession | None, ears: Ears, outbox: Outbox
    ):
        self._room = room
        self._chat = agent.livekit.chat
        self._rtvi = rtvi
        self._session = session
        self._ears = ears
        self._outbox = outbox
        self._complained: set[str] = set()

    @staticmethod
    def protocol(participant: rtc.RemoteParticipant) -> int:
        return client_protocol(participant)

    def data(self, packet: rtc.DataPacket) -> None:
        sender = packet.participant.identity if packet.participant else ""
        if len(packet.data) > LARGEST:
            self.complain(
                f"{sender or 'by the API'}: a data packet of {len(packet.data)} bytes; more than {LARGEST} are not looked into"
            )
        elif packet.topic == OLD_CHAT:
            self._old_chat(packet.data, sender)
        elif not packet.topic and (answer := self._rtvi.hear(packet.data, sender)) is not None:
            self._obey(answer, sender)

    def _obey(self, answer: Answer, sender: str) -> None:
        for item in answer.inputs:
            self._room.put(item)
        self._outbox.send(answer.sends)
        if answer.complaint:
            self.complain(f"{sender}: {answer.complaint}")

    def _old_chat(self, data: bytes, sender: str) -> None:
        try:
            text = json.loads(data)["message"]
        except (ValueError, KeyError, TypeError, RecursionError):
            self.complain(f"{sender}: a chat packet that is no JSON with a `message`")
            return
        self._typed(text, sender)

    def _typed(self, text: object, sender: str) -> None:
        if not self._chat:
            return
        if not isinstance(text, str) or len(text) > LONGEST:
            self.complain(f"{sender}: a chat message of more than {LONGEST} characters, or none at all")
        elif text.strip():
            self._room.put(Typed(sender, text.strip()))

    async def chat(self, reader: rtc.TextStreamReader, sender: str) -> None:
        """A text stream of the topic `lk.chat`."""
        text = ""
        try:
            async for chunk in reader:
                text += chunk
                if len(text) > LONGEST:
                    break
        except ConnectionError as error:
            self.complain(f"{sender}: a chat message broke off ({error})")
            return
        finally:
            reader.close()
        self._typed(text, sender)

    def dtmf(self, dtmf: rtc.SipDTMF) -> None:
        sender = dtmf.participant.identity if dtmf.participant else ""
        if sender and dtmf.digit and dtmf.digit in "0123456789*#ABCD":
            self._room.put(Digits(sender, dtmf.digit))

    async def agent_session(self, reader: rtc.ByteStreamReader, sender: str) -> None:
        """A request on `lk.agent.session`."""
        try:
            data = await _all(reader, LARGEST)
        except ConnectionError as error:
            self.complain(f"{sender}: a message on lk.agent.session: {error}")
            return
        if self._session is not None:
            self._obey(self._session.hear(data, sender), sender)

    async def early_sound(self, reader: rtc.ByteStreamReader, sender: str) -> None:
        """What somebody said while they were still connecting."""
        attributes = reader.info.attributes or {}
        try:
            data = await _all(reader, _LARGEST_SOUND)
            pcm = await asyncio.to_thread(decode, data, reader.info.mime_type, attributes)
        except (AudioFileError, ConnectionError) as error:
            self.complain(f"{sender}: sound from before the join can't be used: {error}")
            pcm = decode(b"", "", {})
        self._ears.early(sender, attributes.get("trackId", ""), pcm)

    def complain(self, problem: str) -> None:
        """Once for each, and not for ever."""
        if problem not in self._complained and len(self._complained) < _COMPLAINTS:
            self._complained.add(problem)
            log.warning("%s: %s", self._room.name, problem)


async def _all(reader: rtc.ByteStreamReader, largest: int) -> bytes:
    """ConnectionError: it broke off, or is larger than is read."""
    data = bytearray()
    try:
        async for chunk in reader:
            data += chunk
            if len(data) > largest:
                raise ConnectionError(f"more than {largest} bytes")
    finally:
        reader.close()
    return bytes(data)
