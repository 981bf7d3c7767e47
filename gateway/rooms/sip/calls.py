"""The calls of one gateway, from the first INVITE to the last BYE: each is a line, a room and a session."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aiosipua.dialog import DialogState, dialog_matches
from aiosipua.incoming_call import IncomingCall
from aiosipua.message import SipRequest
from aiosipua.outgoing_call import OutgoingCall
from aiosipua.sdp import SdpMessage
from aiosipua.uac import SipUAC
from aiosipua.uas import SipUAS

from gateway.rooms.sip import offers
from gateway.rooms.sip.codecs import available
from gateway.rooms.sip.echo import EchoGate
from gateway.rooms.sip.line import Line, Metronome, NoPorts
from gateway.rooms.sip.metrics import SipMetrics
from gateway.rooms.sip.room import SipRoom
from gateway.rooms.sip.screening import Guest
from gateway.rooms.sip.sources import Address, Sources
from gateway.rooms.sip.trunks import CodecName, Trunk
from gateway.rooms.sip.unacknowledged import Unacknowledged
from gateway.rooms.sip.wire import Wire, facing
from gateway.sessions.reception import Reception, Refused, new_session
from gateway.sessions.session import Session
from schemas.config.agent import AgentSpec
from schemas.errors import AgentSpecError, AntiphonError
from schemas.process.numbers import numbers_shortened, shortened
from schemas.process.tasks import Tasks
from schemas.session import callers
from schemas.text.clean import one_line

log = logging.getLogger("antiphon.gateway.sip")


@dataclass(slots=True)
class UserAgent:
    """One wire and the two halves of its user agent."""

    wire: Wire
    uas: SipUAS
    uac: SipUAC


@dataclass(slots=True)
class Call:
    """`sip`: its signalling; `version`: of our SDP."""

    id: str
    guest: Guest
    side: UserAgent
    sip: IncomingCall | OutgoingCall
    line: Line
    room: SipRoom | None = None
    session: Session | None = None
    terms: offers.Terms | None = None
    """What was agreed on last."""
    version: int = 1
    gone: bool = False
    """The other side has left before there was a room."""
    moving: asyncio.Future[int] | None = None
    """The status of a transfer that was asked for."""
    offering: asyncio.Future[int] | None = None
    """The status of an offer of ours within the call."""
    offered_by: str = ""
    """The branch of the last such offer: what is answered to it."""
    reoffering: bool = False
    told_held: bool = False
    """Whether the phone was told last that we hold it."""
    joined: "Joined | None" = None
    """With whom it speaks, once no session of ours has it any more."""

    @property
    def peer(self) -> Address:
        """Where its signalling comes from, or goes."""
        return self.sip.remote_addr if isinstance(self.sip, OutgoingCall) else self.sip.source_addr

    @property
    def codecs(self) -> list[CodecName]:
        return [name for name in available() if name in self.guest.trunk.codecs]


class Joined(Protocol):
    """Two calls whose sides hear each other."""

    def key(self, call: "Call", digit: str) -> None:
        """Pressed by the party of `call`."""

    def end(self) -> None:
        """Hang both up."""


class Calls:
    """`ports`: for sound; `host`: where it is bound; `advertised`: see `wire.facing`."""

    def __init__(self, reception: Reception, host: str, ports: range, advertised: str, metrics: SipMetrics):
        self._reception, self._house = reception, reception.house
        self._host, self._ports, self._advertised = host, ports, advertised
        self._metrics = metrics
        self.metronome = Metronome(metrics.lateness.observe)
        self.by_id: dict[str, Call] = {}
        self.unacknowledged = Unacknowledged(metrics.half_open.set)
        self.full: Callable[[Trunk], str] = lambda _: ""
        """Why a trunk has no place for one more call, "" when it has."""
        self._answering = Tasks(_failed)
        self.hand_on: Callable[[Call, Mapping[str, Any]], str] = lambda call, asked: "this call can't be handed on"
        """Begins a transfer; answers why not."""
        self.hold: Callable[[Call], None] = lambda call: None
        """Tells the phone whether we hold it."""

    def busy(self, trunk: Trunk | None) -> int:
        """How many calls a trunk has, or all of them together; without those nobody has acknowledged."""
        if trunk is None:
            return len(self.by_id) - len(self.unacknowledged)
        calls = [call for call in self.by_id.values() if call.guest.trunk is trunk]
        return sum(call.id not in self.unacknowledged for call in calls)

    def of_session(self, session: str) -> Call | None:
        return next((call for call in self.by_id.values() if call.session and call.session.name == session), None)

    def by(self, peer: Address) -> bool:
        """Whether a call goes on whose signalling is at `peer`."""
        return any(call.peer == peer for call in self.by_id.values())

    # ── coming in ────────────────────────────────────────────────────────────────────────────────────────────────────

    def invited(self, guest: Guest, side: UserAgent, incoming: IncomingCall) -> None:
        """A caller was let in: answer."""
        host = incoming.source_addr[0]
        signalled = incoming.sdp_offer.rtp_address if incoming.sdp_offer else None
        line = self.new_line(guest, host, signalled)
        self.unacknowledged.enter(incoming.call_id, host, guest.trunk.name)
        call = self._enter(Call(incoming.call_id, guest, side, incoming, line))
        self._answering.spawn(self._answer(call, incoming))

    def new_line(self, guest: Guest, party: str, signalled: Address | None = None) -> Line:
        """`party`: host of the other side; `signalled`: its address for sound, None as long as that isn't known."""
        line = Line(
            self._house.clock, Sources(signalled, party, guest.trunk.media), lambda digit: self._key(line, digit)
        )
        return line

    def _key(self, line: Line, digit: str) -> None:
        for call in self.by_id.values():
            if call.line is line and call.joined is not None:
                call.joined.key(call, digit)
            elif call.line is line and call.room is not None:
                call.room.key(digit)

    async def _answer(self, call: Call, incoming: IncomingCall) -> None:
        try:
            agent = self._reception.agents.find(call.guest.agent)
            terms = await self._agree(call, incoming)
            if terms is None:
                self._hang_up_unacknowledged(call)
                return
            if full := self.full(call.guest.trunk):
                self._refuse(call, incoming, 486, full)
                return
            self.unacknowledged.leave(call.id)
            self._metrics.calls.set(self.busy(None))
            await self._open(call, agent)
        except offers.NoDeal as error:
            self._refuse(call, incoming, 488, f"Not Acceptable Here: {error}")
        except (NoPorts, AgentSpecError) as error:
            log.warning("a call can't be answered: %s", error)
            self._refuse(call, incoming, 503, "Service Unavailable")
        except Refused as error:
            self._refuse(call, incoming, 503, f"Service Unavailable: {error}")
        except Exception:
            self._refuse(call, incoming, 500, "Server Internal Error")
            raise
        else:
            assert call.room is not None
            if call.gone:
                call.room.leave()
                return
            self._terms(call, call.terms or terms)
            call.room.attach()
            self.metronome.lines.add(call.line)

    async def _agree(self, call: Call, incoming: IncomingCall) -> offers.Terms | None:
        """Answer, and wait until they acknowledge: only then is there a session. Who calls without an offer gets ours and
        answers it with the ACK (RFC 3261 §13.2.1). None: they left, or never acknowledged. NoDeal."""
        offer = incoming.sdp_offer
        late = offer is None and not incoming.invite.body
        terms = None if late else offers.read(offer, call.codecs)
        incoming.ringing()
        await self.open_line(call.line)
        if call.gone or self.unacknowledged.given_up(call.id):
            return None
        host, line = facing(*incoming.source_addr, self._advertised), call.line
        if offer is not None and terms is not None:
            self._terms(call, terms)
            incoming.accept(offers.answer(offer, terms, host, line.port, call.version))
        else:
            incoming.accept(offers.offer(call.codecs, host, line.port, call.version))
        ack = await self.unacknowledged.ack(call.id)
        if ack is None:
            return None
        if terms is None:
            self._terms(call, offers.read(offers.carried(ack), call.codecs))
        return call.terms

    def _hang_up_unacknowledged(self, call: Call) -> None:
        """They left before they had acknowledged, or are given up."""
        if self.unacknowledged.given_up(call.id):
            self._metrics.unacknowledged.inc()
            self._bye(call)
        self._leave(call)

    async def _open(self, call: Call, agent: AgentSpec) -> None:
        trunk, party = call.guest.trunk, call.guest.party
        party.attributes["sip.codec"] = call.line.deal.form.encoding
        call.room = SipRoom(
            self._house.clock, f"{trunk.name}/{call.guest.called}"[:120], party, call.line, EchoGate(agent.phone.echo_gate),
            lambda reason: self._ended(call, reason), timeout=trunk.rtp_timeout, tells_keys=agent.phone.tell_keys,
        )  # fmt: skip
        room = call.room
        room.hand_on = lambda asked: self.hand_on(call, asked)

        def put_on_hold(on: bool) -> None:
            room.hold("agent", on)
            self.hold(call)

        room.put_on_hold = put_on_hold
        says_so_itself = trunk.users and party.attributes["sip.direction"] == "inbound"
        caller = "" if says_so_itself else callers.phone(party.number)
        call.session = await self._reception.open(
            new_session("sip"), call.room, agent, metadata=call.guest.metadata, caller=caller
        )
        call.line.session = call.session.name
        log.info(
            "%s call, %s → %s by %s", party.attributes["sip.direction"], shortened(party.number),
            shortened(call.guest.called), trunk.name, extra={"session": call.session.name},
        )  # fmt: skip

    def _refuse(self, call: Call, incoming: IncomingCall, status: int, reason: str) -> None:
        self._metrics.refused.labels(str(status)).inc()
        reason = one_line(reason, 200)
        who, called = shortened(call.guest.party.number), shortened(call.guest.called)
        log.info("refused %s → %s: %d %s", who, called, status, numbers_shortened(reason, bare=True))
        if incoming.dialog.state is DialogState.CONFIRMED:
            self._bye(call)
        elif not call.gone:
            incoming.reject(status, reason)
        self._leave(call)

    def acknowledged(self, call_id: str, ack: SipRequest) -> None:
        """Our answer has arrived: they hear."""
        call = self.by_id.get(call_id)
        if call is None or not isinstance(call.sip, IncomingCall) or not dialog_matches(call.sip.dialog, ack):
            return
        if self.unacknowledged.came(call_id, ack) or call.room is None:
            return
        try:
            if (sdp := offers.carried(ack)) is not None:
                self.offered(call, sdp)
        except offers.NoDeal as error:
            who, of = shortened(call.guest.party.number), call.session.name if call.session else ""
            log.info("%s is hung up: %s", who, one_line(str(error), 200), extra={"session": of})
            call.room.leave("error")
            return
        call.room.attach()

    # ── going out ────────────────────────────────────────────────────────────────────────────────────────────────────

    def dialled(self, guest: Guest, side: UserAgent, outgoing: OutgoingCall, line: Line) -> Call:
        """An INVITE of ours is on its way."""
        return self._enter(Call(outgoing.call_id, guest, side, outgoing, line))

    async def open_line(self, line: Line) -> None:
        """NoPorts when there are none left."""
        await line.open(self._host, self._ports)

    def forget(self, call: Call) -> None:
        """A call of ours nobody took."""
        self._leave(call)

    async def answered(self, call: Call, agent: AgentSpec) -> Session:
        """They took our call: begin. NoDeal, Refused: and the call is hung up."""
        assert isinstance(call.sip, OutgoingCall)
        try:
            terms = offers.read(call.sip.sdp_answer, call.codecs)
            call.line.agree(terms.deal)
            call.line.sources.moved(terms.address)
            await self._open(call, agent)
        except BaseException:
            self._bye(call)
            self._leave(call)
            raise
        assert call.room is not None
        assert call.session is not None
        self._terms(call, terms)
        self.metronome.lines.add(call.line)
        call.room.attach()
        if call.gone:
            call.room.leave()
        return call.session

    # ── while it lasts ───────────────────────────────────────────────────────────────────────────────────────────────

    def offered(self, call: Call, sdp: SdpMessage) -> offers.Terms:
        """A new SDP of theirs within the call: hold, or another address. NoDeal: another codec."""
        terms = offers.read(sdp, [call.line.deal.form.name])
        self._terms(call, terms)
        return terms

    def _terms(self, call: Call, terms: offers.Terms) -> None:
        call.terms = terms
        if call.line.deal != terms.deal:
            call.line.agree(terms.deal)
        call.line.sources.moved(terms.address or call.line.sources.signalled)
        call.line.sources.reports = terms.reports
        if call.room is not None:
            call.room.hold("phone", terms.held)

    def reoffered(self, request: SipRequest) -> SdpMessage | None:
        """Our answer to an offer within a call (re-INVITE, UPDATE); an offer of our own where theirs has none. NoDeal."""
        call = self.by_id.get(request.call_id or "")
        if call is None:
            return None
        holding = call.room is not None and call.room.holding
        if not request.body:
            return self.offer_of(call, "sendonly" if holding else "sendrecv")
        sdp = offers.parsed(request)
        terms = self.offered(call, sdp)
        call.version += 1
        return offers.answer(sdp, terms, self._seen(call), call.line.port, call.version, holding=holding)

    def offer_of(self, call: Call, direction: offers.Direction) -> SdpMessage:
        """An offer of ours within a call."""
        call.version += 1
        return offers.again(call.line.deal, self._seen(call), call.line.port, call.version, direction)

    def _seen(self, call: Call) -> str:
        """Our address as the other side's sound sees it."""
        return facing(call.line.sources.party, 5060, self._advertised)

    # ── handing on ───────────────────────────────────────────────────────────────────────────────────────────────────

    def moved(self, call_id: str, status: int) -> None:
        """What a phone says of a transfer: the answer to REFER, then NOTIFYs with what came of it."""
        call = self.by_id.get(call_id)
        if call is not None and call.moving is not None and not call.moving.done() and status >= 200:
            call.moving.set_result(status)

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def left(self, call_id: str, reason: str = "hang_up") -> None:
        """The other side is gone: BYE, CANCEL, no ACK, no refresh."""
        call = self.by_id.get(call_id)
        if call is None:
            return
        call.gone = True
        self.unacknowledged.came(call_id, None)
        if call.offering is not None and not call.offering.done():
            call.offering.set_result(487)
        self.moved(call_id, 202)  # who hangs up while being handed on is there, or on the way
        self.metronome.lines.discard(call.line)
        if call.joined is not None:
            call.joined.end()
        elif call.room is not None:
            call.room.leave(reason)

    def _ended(self, call: Call, reason: str) -> None:
        """The session is over, or not ours any more: a phone call can't be handed on to another gateway, so it is hung up."""
        if call.joined is None:
            self.hang_up(call)

    def hang_up(self, call: Call) -> None:
        self._bye(call)
        self._leave(call)

    def _bye(self, call: Call) -> None:
        sip = call.sip
        if call.gone:
            return
        if isinstance(sip, OutgoingCall):
            if sip.dialog.state is DialogState.CONFIRMED:
                sip.hangup(call.side.uac)
        elif sip.dialog.state is DialogState.CONFIRMED:
            sip.hangup()
        elif sip.dialog.state is DialogState.EARLY:
            sip.reject(480, "Temporarily Unavailable: the session ended")

    def _enter(self, call: Call) -> Call:
        self.by_id[call.id] = call
        self._metrics.calls.set(self.busy(None))
        return call

    def _leave(self, call: Call) -> None:
        if self.by_id.pop(call.id, None) is None:
            return
        self.unacknowledged.leave(call.id)
        self._metrics.calls.set(self.busy(None))
        self._metrics.lost.inc(call.line.reorder.lost)
        self._metrics.strangers.inc(call.line.strangers)
        self.metronome.lines.discard(call.line)
        call.line.close()
        if isinstance(call.sip, IncomingCall):
            call.sip._stop_retransmissions()
            call.side.uas._calls.pop(call.id, None)
            call.side.uas._remove_invite_transaction(call.sip.invite)
        else:
            call.sip._cancel_session_timer()
            call.side.uac.remove_call(call.id)

    async def aclose(self) -> None:
        """Hang everything up."""
        for call in list(self.by_id.values()):
            self._bye(call)
            self._leave(call)
        await self._answering.aclose()
        await self.metronome.aclose()


def _failed(error: BaseException) -> None:
    if isinstance(error, AntiphonError):
        log.warning("a call could not be answered: %s", error)
    else:
        log.error("a call could not be answered", exc_info=error)
