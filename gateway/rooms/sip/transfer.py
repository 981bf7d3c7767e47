"""Handing on a caller: the phone is asked to call somebody else instead of us (REFER); `Calls.moved` is told what it says."""

import asyncio

from aiosipua.dialog import DialogState

from gateway.rooms.sip.calls import Call
from schemas.errors import AntiphonError
from schemas.process.numbers import numbers_shortened


class NotMoved(AntiphonError):
    """A transfer that failed; the call goes on. `status`: of SIP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def transfer(call: Call, target: str, seconds: float = 30.0) -> int:
    """Have the other side call `target` instead of us (REFER); when that is done, the session ends. Answers 200, or 202
    when they left without saying whether they got there. NotMoved."""
    if call.moving is not None:
        raise NotMoved(491, "a transfer of this call is under way")
    sip = call.sip
    if sip.dialog.state is not DialogState.CONFIRMED:
        raise NotMoved(481, "the call is not answered yet, or over")
    to = call.peer
    call.moving = asyncio.get_running_loop().create_future()
    try:
        call.side.uac.send_refer(sip.dialog, target, to)
        async with asyncio.timeout(seconds):
            status = await call.moving
    except TimeoutError:
        raise NotMoved(
            408, f"the phone did not say within {seconds:.0f} s whether it reached {numbers_shortened(target[:80])}"
        ) from None
    finally:
        call.moving = None
    if status >= 300:
        raise NotMoved(status, f"the phone could not reach {numbers_shortened(target[:80])} ({status})")
    if call.room is not None:
        call.room.leave("transferred")
    return status
