"""What participants send beside their voice: chat, data, keys, sound from before the join. Each mistake costs one line.

Whatever comes is bounded in number, size and time, for each participant by themselves, and what is wrong ends nothing but itself.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from livekit import rtc

from gateway.inputs import Digits, RoomInput, Typed
from gateway.rooms.livekit._allowance import Allowance, Kind
from gateway.rooms.livekit._chat import Chat, NotAMessage
from gateway.rooms.livekit._connection import AGENT_SESSION, CHAT, EARLY_SOUND, OLD_CHAT
from gateway.rooms.livekit._early_sound import LARGEST_SOUND, decode
from gateway.rooms.livekit._ears import Ears
from gateway.rooms.livekit._outgoing import Outgoing
from gateway.rooms.livekit._sdk import client_protocol
from gateway.rooms.livekit.conventions.agent_session import AgentSession, wants_rtc_stats
from gateway.rooms.livekit.conventions.rtvi import LABEL, Answer, Rtvi
from schemas.client import KEYS, LONGEST_MESSAGE
from schemas.clock import Clock
from schemas.config.agent import AgentSpec
from schemas.errors import AudioFileError
from schemas.text.clean import one_line, printable

log = logging.getLogger("antiphon.gateway.livekit")

LARGEST = 32 * 1024
"""Bytes of a data packet that is looked into."""
_STREAM_WITHIN = 15.0
"""Seconds within which a stream is to be whole."""
_COMPLAINTS = 40  # lines a room may cost
_COMPLAINTS_EACH = 5  # one of its participants
_LONGEST_LINE = 300


class Where(Protocol):
    @property
    def name(self) -> str: ...

    def put(self, item: RoomInput) -> None: ...

    async def statistics(self) -> tuple[list[Any], list[Any]]: ...


class Incoming:
    def __init__(
        self, room: Where, clock: Clock, agent: AgentSpec, rtvi: Rtvi, session: AgentSession | None, ears: Ears,
        outgoing: Outgoing, *, threaded: bool = True,
    ):  # fmt: skip
        self._room = room
        self._clock = clock
        self._listens_to_chat = agent.livekit.chat
        self._rtvi = rtvi
        self._session = session
        self._ears = ears
        self._outgoing = outgoing
        self._chat = Chat()
        self._allowance = Allowance()
        self._recording: set[str] = set()  # who is sending sound from before the join
        self._complained: dict[str, set[str]] = {}  # lines, by sender
        self._threaded = threaded

    @staticmethod
    def protocol(participant: rtc.RemoteParticipant) -> int:
        return client_protocol(participant)

    def _allows(self, sender: str, kind: Kind) -> bool:
        if self._allowance.take(sender, kind, self._clock.now()):
            return True
        self.complain(sender, f"sends too much ({kind}); what is more than is allowed is dropped")
        return False

    # ── packets ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def data(self, packet: rtc.DataPacket, sender: str) -> None:
        if len(packet.data) > LARGEST:
            self.complain(sender, f"a data packet of {len(packet.data)} bytes; more than {LARGEST} are not looked into")
        elif packet.topic == OLD_CHAT:
            if self._listens_to_chat and self._allows(sender, "packet"):
                self._ask(sender, lambda now: self._chat.packet(sender, packet.data, now))
        elif not packet.topic and LABEL.encode() in packet.data and self._allows(sender, "packet"):
            answer = self._rtvi.hear(packet.data, sender)
            if answer is not None:
                self._obey(answer, sender)

    def dtmf(self, dtmf: rtc.SipDTMF, sender: str) -> None:
        if sender and dtmf.digit and len(dtmf.digit) == 1 and dtmf.digit in KEYS and self._allows(sender, "keys"):
            self._room.put(Digits(sender, dtmf.digit))

    def presses(self, sender: str) -> bool:
        """Whether `sender` may begin one more turn by the button."""
        return self._allows(sender, "keys")

    def _obey(self, answer: Answer, sender: str) -> None:
        for item in answer.inputs:
            if not isinstance(item, Typed | Digits) or self._allows(
                sender, "typed" if isinstance(item, Typed) else "keys"
            ):
                self._room.put(item)
        self._outgoing.send(answer.sends)
        if answer.complaint:
            self.complain(sender, answer.complaint)

    def _ask(self, sender: str, read: Callable[[float], str]) -> None:
        try:
            text = read(self._clock.now())
        except NotAMessage as problem:
            self.complain(sender, str(problem))
            return
        if text and self._allows(sender, "typed"):
            self._room.put(Typed(sender, text))

    # ── streams ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def admits(self, topic: str, sender: str) -> bool:
        """Whether a stream may be opened now; one that was admitted is read and closed."""
        if topic == CHAT and not self._listens_to_chat:
            return False
        if topic == AGENT_SESSION and self._session is None:
            return False
        if topic == EARLY_SOUND and (sender in self._recording or not self._allows(sender, "sound")):
            self.complain(sender, "sends more than one recording from before the join")
            return False
        if not self._allowance.open(sender):
            self.complain(sender, "has more streams open than are read at once")
            return False
        if topic == EARLY_SOUND:
            self._recording.add(sender)
        return True

    @asynccontextmanager
    async def _reading(self, reader: Any, sender: str, what: str) -> AsyncIterator[None]:
        """Whatever becomes of a stream: it is closed in time, and costs a line at most."""
        try:
            async with asyncio.timeout(_STREAM_WITHIN):
                yield
        except TimeoutError:
            self.complain(sender, f"{what}: not whole within {_STREAM_WITHIN:.0f} s")
        except (ConnectionError, AudioFileError) as error:
            self.complain(sender, f"{what}: {error}")
        except Exception as error:  # what strangers send must not end anything, whatever we have overlooked
            self.complain(sender, f"{what}: {type(error).__name__}")
            log.debug("%s: %s", self._room.name, what, exc_info=True)
        finally:
            reader.close()
            self._allowance.close(sender)

    async def chat(self, reader: rtc.TextStreamReader, sender: str) -> None:
        """A text stream of the topic `lk.chat`."""
        async with self._reading(reader, sender, "a chat message"):
            text = ""
            async for chunk in reader:
                text += chunk
                if len(text) > LONGEST_MESSAGE:
                    break
            self._ask(sender, lambda now: self._chat.stream(sender, reader.info.stream_id, text, now))

    async def agent_session(self, reader: rtc.ByteStreamReader, sender: str) -> None:
        """A request on `lk.agent.session`."""
        async with self._reading(reader, sender, "a message on lk.agent.session"):
            data = await _all(reader, LARGEST)
            if self._session is None or not self._allows(sender, "request"):
                return
            if (request := wants_rtc_stats(data)) is not None:
                try:
                    stats = await self._room.statistics()
                except (RuntimeError, ConnectionError) as error:
                    answer = self._session.refuse(request, f"no statistics now: {error}", sender)
                else:
                    answer = self._session.tell_rtc_stats(request, *stats, sender)
            else:
                answer = self._session.hear(data, sender)
            self._obey(answer, sender)

    async def early_sound(self, reader: rtc.ByteStreamReader, sender: str) -> None:
        """What somebody said while they were still connecting."""
        attributes = reader.info.attributes or {}
        pcm = decode(b"", "", {})
        try:
            async with self._reading(reader, sender, "sound from before the join can't be used"):
                data = await _all(reader, LARGEST_SOUND)
                about = data, reader.info.mime_type, attributes
                pcm = await asyncio.to_thread(decode, *about) if self._threaded else decode(*about)
        finally:
            self._recording.discard(sender)
        self._ears.early(sender, attributes.get("trackId", ""), pcm)

    def complain(self, sender: str, problem: str) -> None:
        """Once for each, and not for ever: nobody's lines are spent by somebody else."""
        line = printable(f"{one_line(sender, 80) or 'by the API'}: {one_line(problem, _LONGEST_LINE)}")
        theirs = self._complained.setdefault(sender, set())
        room = sum(len(lines) for lines in self._complained.values())
        if line not in theirs and len(theirs) < _COMPLAINTS_EACH and room < _COMPLAINTS:
            theirs.add(line)
            log.warning("%s: %s", self._room.name, line)


async def _all(reader: rtc.ByteStreamReader, largest: int) -> bytes:
    """ConnectionError: it broke off, or is larger than is read."""
    data = bytearray()
    async for chunk in reader:
        data += chunk
        if len(data) > largest:
            raise ConnectionError(f"more than {largest} bytes")
    return bytes(data)
