"""What RFC 3261 §17 asks of an unreliable wire, and aiosipua leaves to it: repeats go out until they are answered, repeats that
come in are answered as before and disturb nobody."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from aiosipua.headers import CSeq, parse_via, stringify_cseq
from aiosipua.message import SipRequest, SipResponse

from gateway.rooms.sip.gate import is_here
from gateway.rooms.sip.sources import Address

log = logging.getLogger("antiphon.gateway.sip")

T1, T2 = 0.5, 4.0
GIVE_UP = 32.0
"""Seconds (64 × T1) after which nobody answers any more."""
_RINGS = 330.0
"""Seconds an INVITE of ours is remembered that rings and is never answered; nobody waits that long (`dialing`)."""
_MOST, _MOST_BYTES = 20_000, 8_000_000
"""Requests that came, and bytes of what they were answered, that are kept for their repeats."""
_FORKS = 16
"""Phones that may take one call of ours; who takes it after them is not hung up."""

Key = tuple[str, str, str]
"""(branch, method, host)"""


def branch_of(message: SipRequest | SipResponse) -> str:
    vias = message.headers.get("via")
    return (parse_via(vias[0]).branch or "") if vias else ""


@dataclass(slots=True)
class _Came:
    """A request that came: what it was answered last."""

    at: float
    reply: bytes | None = None
    to: Address | None = None
    repeat: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class _Gone:
    """A request of ours on its way."""

    at: float
    request: SipRequest
    to: Address
    interval: float = T1
    repeat: asyncio.TimerHandle | None = None
    answered: bool = False
    ack: SipRequest | None = None
    ended: set[str] = field(default_factory=set)
    """Tags of those who took the call too late, or beside another, and have been hung up."""


class Transactions:
    """`write`: bytes to an address; `reliable`: the wire repeats by itself; `unanswered`: told of a request of ours nobody
    answered."""

    def __init__(
        self, write: Callable[[bytes, Address], None], *, reliable: bool, unanswered: Callable[[SipRequest], None]
    ):
        self._write, self._reliable, self._unanswered = write, reliable, unanswered
        self._came: OrderedDict[Key, _Came] = OrderedDict()
        self._gone: dict[tuple[str, str], _Gone] = {}
        self._bytes = 0
        self._now = asyncio.get_running_loop().time
        self._later = asyncio.get_running_loop().call_later

    def close(self) -> None:
        timers = [came.repeat for came in self._came.values()] + [gone.repeat for gone in self._gone.values()]
        for timer in timers:
            if timer is not None:
                timer.cancel()
        self._came.clear()
        self._gone.clear()
        self._bytes = 0

    # ── requests that come ───────────────────────────────────────────────────────────────────────────────────────────

    def came(self, request: SipRequest, source: Address) -> bool:
        """Whether a request is new. A repeat is answered as before; the ACK of a refusal ends its repeats."""
        branch = branch_of(request)
        if request.method == "ACK":
            refused = self._came.get((branch, "INVITE", source[0]))
            if refused is None or refused.repeat is None:
                return True
            self._still(refused)
            return False
        key = (branch, request.method, source[0])
        known = self._came.get(key)
        if known is not None:
            if known.reply is not None and known.to is not None:
                self._write(known.reply, known.to)
            return False
        self._forget_old()
        self._came[key] = _Came(self._now())
        return True

    def replied(self, response: SipResponse, data: bytes, to: Address) -> None:
        """A response of ours leaves."""
        cseq = response.cseq
        known = self._came.get((branch_of(response), cseq.method if cseq else "", to[0]))
        if known is None:
            return
        self._bytes += len(data) - len(known.reply or b"")
        known.reply, known.to = data, to
        self._still(known)
        if cseq is not None and cseq.method == "INVITE" and response.status_code >= 300 and not self._reliable:
            known.repeat = self._later(T1, self._repeat_reply, known, T1)

    def once(self, response: SipResponse, to: Address) -> None:
        """A response that left is not repeated by itself."""
        known = self._came.get((branch_of(response), response.cseq.method if response.cseq else "", to[0]))
        if known is not None:
            self._still(known)

    def _repeat_reply(self, known: _Came, interval: float) -> None:
        if known.reply is None or known.to is None or self._now() - known.at > GIVE_UP:
            known.repeat = None
            return
        self._write(known.reply, known.to)
        interval = min(2 * interval, T2)
        known.repeat = self._later(interval, self._repeat_reply, known, interval)

    def _still(self, known: _Came) -> None:
        if known.repeat is not None:
            known.repeat.cancel()
            known.repeat = None

    def _forget_old(self) -> None:
        horizon = self._now() - GIVE_UP
        while self._came:
            key, oldest = next(iter(self._came.items()))
            if oldest.at > horizon and len(self._came) < _MOST and self._bytes < _MOST_BYTES:
                return
            self._still(oldest)
            self._bytes -= len(oldest.reply or b"")
            del self._came[key]

    # ── requests that go ─────────────────────────────────────────────────────────────────────────────────────────────

    def goes(self, request: SipRequest, data: bytes, to: Address) -> None:
        """A request of ours leaves."""
        if request.method == "ACK":
            return
        one = _Gone(self._now(), request, to)
        self._gone[branch_of(request), request.method] = one
        one.repeat = self._later(GIVE_UP if self._reliable else T1, self._repeat, one, data)

    def _repeat(self, one: _Gone, data: bytes) -> None:
        one.repeat = None
        if self._now() - one.at >= GIVE_UP - 0.001:
            self._done(one)
            self._unanswered(one.request)
            return
        self._write(data, one.to)
        one.interval = 2 * one.interval if one.request.method == "INVITE" else min(2 * one.interval, T2)
        one.repeat = self._later(min(one.interval, GIVE_UP - (self._now() - one.at)), self._repeat, one, data)

    def answered(self, response: SipResponse, source: Address) -> bool:
        """Whether a response is one to a request of ours, from where that went, and tells anything new. A refused INVITE is
        acknowledged here."""
        cseq = response.cseq
        if cseq is None:
            return False
        one = self._gone.get((branch_of(response), cseq.method))
        if one is None or not _fits(one, response, source):
            return False
        invite = cseq.method == "INVITE"
        if one.repeat is not None and (response.status_code >= 200 or invite):
            one.repeat.cancel()
            one.repeat = None
        if response.status_code < 200:
            if invite and not one.answered:
                one.repeat = self._later(_RINGS, self._done, one)
            return True
        if invite and response.status_code >= 300:
            one.ack = one.ack or _acknowledgement(one.request, response)
            self._write(bytes(one.ack), one.to)
        if one.answered:
            return (
                invite and response.status_code < 300
            )  # a repeat to be acknowledged again, or another phone took it too
        one.answered = True
        self._later(GIVE_UP + T2, self._done, one)
        return True

    def ends(self, response: SipResponse) -> bool:
        """Whether who took a call of ours with `response` is to be hung up now: once each."""
        one = self._gone.get((branch_of(response), "INVITE"))
        tag = response.to_addr.tag if response.to_addr else None
        if one is None or not tag or tag in one.ended or len(one.ended) >= _FORKS:
            return False
        one.ended.add(tag)
        return True

    def _done(self, one: _Gone) -> None:
        self._gone.pop((branch_of(one.request), one.request.method), None)


def _fits(one: _Gone, response: SipResponse, source: Address) -> bool:
    """Who has not seen the request can't answer it, and nobody answers from another machine than it went to (RFC 3581 §4)."""
    request = one.request
    there = source[0] == one.to[0] or (is_here(source[0]) and is_here(one.to[0]))
    ours, theirs = request.from_addr, response.from_addr
    return (
        there
        and response.call_id == request.call_id
        and response.cseq == request.cseq
        and ours is not None
        and theirs is not None
        and theirs.tag == ours.tag
    )


def _acknowledgement(invite: SipRequest, response: SipResponse) -> SipRequest:
    """The ACK of a refusal belongs to the INVITE's own transaction (RFC 3261 §17.1.1.3)."""
    ack = SipRequest(method="ACK", uri=invite.uri)
    ack.headers.append("Via", invite.headers.get("via")[0])
    for name in ("From", "Call-ID"):
        ack.headers.set_single(name, invite.headers.get_first(name) or "")
    ack.headers.set_single("To", response.headers.get_first("to") or invite.headers.get_first("to") or "")
    number = invite.cseq.seq if invite.cseq else 1
    ack.headers.set_single("CSeq", stringify_cseq(CSeq(number, "ACK")))
    ack.headers.set_single("Max-Forwards", "70")
    for route in invite.headers.get("route"):
        ack.headers.append("Route", route)
    return ack
