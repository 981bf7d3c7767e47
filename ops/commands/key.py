"""`antiphon key add | list | remove`: who may use the HTTP API. They work on the log itself, so the first key needs none."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from ops import console
from ops.commands._options import Json

if TYPE_CHECKING:
    from schemas.access.keys import ApiKey
    from schemas.bus import Bus

T = TypeVar("T")


def add(
    name: Annotated[str, typer.Argument(help="Whose it is.")],
    role: Annotated[
        Literal["caller", "operator", "admin"],
        typer.Option(help="caller: hold conversations; operator: watch and intervene; admin: keys and agents, too."),
    ] = "caller",
    json: Json = False,
) -> None:
    """Make a key for the HTTP API.

    It is shown this once. To replace one without a gap: add its successor under the same name, hand that out, remove the old one.

    Example: antiphon key add ann --role operator
    """
    from schemas.access.keys import MOST
    from schemas.access.new_key import new_key
    from schemas.errors import SettingsError

    async def work(log: "Bus") -> "tuple[ApiKey, str, bool]":
        key, shown = new_key(name, role, await log.now())
        if not await log.add_key(key):
            raise SettingsError(f"there are {MOST} keys already; remove some first")
        await _record(log, "key add", f"key={key.key} name={key.name} role={key.role}")
        return key, shown, any(other.role == "admin" for other in await log.keys())

    key, shown, administered = _ask(work)
    if json:
        console.emit({"id": key.key, "name": key.name, "role": key.role, "key": shown})
        return
    print(shown)
    console.err.print(f"{key.key}: {key.name}, {key.role}. This key is shown once; whoever has it is {key.name}.")
    if not administered:
        console.err.print(
            "From now on everybody needs a key, and none is an admin's: nobody can make keys or change agents in the console. "
            f"`{console.me()} key add NAME --role admin` makes one.",
            style="yellow",
        )


def list_all(json: Json = False) -> None:
    """List the keys.

    Each with the id it is removed by, whose it is, and its role; the oldest first.

    Example: antiphon key list
    """

    async def work(log: "Bus") -> "tuple[list[ApiKey], bool]":
        return await log.keys(), await log.had_keys()

    found, had = _ask(work)
    rows = [{"id": key.key, "name": key.name, "role": key.role, "made_at": _date(key.made)} for key in found]
    if json:
        console.emit({"keys": rows})
        return
    for row in rows:
        console.out.print("  ".join(row.values()), soft_wrap=True)
    if not rows:
        none = "no keys: on loopback everybody is let in, elsewhere nobody"
        console.out.print(f"no key any more: {_nobody()}" if had else none, soft_wrap=True)


def remove(
    key: Annotated[str, typer.Argument(help="Its id; `antiphon key list` has it.")],
    json: Json = False,
) -> None:
    """Remove a key.

    It is refused within seconds, and so is every browser that signed in with it.

    Example: antiphon key remove 1f3a9c2e
    """

    async def work(log: "Bus") -> tuple[bool, bool]:
        removed = await log.remove_key(key)
        if removed:
            await _record(log, "key remove", f"key={key}")
        return removed, not await log.keys()

    removed, last = _ask(work)
    if not removed:
        console.fail(f"there is no key {key!r}; `antiphon key list` has them", console.USAGE)
    if json:
        console.emit({"done": True})
    if last:
        console.err.print(f"That was the last one: {_nobody()}", style="yellow", soft_wrap=True)


def _ask(work: "Callable[[Bus], Awaitable[T]]") -> T:
    from ops.stack.here import settings_here
    from schemas.log import connected

    async def main() -> T:
        async with connected(settings_here()) as log:
            return await work(log)

    return console.run(main)


def _nobody() -> str:
    how = f"`{console.me()} key add NAME --role admin`"
    return f"nobody is let in until there is one ({how}), or, on loopback, API_DEVELOPMENT=true lets everybody in."


async def _record(log: "Bus", action: str, about: str) -> None:
    from schemas.access.audit import Deed

    await log.record(Deed(await log.now(), "the command line", "admin", "", "", action, about=about))


def _date(at: int) -> str:
    return datetime.fromtimestamp(at / 1e6, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
