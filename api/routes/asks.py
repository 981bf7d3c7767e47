"""What operators ask of a session that goes on: each is posted to its log, and its gateway obeys."""

import re
import secrets
from typing import Annotated, Literal

from fastapi import APIRouter, Header
from pydantic import BaseModel, Field, StringConstraints

from api.access.who import Operator
from api.house import Here, House
from api.problems import Problem, missing, over
from api.routes.sessions import SessionId
from api.times import iso
from schemas.bus import Outcome
from schemas.client import LONGEST_MESSAGE
from schemas.events import EndRequested, Event, InstructionsChanged, MessageReceived, SayRequested
from schemas.text.clean import identity, one_line, plain

router = APIRouter(prefix="/v1/sessions", tags=["asks"])

LONGEST_INSTRUCTIONS = 20_000
_LONGEST_REASON = 200
_KEY = re.compile(r"[!-~]{1,100}")

Text = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_MESSAGE)]
IdempotencyKey = Annotated[
    str | None,
    Header(
        description="The same key asks the same thing: sent again, it is not done again. 1 to 100 visible characters."
    ),
]


class SayAsk(BaseModel):
    """`interrupt`: at once, whatever the agent is saying; `interruptible`: false: it is said to its end, whoever speaks meanwhile
    (who is heard, and answered after it)."""

    text: Text
    interrupt: bool = False
    interruptible: bool = True


class MessageAsk(BaseModel):
    """`participant`: whose message it is, for the agent."""

    text: Text
    participant: Annotated[str, StringConstraints(min_length=1, max_length=256)] = "operator"


class InstructionsAsk(BaseModel):
    """They hold from the next reply on."""

    instructions: Annotated[str, StringConstraints(max_length=LONGEST_INSTRUCTIONS)]


class EndAsk(BaseModel):
    reason: Annotated[str, StringConstraints(max_length=_LONGEST_REASON)] = ""


class Asked(BaseModel):
    """It stands in the log: as event `seq`, appended at `at`. `outcome`: `repeated` when that key had asked it before (`seq` is
    that event's then); `request`: the key."""

    outcome: Literal["accepted", "repeated"]
    seq: int = Field(ge=1)
    at: str
    request: str


@router.post("/{session}/say", status_code=202)
async def say(
    house: Here, who: Operator, session: SessionId, ask: SayAsk, idempotency_key: IdempotencyKey = None
) -> Asked:
    """Have the agent speak `text` as it stands, when it is its turn, or at once. 404: no such session; 409: it has ended."""
    request = _request("say", idempotency_key)
    asked = SayRequested(text=_fit(ask.text), interrupt=ask.interrupt, interruptible=ask.interruptible, request=request)
    return await _post(house, session, request, asked)


@router.post("/{session}/message", status_code=202)
async def message(
    house: Here, who: Operator, session: SessionId, ask: MessageAsk, idempotency_key: IdempotencyKey = None
) -> Asked:
    """Type `text` to the agent, which answers aloud. 404: no such session; 409: it has ended."""
    request = _request("message", idempotency_key)
    event = MessageReceived(participant=identity(ask.participant), text=_fit(ask.text))
    return await _post(house, session, request, event)


@router.post("/{session}/instructions", status_code=202)
async def instructions(
    house: Here, who: Operator, session: SessionId, ask: InstructionsAsk, idempotency_key: IdempotencyKey = None
) -> Asked:
    """Give the agent of this session other instructions. 404: no such session; 409: it has ended."""
    request = _request("instructions", idempotency_key)
    fit = plain(ask.instructions, LONGEST_INSTRUCTIONS)
    return await _post(house, session, request, InstructionsChanged(instructions=fit, request=request))


@router.post("/{session}/end", status_code=202)
async def end(
    house: Here, who: Operator, session: SessionId, ask: EndAsk | None = None, idempotency_key: IdempotencyKey = None
) -> Asked:
    """Have the session ended by its gateway. 404: no such session; 409: it has ended."""
    request = _request("end", idempotency_key)
    reason = one_line(ask.reason if ask is not None else "", _LONGEST_REASON) or f"asked by {one_line(who.name, 80)}"
    return await _post(house, session, request, EndRequested(reason=reason, request=request))


def _request(kind: str, key: str | None) -> str:
    """The request's id in the log. One key may be used for several things: it is kept with what it asks."""
    if key is None:
        return f"{kind}:{secrets.token_hex(8)}"
    if not _KEY.fullmatch(key):
        raise Problem(
            422, "idempotency_key", "an Idempotency-Key has 1 to 100 visible ASCII characters, without spaces"
        )
    return f"{kind}:{key}"


def _fit(text: str) -> str:
    fit = plain(text, LONGEST_MESSAGE).strip()
    if not fit:
        raise Problem(422, "form", "body.text: there is nothing to be said in it; give at least one visible character")
    return fit


async def _post(house: House, session: str, request: str, event: Event) -> Asked:
    receipt = await house.bus.post(session, request, event)
    match receipt.outcome:
        case Outcome.OK | Outcome.DUP:
            outcome: Literal["accepted", "repeated"] = "accepted" if receipt.outcome is Outcome.OK else "repeated"
            key = request.partition(":")[2]
            return Asked(outcome=outcome, seq=receipt.seq, at=iso(receipt.at), request=key)
        case Outcome.CLOSED:
            raise over(session)
        case _:
            raise missing("session", session)
