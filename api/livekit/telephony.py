"""Phones in LiveKit rooms: trunks, dispatch rules and calls, by LiveKit's own API. The bridge (livekit/sip) does the rest.

A caller is an ordinary participant of kind SIP; a rule's `room_config` brings the agent. Nobody may call in until a trunk
says so.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
from google.protobuf.duration_pb2 import Duration
from livekit import api

from schemas.access.livekit import Access
from schemas.access.livekit_errors import explain
from schemas.errors import AntiphonError, in_words
from schemas.process.numbers import numbers_shortened

_TRANSPORTS = {
    "auto": api.SIPTransport.SIP_TRANSPORT_AUTO,
    "udp": api.SIPTransport.SIP_TRANSPORT_UDP,
    "tcp": api.SIPTransport.SIP_TRANSPORT_TCP,
    "tls": api.SIPTransport.SIP_TRANSPORT_TLS,
}


_AGENT, _THERE = api.ParticipantInfo.AGENT, api.ParticipantInfo.ACTIVE
_EMPTY = 20
"""Seconds a room made for a call stands empty; less than the agent waits in it (limits.nobody_yet)."""
_AGENT_WITHIN = 10.0
"""Seconds an agent may take to come into it."""


Refusal = Literal["form", "missing", "refused", "no_bridge", "no_redis", "no_agent", "not_taken"]
"""What was asked for can't be · names nothing there is · LiveKit does not do it · no SIP bridge answers · LiveKit has no Redis ·
no agent comes · the other side did not take the call."""


class TelephonyError(AntiphonError):
    """LiveKit, its bridge or the other side said no."""

    def __init__(self, message: str, code: Refusal = "form") -> None:
        super().__init__(message)
        self.code: Refusal = code


@dataclass(frozen=True, slots=True)
class Login:
    """Digest credentials. The password is never shown."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.user!r}, …)"


