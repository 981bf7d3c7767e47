"""Where a live session can be listened to, and for whom."""

import httpx2
import pytest

from api.access.who import Who
from api.house import House
from api.main import house_of
from api.routes.listen import listen
from schemas.access.new_key import new_key
from schemas.access.tokens import Grant, verify
from schemas.bus import GatewaySeen, Publication
from schemas.config.settings import Settings
from schemas.events import SessionEnded
from schemas.log import MemoryBus
from tests.schemas.log.talk import STARTED

SECRET = "a secret of at least thirty-two characters"


def seen(name: str, url: str) -> GatewaySeen:
    return GatewaySeen(name, url, "ws://10.0.0.1:8765/ws", 10, 1, False, ("websocket",))


@pytest.mark.parametrize(
    ("gateway", "url"),
    [
        ("ws://127.0.0.1:8765/ws", "ws://127.0.0.1:8765/listen?session=s%201%3Fx"),
        ("wss://voice.example/b/ws/", "wss://voice.example/b/listen?session=s%201%3Fx"),
    ],
)
async def test_the_gateway_that_has_it_is_named(
    client: httpx2.AsyncClient, house: House, gateway: str, url: str
) -> None:
    """Of several gateways it is that of the session, as browsers reach it; without a secret no token is needed."""
    await house.bus.open("s 1?x", "b", "r1", [STARTED])
    await house.bus.advertise(seen("a", "ws://other:1/ws"), 60)
    await house.bus.advertise(seen("b", gateway), 60)
    answer = await client.post("/v1/sessions/s%201%3Fx/listen")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"url": url, "token": "", "expires_in": 60, "gateway": "b"}


async def test_the_token_is_for_just_that_session() -> None:
    """Where gateways ask for tokens, the one given is good for listening to this session, and for nothing else."""
    bus = MemoryBus()
    await bus.start()
    house = house_of(Settings(_env_file=None, gateway_token_secret=SECRET), bus)
    house.waits_for = ""
    await bus.open("s1", "b", "r1", [STARTED])
    await bus.advertise(seen("b", "ws://h/ws"), 60)
    way = await listen(house, Who("ann", "operator"), "s1")
    assert verify(SECRET, way.token) == Grant(listen="s1")


async def test_what_cannot_be_heard_says_why(client: httpx2.AsyncClient, house: House) -> None:
    """No such session, one that has ended, and one whose gateway is gone are told apart."""
    await house.bus.open("gone", "nobody", "r1", [STARTED])
    opened = await house.bus.open("over", "b", "r2", [STARTED])
    await house.bus.close("over", opened.epoch, Publication(1, [SessionEnded(reason="hang_up")]))
    answers = {name: await client.post(f"/v1/sessions/{name}/listen") for name in ("none", "over", "gone")}
    assert {name: (answer.status_code, answer.json()["code"]) for name, answer in answers.items()} == {
        "none": (404, "missing"),
        "over": (409, "closed"),
        "gone": (503, "no_gateway"),
    }


async def test_callers_may_not(client: httpx2.AsyncClient, house: House) -> None:
    """A caller's key does not open the calls of others."""
    key, shown = new_key("ann", "caller", await house.bus.now())
    await house.bus.add_key(key)
    answer = await client.post("/v1/sessions/s1/listen", headers={"Authorization": f"Bearer {shown}"})
    assert answer.status_code == 403
    assert answer.json()["code"] == "role"
