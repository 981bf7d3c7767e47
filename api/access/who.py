"""Who asks, as routes see it: `Caller`, `Operator`, `Admin` are parameters of a route, and let nobody else into it."""

from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, get_args

from fastapi import Depends, Request

from api.problems import Problem

Role = Literal["caller", "operator", "admin"]
"""Each may what those before it may: hold conversations; watch them and intervene; give and take keys, change agents."""
_ORDER = get_args(Role)


@dataclass(frozen=True, slots=True)
class Who:
    """`name`: for the audit log: a key's name, a ticket's, or "this machine"."""

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        return _ORDER.index(self.role) >= _ORDER.index(role)


class Gate(Protocol):
    """Who it is that asks. Problem 401: nobody we know; 429: too often."""

    async def let_in(self, request: Request) -> Who: ...


async def _who(request: Request) -> Who:
    gate: Gate = request.app.state.house.gate
    who = await gate.let_in(request)
    request.state.who = who
    return who


def _at_least(role: Role) -> object:
    async def check(who: Annotated[Who, Depends(_who)]) -> Who:
        if not who.may(role):
            raise Problem(403, "role", f"this needs a key of the role {role}; {who.name} has {who.role}")
        return who

    return Depends(check)


Caller = Annotated[Who, _at_least("caller")]
Operator = Annotated[Who, _at_least("operator")]
Admin = Annotated[Who, _at_least("admin")]
