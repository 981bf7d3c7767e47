"""Hold, asked for by us: the phone is offered the call anew (re-INVITE, RFC 3264 §8.4), and its answer taken."""

import asyncio
import logging
import random

from aiosipua.dialog import DialogState
from aiosipua.headers import stringify_uri
from aiosipua.message import SipResponse
from aiosipua.outgoing_call import OutgoingCall

from gateway.rooms.sip import offers
from gateway.rooms.sip.calls import Call, Calls
from gateway.rooms.sip.transactions import branch_of

log = logging.getLogger("antiphon.gateway.sip")

_TRIES = 4
"""How often an offer is made that meets one of theirs."""
_PENDING = 491
_NO_CALL = (408, 481)
"""Answers by which they say that there is no such call any more (RFC 3261 §12.2.1.2)."""


async def offer_again(calls: Calls, call: Call) -> None:
    """Tell the phone whether we hold it, as the room has it now. One that refuses is held all the same: it is not heard, only its
    display doesn't know."""
    if call.reoffering:
        return  # it looks again when it has its answer
    call.reoffering = True
    try:
        while call.room is not None and not call.gone and call.told_held is not call.room.holding:
            wanted = call.room.holding
            status = await _offered(calls, call, wanted)
            call.told_held = wanted
            if status in _NO_CALL:
                calls.left(call.id, "client_gone")
            elif status >= 300:
                log.info("the phone takes no hold (%d)", status, extra={"session": call.line.session})
    finally:
        call.reoffering = False


async def _offered(calls: Calls, call: Call, holding: bool) -> int:
    """The status of their answer."""
    status = _PENDING
    for _ in range(_TRIES):
        if call.sip.dialog.state is not DialogState.CONFIRMED:
            return 487
        theirs = call.terms is not None and call.terms.held
        sdp = calls.offer_of(call, ("inactive" if theirs else "sendonly") if holding else "sendrecv")
        invite = call.side.uac.send_reinvite(call.sip.dialog, sdp, call.peer)
        if isinstance(call.sip, OutgoingCall):
            call.sip.sdp_offer = sdp  # a refresh of the session says the same
        call.offered_by, call.offering = branch_of(invite), asyncio.get_running_loop().create_future()
        try:
            status = await call.offering
        finally:
            call.offering = None
        if status != _PENDING:
            break
        ours = isinstance(call.sip, OutgoingCall)  # RFC 3261 §14.1: who made the Call-ID waits longer
        await asyncio.sleep(random.uniform(2.1, 4.0) if ours else random.uniform(0.0, 2.0))
    return status


def answered(calls: Calls, call: Call, response: SipResponse) -> bool:
    """Whether a response is one to such an offer of ours; then it is acknowledged, and what it says taken."""
    cseq = response.cseq
    if cseq is None or cseq.method != "INVITE" or not call.offered_by or branch_of(response) != call.offered_by:
        return False
    status = response.status_code
    if 200 <= status < 300:
        dialog = call.sip.dialog
        if contacts := response.contact:
            dialog.remote_target = stringify_uri(contacts[0].uri)
        ack = dialog.create_request("ACK")
        dialog.local_cseq -= 1  # it bears the INVITE's number
        ack.headers.set_single("CSeq", f"{cseq.seq} ACK")
        call.side.wire.send(ack, call.peer)
        try:
            if call.offering is not None and (sdp := offers.carried(response)) is not None:
                calls.offered(call, sdp)
        except offers.NoDeal as error:
            log.info("their answer to a hold: %s", error, extra={"session": call.line.session})
    if status >= 200 and call.offering is not None and not call.offering.done():
        call.offering.set_result(status)
    return True
