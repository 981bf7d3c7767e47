"""The phones of a gateway: it listens for SIP, registers with providers, dials, and turns each call into a session."""

import asyncio
import contextlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from aiosipua.dialog import DialogState, dialog_matches, remote_cseq_valid
from aiosipua.headers import parse_address, stringify_uri
from aiosipua.incoming_call import IncomingCall
from aiosipua.message import SipRequest, SipResponse
from aiosipua.sdp import SdpMessage
from aiosipua.session_timer import DEFAULT_MIN_SE, parse_session_expires
from aiosipua.uac import SipUAC
from aiosipua.uas import SipUAS

from gateway.bucket import Bucket
from gateway.rooms.sip import holding, offers
from gateway.rooms.sip.calls import Call, Calls, UserAgent
from gateway.rooms.sip.dialing import UNANSWERED, NotDialled, dial, route
from gateway.rooms.sip.gate import Gate
from gateway.rooms.sip.introducing import RING, introduce
from gateway.rooms.sip.metrics import SipMetrics
from gateway.rooms.sip.places import is_address, is_number
from gateway.rooms.sip.registrations import Registrar
from gateway.rooms.sip.screening import CallRefused, Guest, Screening
from gateway.rooms.sip.sources import Address
from gateway.rooms.sip.tcp import TcpWire
from gateway.rooms.sip.transactions import branch_of
from gateway.rooms.sip.transfer import NotMoved, transfer
from gateway.rooms.sip.trunks import Trunks, load_trunks
from gateway.rooms.sip.wire import UdpWire, Wire, hang_up_late, refusal
from gateway.sessions.reception import NOBODY_HERE, Reception
from gateway.sessions.session import Session
from schemas.client import KEYS
from schemas.config.agent import AgentSpec
from schemas.config.settings import Settings
from schemas.errors import AgentSpecError, BusError, SettingsError
from schemas.process.numbers import numbers_shortened
from schemas.process.tasks import Tasks
from schemas.text.clean import one_line

log = logging.getLogger("antiphon.gateway.sip")

