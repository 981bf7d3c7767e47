"""What a tool may have done to a phone in a LiveKit room: keys by the SDK, a transfer by the server's API and its SIP bridge."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiortp.dtmf import DTMF_EVENTS
from livekit import rtc

from gateway.inputs import HungUp, RoomInput, Typed
from schemas.process.tasks import Tasks

Transfer = Callable[[str, str], Awaitable[str]]
"""Identity of a phone, and whom it is to call instead → why that was not done, "" where it was."""
_NO_PHONE = "nobody in this LiveKit room is on a telephone line, so nobody can be handed on or have keys pressed"
_MOST = 64


class OnThePhone:
    """`put`: takes what came of it; `transfer`: by the server's API, None where the room was entered without it."""

    def __init__(self, put: Callable[[RoomInput], None], tasks: Tasks, transfer: Transfer | None):
        self._put, self._tasks, self._transfer = put, tasks, transfer
        self._moving = False

    def act(
        self, action: str, arguments: Mapping[str, Any], phone: str | None, agent: rtc.LocalParticipant | None
    ) -> str:
        """`phone`: identity of who is on one, None where nobody is. Why it can't be done, "" where it was begun."""
        match action:
            case "transfer" | "dtmf" if phone is None:
                return _NO_PHONE
            case "dtmf" if agent is not None:
                keys = [key for key in str(arguments.get("digits", "")).upper() if key in DTMF_EVENTS][:_MOST]
                self._tasks.spawn(_press(agent, keys), "keys")
                return ""
            case "transfer" if self._transfer is None or self._moving:
                return "a transfer is under way" if self._moving else "this room was entered without LiveKit's API"
            case "transfer" if phone is not None:
                self._moving = True
                self._tasks.spawn(self._hand_on(phone, str(arguments.get("to", ""))), "transfer")
                return ""
            case _:
                return f"LiveKit's SIP bridge has no {action}"

    async def _hand_on(self, phone: str, to: str) -> None:
        assert self._transfer is not None
        try:
            why = await self._transfer(phone, to if ":" in to else f"tel:{to}")
        finally:
            self._moving = False
        self._put(Typed(phone, f"(the transfer failed: {why})", note=True) if why else HungUp("transferred"))


async def _press(agent: rtc.LocalParticipant, keys: list[str]) -> None:
    for key in keys:
        await agent.publish_dtmf(code=DTMF_EVENTS[key], digit=key)
