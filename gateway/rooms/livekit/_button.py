"""Push-to-talk in a LiveKit room: the RPC methods of LiveKit's own examples, `start_turn`, `end_turn` and `cancel_turn`."""

import asyncio
from collections.abc import Callable

from livekit import rtc

from gateway.inputs import PushToTalk, RoomInput

METHODS = ("start_turn", "end_turn", "cancel_turn")
TAIL = 0.15
"""Seconds by which sound comes later than what is called: so much of it still belongs to the turn that ends."""
_TOO_MANY = 2001
"""Codes from 1000 to 1999 are LiveKit's."""


class Button:
    """`put`: takes what was pressed; `allows`: whether somebody may press once more."""

    def __init__(self, put: Callable[[RoomInput], None], allows: Callable[[str], bool]):
        self._put, self._allows = put, allows
        self._ending: dict[str, asyncio.TimerHandle] = {}

    def register(self, agent: rtc.LocalParticipant) -> None:
        """Of each connection anew."""
        for method in METHODS:
            agent.register_rpc_method(method, self._called)

    async def _called(self, call: rtc.RpcInvocationData) -> str:
        self.called(call.method, call.caller_identity)
        return ""

    def called(self, method: str, who: str) -> None:
        """RpcError: it is not taken."""
        if method == "end_turn":
            if who not in self._ending:
                self._ending[who] = asyncio.get_running_loop().call_later(TAIL, self._end, who)
            return
        if method == "start_turn" and not self._allows(who):
            raise rtc.RpcError(_TOO_MANY, "too many turns a second; this one was not taken")
        if (ending := self._ending.get(who)) is not None:
            ending.cancel()
            self._end(who, cancel=method == "cancel_turn")
        elif method == "cancel_turn":
            self._put(PushToTalk(who, False, cancel=True))
        if method == "start_turn":
            self._put(PushToTalk(who, True))

    def _end(self, who: str, cancel: bool = False) -> None:
        del self._ending[who]
        self._put(PushToTalk(who, False, cancel=cancel))

    def close(self) -> None:
        for ending in self._ending.values():
            ending.cancel()
        self._ending.clear()
