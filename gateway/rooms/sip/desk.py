"""What operators ask of the phones, by HTTP: ring somebody, hand a caller on, press keys, hang up. `antiphon phone` asks here."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from aiohttp import web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from gateway.rooms.sip.calls import Call
from gateway.rooms.sip.dialing import NotDialled
from gateway.rooms.sip.door import Phones
from gateway.rooms.sip.places import is_address, is_number
from gateway.rooms.sip.transfer import NotMoved, transfer
from schemas.client import KEYS, Metadata

LetIn = Callable[[web.Request], None]
"""Raises web.HTTPForbidden or web.HTTPUnauthorized for who is no operator."""


def _whom(value: str) -> str:
    """Whom to call: a SIP address or a number, and nothing around it."""
    if not (is_address(value) or is_number(value)):
        raise ValueError(f"expected sip:user@host or a number, found {value[:80]!r}")
    return value


def _where(value: str) -> str:
    """Where a phone is sent: as it dials itself, an address with a scheme."""
    if not (is_address(value) or (value.lower().startswith("tel:") and is_number(value))):
        raise ValueError(f"expected sip:user@host or tel:number, found {value[:80]!r}")
    return value


class Dial(BaseModel):
    model_config = ConfigDict(extra="forbid")

    to: Annotated[str, AfterValidator(_whom)]
    agent: str = Field("", max_length=120)
    trunk: str = Field("", max_length=60)
    digits: str = Field("", max_length=64, pattern=rf"^[{KEYS}abcdwW]*$")
    wait: float = Field(60.0, gt=0, le=300)
    metadata: Metadata = {}


class Transfer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    to: Annotated[str, AfterValidator(_where)]


class Keys(BaseModel):
    model_config = ConfigDict(extra="forbid")

    digits: str = Field(min_length=1, max_length=64, pattern=rf"^[{KEYS}abcdwW]+$")


class Desk:
    """`phones`: None where this gateway answers none."""

    def __init__(self, phones: Phones | None, let_in: LetIn):
        self._phones, self._let_in = phones, let_in

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/calls", self._asked(self._dial)),
            web.post("/calls/{session}/transfer", self._asked(self._transfer)),
            web.post("/calls/{session}/keys", self._asked(self._press)),
            web.delete("/calls/{session}", self._asked(self._hang_up)),
        ]

    def _asked(
        self, work: Callable[[Phones, web.Request], Awaitable[dict[str, Any]]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handler(request: web.Request) -> web.Response:
            self._let_in(request)
            if self._phones is None:
                return _problem(503, 503, "this gateway answers no phones; start one with SIP_LISTEN")
            try:
                return web.json_response(await work(self._phones, request))
            except (NotDialled, NotMoved) as error:
                return _problem(502, error.status, str(error))
            except ValidationError as error:
                first = error.errors()[0]
                where = ".".join(str(part) for part in first["loc"]) or "the body"
                return _problem(400, 400, f"{where}: {first['msg'].removeprefix('Value error, ')}")

        return handler

    async def _dial(self, phones: Phones, request: web.Request) -> dict[str, Any]:
        asked = Dial.model_validate_json(await request.read())
        session = await phones.dial(
            asked.to, asked.agent, trunk=asked.trunk, digits=asked.digits, wait=asked.wait, metadata=asked.metadata
        )
        return {"session": session, "status": 200}

    async def _transfer(self, phones: Phones, request: web.Request) -> dict[str, Any]:
        asked = Transfer.model_validate_json(await request.read())
        return {"status": await transfer(_call(phones, request), asked.to)}

    async def _press(self, phones: Phones, request: web.Request) -> dict[str, Any]:
        asked = Keys.model_validate_json(await request.read())
        call = _call(phones, request)
        if call.line.deal.keys is None:
            raise NotDialled(488, "the other side takes no keys (it offered no telephone-event)")
        call.line.press(asked.digits)
        return {"status": 200}

    async def _hang_up(self, phones: Phones, request: web.Request) -> dict[str, Any]:
        call = _call(phones, request)
        if call.joined is not None:
            call.joined.end()
        elif call.session is not None:
            call.session.hang_up("end_requested")
        return {"status": 200}


def _call(phones: Phones, request: web.Request) -> Call:
    session = request.match_info["session"]
    call = phones.calls.of_session(session)
    if call is None:
        raise NotDialled(404, f"no call of session {session[:80]} here; ask the gateway that has it")
    return call


def _problem(status: int, code: int, message: str) -> web.Response:
    return web.json_response({"error": message, "status": code}, status=status)
