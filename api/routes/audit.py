"""What operators and admins did, for admins."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from api.access.who import Admin
from api.house import Here
from api.times import iso
from schemas.access.audit import Deed

router = APIRouter(tags=["access"])


class DeedRow(BaseModel):
    """`who` (a key's name, `key` its public half) did `action` to `session` (or `about` something else), from `address`;
    `status`: of the answer, as HTTP has it."""

    at: str
    who: str
    role: str
    key: str
    address: str
    action: str
    session: str
    about: str
    status: int


class Deeds(BaseModel):
    """`next`: the cursor for what was before."""

    deeds: list[DeedRow]
    next: str | None


@router.get("/v1/audit")
async def deeds(
    _: Admin,
    house: Here,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[str, Query(pattern="^[1-9][0-9]{0,14}-[0-9]{1,15}$|^$")] = "",
) -> Deeds:
    """The latest first. About 10,000 are kept."""
    found = await house.bus.deeds(limit, cursor)
    return Deeds(deeds=[_row(deed) for deed in found], next=found[-1].entry if len(found) == limit else None)


def _row(deed: Deed) -> DeedRow:
    return DeedRow(
        at=iso(deed.at), who=deed.who, role=deed.role, key=deed.key, address=deed.address, action=deed.action,
        session=deed.session, about=deed.about, status=deed.status,
    )  # fmt: skip
