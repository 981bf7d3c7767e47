"""Where a LiveKit server posts what goes on in its rooms (`webhook.urls` of its configuration)."""

from fastapi import APIRouter, Request

from api.house import Anyhow
from api.livekit import webhooks
from api.routes._livekit_here import LiveKitHere

router = APIRouter(tags=["livekit"])

_BODY = {
    "required": True,
    "content": {"application/webhook+json": {"schema": {"type": "object", "title": "livekit.WebhookEvent"}}},
}


@router.post("/v1/livekit/webhook", status_code=204, openapi_extra={"requestBody": _BODY})
async def webhook(livekit: LiveKitHere, house: Anyhow, request: Request) -> None:
    """No key of ours is asked for: LiveKit's signature is. What comes is counted and shown in `/v1/livekit/status`."""
    notice = webhooks.read(livekit, await request.body(), request.headers.get("authorization", ""))
    house.livekit_notices.take(notice)
