"""What LiveKit tells us of its rooms, by webhook. Nothing depends on it: gateways see their rooms themselves. It is counted and
shown, so that an operator sees whether LiveKit reaches us, and logged for who looks for a room."""

import logging
from collections import Counter, OrderedDict
from dataclasses import dataclass, field

from google.protobuf.json_format import ParseError
from livekit import api
from livekit.protocol.webhook import WebhookEvent

from api.problems import Problem
from schemas.access.livekit import Access
from schemas.process.numbers import numbers_shortened
from schemas.text.clean import one_line

log = logging.getLogger("antiphon.api.livekit")

_REMEMBERED = 1000
"""Notices whose repeats are known: LiveKit sends one again when it has not seen our answer."""
_KINDS = 50
_LONGEST = 100


def read(access: Access, body: bytes, authorization: str) -> WebhookEvent:
    """The notice, if LiveKit signed it with our key, for this body, and lately. Problem 401: not so; 400: it is none."""
    verifier = api.TokenVerifier(access.api_key, access.api_secret)
    token = authorization.removeprefix("Bearer ").strip()
    try:
        notice = api.WebhookReceiver(verifier).receive(body.decode(), token)
    except (ParseError, RecursionError):
        notice = WebhookEvent()
    except Exception as error:  # whatever a stranger's token makes the libraries raise
        log.debug("a webhook was refused: %s", type(error).__name__)
        raise Problem(
            401,
            "signature",
            "only LiveKit posts here: the Authorization header must be its signature of this body, with the key in "
            "LIVEKIT_API_KEY (`webhook.api_key` of its configuration)",
        ) from None
    if not notice.event:
        raise Problem(400, "form", "this is signed by LiveKit, but is no webhook event")
    return notice


@dataclass(slots=True)
class Notices:
    """Those that came to this process. `counts`: by kind; `last`: the newest one's kind; `last_at`: when LiveKit wrote it, in
    seconds since 1970, 0 while none has come."""

    counts: Counter[str] = field(default_factory=Counter)
    last: str = ""
    last_at: int = 0
    _known: "OrderedDict[str, None]" = field(default_factory=OrderedDict)

    def take(self, notice: WebhookEvent) -> bool:
        """False: it is known already."""
        if notice.id in self._known:
            return False
        if notice.id:
            self._known[notice.id] = None
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        kind = one_line(notice.event, _LONGEST) or "unnamed"
        self.counts[kind if kind in self.counts or len(self.counts) < _KINDS else "others"] += 1
        self.last, self.last_at = kind, notice.created_at
        room, who = one_line(notice.room.name, _LONGEST), one_line(notice.participant.identity, _LONGEST)
        log.info("livekit: %s", numbers_shortened(" ".join(part for part in (kind, room, who) if part)))
        return True
