"""Keys of the API, for admins: which there are, a new one, one less. `antiphon key` does the same from a terminal."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field

from api.access.record import about
from api.access.who import Admin, Role
from api.house import Here
from api.problems import Problem, missing
from api.times import iso
from schemas.access.keys import LONGEST_NAME, MOST, ApiKey
from schemas.access.new_key import new_key

router = APIRouter(tags=["access"], prefix="/v1/keys")

PublicHalf = Annotated[str, Path(pattern="^[0-9a-f]{8}$", description="A key's public half, as the list has it.")]


class KeyRow(BaseModel):
    """`id`: its public half; what is secret of it nobody has but its bearer."""

    id: str
    name: str
    role: Role
    made_at: str


class KeyRows(BaseModel):
    keys: list[KeyRow]


class NewKey(BaseModel):
    """`name`: whose it is."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    role: Role


class MadeKey(BaseModel):
    """`shown`: the key, this once."""

    key: KeyRow
    shown: str


@router.get("")
async def all_keys(_: Admin, house: Here) -> KeyRows:
    """The oldest first."""
    return KeyRows(keys=[_row(key) for key in await house.bus.keys()])


@router.post("", status_code=201)
async def add_key(request: Request, asked: NewKey, _: Admin, house: Here) -> MadeKey:
    """It is good within a second or two. To replace a key without a gap: add its successor, hand that out, remove the old one."""
    key, shown = new_key(asked.name, asked.role, await house.bus.now())
    if not await house.bus.add_key(key):
        raise Problem(409, "too_many", f"there are {MOST} keys already; remove some first")
    about(request, key=key.key, name=key.name, role=key.role)
    return MadeKey(key=_row(key), shown=shown)


@router.delete("/{key}", status_code=204)
async def remove_key(key: PublicHalf, _: Admin, house: Here) -> None:
    """It, and each ticket that was got for it, is refused within a second or two."""
    if not await house.bus.remove_key(key):
        raise missing("key", key)


def _row(key: ApiKey) -> KeyRow:
    return KeyRow(id=key.key, name=key.name, role=key.role, made_at=iso(key.made))
