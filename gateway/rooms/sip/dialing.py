"""Calls of ours: whom we may ring, by which trunk, and what came of it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from aiosipua.auth import SipDigestAuth
from aiosipua.headers import parse_uri
from aiosipua.outgoing_call import OutgoingCall

from gateway.rooms.sip import offers
from gateway.rooms.sip.calls import Call, Calls, UserAgent
from gateway.rooms.sip.codecs import available
from gateway.rooms.sip.gate import allowed
from gateway.rooms.sip.line import Line, NoPorts
from gateway.rooms.sip.places import Place, is_number, problem, resolve
from gateway.rooms.sip.room import Party
from gateway.rooms.sip.screening import Guest, clean
from gateway.rooms.sip.tcp import TcpWire
from gateway.rooms.sip.trunks import Provider, Trunk, secret
from gateway.rooms.sip.wire import facing
from gateway.sessions.reception import Reception, Refused
from gateway.sessions.session import Session
from schemas.config.agent import AgentSpec
from schemas.errors import AntiphonError
from schemas.process.numbers import numbers_shortened, shortened
from schemas.text.clean import one_line

UNANSWERED = "Unanswered"
"""The reason of the refusal we make up where no answer came at all."""


class NotDialled(AntiphonError):
    """A call that did not come about. `status`: of SIP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Route:
    """`target`: the address that is called; `place`: where the INVITE goes."""

    trunk: Trunk
    provider: Provider | None
    target: str
    place: Place


async def route(target: str, wanted: str, trunks: Sequence[Trunk]) -> Route:
    """How to ring `target` (sip:user@host, or a number). `wanted`: a trunk's name, "" leaves the choice. NotDialled: among
    others for addresses no trunk names, so that nobody who may dial can have us send to any host."""
    named = [trunk for trunk in trunks if trunk.name == wanted]
    if wanted and not named:
        there = ", ".join(trunk.name for trunk in trunks) or "none"
        raise NotDialled(404, f"no trunk is called {wanted[:60]!r}; there is {there} (SIP_TRUNKS)")
    by = [trunk for trunk in (named or trunks) if trunk.outbound is not None]
    uri = target if target.lower().startswith(("sip:", "sips:")) else ""
    if uri and (reason := problem(uri)):
        raise NotDialled(416, f"{numbers_shortened(uri[:80])!r}: {reason}")
    if not uri and not is_number(target):
        raise NotDialled(416, f"{target[:40]!r} is neither a SIP address nor a number")
    try:
        if uri and not (named and by):
            return await _directly(uri, named or trunks)
        if not by:
            raise NotDialled(
                404,
                f"no trunk dials numbers such as {shortened(target[:40])}; give one an [trunk.outbound] (SIP_TRUNKS)",
            )
        provider = by[0].outbound
        assert provider is not None
        place = await resolve(Place.of(provider.server, provider.transport))
    except OSError as error:
        raise NotDialled(503, f"{numbers_shortened(target[:80])}: its host can't be found ({error})") from None
    return Route(by[0], provider, uri or _dialled(target, place.host), place)


def _dialled(number: str, host: str) -> str:
    """Its address at a provider."""
    user = re.sub("(?i)^tel:", "", number)
    if re.fullmatch(r"\+?[\d*#().-]+", user):
        user = re.sub(r"[().-]", "", user)
    return f"sip:{quote(user, safe='+*')}@{f'[{host}]' if ':' in host else host}"


async def _directly(uri: str, trunks: Sequence[Trunk]) -> Route:
    place = await resolve(Place.of_uri(uri))
    for trunk in trunks:
        if allowed(place.address[0], trunk.addresses):
            return Route(trunk, None, uri, place)
    raise NotDialled(403, f"{place.address[0]} is in no trunk's addresses, so it is not called (SIP_TRUNKS)")


async def dial(
    calls: Calls, reception: Reception, sides: Sequence[UserAgent], way: Route, spec: AgentSpec, *,
    digits: str = "", wait: float = 60.0, metadata: Mapping[str, Any] = {},
) -> Session:  # fmt: skip
    """Ring for up to `wait` seconds; answers the session once they have answered. `digits`: keyed in then; `metadata`: of the
    session. NotDialled."""
    side = sides[1] if way.place.transport == "tcp" else sides[0]
    if reception.draining:
        raise NotDialled(503, "this gateway shuts down and takes no new calls")
    if unmanned := reception.unmanned():
        raise NotDialled(503, f"nobody is called who could not be answered: {', '.join(unmanned)}")
    if full := calls.full(way.trunk):
        raise NotDialled(486, full)
    line, call = await _ring(calls, side, way, spec.name, metadata)
    outgoing = call.sip
    assert isinstance(outgoing, OutgoingCall)
    if digits:
        line.press(digits)
    try:
        await outgoing.wait_answered(wait)
        session = await calls.answered(call, spec)
    except TimeoutError:
        outgoing.cancel(side.uac)
        calls.forget(call)
        raise NotDialled(408, f"nobody answered within {wait:.0f} s") from None
    except RuntimeError:
        calls.forget(call)
        host, port = way.place.address
        if outgoing._reject_reason == UNANSWERED:
            raise NotDialled(408, f"nothing answers SIP at {host}:{port} by {way.place.transport.upper()}") from None
        reason = one_line(f"{outgoing._reject_code} {outgoing._reject_reason}", 200)
        raise NotDialled(outgoing._reject_code, f"{numbers_shortened(way.target[:80])} says {reason}") from None
    except offers.NoDeal as error:
        raise NotDialled(488, str(error)) from None
    except Refused as error:
        raise NotDialled(503, str(error)) from None
    except BaseException:  # whoever asked has gone away
        if not outgoing._answered.is_set():
            outgoing.cancel(side.uac)
            calls.forget(call)
        raise
    return session


async def _ring(
    calls: Calls, side: UserAgent, way: Route, agent: str, metadata: Mapping[str, Any]
) -> tuple[Line, Call]:
    """Send the INVITE."""
    address = way.place.address
    if isinstance(side.wire, TcpWire):
        try:
            await side.wire.connect(address)
        except (OSError, TimeoutError) as error:
            raise NotDialled(503, f"{address[0]}:{address[1]} takes no connection ({error})") from None
    user = clean(unquote(parse_uri(way.target).user or "")) or "unknown"
    attributes = {
        "sip.phoneNumber": user,
        "sip.trunk": way.trunk.name,
        "sip.address": address[0],
        "sip.direction": "outbound",
    }
    guest = Guest(way.trunk, agent, user, Party(user, "", attributes), metadata)
    line = calls.new_line(guest, address[0])
    try:
        await calls.open_line(line)
    except NoPorts as error:
        raise NotDialled(503, str(error)) from None
    codecs = [name for name in available() if name in way.trunk.codecs]
    us = facing(*address, side.wire.advertised)
    auth, caller = None, f"sip:antiphon@{us}:{side.wire.port}"
    if way.provider is not None:
        provider = way.provider
        caller = provider.caller or f"sip:{provider.user or 'antiphon'}@{Place.of(provider.server).host}"
        auth = SipDigestAuth(provider.user, secret(provider.secret)) if provider.secret else None
    outgoing = side.uac.send_invite(
        caller, way.target, address, offers.offer(codecs, us, line.port, 1), auth=auth,
        session_expires=way.trunk.session_expires,
    )  # fmt: skip
    attributes["sip.callID"] = outgoing.call_id
    return line, calls.dialled(guest, side, outgoing, line)
