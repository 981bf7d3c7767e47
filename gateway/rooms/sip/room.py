"""A phone call as a room: one caller, one line."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.bucket import Bucket
from gateway.inputs import Attached, Detached, Digits, Heard, HungUp, Joined, RoomInput, Typed
from gateway.room import Room, ToRoom
from gateway.rooms.sip.echo import EchoGate
from gateway.rooms.sip.line import Line
from schemas.audio import Pcm
from schemas.clock import Clock
from schemas.events import TransportName

_KEYS_WITHIN = 2.0
"""Seconds after the last key until what was keyed in is told to the agent; # ends it at once."""
_KEYS, _KEYS_AT_ONCE = 10.0, 64.0
"""Keys a second, and in one go: nobody presses more."""
_TOLD, _TOLD_AT_ONCE = 0.5, 4.0
"""Messages about keys to the agent, each of which it answers; more keys wait for the next one."""


Hold = Literal["phone", "agent", "transfer"]
"""Who holds a call: the other side, the agent, or we, while somebody else is asked to take it over."""


@dataclass(frozen=True, slots=True)
class Party:
    """Who is on the other end. `number`: of the caller (or the called), as far as the line says; `attributes`: into the log."""

    number: str
    name: str = ""
    attributes: dict[str, str] = field(default_factory=dict)


class SipRoom(Room):
    """`hang_up`: called once with the session's reason when it ends on our side; `timeout`: seconds without any packet after
    which the call is over; `tells_keys`: what is keyed in is a message to the agent."""

    transport: TransportName = "sip"

    def __init__(
        self, clock: Clock, name: str, party: Party, line: Line, gate: EchoGate, hang_up: Callable[[str], None],
        *, timeout: float = 30.0, tells_keys: bool = True,
    ):  # fmt: skip
        self.name, self.party, self.line = name, party, line
        self.rate = line.deal.form.send_rate
        self.clock, self._gate, self._hang_up = clock, gate, hang_up
        self._timeout, self._tells_keys = timeout, tells_keys
        self._inputs: list[RoomInput] = [Joined(party.number, kind="sip", name=party.name, attributes=party.attributes)]
        self._attached = self._over = self._closed = False
        self._holds = set[Hold]()
        self._keyed = ""
        self._keyed_at = 0.0
        self.hand_on: Callable[[Mapping[str, Any]], str] = lambda asked: "this call can't be handed on"
        """Have the caller speak with somebody else (`to`, `mode`, `announce`); answers why not."""
        self.put_on_hold: Callable[[bool], None] = lambda on: self.hold("agent", on)
        """The agent holds the phone, or takes it back."""
        self._keys = Bucket.full(_KEYS, clock.now(), _KEYS_AT_ONCE)
        self._told = Bucket.full(_TOLD, clock.now(), _TOLD_AT_ONCE)
        line.sounded = gate.said

    # ── the line's side ──────────────────────────────────────────────────────────────────────────────────────────────

    def attach(self) -> None:
        """The call is answered: whoever is there hears."""
        if not self._attached:
            self._attached = True
            self.line.heard_at = self.clock.now()
            self._inputs.append(Attached())

    @property
    def held(self) -> bool:
        """Whether anybody holds the call."""
        return bool(self._holds)

    @property
    def holding(self) -> bool:
        """Whether the agent does."""
        return "agent" in self._holds

    def hold(self, by: Hold, held: bool) -> None:
        """`by` holds the call, or takes it back: as long as anybody does, nothing is heard, and the agent says nothing."""
        before = self.held
        (self._holds.add if held else self._holds.discard)(by)
        self.line.mute = "phone" in self._holds  # else they are sent silence, or what they wait by
        if self.held == before:
            return
        self.line.deaf = self.held
        self.line.heard_at = self.clock.now()
        self.line.reorder.reset()  # what was sent meanwhile is not missing
        if self._attached and not self._over:
            self._inputs.append(Detached(held=True) if self.held else Attached())

    def key(self, digit: str) -> None:
        if self._attached and len(self._keyed) < 64 and self._keys.take(self.clock.now()):
            self._inputs.append(Digits(self.party.number, digit))
            self._keyed += digit
            self._keyed_at = self.clock.now()

    def tell(self, text: str) -> None:
        """The agent, what became of the call."""
        self._inputs.append(Typed(self.party.number, text, note=True))

    def leave(self, reason: str = "hang_up") -> None:
        """The other side is gone."""
        if not self._over:
            self._over = True
            self._inputs.append(HungUp(reason))

    # ── Room ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def drain(self) -> Sequence[RoomInput]:
        inputs, self._inputs = self._inputs, []
        if self._over:
            return inputs
        now = self.clock.now()
        if self._attached and not self.held:
            inputs.extend(Heard(self.party.number, self._gate.heard(pcm)) for pcm in self.line.take())
        done = self._keyed and (self._keyed[-1] == "#" or now - self._keyed_at >= _KEYS_WITHIN)
        if done and self._told.take(now):
            keyed, self._keyed = self._keyed, ""
            if self._tells_keys:
                keys = f"(keys pressed on the phone: {' '.join(keyed)})"
                inputs.append(Typed(self.party.number, keys, note=True))
        if self._attached and not self.held and now - self.line.heard_at > self._timeout:
            self._over = True
            inputs.append(HungUp("client_gone"))
        return inputs

    def push(self, pcm: Pcm) -> None:
        self.line.push(pcm)

    def hum(self, pcm: Pcm) -> None:
        self.line.push(pcm, voice=False)

    def queued(self) -> float:
        return self.line.queued()

    def clear(self) -> float:
        return self.line.clear()

    def send(self, message: ToRoom) -> None:
        """A phone shows nothing."""

    def act(self, action: str, arguments: Mapping[str, Any]) -> str:
        match action:
            case "dtmf" if self.line.deal.keys is None:
                return "the other side takes no keys (it offered no telephone-event)"
            case "dtmf":
                self.line.press(str(arguments.get("digits", ""))[:64])
            case "hold":
                self.put_on_hold(bool(arguments.get("on", True)))
            case "transfer":
                return self.hand_on(arguments)
            case _:
                return super().act(action, arguments)
        return ""

    async def aclose(self, reason: str) -> None:
        if not self._closed:
            self._closed = True
            self._over = True
            self._hang_up(reason)
