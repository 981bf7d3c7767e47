"""Who may call: a new INVITE is let through with its trunk and agent, or told why not. Nothing here waits."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from aiosipua.headers import parse_address, parse_uri
from aiosipua.message import SipRequest

from gateway.bucket import Buckets
from gateway.rooms.sip.digest import Digest
from gateway.rooms.sip.gate import allowed
from gateway.rooms.sip.room import Party
from gateway.rooms.sip.trunks import Trunk, secret
from schemas.clock import Clock
from schemas.text.clean import one_line

_REMEMBERED = 4096
_READ = 400
"""Characters of a name that are looked at."""


@dataclass(frozen=True, slots=True)
class Guest:
    """Let in. `called`: the number that was dialled; `metadata`: of whoever had us dial."""

    trunk: Trunk
    agent: str
    called: str
    party: Party
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CallRefused:
    """`status`: of SIP; `reason`: for whoever reads the caller's screen or log; `headers`: further ones of the answer."""

    status: int
    reason: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Screening:
    """`busy`: calls a trunk has now (None: all of the gateway); `most`: calls of the gateway; `closed`: why nobody is let in."""

    clock: Clock
    trunks: Sequence[Trunk]
    most: int
    busy: Callable[[Trunk | None], int]
    closed: Callable[[], str]
    registrars: dict[str, Trunk] = field(default_factory=dict)
    """Addresses of the servers we are registered with."""
    _digest: Digest = field(init=False)
    _rates: Buckets[str] = field(default_factory=lambda: Buckets(_REMEMBERED))

    def __post_init__(self) -> None:
        self._digest = Digest(self.clock)

    def let_in(self, invite: SipRequest, host: str) -> Guest | CallRefused:
        """A new INVITE from `host`."""
        dialled, meant = _user(invite.uri), _user_of(invite, "to")
        trunks = [trunk for trunk in self.trunks if allowed(host, trunk.addresses)]
        if host in self.registrars and self.registrars[host] not in trunks:
            trunks.append(self.registrars[host])
        if not trunks:
            return CallRefused(403, f"Forbidden: no trunk names {host}")
        trunk = next((one for one in trunks if one.agent_for(dialled, meant) is not None), trunks[0])
        if trunk.users and host not in self.registrars:
            refusal = self._ask(invite, host, trunk)
            if refusal is not None:
                return refusal
        if not self._within_rate(host, trunk):
            return CallRefused(503, "Service Unavailable: too many calls a second", {"Retry-After": "2"})
        agent = trunk.agent_for(dialled, meant)
        if agent is None:
            return CallRefused(404, f"Not Found: no agent answers {clean(dialled or meant)[:40] or 'that'}")
        if closed := self.closed():
            return CallRefused(503, f"Service Unavailable: {closed}", {"Retry-After": "10"})
        if full := self.full(trunk):
            return full
        called = clean(dialled if dialled in trunk.numbers or meant not in trunk.numbers else meant)
        return Guest(trunk, agent, called, _party(invite, host, trunk, called))

    def full(self, trunk: Trunk) -> CallRefused | None:
        """Why there is no place for one more call of a trunk."""
        if self.busy(trunk) >= trunk.calls:
            return CallRefused(486, f"Busy Here: all {trunk.calls} lines of this trunk are taken")
        if self.busy(None) >= self.most:
            return CallRefused(503, "Service Unavailable: all lines are taken", {"Retry-After": "10"})
        return None

    def _ask(self, invite: SipRequest, host: str, trunk: Trunk) -> CallRefused | None:
        """The digest: None when the caller has answered for one of the trunk's users."""
        users = {user.name: secret(user.secret) for user in trunk.users}
        given = invite.headers.get("authorization")
        verdict, _ = self._digest.check(given, "INVITE", invite.uri, host, users, trunk.algorithm)
        if verdict == "right":
            return None
        if verdict == "wrong" and not self._within_rate(host, trunk):
            return CallRefused(503, "Service Unavailable: too many wrong passwords", {"Retry-After": "30"})
        challenge = self._digest.challenge(host, trunk.algorithm, stale=verdict == "stale")
        return CallRefused(401, "Unauthorized", {"WWW-Authenticate": challenge})

    def _within_rate(self, host: str, trunk: Trunk) -> bool:
        return self._rates.take(host, self.clock.now(), trunk.calls_per_second)


def _party(invite: SipRequest, host: str, trunk: Trunk, called: str) -> Party:
    """The caller: what the network vouches for (P-Asserted-Identity), else what the caller says."""
    asserted = invite.headers.get_first("p-asserted-identity")
    vouched = asserted is not None and not trunk.users
    address = parse_address((asserted if vouched else invite.headers.get_first("from")) or "")
    number = clean(unquote(address.uri.user or "")) or "anonymous"
    attributes = {
        "sip.phoneNumber": number,
        "sip.trunkPhoneNumber": called,
        "sip.callID": one_line(invite.call_id or "", 200),
        "sip.trunk": trunk.name,
        "sip.address": host,
        "sip.direction": "inbound",
    }
    return Party(number, shown(address.display_name or ""), attributes)


def _user(uri: str) -> str:
    return unquote(parse_uri(uri).user or "").split(";")[0]


def _user_of(invite: SipRequest, header: str) -> str:
    value = invite.headers.get_first(header)
    return unquote(parse_address(value).uri.user or "").split(";")[0] if value else ""


def clean(number: str) -> str:
    """A number or name as it may stand in a log: no control characters, not long."""
    return re.sub(r"[^\w+*#.@:-]", "", number[:_READ])[:64]


def shown(name: str) -> str:
    """A display name likewise, with its spaces."""
    return one_line(re.sub(r"[^\w\s+*#.@:,'()&/-]", "", name[:_READ]), 80)
