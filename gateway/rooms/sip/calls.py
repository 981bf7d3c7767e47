"""The calls of one gateway, from the first INVITE to the last BYE: each is a line, a room and a session."""

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from aiosipua.dialog import DialogState, dialog_matches
from aiosipua.incoming_call import IncomingCall
from aiosipua.message import SipRequest
from aiosipua.outgoing_call import OutgoingCall
from aiosipua.sdp import SdpMessage, parse_sdp
from aiosipua.uac import SipUAC
from aiosipua.uas import SipUAS

from gateway.reception import Reception, Refused, new_session
from gateway.rooms.sip import offers
from gateway.rooms.sip.codecs import Name, available
from gateway.rooms.sip.door import Guest
from gateway.rooms.sip.echo import EchoGate
from gateway.rooms.sip.line import Line, Metronome, NoPorts
from gateway.rooms.sip.metrics import SipMetrics
from gateway.rooms.sip.room import SipRoom
from gateway.rooms.sip.sources import Address, Sources
from gateway.rooms.sip.wire import Wire, facing
from gateway.session import Session
from schemas.agent import AgentSpec
from schemas.errors import AgentSpecError, AntiphonError
from schemas.trunks import Trunk

log = logging.getLogger("antiphon.gateway.sip")


class NotMoved(AntiphonError):
    """A transfer that failed; the call goes on. `status`: of SIP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True)
class Agents:
    """One wire and the two halves of its user agent."""

    wire: Wire
    uas: SipUAS
    uac: SipUAC


@dataclass(slots=True)
class Call:
    """`sip`: its signalling; `version`: of our SDP."""

    id: str
    guest: Guest
    side: Agents
    sip: IncomingCall | OutgoingCall
    line: Line
    room: SipRoom | None = None
    session: Session | None = None
    version: int = 1
    gone: bool = False
    """The other side has left before there was a room."""
    counter: asyncio.Future[SipRequest | None] | None = None
    """The ACK that answers our offer, where theirs had none; None: they have left."""
    moving: asyncio.Future[int] | None = None
    """The status of a transfer that was asked for."""

    @property
    def codecs(self) -> list[Name]:
        return [name for name in available() if name in self.guest.trunk.codecs]


class Calls:
    """`ports`: for sound; `host`: where it is bound; `advertised`: see `wire.facing`."""

    def __init__(self, reception: Reception, host: str, ports: range, advertised: str, metrics: SipMetrics):
        self._reception, self._house = reception, reception.house
        self._host, self._ports, self._advertised = host, ports, advertised
        self._metrics = metrics
        self.metronome = Metronome(metrics.lateness.observe)
        self.by_id: dict[str, Call] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def busy(self, trunk: Trunk | None) -> int:
        """How many calls a trunk has, or all of them together."""
        if trunk is None:
            return len(self.by_id)
        return sum(call.guest.trunk is trunk for call in self.by_id.values())

    def of_session(self, session: str) -> Call | None:
        return next((call for call in self.by_id.values() if call.session and call.session.name == session), None)

    # ── coming in ────────────────────────────────────────────────────────────────────────────────────────────────────

    def invited(self, guest: Guest, side: Agents, incoming: IncomingCall) -> None:
        """A caller was let in: answer."""
        signalled = incoming.sdp_offer.rtp_address if incoming.sdp_offer else None
        line = self.new_line(guest, incoming.source_addr[0], signalled)
        call = self._enter(Call(incoming.call_id, guest, side, incoming, line))
        self._spawn(self._answer(call, incoming))

    def new_line(self, guest: Guest, party: str, signalled: Address | None = None) -> Line:
        """`party`: host of the other side; `signalled`: its address for sound, None as long as that isn't known."""
        line = Line(
            self._house.clock, Sources(signalled, party, guest.trunk.media), lambda digit: self._key(line, digit)
        )
        return line

    def _key(self, line: Line, digit: str) -> None:
        for call in self.by_id.values():
            if call.line is line and call.room is not None:
                call.room.key(digit)

    async def _answer(self, call: Call, incoming: IncomingCall) -> None:
        offer = incoming.sdp_offer
        late = offer is None and not incoming.invite.body
        try:
            terms = None if late else offers.read(offer, call.codecs)
            agent = self._reception.agents.find(call.guest.agent)
            incoming.ringing()
            await self.open_line(call.line)
            terms = terms or await self._offer(call, incoming)
            if terms is None:
                self._leave(call)
                return
            call.line.agree(terms.deal)
            await self._open(call, agent)
        except offers.NoDeal as error:
            self._refuse(call, incoming, 488, f"Not Acceptable Here: {error}")
        except (NoPorts, Refused, AgentSpecError) as error:
            self._refuse(call, incoming, 503, f"Service Unavailable: {error}")
        except Exception:
            self._refuse(call, incoming, 500, "Server Internal Error")
            raise
        else:
            assert call.room is not None
            if call.gone:
                call.room.leave()
                return
            self._terms(call, terms)
            if offer is not None:
                host = facing(*incoming.source_addr, self._advertised)
                incoming.accept(offers.answer(offer, terms, host, call.line.port, call.version))
            else:
                call.room.attach()
            self.metronome.lines.add(call.line)

    async def _offer(self, call: Call, incoming: IncomingCall) -> offers.Terms | None:
        """Who calls without an offer gets ours and answers it with the ACK (RFC 3261 §13.2.1). None: they left. NoDeal."""
        host = facing(*incoming.source_addr, self._advertised)
        call.counter = asyncio.get_running_loop().create_future()
        if call.gone:
            return None
        incoming.accept(offers.offer(call.codecs, host, call.line.port, call.version))
        ack = await call.counter
        return None if ack is None else offers.read(_sdp(ack), call.codecs)

    async def _open(self, call: Call, agent: AgentSpec) -> None:
        trunk, party = call.guest.trunk, call.guest.party
        party.attributes["sip.codec"] = call.line.deal.form.encoding
        call.room = SipRoom(
            self._house.clock, f"{trunk.name}/{call.guest.called}"[:120], party, call.line, EchoGate(agent.phone.echo_gate),
            lambda reason: self._ended(call, reason), timeout=trunk.rtp_timeout, tells_keys=agent.phone.tell_keys,
        )  # fmt: skip
        call.session = await self._reception.open(new_session("sip"), call.room, agent)
        log.info(
            "%s: %s call, %s → %s by %s", call.session.name, party.attributes["sip.direction"], party.number,
            call.guest.called, trunk.name,
        )  # fmt: skip

    def _refuse(self, call: Call, incoming: IncomingCall, status: int, reason: str) -> None:
        self._metrics.refused.labels(str(status)).inc()
        log.info("refused %s → %s: %d %s", call.guest.party.number, call.guest.called, status, _one_line(reason))
        if incoming.dialog.state is DialogState.CONFIRMED:
            self._bye(call)
        elif not call.gone:
            incoming.reject(status, _one_line(reason))
        self._leave(call)

    def acknowledged(self, call_id: str, ack: SipRequest) -> None:
        """Our answer has arrived: they hear."""
        call = self.by_id.get(call_id)
        if call is None or not isinstance(call.sip, IncomingCall) or not dialog_matches(call.sip.dialog, ack):
            return
        if call.counter is not None and not call.counter.done():
            call.counter.set_result(ack)
        if call.room is None:
            return
        if (sdp := _sdp(ack)) is not None:
            try:
                self.offered(call, sdp)
            except offers.NoDeal as error:
                log.info("%s is hung up: %s", call.guest.party.number, error)
                call.room.leave("error")
                return
        call.room.attach()

    # ── going out ────────────────────────────────────────────────────────────────────────────────────────────────────

    def dialled(self, guest: Guest, side: Agents, outgoing: OutgoingCall, line: Line) -> Call:
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
        if call.line.deal != terms.deal:
            call.line.agree(terms.deal)
        call.line.sources.moved(terms.address or call.line.sources.signalled)
        call.line.sources.reports = terms.reports
        if call.room is not None:
            call.room.hold(terms.held)

    def reoffered(self, request: SipRequest) -> SdpMessage | None:
        """Our answer to an offer within a call (re-INVITE, UPDATE); an offer of our own where theirs has none. NoDeal."""
        call = self.by_id.get(request.call_id or "")
        if call is None:
            return None
        call.version += 1
        to = call.line.sources.party
        host = facing(to, 5060, self._advertised)
        if not request.body:
            return offers.offer([call.line.deal.form.name], host, call.line.port, call.version)
        sdp = parse_sdp(request.text)
        return offers.answer(sdp, self.offered(call, sdp), host, call.line.port, call.version)

    # ── handing on ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def transfer(self, call: Call, target: str, seconds: float = 30.0) -> int:
        """Have the other side call `target` instead of us (REFER); when that is done, the session ends. Answers 200, or 202
        when they left without saying whether they got there. NotMoved."""
        if call.moving is not None:
            raise NotMoved(491, "a transfer of this call is under way")
        sip = call.sip
        if sip.dialog.state is not DialogState.CONFIRMED:
            raise NotMoved(481, "the call is not answered yet, or over")
        to = sip.remote_addr if isinstance(sip, OutgoingCall) else sip.source_addr
        call.moving = asyncio.get_running_loop().create_future()
        try:
            call.side.uac.send_refer(sip.dialog, target, to)
            status = await asyncio.wait_for(call.moving, seconds)
        except TimeoutError:
            raise NotMoved(
                408, f"the phone did not say within {seconds:.0f} s whether it reached {target[:80]}"
            ) from None
        finally:
            call.moving = None
        if status >= 300:
            raise NotMoved(status, f"the phone could not reach {target[:80]} ({status})")
        if call.room is not None:
            call.room.leave("transferred")
        return status

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
        if call.counter is not None and not call.counter.done():
            call.counter.set_result(None)
        self.moved(call_id, 202)  # who hangs up while being handed on is there, or on the way
        self.metronome.lines.discard(call.line)
        if call.room is not None:
            call.room.leave(reason)

    def _ended(self, call: Call, reason: str) -> None:
        """The session is over, or not ours any more: a phone call can't be handed on, so it is hung up."""
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
        self._metrics.calls.set(len(self.by_id))
        return call

    def _leave(self, call: Call) -> None:
        if self.by_id.pop(call.id, None) is None:
            return
        self._metrics.calls.set(len(self.by_id))
        self._metrics.lost.inc(call.line.reorder.lost)
        self._metrics.strangers.inc(call.line.strangers)
        self.metronome.lines.discard(call.line)
        call.line.close()
        if isinstance(call.sip, IncomingCall):
            call.sip._stop_retransmissions()
            call.side.uas._calls.pop(call.id, None)
        else:
            call.sip._cancel_session_timer()
            call.side.uac.remove_call(call.id)

    async def aclose(self) -> None:
        """Hang everything up."""
        for call in list(self.by_id.values()):
            self._bye(call)
            self._leave(call)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.metronome.aclose()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(_guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _guarded(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except AntiphonError as error:
        log.warning("a call could not be answered: %s", error)
    except Exception:
        log.exception("a call could not be answered")


def _sdp(request: SipRequest) -> SdpMessage | None:
    return parse_sdp(request.text) if request.body and request.content_type == "application/sdp" else None


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
