"""What goes out into the room beside the sound: in order for each kind, one task for each, none while there is nothing."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable

from livekit import rtc

from gateway.rooms.livekit.conventions import (
    CloseText,
    Old,
    OpenText,
    Send,
    SendBytes,
    SendData,
    SendText,
    SetAttributes,
    WriteText,
)
from schemas.process.tasks import Tasks

log = logging.getLogger("antiphon.gateway.livekit")

_BOUND = 1000
"""Sends of one kind that may wait; beyond that the room takes nothing, and what comes is lost."""
_PATIENCE = 5.0
"""Seconds one send may take."""
_LOOK_EVERY = 0.1
"""Seconds after which one looks whether attributes are set of which no answer came."""
_KNOWN_OVER = 1.0
"""Seconds after which it is known that a connection is over; what is sent until then fails."""


class Outgoing:
    """`participant`: the agent's, None while there is no connection (then what is sent is dropped)."""

    def __init__(self) -> None:
        self._name = ""
        self.participant: rtc.LocalParticipant | None = None
        self._queues: dict[str, deque[Send]] = {"text": deque(), "data": deque(), "attributes": deque()}
        self._tasks = Tasks()
        self._carrying: dict[str, asyncio.Task[None]] = {}
        self._streams: dict[str, rtc.TextStreamWriter] = {}
        self._complained: set[str] = set()

    def send(self, sends: Iterable[Send]) -> None:
        for send in sends:
            kind = _kind(send)
            queue = self._queues[kind]
            if self.participant is None or len(queue) >= _BOUND:
                continue
            if isinstance(send, SetAttributes) and queue:
                queue.clear()  # only the newest state matters
            if isinstance(send, WriteText) and queue and isinstance(queue[-1], WriteText) and queue[-1].key == send.key:
                send = WriteText(send.key, queue.pop().text + send.text)  # type: ignore[union-attr]  # it is one
            queue.append(send)
            if kind not in self._carrying:
                self._carrying[kind] = self._tasks.spawn(self._carry(kind), f"livekit {kind}")

    def renew(self, participant: rtc.LocalParticipant | None, name: str = "") -> None:
        """Another connection to the room `name`, or none: streams that were open are gone."""
        self.participant, self._name = participant, name
        self._streams.clear()

    async def flush(self, timeout: float) -> None:
        """Wait until all is sent."""
        tasks = list(self._carrying.values())
        if tasks:
            await asyncio.wait(tasks, timeout=timeout)

    def close(self) -> None:
        self.participant = None
        self._tasks.cancel()

    async def _carry(self, kind: str) -> None:
        queue = self._queues[kind]
        try:
            while queue:
                send = queue.popleft()
                participant = self.participant
                if participant is None:
                    continue
                try:
                    async with asyncio.timeout(_PATIENCE):
                        await self._do(participant, send)
                except Exception as error:  # whatever the SDK raises: what is shown of a session must never end it
                    self._complain(participant, send, error)
        finally:
            self._carrying.pop(kind, None)

    async def _do(self, participant: rtc.LocalParticipant, send: Send) -> None:
        match send:
            case SendData():
                await participant.publish_data(
                    send.payload, topic=send.topic, destination_identities=list(send.to), reliable=True
                )
            case SendText():
                writer = await participant.stream_text(
                    topic=send.topic, attributes=send.attributes, sender_identity=send.sender
                )
                if send.text:
                    await writer.write(send.text)
                await writer.aclose()
            case OpenText():
                self._streams[send.key] = await participant.stream_text(topic=send.topic, attributes=send.attributes)
            case WriteText():
                if (stream := self._streams.get(send.key)) is not None:
                    await stream.write(send.text)
            case CloseText():
                if (stream := self._streams.pop(send.key, None)) is not None:
                    await stream.aclose(attributes=send.attributes)
            case Old():
                segment = rtc.TranscriptionSegment(send.segment, send.text, 0, 0, "", send.final)
                await participant.publish_transcription(rtc.Transcription(send.participant, send.track, [segment]))
            case SetAttributes():
                await _set_attributes(participant, send.attributes)
            case SendBytes():
                await participant.send_bytes(
                    send.data,
                    name=send.topic,
                    topic=send.topic,
                    attributes=send.attributes,
                    destination_identities=list(send.to),
                )

    def _complain(self, participant: rtc.LocalParticipant, send: Send, error: Exception) -> None:
        """Unless the connection turns out to be over: that is said by whoever sees it."""
        said = f"{type(send).__name__} failed: {str(error) or type(error).__name__}"
        asyncio.get_running_loop().call_later(_KNOWN_OVER, self._say, participant, type(send).__name__, said)

    def _say(self, participant: rtc.LocalParticipant, what: str, said: str) -> None:
        if participant is self.participant and what not in self._complained:
            self._complained.add(what)
            log.warning("%s: %s (said once)", self._name, said)


async def _set_attributes(participant: rtc.LocalParticipant, attributes: dict[str, str]) -> None:
    """Until they are set. The SDK loses an answer that is there before it waits for it, and the states that come after, each in
    the place of the one before, would stand behind that for seconds; but it hears of its attributes as everybody does."""
    setting = asyncio.ensure_future(participant.set_attributes(attributes))
    try:
        while not (await asyncio.wait({setting}, timeout=_LOOK_EVERY))[0]:
            if attributes.items() <= participant.attributes.items():
                return
        await setting
    finally:
        setting.cancel()


def _kind(send: Send) -> str:
    if isinstance(send, SetAttributes):
        return "attributes"
    return "data" if isinstance(send, SendData) else "text"
