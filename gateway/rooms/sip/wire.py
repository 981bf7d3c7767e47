"""SIP on UDP and TCP: what comes is weighed before it is read, what goes carries an address the other side can answer to."""

import asyncio
import contextlib
import ipaddress
import logging
import re
import socket
from collections.abc import Callable
from functools import lru_cache
from typing import Any, ClassVar

from aiosipua.dialog import Dialog
from aiosipua.headers import parse_address, parse_via, stringify_address, stringify_uri, stringify_via
from aiosipua.message import SipMessage, SipRequest, SipResponse
from aiosipua.transport import SipTransport

from gateway.rooms.sip.gate import Gate
from gateway.rooms.sip.sources import Address
from gateway.rooms.sip.transactions import Transactions, branch_of
from schemas.errors import SettingsError
from schemas.text.clean import one_line

log = logging.getLogger("antiphon.gateway.sip")

LARGEST = 16_384
"""Bytes of a message; phones send 1 to 2 KB."""

_REQUEST_LINE = re.compile(rb"[^ ]+ [A-Za-z][A-Za-z0-9+.-]*:[^ <>]+ SIP/\d\.\d *")

Screen = Callable[["Wire", SipRequest, Address], bool]
"""Whether a request goes on to the user agent; else it has been answered."""


@lru_cache(maxsize=1024)
def facing(host: str, port: int, advertised: str) -> str:
    """Our address as `host` sees it. `advertised`: what peers outside are told, "" for our own."""
    with contextlib.suppress(ValueError):
        if advertised and ipaddress.ip_address(host).is_global:
            return advertised
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host, port or 5060))
            return str(probe.getsockname()[0])
        except OSError:
            return advertised or "127.0.0.1"


def refusal(request: SipRequest, status: int, reason: str, **headers: str) -> SipResponse:
    """An answer to a request that belongs to no call."""
    response = SipResponse(status_code=status, reason_phrase=one_line(reason, 200))
    for via in request.headers.get("via"):
        response.headers.append("Via", via)
    for name in ("From", "To", "Call-ID", "CSeq"):
        value = request.headers.get_first(name)
        if value is not None:
            response.headers.set_single(name, f"{value};tag=refused" if name == "To" and "tag=" not in value else value)
    for name, value in headers.items():
        response.headers.set_single(name.replace("_", "-"), value)
    return response


def hang_up_late(wire: "Wire", response: SipResponse, to: Address) -> None:
    """Somebody took a call of ours that was given up already, or that another took: acknowledged, and ended once."""
    ours, theirs, cseq, contacts = response.from_addr, response.to_addr, response.cseq, response.contact
    if ours is None or theirs is None or cseq is None:
        return
    dialog = Dialog(
        call_id=response.call_id or "", local_tag=ours.tag or "", remote_tag=theirs.tag or "",
        local_uri=stringify_uri(ours.uri), remote_uri=stringify_uri(theirs.uri),
        remote_target=stringify_uri(contacts[0].uri) if contacts else "",
        route_set=list(reversed(response.headers.get("record-route"))), local_cseq=cseq.seq - 1,
    )  # fmt: skip
    wire.send(dialog.create_request("ACK"), to)  # it bears the INVITE's number
    if wire.transactions.ends(response):
        wire.send(dialog.create_request("BYE"), to)