NOBODY = Login("", "")


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a call goes. `room`: a room shared by all (direct), or `prefix`: one room for each call (individual); `trunks`: ids,
    none is all; `pin`: digits a caller must enter; `agent`: the gateways' LIVEKIT_AGENT_NAME; `metadata`: of its job, such as
    {"agent": "receptionist"}."""

    name: str
    room: str = ""
    prefix: str = "call-"
    trunks: Sequence[str] = ()
    pin: str = ""
    agent: str = ""
    metadata: str = ""
    hide_number: bool = False

    def __post_init__(self) -> None:
        if self.pin and not self.pin.isdigit():
            raise TelephonyError(f"a PIN is made of digits, not {self.pin!r}: callers key it in")


class Telephony:
    """`async with Telephony(access) as phones:`"""

    def __init__(self, access: Access):
        self._access = access
        self._client: api.LiveKitAPI

    async def __aenter__(self) -> "Telephony":
        self._client = self._access.client()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    # ── trunks ───────────────────────────────────────────────────────────────────────────────────────────────────────

    async def add_inbound(
        self, name: str, numbers: Sequence[str], addresses: Sequence[str] = (), login: Login = NOBODY
    ) -> str:
        """Let calls in: to these `numbers`, from these `addresses` (IP or CIDR), with this login. Answers the trunk's id."""
        if not login.user and (not addresses or any(address.endswith("/0") for address in addresses)):
            raise TelephonyError(
                "who may call in? give the provider's addresses or a user and password: a trunk without either takes "
                "calls from everybody who scans the internet for SIP"
            )
        trunk = api.SIPInboundTrunkInfo(
            name=name,
            numbers=numbers,
            allowed_addresses=addresses,
            auth_username=login.user,
            auth_password=login.password,
        )
        async with self._asking():
            made = await self._client.sip.create_inbound_trunk(api.CreateSIPInboundTrunkRequest(trunk=trunk))
        return made.sip_trunk_id

    async def add_outbound(
        self, name: str, address: str, numbers: Sequence[str], login: Login = NOBODY, transport: str = "auto"
    ) -> str:
        """Let calls out by the provider at `address`, as one of `numbers`. Answers the trunk's id."""
        if transport not in _TRANSPORTS:
            raise TelephonyError(f"transport {transport!r}: one of {', '.join(_TRANSPORTS)} was expected")
        trunk = api.SIPOutboundTrunkInfo(
            name=name,
            address=address,
            numbers=numbers,
            transport=_TRANSPORTS[transport],
            auth_username=login.user,
            auth_password=login.password,
        )
        async with self._asking():
            made = await self._client.sip.create_outbound_trunk(api.CreateSIPOutboundTrunkRequest(trunk=trunk))
        return made.sip_trunk_id

    async def add_rule(self, rule: Rule) -> str:
        """Send calls to rooms, with the agent. Answers the rule's id."""
        if rule.room:
            direct = api.SIPDispatchRuleDirect(room_name=rule.room, pin=rule.pin)
            where = api.SIPDispatchRule(dispatch_rule_direct=direct)
        else:
            own = api.SIPDispatchRuleIndividual(room_prefix=rule.prefix, pin=rule.pin)
            where = api.SIPDispatchRule(dispatch_rule_individual=own)
        agents = [api.RoomAgentDispatch(agent_name=rule.agent, metadata=rule.metadata)]
        info = api.SIPDispatchRuleInfo(
            name=rule.name,
            rule=where,
            trunk_ids=rule.trunks,
            hide_phone_number=rule.hide_number,
            room_config=api.RoomConfiguration(agents=agents),
        )
        async with self._asking():
            made = await self._client.sip.create_dispatch_rule(api.CreateSIPDispatchRuleRequest(dispatch_rule=info))
        return made.sip_dispatch_rule_id

    async def everything(self) -> list[dict[str, Any]]:
        """All trunks and rules, without their passwords."""
        async with self._asking():
            inbound = (await self._client.sip.list_inbound_trunk(api.ListSIPInboundTrunkRequest())).items
            outbound = (await self._client.sip.list_outbound_trunk(api.ListSIPOutboundTrunkRequest())).items
            rules = (await self._client.sip.list_dispatch_rule(api.ListSIPDispatchRuleRequest())).items
        return [
            *({"id": t.sip_trunk_id, "kind": "inbound", "name": t.name, "numbers": list(t.numbers),
               "from": list(t.allowed_addresses) + ([f"user {t.auth_username}"] if t.auth_username else [])}
              for t in inbound),
            *({"id": t.sip_trunk_id, "kind": "outbound", "name": t.name, "numbers": list(t.numbers), "by": t.address}
              for t in outbound),
            *({"id": r.sip_dispatch_rule_id, "kind": "rule", "name": r.name, "trunks": list(r.trunk_ids), **_target(r)}
              for r in rules),
        ]  # fmt: skip

    async def remove(self, identifier: str) -> None:
        """Delete a trunk (ST_…) or a rule (SDR_…)."""
        async with self._asking():
            if identifier.startswith("SDR_"):
                request = api.DeleteSIPDispatchRuleRequest(sip_dispatch_rule_id=identifier)
                await self._client.sip.delete_dispatch_rule(request)
            elif identifier.startswith("ST_"):
                await self._client.sip.delete_trunk(api.DeleteSIPTrunkRequest(sip_trunk_id=identifier))
            else:
                raise TelephonyError(f"{identifier}: a trunk's id begins with ST_, a rule's with SDR_")

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def call(
        self, trunk: str, number: str, room: str, *, agent: str = "", metadata: str = "", wait: float = 40.0
    ) -> str:
        """Call `number` by an outbound trunk into `room`, where the agent is; answers the participant's identity when it is
        answered. TelephonyError: busy, declined, nobody there, with the SIP status."""
        identity = f"phone-{number.lstrip('+')}"
        request = api.CreateSIPParticipantRequest(
            sip_trunk_id=trunk,
            sip_call_to=number,
            room_name=room,
            participant_identity=identity,
            participant_name=number,
            participant_attributes={"antiphon.direction": "outbound"},
            wait_until_answered=wait > 0,
            ringing_timeout=Duration(seconds=int(wait) or 40),
        )
        async with self._asking(), self._room_for(room, agent, metadata):
            await self._client.sip.create_sip_participant(request)
        return identity

    @asynccontextmanager
    async def _room_for(self, room: str, agent: str, metadata: str) -> AsyncIterator[None]:
        """The room, with its agent in it: who answers shall not wait for one. A room made for a call that fails is closed."""
        known = (await self._client.room.list_rooms(api.ListRoomsRequest(names=[room]))).rooms
        dispatch = api.RoomAgentDispatch(agent_name=agent, metadata=metadata)
        wanted = api.CreateRoomRequest(name=room, agents=[dispatch], empty_timeout=_EMPTY)
        await self._client.room.create_room(wanted)
        try:
            await self._agent_comes(room, agent)
            yield
        except BaseException:
            if not known:
                with suppress(api.TwirpError, aiohttp.ClientError, OSError, TimeoutError):
                    await self._client.room.delete_room(api.DeleteRoomRequest(room=room))
            raise

    async def _agent_comes(self, room: str, agent: str) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + _AGENT_WITHIN
        while True:
            people = await self._client.room.list_participants(api.ListParticipantsRequest(room=room))
            if any(one.kind == _AGENT and one.state == _THERE for one in people.participants):
                return
            if loop.time() > end:
                who = f"of LIVEKIT_AGENT_NAME={agent}" if agent else "without a LIVEKIT_AGENT_NAME (else give --agent)"
                raise TelephonyError(
                    f"nobody was called: within {_AGENT_WITHIN:.0f} s no agent came into room {room}. Is a gateway {who} "
                    "running on this LiveKit server? A room whose agent has gone gets no second one: take another",
                    "no_agent",
                )
            await asyncio.sleep(0.1)

    async def hang_up(self, room: str, identity: str) -> None:
        """End one call; the others in the room stay."""
        async with self._asking():
            await self._client.room.remove_participant(api.RoomParticipantIdentity(room=room, identity=identity))

    async def transfer(self, room: str, identity: str, to: str) -> None:
        """Hand a call to another number (tel:+1… or sip:…) by REFER."""
        target = to if ":" in to else f"tel:{to}"
        request = api.TransferSIPParticipantRequest(participant_identity=identity, room_name=room, transfer_to=target)
        async with self._asking():
            done = await self._client.sip.transfer_sip_participant(request)
        if done.status == api.SIPTransferStatus.STS_TRANSFER_FAILED:
            raise TelephonyError(
                f"{numbers_shortened(target)} did not take the call: {api.SIPTransferReason.Name(done.reason)}",
                "not_taken",
            )

    async def calls(self) -> list[dict[str, str]]:
        """The phones that are in rooms now."""
        found = []
        async with self._asking():
            for room in (await self._client.room.list_rooms(api.ListRoomsRequest())).rooms:
                people = await self._client.room.list_participants(api.ListParticipantsRequest(room=room.name))
                found += [
                    {
                        "room": room.name,
                        "identity": one.identity,
                        "number": one.attributes.get("sip.phoneNumber", ""),
                        "called": one.attributes.get("sip.trunkPhoneNumber", ""),
                        "status": one.attributes.get("sip.callStatus", ""),
                    }
                    for one in people.participants
                    if one.kind == api.ParticipantInfo.SIP
                ]
        return found

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        """What the API says no with, as a sentence."""
        try:
            yield
        except api.SipCallError as error:
            if error.sip_status_code is not None:
                status = f"{error.sip_status_code} {error.sip_status or ''}".strip()
                raise TelephonyError(f"the other side did not take the call: {status}", "not_taken") from None
            raise _refusal(error.message or error.code, error.status) from None
        except api.TwirpError as error:
            if error.status in (401, 403):
                raise explain(f"{error.status} {error.message}", self._access.url) from None
            raise _refusal(error.message or error.code, error.status) from None
        except TimeoutError:
            raise _refusal("no answer", 504) from None
        except (aiohttp.ClientError, OSError) as error:
            raise explain(f"IO error: {in_words(error)}", self._access.url) from None


