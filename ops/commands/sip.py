"""`antiphon sip …`: phones in LiveKit rooms. Each command asks LiveKit's API, of LIVEKIT_URL or of the running stack."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ops import console
from ops.commands._options import Json

if TYPE_CHECKING:
    from api.livekit.telephony import Telephony

T = TypeVar("T")

Number = Annotated[list[str], typer.Option("--number", help="A number of yours, +15105550100; may be given again.")]
User = Annotated[str, typer.Option(help="User of the SIP login.")]
Password = Annotated[
    str, typer.Option(envvar="SIP_PASSWORD", help="Its password; better in SIP_PASSWORD than on the command line.")
]
Room = Annotated[str, typer.Argument(help="A LiveKit room.")]
Identity = Annotated[str, typer.Argument(help="The phone in it; `antiphon sip calls` lists them.")]
Agent = Annotated[str, typer.Option(help="LIVEKIT_AGENT_NAME of the gateways; empty: every room's agent.")]
Metadata = Annotated[str, typer.Option(help='Of the agent\'s job: {"agent": "receptionist"} chooses the agent file.')]


def _ask(work: "Callable[[Telephony], Awaitable[T]]") -> T:
    from api.livekit.telephony import Telephony
    from ops.stack.here import livekit_access
    from schemas.config.settings import load

    async def main() -> T:
        async with Telephony(livekit_access(load())) as phones:
            return await work(phones)

    return console.run(main)


def _done(json: bool) -> None:
    if json:
        console.emit({"done": True})


def _made(identifier: str, json: bool) -> None:
    if json:
        console.emit({"id": identifier})
    else:
        console.out.print(identifier)


def _table(rows: list[dict[str, Any]], json: bool, nothing: str) -> None:
    if json:
        console.emit({"found": rows})
    for row in [] if json else rows:
        console.out.print("  ".join(f"{name} {value}" for name, value in row.items()), markup=False, soft_wrap=True)
    if not rows and not json:
        console.out.print(nothing)


def inbound(
    name: Annotated[str, typer.Argument(help="What to call the trunk.")],
    number: Number = [],  # noqa: B006 (typer's way)
    allow: Annotated[
        list[str], typer.Option("--allow", help="An address that may call, IP or CIDR; may be given again.")
    ] = [],  # noqa: B006
    user: User = "",
    password: Password = "",
    json: Json = False,
) -> None:
    """Let calls in.

    Example: antiphon sip inbound line --number +15105550100 --allow 203.0.113.0/24
    """
    from api.livekit.telephony import Login

    _made(_ask(lambda phones: phones.add_inbound(name, number, allow, Login(user, password))), json)


def outbound(
    name: Annotated[str, typer.Argument(help="What to call the trunk.")],
    address: Annotated[str, typer.Option(help="The provider's SIP host, sip.example.com or host:port.")],
    number: Number = [],  # noqa: B006
    user: User = "",
    password: Password = "",
    transport: Annotated[str, typer.Option(help="udp, tcp, tls, or auto.")] = "auto",
    json: Json = False,
) -> None:
    """Let calls out.

    Example: SIP_PASSWORD=… antiphon sip outbound provider --address sip.example.com --number +15105550100 --user me
    """
    from api.livekit.telephony import Login

    _made(_ask(lambda phones: phones.add_outbound(name, address, number, Login(user, password), transport)), json)


def rule(
    name: Annotated[str, typer.Argument(help="What to call the rule.")],
    room: Annotated[str, typer.Option(help="One room for all callers; empty: a room for each call.")] = "",
    prefix: Annotated[str, typer.Option(help="What the names of those rooms begin with.")] = "call-",
    trunk: Annotated[list[str], typer.Option("--trunk", help="Only calls of this trunk; may be given again.")] = [],  # noqa: B006
    pin: Annotated[str, typer.Option(help="Digits a caller must key in first.")] = "",
    agent: Agent = "",
    metadata: Metadata = "",
    hide_number: Annotated[bool, typer.Option(help="Keep callers' numbers out of the room.")] = False,
    json: Json = False,
) -> None:
    """Send calls to rooms, with the agent.

    Example: antiphon sip rule calls --metadata '{"agent": "receptionist"}'
    """
    from api.livekit.telephony import Rule

    made = _ask(lambda phones: phones.add_rule(Rule(name, room, prefix, trunk, pin, agent, metadata, hide_number)))
    _made(made, json)


def list_all(json: Json = False) -> None:
    """List trunks and rules.

    Example: antiphon sip list
    """
    _table(_ask(lambda phones: phones.everything()), json, "no trunks and no rules: antiphon sip inbound --help")


def remove(identifier: Annotated[str, typer.Argument(help="ST_… or SDR_…")], json: Json = False) -> None:
    """Remove a trunk or a rule.

    Example: antiphon sip remove ST_abc
    """
    _ask(lambda phones: phones.remove(identifier))
    _done(json)


def dial(
    trunk: Annotated[str, typer.Argument(help="An outbound trunk's id.")],
    number: Annotated[str, typer.Argument(help="Whom to call.")],
    room: Annotated[str, typer.Option(help="The room to bring them into; a new one when empty.")] = "",
    agent: Agent = "",
    metadata: Metadata = "",
    wait: Annotated[float, typer.Option(min=0, help="Seconds to let it ring; 0 does not wait.")] = 40.0,
    json: Json = False,
) -> None:
    """Call somebody into a room where the agent is.

    Example: antiphon sip dial ST_abc +15105550123
    """
    import secrets

    room = room or f"call-{secrets.token_hex(4)}"
    identity = _ask(lambda phones: phones.call(trunk, number, room, agent=agent, metadata=metadata, wait=wait))
    if json:
        console.emit({"room": room, "identity": identity})
    else:
        console.out.print(f"{number} is in room {room} as {identity}", soft_wrap=True)


def calls(json: Json = False) -> None:
    """List the phones that are in rooms now.

    Example: antiphon sip calls --json
    """
    _table(_ask(lambda phones: phones.calls()), json, "no phone is in any room")


def hangup(room: Room, identity: Identity, json: Json = False) -> None:
    """Hang up one phone.

    Example: antiphon sip hangup call-1f2e phone-15105550123
    """
    _ask(lambda phones: phones.hang_up(room, identity))
    _done(json)


def transfer(
    room: Room,
    identity: Identity,
    to: Annotated[str, typer.Argument(help="+1…, tel:+1… or sip:…")],
    json: Json = False,
) -> None:
    """Hand a caller on to another number.

    Example: antiphon sip transfer call-1f2e phone-15105550123 +15105550199
    """
    _ask(lambda phones: phones.transfer(room, identity, to))
    _done(json)
