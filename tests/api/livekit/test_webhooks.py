"""What LiveKit posts, and what only looks like it."""

import base64
import hashlib
import json
import time
from typing import Any

import httpx2
import jwt
import pytest

from api.house import House
from api.livekit import webhooks
from tests.api.access.test_gate import bearer, made
from tests.api.livekit.conftest import SECRET

PATH = "/v1/livekit/webhook"
NOTICE = {"event": "room_started", "room": {"name": "lobby", "sid": "RM_1"}, "id": "EV_1", "createdAt": "1790000000"}


def body(**changed: Any) -> bytes:
    return json.dumps(NOTICE | changed).encode()


def signature(of: bytes, secret: str = SECRET, **changed: Any) -> str:
    hashed = base64.b64encode(hashlib.sha256(of).digest()).decode()
    claims = {"iss": "key", "exp": time.time() + 60, "nbf": time.time() - 1, "sha256": hashed, **changed}
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, secret, algorithm="HS256")


async def post(client: httpx2.AsyncClient, what: bytes, authorization: str | None) -> httpx2.Response:
    headers = {"Content-Type": "application/webhook+json"}
    if authorization is not None:
        headers["Authorization"] = authorization
    return await client.post(PATH, content=what, headers=headers)


@pytest.mark.parametrize("prefix", ["", "Bearer "])
async def test_what_livekit_posts_is_counted_and_shown(client: httpx2.AsyncClient, house: House, prefix: str) -> None:
    """A signed notice is taken, and the status tells operators of it; LiveKit sends it again when our answer got lost: it counts
    once. When others talk is no caller's business."""
    for _ in range(2):
        assert (await post(client, body(), prefix + signature(body()))).status_code == 204
    shown = (await client.get("/v1/livekit/status")).json()["webhooks"]
    assert shown == {"counts": {"room_started": 1}, "last": "room_started", "last_at": "2026-09-21T14:13:20.000Z"}
    caller = bearer(await made(house, "caller"))
    shown = (await client.get("/v1/livekit/status", headers=caller)).json()["webhooks"]
    assert shown == {"counts": {}, "last": "", "last_at": None}


FORGED = {
    "no signature": None,
    "nothing": "",
    "no token": "abc",
    "another secret": signature(body(), "x" * 32),
    "another key": signature(body(), iss="other"),
    "another body": signature(body(event="room_finished")),
    "no hash": signature(body(), sha256=None),
    "a hash that is none": signature(body(), sha256=5),
    "a hash that is no base64": signature(body(), sha256="é"),
    "expired": signature(body(), exp=time.time() - 120),
    "no end": signature(body(), exp=None),
    "an odd end": signature(body(), exp="soon"),
    "an odd grant": signature(body(), video="everything"),
    "unsigned": jwt.encode({"iss": "key", "exp": time.time() + 60, "sha256": "x"}, "", algorithm="none"),
    "huge": "a." * 4000,
}


@pytest.mark.parametrize("how", FORGED)
async def test_a_forged_notice_is_refused(client: httpx2.AsyncClient, house: House, how: str) -> None:
    """Whatever is not signed with our key, for this very body, and lately, is answered by 401, and counts for nothing."""
    answer = await post(client, body(), FORGED[how])
    assert (answer.status_code, answer.json()["code"]) == (401, "signature"), answer.text
    assert not house.livekit_notices.counts
    assert SECRET not in answer.text


@pytest.mark.parametrize("odd", [b"", b"[]", b"{", b'"x"', b'{"room": 5}', b'{"createdAt": "never"}', b"[" * 50_000])
async def test_signed_nonsense_is_a_problem(client: httpx2.AsyncClient, odd: bytes) -> None:
    """What LiveKit signs and we can't read is a 400, not an error of ours."""
    assert (await post(client, odd, signature(odd))).status_code == 400


async def test_bytes_that_are_no_text(client: httpx2.AsyncClient) -> None:
    """A body that is no UTF-8 is none of LiveKit's."""
    assert (await post(client, b"\xff\xfe", signature(b"\xff\xfe"))).status_code == 401


async def test_a_body_without_end_is_not_read(client: httpx2.AsyncClient) -> None:
    """What is larger than any notice is refused before it is there."""
    answer = await post(client, b" " * 300_000, signature(b""))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_names_in_a_notice_are_one_line(client: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    """A room's name can't pose as a line of our log, and a caller's number is shortened in it."""
    caplog.set_level("INFO", "antiphon.api.livekit")
    what = body(event="participant_joined", room={"name": "a\nERROR b"}, participant={"identity": "sip_+15105550123"})
    assert (await post(client, what, signature(what))).status_code == 204
    said = caplog.messages[-1]
    assert "\n" not in said
    assert "5550123" not in said


async def test_kinds_are_bounded(client: httpx2.AsyncClient, house: House) -> None:
    """However many kinds of events there come to be, the counts stay a short list, and repeats are remembered up to a bound."""
    for index in range(1200):
        what = body(event=f"kind_{index}", id=f"EV_{index}")
        house.livekit_notices.take(webhooks.read(house.livekit, what, signature(what)))  # type: ignore[arg-type]
    assert len(house.livekit_notices.counts) <= 51
    assert sum(house.livekit_notices.counts.values()) == 1200


async def test_without_livekit(client: httpx2.AsyncClient, house: House) -> None:
    """Where there is no LiveKit nobody posts."""
    house.livekit = None
    assert (await post(client, body(), signature(body()))).json()["code"] == "livekit_off"
