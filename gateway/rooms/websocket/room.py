"""The WebSocket room: one client, PCM both ways, JSON beside it (docs/websocket.md). It outlives its connection."""

import logging
from collections import deque
from collections.abc import Sequence

from aiohttp import WSCloseCode

from gateway.inputs import Attached, Detached, Heard, HungUp, Joined, PushToTalk, RoomInput
from gateway.room import Room, ToRoom, WordsAhead
from gateway.rooms.websocket.connection import ClientConnection
from gateway.sound.pace import Pace
from gateway.sound.playout import Playout
from schemas.audio import HEARING_RATE, Pcm
from schemas.client import ClearMessage, ReadyMessage, StateMessage, ToClient, WordsMessage
from schemas.clock import Clock
from schemas.events import TransportName
from schemas.text.clean import identity

log = logging.getLogger("antiphon.gateway.websocket")

AHEAD = 2.0
"""Seconds a client's sound may run ahead of real time before we stop reading."""
_MISSED = 500  # messages kept for a client that is away


class WebSocketRoom(Room):
    """`participant`: the client; `rate`: Hz it hears, for the whole session; `agent`: as it was asked for. Positions are reckoned
    by `clock`, and corrected by what the client says it has played."""

    transport: TransportName = "websocket"

    def __init__(self, clock: Clock, name: str, participant: str, rate: int, agent: str = ""):
        self.name, self.participant, self.rate, self.agent = name, identity(participant), rate, agent
        self.clock = clock
        self._playout = Playout(clock, rate)
        self._playout.stop()
        self._inputs: list[RoomInput] = []
        self._connection: ClientConnection | None = None
        self._missed: deque[ToClient] = deque(maxlen=_MISSED)
        self._state: StateMessage | None = None
        self._pushed = 0
        self._base = 0  # samples pushed before this connection's `ready`
        self._audio_end = 0.0
        self._pace = Pace()
        self._pressed = False

    # ── the connection's side ────────────────────────────────────────────────────────────────────────────────────────

    def join(self, name: str = "") -> None:
        self._inputs.append(Joined(self.participant, name=name))

    def attach(self, connection: ClientConnection, ready: ReadyMessage) -> None:
        """The client is there (again): it is told `ready`, then what it missed."""
        if self._connection is not None:
            self._connection.close(WSCloseCode.GOING_AWAY, "the session goes on in another connection", now=True)
        else:
            self._playout.go_on()
        self._connection = connection
        self._audio_end = self.clock.now()
        self._pace = Pace()
        self._base = self._pushed
        connection.send_text(ready)
        missed, self._missed = list(self._missed), deque(maxlen=_MISSED)
        for message in missed:
            self.send(message)
        if self._state is not None and self._state not in missed:
            self.send(self._state)
        self._inputs.append(Attached())

    def detach(self, connection: ClientConnection) -> None:
        """The connection is gone; the session waits for its client."""
        if self._connection is connection:
            self._connection = None
            self._playout.stop()
            if self._pressed:  # nobody holds the button: pressed for good, it would keep the floor
                self.put(PushToTalk(self.participant, False))
            self._inputs.append(Detached())

    def hear(self, pcm: Pcm) -> float:
        """Sound came in; answers the seconds by which it is too far ahead of real time."""
        if not len(pcm):
            return 0.0  # no sound, however often it comes
        now = self.clock.now()
        self._audio_end = max(self._audio_end, now) + len(pcm) / HEARING_RATE
        self._inputs.append(Heard(self.participant, pcm))
        too_far = self._audio_end - now - AHEAD
        self._pace.take(len(pcm), now)
        if too_far > 0:
            self._pace.held_up()
        return too_far

    @property
    def seems(self) -> int | None:
        """Hz at which the client's sound seems to have been recorded, if it comes as if by another rate than ours."""
        return self._pace.rate

    def put(self, item: RoomInput) -> None:
        if isinstance(item, PushToTalk):
            self._pressed = item.pressed
        self._inputs.append(item)

    def hang_up(self) -> None:
        self._inputs.append(HungUp("hang_up"))

    def played(self, samples: int) -> bool:
        """The client says how much has sounded since `ready`; False when that can't be."""
        queued = self._pushed - self._base - samples
        if samples < 0 or queued < 0 or queued > 10 * self.rate:
            return False
        self._playout.correct(queued / self.rate)
        return True

    # ── Room ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def drain(self) -> Sequence[RoomInput]:
        if not self._inputs:
            return ()
        inputs, self._inputs = self._inputs, []
        return inputs

    def push(self, pcm: Pcm) -> None:
        self._playout.push(len(pcm))
        self._pushed += len(pcm)
        if self._connection is None:
            return
        data = pcm.astype("<i2", copy=False).tobytes()
        frame = self.rate // 50 * 2
        for at in range(0, len(data), frame):
            self._connection.send_sound(data[at : at + frame])
        self._watch()

    def queued(self) -> float:
        return self._playout.queued()

    def clear(self) -> float:
        dropped = self._playout.clear()
        if self._connection is not None and dropped:
            self._pushed -= self._connection.drop_sound() // 2
            self.send(ClearMessage())
        return dropped

    def send(self, message: ToRoom) -> None:
        if isinstance(message, StateMessage):
            self._state = message
        if self._connection is None:
            if not isinstance(message, StateMessage | WordsAhead | WordsMessage | ClearMessage):
                self._missed.append(message)
            return
        if isinstance(message, WordsAhead):
            message = message.message(self._pushed - self._base)
        self._connection.send_text(message)
        self._watch()

    async def aclose(self, reason: str) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if reason in ("lost", "going_away", "moved"):
            connection.close(
                WSCloseCode.GOING_AWAY, "the session goes on at another gateway: come back with the ticket"
            )
        elif reason == "error":
            connection.close(WSCloseCode.INTERNAL_ERROR, "the session ended: error")
        else:
            connection.close(WSCloseCode.OK, f"the session ended: {reason}")

    def _watch(self) -> None:
        if self._connection is not None and self._connection.stuck(self.rate):
            log.warning("%s: the client does not read; its connection is closed", self.name)
            connection = self._connection
            connection.close(WSCloseCode.TRY_AGAIN_LATER, "the client does not read", now=True)
            self.detach(connection)
