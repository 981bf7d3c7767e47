"""What one session tells its client, besides sound."""

import logging
from collections.abc import Collection, Iterable, Sequence

from gateway.room import Room
from gateway.sessions.messages import Narrator
from gateway.turn_taking import Play
from schemas.client import EndedMessage, ErrorMessage, ToClient
from schemas.events import Event, SessionEnded, Stage, StageFailed

log = logging.getLogger("antiphon.gateway")

_FAILED: dict[Stage, str] = {
    "stt": "What was said could not be heard",
    "llm": "The answer could not be found",
    "tts": "The answer could not be spoken",
}
"""What a caller is told of a stage's failure. Its own message, which may name settings and addresses, is the operator's."""
_OURS = "The conversation can't go on, by a fault on this side; please call again."


class Teller:
    def __init__(self, session: str, room: Room):
        self._session, self._room = session, room
        self._narrator = Narrator()

    def event(self, event: Event) -> None:
        """The next one of the log."""
        if isinstance(event, StageFailed):
            log.warning("%s: turn %s: %s: %s", self._session, event.turn, event.stage, event.message)
            message = _FAILED[event.stage] + ("; it is tried again." if event.will_retry else ".")
            self._send([ErrorMessage(code=f"{event.stage}_{event.code}", message=message, fatal=False)])
        self._send(self._narrator.messages(event))

    def past(self, event: Event) -> None:
        """One from before we had the session, to which later messages refer."""
        self._narrator.messages(event)

    def again(self, turns: Collection[int]) -> None:
        """What was said in these is told once more: whoever had the session may have died before the client was told."""
        self._send(self._narrator.again(turns))

    def published(self, events: Sequence[Event]) -> None:
        """What these name may sound before the inbox brings them; and behind a session's end it brings nothing."""
        over = any(isinstance(event, SessionEnded) for event in events)
        for event in events:
            self._send(self._narrator.messages(event)) if over else self._narrator.remember(event)

    def sounds(self, play: Play) -> None:
        """A sentence begins now."""
        if play.phrase is None or play.index == 0:
            self._send(self._narrator.sentence(play.turn, play.generation, play.index))

    def complaint(self, complaint: ErrorMessage) -> None:
        """Something is wrong with what the client sends."""
        log.warning("%s: %s", self._session, complaint.message)
        self._room.send(complaint)

    def failed(self) -> None:
        """An error of ours ends the session."""
        self._room.send(ErrorMessage(code="internal", message=_OURS, fatal=True))

    def ended(self, reason: str) -> None:
        self._room.send(EndedMessage(reason=reason))

    def _send(self, messages: Iterable[ToClient]) -> None:
        for message in messages:
            self._room.send(message)