class Wire(SipTransport):
    """`advertised`: see `facing`; `screen`: asked about each request before the user agent is; `passed`: told each message the
    user agent has had; `unanswered`: a request of ours to which nobody answered."""

    token: ClassVar[str] = "UDP"

    def __init__(self, host: str, port: int, gate: Gate, advertised: str = ""):
        super().__init__(local_addr=(host, port))
        self.gate, self.advertised = gate, advertised
        self.screen: Screen = lambda _wire, _request, _source: True
        self.passed: Callable[[SipRequest | SipResponse], None] = lambda _: None
        self.unanswered: Callable[[SipRequest], None] = lambda _: None
        self.transactions: Transactions

    @property
    def port(self) -> int:
        return self.local_addr[1]

    def _begin(self) -> None:
        self.transactions = Transactions(self._write, reliable=self.reliable, unanswered=self._nobody)

    def _nobody(self, request: SipRequest) -> None:
        self.unanswered(request)

    def _write(self, data: bytes, to: Address) -> None:
        raise NotImplementedError

    # ── in ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    def came(self, data: bytes, source: Address) -> None:
        """One message off the wire, from an address the gate let through."""
        try:
            self._read(data, source)
        except Exception as error:  # whatever it was, the socket and everybody else's calls go on
            known = isinstance(error, ValueError | IndexError | KeyError | TypeError | OverflowError)
            log.log(logging.DEBUG if known else logging.ERROR, "a message of %s failed", source[0], exc_info=not known)

    def _read(self, data: bytes, source: Address) -> None:
        message = SipMessage.parse(data)
        if isinstance(message, SipResponse):
            if self.transactions.answered(message, source):
                self._pass(message, source)
            return
        self._stamp(message, source)
        kind = message.headers.get_first("content-type") or ""
        if kind.split(";")[0].strip().lower() == "application/sdp":
            message.headers.set_single("Content-Type", "application/sdp")  # as the user agent looks for it
        if not branch_of(message):  # nothing could tell its repeats from other requests
            if message.method != "ACK":
                self.send_reply(refusal(message, 400, "Bad Request: no branch in Via"))
            return
        if not self.transactions.came(message, source):
            return
        try:
            if not data.split(b"\n", 1)[0].rstrip().upper().endswith(b" SIP/2.0"):
                self.send_reply(refusal(message, 505, "Version Not Supported"))
                return
            _check(message, data)
            if self.screen(self, message, source):
                self._pass(message, source)
        except (ValueError, IndexError, KeyError, TypeError):
            if message.method != "ACK":
                self.send_reply(refusal(message, 400, "Bad Request"))
            raise

    def stranger(self, data: bytes, source: Address) -> bytes | None:
        """What a stranger is told, once in a while: nothing of this is kept."""
        try:
            message = SipMessage.parse(data)
            if not isinstance(message, SipRequest) or message.method == "ACK":
                return None
            self._stamp(message, source)
            return bytes(refusal(message, 403, f"Forbidden: no trunk names {source[0]}"))
        except (ValueError, IndexError, KeyError):
            return None

    def _stamp(self, request: SipRequest, source: Address) -> None:
        """Where it really came from, whatever it says itself (RFC 3261 §18.2.1, RFC 3581)."""
        vias = request.headers.get("via")
        if not vias:
            raise ValueError("no Via")
        via = parse_via(vias[0])
        via.params["received"] = source[0]
        if "rport" in via.params or self.reliable:
            via.params["rport"] = str(source[1])
        rest = vias[1:]
        request.headers.remove("Via")
        for value in (stringify_via(via), *rest):
            request.headers.append("Via", value)

    def _pass(self, message: SipRequest | SipResponse, source: Address) -> None:
        if self.on_message is not None:
            self.on_message(message, source)
        self.passed(message)

    # ── out ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def send(self, message: SipRequest | SipResponse, addr: Address) -> None:
        self._address(message, addr)
        if isinstance(message, SipResponse):
            message.reason_phrase = one_line(message.reason_phrase, 200)  # what they sent stands in some of them
            message.headers.remove("User-Agent")
            message.headers.set_single("Server", "antiphon")
        data = bytes(message)
        if isinstance(message, SipRequest):
            self.transactions.goes(message, data, addr)
        else:
            self.transactions.replied(message, data, addr)
        self._write(data, addr)

    def send_reply(self, response: SipResponse, *, once: bool = False) -> None:
        """`once`: it goes out again only when the request does, and a flood is not answered by a larger one."""
        vias = response.headers.get("via")
        if not vias:
            return
        via = parse_via(vias[0])
        port = via.params.get("rport") or via.port or 5060
        to = (via.params.get("received") or via.host, int(port))
        self.send(response, to)
        if once:
            self.transactions.once(response, to)

    def _address(self, message: SipRequest | SipResponse, to: Address) -> None:
        """Contact, and the Via of a request of ours, name the address `to` sees us at."""
        host = facing(to[0], to[1], self.advertised)
        vias = message.headers.get("via")
        if isinstance(message, SipRequest) and vias:
            via = parse_via(vias[0])
            via.host, via.port, via.transport = host, self.port, self.token
            rest = vias[1:]
            message.headers.remove("Via")
            for value in (stringify_via(via), *rest):
                message.headers.append("Via", value)
        contact = message.headers.get_first("contact")
        if contact is not None:
            address = parse_address(contact)
            address.uri.host, address.uri.port = host, self.port
            if self.reliable:
                address.uri.params["transport"] = "tcp"
            message.headers.set_single("Contact", stringify_address(address))


class UdpWire(Wire):
    """One socket."""

    _transport: asyncio.DatagramTransport | None = None

    async def start(self) -> None:
        self._begin()
        loop = asyncio.get_running_loop()
        try:
            self._transport, _ = await loop.create_datagram_endpoint(
                lambda: _Datagrams(self._datagram), local_addr=self.local_addr
            )
        except OSError as error:
            raise SettingsError(taken(self.local_addr, "UDP", error)) from None
        self.local_addr = (self.local_addr[0], self._transport.get_extra_info("sockname")[1])

    async def stop(self) -> None:
        self.transactions.close()
        if self._transport is not None:
            self._transport.close()

    def _write(self, data: bytes, to: Address) -> None:
        if self._transport is not None and not self._transport.is_closing() and 0 < to[1] < 65_536:
            self._transport.sendto(data, to)

    def _datagram(self, data: bytes, source: Address) -> None:
        verdict = self.gate.admit(source[0])
        if verdict == "drop" or len(data) > LARGEST or b"SIP/2.0" not in data[:512]:
            return  # among them the empty lines phones send to keep their router awake
        if verdict == "known":
            self.came(data, source)
        elif (answer := self.stranger(data, source)) is not None:
            self._write(answer, source)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, came: Callable[[bytes, Address], None]):
        self._came = came

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._came(data, (addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        pass  # somebody we answered is gone; transactions give up by themselves


def _check(request: SipRequest, data: bytes) -> None:
    """ValueError for what the parser lets pass and RFC 3261 doesn't."""
    missing = [name for name in ("from", "to", "call-id", "cseq") if not request.headers.get(name)]
    if missing or request.cseq is None or request.cseq.method != request.method:
        raise ValueError(f"missing or wrong: {', '.join(missing) or 'cseq'}")
    head = data.partition(b"\r\n\r\n")[0]
    if not _REQUEST_LINE.fullmatch(head.partition(b"\r\n")[0]):
        raise ValueError("no request line")
    if content_length(head) is None:
        raise ValueError("a length that is none")
    for name in ("from", "to"):
        if len(re.sub(r"\\.", "", request.headers.get(name)[0]).split('"')) % 2 == 0:
            raise ValueError(f"a quote in {name} that never ends")


def content_length(head: bytes) -> int | None:
    """None for nonsense, 0 where none is given."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() in (b"content-length", b"l"):
            value = value.strip()
            return int(value) if value.isdigit() and len(value) < 8 else None
    return 0


def taken(address: Address, kind: str, error: OSError) -> str:
    return (
        f"SIP_LISTEN={address[0]}:{address[1]}: cannot listen there by {kind} ({error.strerror or error}); "
        "take another port, or an address of this machine"
    )