_METHODS = frozenset(("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "UPDATE", "INFO", "NOTIFY", "PRACK", "REFER"))
ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO, NOTIFY, PRACK"
_BOTH = 20
"""Tries to find a port that is free for UDP and TCP, where any will do."""


@dataclass(frozen=True, slots=True)
class Listen:
    """`host`, `port`: for SIP by UDP and TCP; `ports`: for sound; `advertised`: our address as the world outside sees it."""

    host: str
    port: int
    ports: range
    advertised: str = ""
    most: int = 200

    @classmethod
    def of(cls, settings: Settings) -> "Listen":
        """SettingsError: which setting can't be."""
        host, _, port = settings.sip_listen.rpartition(":")
        if not host or not port.isdigit():
            raise SettingsError(f"SIP_LISTEN={settings.sip_listen}: expected host:port, such as 0.0.0.0:5060")
        first, _, last = settings.sip_ports.partition("-")
        if not first.isdigit() or not last.isdigit() or not 1024 <= int(first) < int(last) <= 65_535:
            raise SettingsError(
                f"SIP_PORTS={settings.sip_ports}: expected first-last from 1024 to 65535, such as 20000-29999"
            )
        return cls(
            host.strip("[]"), int(port), range(int(first), int(last) + 1), settings.sip_address, settings.sip_calls
        )


class Phones:
    """`async start()`, then calls come; `port` is the real one afterwards."""

    def __init__(self, reception: Reception, trunks: Trunks, listen: Listen):
        for library in ("aiosipua", "aiortp"):
            logging.getLogger(library).setLevel(logging.CRITICAL)  # it tells of every scanner; we say what matters
        self.listen, self.trunks = listen, trunks.trunk
        self._reception = reception
        clock = reception.house.clock
        self.metrics = SipMetrics(reception.house.metrics.registry)
        self.gate = Gate(clock, [network for trunk in trunks.trunk for network in trunk.addresses])
        self.calls = Calls(reception, listen.host, listen.ports, listen.advertised, self.metrics)
        self.screening = Screening(clock, trunks.trunk, listen.most, self.calls.busy, self._closed)
        self.calls.hand_on = self._hand_on
        self.calls.hold = self._hold
        self.calls.full = lambda trunk: full.reason if (full := self.screening.full(trunk)) is not None else ""
        self.port = listen.port
        self._refusals = Bucket.full(1.0, clock.now())  # lines a second, whoever calls however often
        self.sides: list[UserAgent] = []
        self.registrars: list[Registrar] = []
        self._guests: dict[str, Guest] = {}
        self._tasks = Tasks()

    async def start(self) -> None:
        """SettingsError when the port is taken."""
        host, port = self.listen.host, self.listen.port
        for attempt in range(_BOTH):
            udp = UdpWire(host, port, self.gate, self.listen.advertised)
            await udp.start()
            tcp = TcpWire(host, udp.port, self.gate, self.listen.advertised)
            try:
                await tcp.start()
            except SettingsError:
                await udp.stop()
                if port or attempt == _BOTH - 1:
                    raise
            else:
                break
        self.port = udp.port
        self.sides = [self._side(udp), self._side(tcp)]
        tcp.in_use = self.calls.by
        self.calls.metronome.start()
        log.info("phones: SIP on %s:%d, trunks: %s", host, self.port, ", ".join(t.name for t in self.trunks) or "none")
        for trunk in self.trunks:
            if trunk.registration is not None:
                side = self.sides[1 if trunk.registration.transport == "tcp" else 0]
                one = Registrar(trunk, trunk.registration, side.uac, side.wire, self.gate, self.screening)
                self.registrars.append(one)
                self._tasks.spawn(one.run(), f"registration of {trunk.name}")
        if not self.trunks:
            log.warning("SIP: no trunk, so nobody may call; name who may in SIP_TRUNKS (docs/phones.md)")

    def _hold(self, call: Call) -> None:
        self._tasks.spawn(holding.offer_again(self.calls, call), "hold")

    def _hand_on(self, call: Call, asked: Mapping[str, Any]) -> str:
        """A tool wants a caller transferred; should it fail, the agent is told."""
        to = str(asked.get("to", ""))
        where = f"tel:{to}" if is_number(to) else to
        if not (is_address(where) or is_number(to)):
            return "it leads to no number and no sip: address"
        announced = str(asked.get("announce", "")) if asked.get("mode") == "warm" else None
        self._tasks.spawn(self._handed_on(call, where, announced), "transfer")
        return ""

    async def _handed_on(self, call: Call, where: str, announced: str | None) -> None:
        """`announced`: what whoever takes over is told before; None: the phone is sent there by itself."""
        try:
            if announced is None:
                await transfer(call, where)
            else:
                await self._introduced(call, where, announced)
        except NotMoved as error:
            log.info("%s", error, extra={"session": call.session.name if call.session else ""})
            if call.room is not None:
                call.room.tell(f"(the transfer failed: {error})")

    async def _introduced(self, call: Call, where: str, announced: str) -> None:
        try:
            way = await route(where, "", self.trunks)
        except NotDialled as error:
            session = {"session": call.line.session}
            log.warning("nobody can be told before the transfer, the phone goes by itself: %s", error, extra=session)
            await transfer(call, where)
            return

        async def ring(spec: AgentSpec, metadata: Mapping[str, Any]) -> Session:
            return await dial(self.calls, self._reception, self.sides, way, spec, wait=RING, metadata=metadata)

        await introduce(self.calls, call, announced, ring)

    async def dial(
        self, to: str, agent: str = "", *, trunk: str = "", digits: str = "", wait: float = 60.0,
        metadata: Mapping[str, Any] = {},
    ) -> str:  # fmt: skip
        """Ring somebody; answers the session's name once they have answered. NotDialled."""
        way = await route(to, trunk, self.trunks)
        try:
            spec = self._reception.agents.find(agent)
        except AgentSpecError as error:
            raise NotDialled(404, str(error)) from None
        ours = self._reception, self.sides
        return (await dial(self.calls, *ours, way, spec, digits=digits, wait=wait, metadata=metadata)).name

    async def drain(self, seconds: float) -> None:
        """Those who were put through to each other may speak on for so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while any(call.joined for call in self.calls.by_id.values()):
                    await asyncio.sleep(0.1)

    async def aclose(self) -> None:
        for registrar in self.registrars:
            registrar.leave()
        await self._tasks.aclose()
        await self.calls.aclose()
        await asyncio.sleep(0)  # the last BYEs leave
        for side in self.sides:
            for call in side.uas.active_calls.values():
                call._stop_retransmissions()
            side.uac.close()
            await side.wire.stop()

    def _side(self, wire: Wire) -> UserAgent:
        uac = SipUAC(wire)
        uas = SipUAS(wire, uac=uac, session_expires=1800)
        side = UserAgent(wire, uas, uac)
        uas.on_invite = partial(self._invited, side)
        uas.on_reinvite = self._reinvited
        uas.on_update = self._updated
        uas.on_bye = lambda call, _: self.calls.left(call.call_id)
        uas.on_ack_timeout = lambda call: self.calls.left(call.call_id, "client_gone")
        uas.on_transfer_progress = lambda call_id, status, _: self.calls.moved(call_id, status)
        uas.on_session_expired = lambda call: self.calls.left(call.call_id, "client_gone")
        wire.screen = partial(self._screen, side)
        wire.on_message = partial(self._message, side)
        wire.passed = self._passed
        wire.unanswered = self._unanswered
        return side

    def _closed(self) -> str:
        if self._reception.draining:
            return "shutting down"
        if self._reception.unmanned():
            return NOBODY_HERE
        return "" if self._reception.leases.connected else BusError.told

    # ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _screen(self, side: UserAgent, wire: Wire, request: SipRequest, source: Address) -> bool:
        if (
            request.method not in _METHODS
        ):  # as they are written: the user agent would take "invite" for INVITE, past the door
            wire.send_reply(refusal(request, 405, "Method Not Allowed", Allow=ALLOW))
            return False
        to = parse_address(request.headers.get_first("to") or "")
        call = self.calls.by_id.get(request.call_id or "")
        here = call is not None
        if request.method == "INVITE" and call is not None and branch_of(request) == branch_of(call.sip.invite):
            return False  # a repeat of the one it began with, remembered no more; its answer is repeated anyway
        if request.method == "INVITE" and here is not bool(to.tag):
            status, reason = (482, "Loop Detected") if here else (481, "Call/Transaction Does Not Exist")
            wire.send_reply(refusal(request, status, reason))
            return False
        if request.method == "INVITE" and call is not None and (unfit := why_not_within(call, side, request)):
            wire.send_reply(refusal(request, *unfit))
            return False
        if request.method == "INVITE" and not to.tag:
            answer = self.screening.let_in(request, source[0])
            if isinstance(answer, CallRefused):
                self.metrics.refused.labels(str(answer.status)).inc()
                if answer.status != 401 and self._refusals.take(self._reception.house.clock.now()):
                    reason = numbers_shortened(one_line(answer.reason, 200), bare=True)
                    log.info("refused a call from %s: %d %s", source[0], answer.status, reason)
                wire.send_reply(refusal(request, answer.status, answer.reason, **answer.headers), once=True)
                return False
            self._guests[request.call_id or ""] = answer
            side.uas.session_expires = answer.trunk.session_expires
            bound_session(request, answer.trunk.session_expires)
            return True
        if request.method == "INFO":
            self._info(side, request)
            return False
        if request.method == "CANCEL":
            self._cancelled(side, request, source)
            return False
        if request.method == "REFER":  # who may call may not have us call others at our cost
            wire.send_reply(refusal(request, 603, "Decline: the agent calls nobody", Allow=ALLOW))
            return False
        return True

    def _invited(self, side: UserAgent, incoming: IncomingCall) -> None:
        guest = self._guests.pop(incoming.call_id, None)
        assert guest is not None  # `_screen` let it in
        self.calls.invited(guest, side, incoming)

    def _cancelled(self, side: UserAgent, request: SipRequest, source: Address) -> None:
        """A caller gives up, if it is the caller, and before we have answered (RFC 3261 §9.2)."""
        call = self.calls.by_id.get(request.call_id or "")
        if call is None or not isinstance(call.sip, IncomingCall) or not cancels(request, call.sip, source):
            side.wire.send_reply(refusal(request, 481, "Call/Transaction Does Not Exist"))
            return
        side.wire.send_reply(call.sip.dialog.create_response(request, 200, "OK"))
        if call.sip.dialog.state is DialogState.EARLY:  # else it is too late: they hang up
            call.sip.reject(487, "Request Terminated")
            self.calls.left(call.id)

    def _info(self, side: UserAgent, request: SipRequest) -> None:
        """A key, from phones that send them so (application/dtmf-relay)."""
        call = self.calls.by_id.get(request.call_id or "")
        if call is None or not dialog_matches(call.sip.dialog, request):
            side.wire.send_reply(refusal(request, 481, "Call/Transaction Does Not Exist"))
        elif not remote_cseq_valid(call.sip.dialog, request):
            side.wire.send_reply(refusal(request, 500, "Server Internal Error: CSeq is not higher than the last"))
        elif request.body and (request.content_type or "").split(";")[0].strip().lower() != _RELAY:
            side.wire.send_reply(refusal(request, 415, "Unsupported Media Type", Accept=_RELAY))
        else:
            key = re.search(rf"(?im)^signal\s*=\s*([{KEYS}])\s*$", request.text)
            if key is not None and call.room is not None:
                call.room.key(key[1].upper())
            side.wire.send_reply(call.sip.dialog.create_response(request, 200, "OK"))

    def _reinvited(self, incoming: IncomingCall) -> None:
        try:
            answer = self.calls.reoffered(incoming.invite)
        except offers.NoDeal as error:
            side_response = incoming.dialog.create_response(incoming.invite, 488, f"Not Acceptable Here: {error}")
            if incoming.transport is not None:
                incoming.transport.send_reply(side_response)
            return
        incoming.accept(answer)

    def _updated(self, _: IncomingCall, request: SipRequest) -> SdpMessage | None:
        if not request.body:
            return None
        try:
            return self.calls.reoffered(request)
        except offers.NoDeal:
            return None

    # ── around the user agent ────────────────────────────────────────────────────────────────────────────────────────

    def _message(self, side: UserAgent, message: SipRequest | SipResponse, source: Address) -> None:
        if isinstance(message, SipResponse):
            if self._of_hold(message):
                return
            if self._learn(side, message, source):
                side.uas._on_message(message, source)
            return
        call_id = message.call_id or ""
        try:
            side.uas._on_message(message, source)
        finally:
            self._guests.pop(call_id, None)  # of an INVITE the user agent refused itself
            if message.method == "INVITE" and call_id not in self.calls.by_id:
                side.uas._calls.pop(call_id, None)
                side.uas._remove_invite_transaction(message)

    def _of_hold(self, response: SipResponse) -> bool:
        call = self.calls.by_id.get(response.call_id or "")
        return call is not None and holding.answered(self.calls, call, response)

    def _learn(self, side: UserAgent, response: SipResponse, source: Address) -> bool:
        """Where requests within a call of ours go, as its answer says (RFC 3261 §12.1.2). False: the answer of somebody with
        whom there is no call."""
        call = side.uac.get_call(response.call_id or "")
        cseq = response.cseq
        if cseq is None or cseq.method != "INVITE" or not 200 <= response.status_code < 300:
            return True
        tag = (response.to_addr.tag if response.to_addr else None) or ""
        taken = call is not None and call._answered.is_set()
        if call is None or (taken and tag != call.dialog.remote_tag):
            hang_up_late(side.wire, response, source)
            return False
        if not taken:
            call.dialog.remote_tag = tag  # whoever rang before
        contacts = response.contact
        if contacts:
            call.dialog.remote_target = stringify_uri(contacts[0].uri)
        bound_session(response, _LONGEST)
        if not call.dialog.route_set:
            call.dialog.route_set = list(reversed(response.headers.get("record-route")))
        return True

    def _passed(self, message: SipRequest | SipResponse) -> None:
        if isinstance(message, SipRequest):
            if message.method == "ACK":
                self.calls.acknowledged(message.call_id or "", message)
            return
        cseq, call_id = message.cseq, message.call_id or ""
        if cseq is None:
            return
        if cseq.method == "REFER" and message.status_code >= 300:
            self.calls.moved(call_id, message.status_code)
        elif cseq.method == "UPDATE" and message.status_code in (408, 481):
            self.calls.left(call_id, "client_gone")

    def _unanswered(self, request: SipRequest) -> None:
        """Nobody answered us for half a minute."""
        call_id = request.call_id or ""
        match request.method:
            case "UPDATE":
                self.calls.left(call_id, "client_gone")
            case "REFER":
                self.calls.moved(call_id, 408)
            case "REGISTER":
                for registrar in self.registrars:
                    registrar.unanswered(call_id)
            case "INVITE" if self._of_hold(refusal(request, 408, UNANSWERED)):
                pass
            case "INVITE":
                for side in self.sides:
                    side.uac.handle_response(refusal(request, 408, UNANSWERED), ("", 0))


def why_not_within(call: Call, side: UserAgent, invite: SipRequest) -> tuple[int, str] | None:
    """Why an INVITE can't be one within `call` now; the user agent would take it for a new one, past the door."""
    if call.side is not side:
        return 488, f"Not Acceptable Here: this call goes by {call.side.wire.token}"
    if not dialog_matches(call.sip.dialog, invite):
        return 481, "Call/Transaction Does Not Exist"
    pending = call.sip.dialog.state is not DialogState.CONFIRMED or call.offering is not None
    return (491, "Request Pending") if pending else None


def bound_session(message: SipRequest | SipResponse, most: int) -> None:
    """Session-Expires as it says, but no longer than `most` (or their own Min-SE) and no shorter than RFC 4028 allows."""
    said = message.headers.get_first("session-expires")
    if said is None:
        return
    interval, refresher = parse_session_expires(said)
    least = message.headers.get_first("min-se") or ""
    longest = max(most, min(int(least), _LONGEST)) if least.isdecimal() and len(least) < 8 else most
    bounded = min(interval, longest)
    if isinstance(message, SipResponse) and interval > 0:
        bounded = max(bounded, DEFAULT_MIN_SE)
    if bounded != interval:
        role = f";refresher={refresher}" if refresher in ("uac", "uas") else ""
        message.headers.set_single("Session-Expires", f"{bounded}{role}")


def cancels(request: SipRequest, call: IncomingCall, source: Address) -> bool:
    """Whether a CANCEL is of who sent the INVITE: same machine, branch, number and tag."""
    invite, theirs = call.invite, request.from_addr
    numbers = (request.cseq.seq if request.cseq else -1, invite.cseq.seq if invite.cseq else -2)
    return (
        source[0] == call.source_addr[0]
        and branch_of(request) == branch_of(invite)
        and numbers[0] == numbers[1]
        and theirs is not None
        and (theirs.tag or "") == call.dialog.remote_tag
    )


_RELAY = "application/dtmf-relay"
_LONGEST = 86_400


async def start_phones(reception: Reception, listen: Listen, trunk_file: Path | None) -> Phones:
    """SettingsError: what is to be changed."""
    trunks = load_trunks(trunk_file) if trunk_file is not None else Trunks()
    phones = Phones(reception, trunks, listen)
    await phones.start()
    for problem in trunks.unanswered(reception.agents.names):
        log.warning("SIP_TRUNKS: %s", problem)
    return phones
