"""Who asks, as routes see it: `Caller`, `Operator`, `Admin` are parameters of a route, and let nobody else into it."""

from dataclasses import dataclass
from typing import Annotated, Protocol, get_args

from fastapi import Depends, Request
from fastapi.security import HTTPBearer

from api.problems import Problem, log_away
from schemas.access.keys import Role

__all__ = ["LOOKS", "Admin", "Caller", "Gate", "Operator", "Role", "Who", "acts"]

_ORDER = get_args(Role)
DEED = 10
"""Requests that it costs to do more than look: who may act can't make the record forget, within minutes, what they did."""
LOOKS = ("GET", "HEAD", "OPTIONS", "TRACE")
"""Methods by which nothing is done (RFC 9110: the safe ones)."""
_CHECKS = ("/v1/agents/validate",)
"""Nothing is done there: the editor asks with each pause in the typing."""


@dataclass(frozen=True, slots=True)
class Who:
    """`name`: for the audit log: a key's name, or "this machine"; `key`: the public half of the key, "" of who showed none;
    `since`: when that was shown, `until`: when the ticket ends that says so, 0 of who showed no ticket; s since 1970, by the
    log's clock."""

    name: str
    role: Role
    key: str = ""
    since: int = 0
    until: int = 0

    @property
    def vouches(self) -> bool:
        """Whether its word counts for who somebody is: a caller's key may lie in a page, and who has that may be anybody."""
        return self.may("operator")

    def may(self, role: Role) -> bool:
        return _ORDER.index(self.role) >= _ORDER.index(role)


class Gate(Protocol):
    """Who it is that asks."""

    async def let_in(self, request: Request) -> Who:
        """Problem 401: nobody we know; 429: too often."""

    async def is_open(self) -> bool:
        """Whether everybody on this machine may do everything: loopback, and no keys."""

    async def check(self) -> None:
        """Once the log is there. SettingsError: strangers could reach us, and nobody could be let in."""


def acts(request: Request, who: Who, requires: Role) -> bool:
    """More than a look, at a route that is not for callers, by somebody who is more than that."""
    path = getattr(request.scope.get("route"), "path", "")
    return "caller" not in (requires, who.role) and request.method not in LOOKS and path not in _CHECKS


class _AtLeast(HTTPBearer):
    """A bearer for the description only: the gate reads the header itself. All in one: FastAPI takes as long for what a
    dependency depends on as for the dependency."""

    def __init__(self, role: Role) -> None:
        super().__init__(
            auto_error=False,
            scheme_name="key",
            description="A key (`antiphon key add`), or the ticket that POST /v1/login gives.",
        )
        self._role = role

    async def __call__(self, request: Request) -> Who:  # type: ignore[override]  # who it is, not what they showed
        house = request.app.state.house
        if house.waits_for:
            raise log_away()
        gate: Gate = house.gate
        who = await gate.let_in(request)
        request.state.who = who
        if who.key:
            await house.limits.spend(f"key {who.key}")
        request.state.requires = self._role
        if acts(request, who, self._role):
            spender = f"key {who.key}" if who.key else f"address {request.state.address}"
            await house.limits.spend(spender, DEED - 1)
        if not who.may(self._role):
            raise Problem(403, "role", f"this needs a key of the role {self._role}; {who.name} has {who.role}")
        return who


Caller = Annotated[Who, Depends(_AtLeast("caller"))]
Operator = Annotated[Who, Depends(_AtLeast("operator"))]
Admin = Annotated[Who, Depends(_AtLeast("admin"))]