def _refusal(said: str, status: int) -> TelephonyError:
    """LiveKit can't tell that there is no bridge: it only gets no answer."""
    if "no response" in said or "no answer" in said or "unavailable" in said:
        return TelephonyError(
            f"no SIP bridge answers ({said}); is livekit/sip running, on the same Redis as LiveKit?", "no_bridge"
        )
    if "request timed out" in said:
        return TelephonyError(
            "nobody answered: it rang until the time was over, or the address of the trunk is wrong", "not_taken"
        )
    if "cpu exhausted" in said:
        return TelephonyError(
            "the SIP bridge takes no call: its machine's CPUs are busy (max_cpu_utilization in its configuration)",
            "no_bridge",
        )
    if "sip not connected" in said or "redis required" in said:
        return TelephonyError(
            "this LiveKit server has no Redis, which SIP needs: set `redis:` in its configuration", "no_redis"
        )
    missing = status == 404 or "does not exist" in said
    return TelephonyError(
        f"LiveKit says: {said.removeprefix('twirp error unknown: ')}", "missing" if missing else "refused"
    )


def _target(rule: api.SIPDispatchRuleInfo) -> dict[str, Any]:
    which = rule.rule.WhichOneof("rule")
    agents = [f"{agent.agent_name or 'every room’s'} {agent.metadata}".strip() for agent in rule.room_config.agents]
    if which == "dispatch_rule_direct":
        direct = rule.rule.dispatch_rule_direct
        return {"room": direct.room_name, "pin": bool(direct.pin), "agents": agents}
    own = rule.rule.dispatch_rule_individual
    return {"room": f"{own.room_prefix}…", "pin": bool(own.pin), "agents": agents}
